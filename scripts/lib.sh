# SPDX-License-Identifier: MIT
# What the scripts share. Sourced, with $root set to the top of the source tree.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }
step() { if [ -t 1 ]; then printf '\033[1m==> %s\033[0m\n' "$*"; else printf '==> %s\n' "$*"; fi; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Only the package manager runs as root: what is built belongs to whoever builds.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"
	elif command -v sudo >/dev/null 2>&1; then sudo "$@"
	else die "needs root or sudo to install packages: $*"; fi
}

build_packages=(gcc meson ninja-build pkg-config python3 git ca-certificates
	libsodium-dev libxxhash-dev libzstd-dev zlib1g-dev libsqlite3-dev libmicrohttpd-dev libgnutls28-dev
	libcurl4-openssl-dev libjansson-dev libyaml-dev brotli nodejs npm)
test_packages=(libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev llvm codespell cppcheck gcovr
	chromium fonts-noto-cjk prometheus sqlite3 openssl curl procps)
bench_packages=(prometheus victoria-metrics wrk procps)

missing_packages() {
	local p
	for p in "$@"; do
		# nodejs may be there from elsewhere (a version manager); its own package is then not wanted.
		case $p in nodejs | npm) command -v "${p/nodejs/node}" >/dev/null 2>&1 && continue ;; esac
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || printf '%s\n' "$p"
	done
}

# Packages may bring a service; it must not start. The policy file is there only for the time of the install.
install_packages() {
	local missing policy=/usr/sbin/policy-rc.d
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null 2>&1 || die "needs Debian's apt-get, or these installed by hand: ${missing[*]}"
	step "installing ${#missing[@]} Debian packages: ${missing[*]}"
	as_root sh -c '
		policy=$1; shift; made=
		if [ ! -e "$policy" ]; then printf "#!/bin/sh\nexit 101\n" >"$policy"; chmod 755 "$policy"; made=1; fi
		trap "[ -z \"\$made\" ] || rm -f \"$policy\"" EXIT
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -q && apt-get install -y -q --no-install-recommends "$@"
	' sh "$policy" "${missing[@]}" >"$logs/packages.log" 2>&1 || {
		tail -n 20 "$logs/packages.log" >&2
		die "installing packages failed; the whole log is $logs/packages.log"
	}
}

# Clang 14's runtime on Debian 12, 19's on 13: whichever the default clang wants.
adapt_packages() {
	local version
	version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p' | head -1)
	[ -n "$version" ] && test_packages=("${test_packages[@]/libclang-rt-14-dev/libclang-rt-$version-dev}")
	return 0
}

node_ok() {
	command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
		node -e 'const [a,b]=process.versions.node.split(".").map(Number); process.exit(a>20||(a===20&&b>=19)?0:1)' 2>/dev/null
}

# The dashboard's build wants Node >= 20.19. Where Debian's is older, npm's own package `node` goes into .node/.
use_node() {
	if [ -x "$root/.node/node_modules/node/bin/node" ]; then PATH="$root/.node/node_modules/node/bin:$PATH"; fi
	node_ok && return 0
	command -v npm >/dev/null 2>&1 || return 1
	step "installing Node 22 into .node/ (the one installed is $(node --version 2>/dev/null || echo none))"
	npm install --prefix "$root/.node" --no-save --no-audit --no-fund --loglevel=error node@22 >"$logs/node.log" 2>&1 || {
		tail -n 20 "$logs/node.log" >&2
		return 1
	}
	PATH="$root/.node/node_modules/node/bin:$PATH"
	node_ok
}

# True when $1 does not exist or something in the rest is newer.
stale() {
	local target=$1
	shift
	[ -e "$target" ] || return 0
	[ -n "$(find "$@" -newer "$target" -print -quit 2>/dev/null)" ]
}

build_web() {
	use_node || { say "no usable Node: the dashboard is left out, REST and metrics work"; return 0; }
	if stale "$root/web/node_modules/.stamp" "$root/web/package-lock.json" "$root/web/package.json"; then
		step "installing the dashboard's packages (npm ci)"
		(cd "$root/web" && npm ci --no-audit --no-fund --loglevel=error) >"$logs/npm.log" 2>&1 || {
			tail -n 20 "$logs/npm.log" >&2
			die "npm ci failed; the whole log is $logs/npm.log"
		}
		touch "$root/web/node_modules/.stamp"
	fi
	if stale "$root/web/dist/index.html" "$root/web/src" "$root/web/public" "$root/web/index.html" \
		"$root/web/vite.config.ts" "$root/web/package-lock.json"; then
		step "building the dashboard"
		(cd "$root/web" && npm run --silent build) >"$logs/web.log" 2>&1 || {
			tail -n 20 "$logs/web.log" >&2
			die "the dashboard does not build; the whole log is $logs/web.log"
		}
		touch "$root/web/dist/index.html" "$root/web/meson.build"
	fi
}

# build_programs DIR [meson options]: configures once, then lets ninja do what is needed.
build_programs() {
	local dir=$root/$1
	shift
	if [ ! -f "$dir/build.ninja" ]; then
		step "configuring ${dir##*/}"
		meson setup "$dir" "$root" "$@" >"$logs/${dir##*/}-setup.log" 2>&1 || {
			tail -n 20 "$logs/${dir##*/}-setup.log" >&2
			die "meson setup failed; the whole log is $logs/${dir##*/}-setup.log"
		}
	fi
	if [ -n "$(ninja -C "$dir" -n 2>/dev/null | grep -v 'no work to do' | sed -n 2p)" ]; then step "compiling in ${dir##*/}"; fi
	ninja -C "$dir" >"$logs/${dir##*/}.log" 2>&1 || {
		grep -E 'error|FAILED|warning' "$logs/${dir##*/}.log" | head -n 20 >&2
		die "the build failed; the whole log is $logs/${dir##*/}.log"
	}
}

logs=$root/build/logs
mkdir -p "$logs"
