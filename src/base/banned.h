/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_BANNED_H
#define GM_BASE_BANNED_H

/*
 * Put before every file by the build (-include). Each of these has a bounded, locale-free or thread-safe sibling in
 * base/; the headers that declare them are read first, so that only uses fail.
 */
#ifndef __ASSEMBLER__ /* the embedded dashboard */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* With clang, glibc's fortified forms of these two are macros. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strtok sprintf vsprintf gets
#pragma GCC poison atoi atol atoll atof rand srand
#pragma GCC poison localtime gmtime asctime ctime
#endif

#endif
