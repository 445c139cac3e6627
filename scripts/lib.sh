# SPDX-License-Identifier: MIT
# What the scripts share. Sourced, with $root set to the top of the source tree.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the lists are for those who source this; root comes from them

say() { printf '%s\n' "$*"; }
step() { if [ -t 1 ]; then printf '\033[1m==> %s\033[0m\n' "$*"; else printf '==> %s\n' "$*"; fi; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Only the package manager runs as root: with "sudo scripts/...", the rest goes back to who asked.
if [ "$(id -u):$(stat -c %u "$root")" = "0:${SUDO_UID:-0}" ] && [ "${SUDO_UID:-0}" != 0 ]; then
	exec sudo -H -u "#$SUDO_UID" -- "$0" "$@"
fi

# Serving needs the first; scripts/test and scripts/bench add theirs.
build_packages=(gcc meson ninja-build pkg-config python3 git ca-certificates
	libsodium-dev libxxhash-dev libzstd-dev zlib1g-dev libsqlite3-dev libmicrohttpd-dev libgnutls28-dev
	libcurl4-openssl-dev libjansson-dev libyaml-dev libnghttp2-dev libprotobuf-c-dev protobuf-c-compiler
	libseccomp-dev libsmartcols-dev libncurses-dev brotli nodejs npm)
test_packages=(libcmocka-dev clang clang-format clang-tidy libclang-rt-dev llvm codespell cppcheck gcovr
	chromium fonts-noto-cjk prometheus sqlite3 openssl curl procps python3-venv)
bench_packages=(prometheus victoria-metrics wrk procps python3-venv)

# follow LOG: one line of a terminal that says how long a step has run and what its log said last.
follow() {
	local begin=$SECONDS width last
	while kill -0 "$$" 2>/dev/null; do
		width=$(stty size 2>/dev/null | cut -d' ' -f2)
		last=$(tail -c 400 "$1" 2>/dev/null | tr '\r\t' '\n ' | grep -v '^ *$' | tail -n 1)
		printf '\r\033[K%5d s  %.*s' $((SECONDS - begin)) $((${width:-80} - 12)) "$last"
		sleep 0.5
	done
}

# logged LOG WHAT COMMAND...: a long step. It says what it does and where its log is; the log's end is shown on failure.
logged() {
	local log=$logs/$1 what=$2 begin=$SECONDS rc=0 follower=''
	shift 2
	step "$what (log: ${log#"$root"/})"
	: >"$log"
	if [ -t 1 ]; then follow "$log" <&1 & follower=$!; fi
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	if [ -n "$follower" ]; then
		kill "$follower" 2>/dev/null
		wait "$follower" 2>/dev/null
		printf '\r\033[K'
	fi
	[ "$rc" = 0 ] || { tail -n 25 "$log" | cut -c -300 >&2; return "$rc"; }
	[ $((SECONDS - begin)) -lt 2 ] || printf '%5d s\n' $((SECONDS - begin))
}

missing_packages() {
	local p installed
	installed=$(dpkg-query -W -f='${db:Status-Status}:${Package} ' "$@" 2>/dev/null || :)
	for p in "$@"; do
		# Node may be there from elsewhere (a version manager); Debian's is then not wanted.
		case $p in nodejs | npm) command -v "${p/nodejs/node}" >/dev/null 2>&1 && continue ;; esac
		[[ " $installed" == *" installed:$p "* ]] || printf '%s\n' "$p"
	done
}

# All that runs as root. Packages may bring a service: it must not start now (the policy, there only for the time of the
# install; a mark tells one that a killed run left from one that was here) nor at the next boot. Nothing is removed, and
# an interrupted install is finished first.
# shellcheck disable=SC2016
as_root='
policy=/usr/sbin/policy-rc.d mark="# while packages for k8s-gpu-management are installed"
if [ ! -e "$policy" ] || grep -qxF "$mark" "$policy"; then
	trap "rm -f $policy" EXIT
	trap "exit 130" HUP INT TERM
	printf "#!/bin/sh\n%s\nexit 101\n" "$mark" >"$policy"
	chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"; }
dpkg --configure -a || :
apt update || echo "apt-get update failed; trying with the lists that are there"
apt install --no-install-recommends --no-remove -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" ||
	exit 1
command -v systemctl && dpkg -L "$@" | grep -E "/systemd/system/[^/@]+[.](service|socket|timer)$" | while read -r unit; do
	systemctl disable "${unit##*/}"
done || :'

