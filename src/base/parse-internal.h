/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_PARSE_INTERNAL_H
#define GM_BASE_PARSE_INTERNAL_H

#include <locale.h>
#include <stdint.h>

/* 10^0 to 10^19. */
extern const uint64_t gm_pow10_u64[20];
/* The C locale, for the libc functions that would follow the user's decimal point. Any thread. */
locale_t gm_c_locale(void);

#endif
