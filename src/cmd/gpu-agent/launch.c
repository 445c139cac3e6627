/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/*
 * What a bundle has under the name of each of its programs: starts bin/NAME through the loader that lies in lib/, so that
 * the host's C library does not matter. It has none itself (nor a shell, which an empty container lacks too): the kernel
 * gives it its arguments, and it gives the kernel the next program.
 */
#define PATH_SIZE 4096
static char self[PATH_SIZE], folder[PATH_SIZE], loader[PATH_SIZE], program[PATH_SIZE], libraries[2 * PATH_SIZE];

static long kernel(long number, const void *a, const void *b, const void *c)
{
	long answer;

	__asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return answer;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static _Noreturn void leave(const char *why)
{
	kernel(SYS_write, (void *)2, why, (void *)length(why));
	for (;;)
		kernel(SYS_exit_group, (void *)127, NULL, NULL);
}

static void append(char *out, size_t size, const char *s)
{
	size_t n = length(out);

	for (; *s; s++) {
		if (n + 1 >= size)
			leave("the path of this program is too long\n");
		out[n++] = *s;
	}
	out[n] = '\0';
}

/* Where this file lies, links followed; without /proc what it was started as. Its folder goes to `folder`. */
static const char *find_self(const char *started_as)
{
	size_t n;

	if (kernel(SYS_readlink, "/proc/self/exe", self, (void *)(PATH_SIZE - 1)) < 0)
		append(self, PATH_SIZE, started_as);
	for (n = length(self); n > 0 && self[n - 1] != '/';)
		n--;
	append(folder, PATH_SIZE, n == 0 ? "." : self);
	if (n > 0)
		folder[n - 1] = '\0';
	return self + n;
}

static const char *environment(char **env, const char *name)
{
	for (; *env; env++) {
		size_t i = 0;

		while (name[i] && (*env)[i] == name[i])
			i++;
		if (!name[i] && (*env)[i] == '=')
			return *env + i + 1;
	}
	return NULL;
}

/* LD_LIBRARY_PATH counts on, after the bundle's: images that are made for NVIDIA's runtime name the driver's folder there. */
static _Noreturn void start(char **argv, size_t argc, char **env)
{
	static const char *with[256] = { loader, "--argv0", NULL, "--library-path", libraries, program };
	const size_t before = 6;
	const char *more = environment(env, "LD_LIBRARY_PATH");

	append(libraries, sizeof(libraries), folder);
	append(libraries, sizeof(libraries), "/lib");
	if (more && *more) {
		append(libraries, sizeof(libraries), ":");
		append(libraries, sizeof(libraries), more);
	}
	if (argc < 1 || before + argc > sizeof(with) / sizeof(with[0]))
		leave("too many arguments\n");
	with[2] = argv[0];
	for (size_t i = 1; i < argc; i++)
		with[before + i - 1] = argv[i];
	kernel(SYS_execve, loader, with, env);
	leave("the bundle is not whole: lib/ld-linux-x86-64.so.2 cannot be started\n");
}

_Noreturn void gm_launch(uintptr_t *stack);

/* `stack`: argc, argv.., NULL, environment.., NULL, pairs of the auxiliary vector. */
__attribute__((used)) _Noreturn void gm_launch(uintptr_t *stack)
{
	const size_t argc = stack[0];
	char **argv = (char **)(stack + 1), **env = argv + argc + 1, **end = env;
	const char *started_as = "", *name;

	while (*end)
		end++;
	for (const Elf64_auxv_t *aux = (const Elf64_auxv_t *)(end + 1); aux->a_type != AT_NULL; aux++)
		if (aux->a_type == AT_EXECFN)
			started_as = (const char *)aux->a_un.a_val;
	name = find_self(started_as);
	append(program, PATH_SIZE, folder);
	append(program, PATH_SIZE, "/bin/");
	append(program, PATH_SIZE, name);
	append(loader, PATH_SIZE, folder);
	append(loader, PATH_SIZE, "/lib/ld-linux-x86-64.so.2");
	start(argv, argc, env);
}

__asm__(".text\n.globl _start\n_start:\n\txorl %ebp, %ebp\n\tmovq %rsp, %rdi\n\tandq $-16, %rsp\n\tcall "
	"gm_launch\n\thlt\n");