# Only the package manager runs as root: what is built belongs to whoever builds.
install_packages() {
	local missing
	if ! command -v dpkg-query >/dev/null 2>&1; then
		say "no dpkg here: the counterparts of these Debian packages should be installed: $*"
		return 0
	fi
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	local root_shell=(sh -c "$as_root" sh)
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null 2>&1 || die "as root, run: apt-get install --no-install-recommends ${missing[*]}"
		sudo -n true 2>/dev/null || { say "sudo is needed to install: ${missing[*]}" && sudo true; } || die "sudo refused"
		root_shell=(sudo "${root_shell[@]}")
	fi
	logged packages.log "installing ${#missing[@]} Debian packages: ${missing[*]}" "${root_shell[@]}" "${missing[@]}" ||
		die "installing packages failed"
}

node_ok() {
	command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
		node -e 'const [a,b]=process.versions.node.split(".").map(Number); process.exit(a>20||(a===20&&b>=19)?0:1)' 2>/dev/null
}

# The dashboard's build wants Node >= 20.19. Where Debian's is older, npm's own package `node` goes into .node/.
use_node() {
	local bin=$root/.node/node_modules/node/bin
	node_ok && return 0
	command -v npm >/dev/null 2>&1 || return 1
	[ -x "$bin/node" ] || logged node.log "putting Node 22 into .node/ (installed is $(node --version 2>/dev/null || echo none))" \
		npm install --prefix "$root/.node" --no-save --no-audit --no-fund --loglevel=error node@22 || return 1
	PATH=$bin:$PATH
	node_ok
}

# stale TARGET SOURCES...: true when TARGET does not exist or a source is newer.
stale() {
	local target=$1
	shift
	[ -e "$target" ] || return 0
	[ -n "$(find "$@" -newer "$target" -print -quit 2>/dev/null)" ]
}

# build_web [tests]: builds web/dist. Without "tests", npm installs only what the build needs.
build_web() {
	local web=$root/web omit=(--omit=dev) built=$root/build/.dashboard
	local installed=$web/node_modules/.installed
	use_node || { say "no usable Node: the dashboard is left out, REST and metrics work"; return 0; }
	if [ "${1:-}" = tests ]; then installed+=-tests omit=(); fi
	if stale "$installed" "$web/package-lock.json" "$web/package.json"; then
		logged npm.log "installing the dashboard's packages" \
			npm --prefix "$web" ci "${omit[@]}" --no-audit --no-fund --loglevel=error || die "npm ci failed"
		touch "$web/node_modules/.installed" "$installed"
	fi
	if [ ! -e "$web/dist/index.html" ] || stale "$built" "$web/package-lock.json" "$web/src" "$web/public" "$web/index.html" \
		"$web/vite.config.ts" "$web/svelte.config.js" "$web/tsconfig.json"; then
		logged web.log "building the dashboard" npm --prefix "$web" run --silent build || die "the dashboard does not build"
		# The time tells meson to look for the dashboard again.
		touch "$built" "$web/dist/index.html" "$web/meson.build"
	fi
}

# build_programs DIR [meson options]: configures once, then lets ninja do what is needed. With $targets set, these only.
build_programs() {
	local name=$1 dir=$root/$1 what=()
	shift
	read -ra what <<<"${targets:-}"
	[ -f "$dir/build.ninja" ] || logged "$name-setup.log" "configuring $name" meson setup "$dir" "$root" "$@" ||
		die "meson setup failed"
	[[ $(ninja -C "$dir" -n "${what[@]}" 2>&1) == *'no work to do'* ]] || logged "$name.log" "compiling $name" ninja -C "$dir" "${what[@]}" ||
		die "$name does not build"
}

# The sanitizers' maps of memory want few random bits in addresses, or programs under them end before they begin. setarch -R
# switches these bits off for what it starts: "${steady[@]}" COMMAND. False where they are many and that is refused.
steady=(env)
steady_addresses() {
	[ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)" -gt 28 ] || return 0
	steady=(setarch -R)
	"${steady[@]}" true 2>/dev/null
}

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port FIRST: it, or the next of a hundred that nobody listens on.
free_port() {
	local port
	for ((port = $1; port <= $1 + 100 && port <= 65535; port++)); do
		taken "$port" || { say "$port"; return 0; }
	done
	return 1
}

logs=$root/build/logs
if ! mkdir -p "$logs" 2>/dev/null || [ ! -w "$logs" ]; then
	die "cannot write to $logs: was it built as another user? Remove $root/build, or run this as that user"
fi
