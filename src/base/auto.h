/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_AUTO_H
#define GM_BASE_AUTO_H

#include <stddef.h>
#include <unistd.h>

/*
 * Clean-up on leaving the scope. A type's header says once
 *     GM_DEFINE_AUTO(struct gm_grant, gm_grant_free)
 * and a local says
 *     GM_AUTO(gm_grant_free_p) struct gm_grant *grant = NULL;
 * Every function given to GM_DEFINE_AUTO accepts NULL.
 * GM_DEFINE_AUTO_VALUE is the same for values held in place (`fini` takes a pointer to the value).
 */
#define GM_AUTO(func) __attribute__((cleanup(func)))

#define GM_DEFINE_AUTO(type, func)                                                                                     \
	static inline __attribute__((unused)) void func##_p(type **p)                                                  \
	{                                                                                                              \
		func(*p);                                                                                              \
	}

#define GM_DEFINE_AUTO_VALUE(type, func)                                                                               \
	static inline __attribute__((unused)) void func##_p(type *p)                                                   \
	{                                                                                                              \
		func(p);                                                                                               \
	}

/* Moves a pointer out of a GM_AUTO local: `*out = gm_steal(&grant);` */
#define gm_steal(pp)                                                                                                   \
	({                                                                                                             \
		__typeof__(pp) gm_steal_pp_ = (pp);                                                                    \
		__typeof__(*gm_steal_pp_) gm_steal_v_ = *gm_steal_pp_;                                                 \
		*gm_steal_pp_ = NULL;                                                                                  \
		gm_steal_v_;                                                                                           \
	})

/* A file descriptor that closes itself; -1 is none. `GM_AUTO(gm_fd_close_p) int fd = -1;` */
static inline void gm_fd_close(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}
static inline __attribute__((unused)) void gm_fd_close_p(int *fd)
{
	gm_fd_close(*fd);
}
static inline int gm_fd_steal(int *fd)
{
	int v = *fd;
	*fd = -1;
	return v;
}

#define GM_CHECKED __attribute__((warn_unused_result))
#define GM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define GM_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define gm_likely(x) __builtin_expect(!!(x), 1)
#define gm_unlikely(x) __builtin_expect(!!(x), 0)

#endif
