/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include <stdint.h>

#include "base/alloc.h"

static inline unsigned char lower(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

int gm_str_cmp(struct gm_str a, struct gm_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool gm_str_ieq(struct gm_str a, struct gm_str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool gm_str_icontains(struct gm_str s, struct gm_str needle)
{
	if (needle.n == 0)
		return true;
	for (size_t i = 0; i + needle.n <= s.n; i++)
		if (lower(s.p[i]) == lower(needle.p[0]) && gm_str_ieq(gm_str_n(s.p + i, needle.n), needle))
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct gm_str gm_str_trim(struct gm_str s)
{
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n > 0 && is_blank(s.p[0]))
		s = gm_str_n(s.p + 1, s.n - 1);
	return s;
}

bool gm_str_split(struct gm_str *rest, char sep, struct gm_str *part)
{
	if (rest->n == 0)
		return false;
	size_t at = gm_str_find(*rest, sep);
	*part = gm_str_n(rest->p, at);
	*rest = at < rest->n ? gm_str_n(rest->p + at + 1, rest->n - at - 1) : (struct gm_str){ 0 };
	return true;
}

size_t gm_str_find(struct gm_str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
	return at ? (size_t)(at - s.p) : s.n;
}

char *gm_str_dup(struct gm_str s)
{
	char *p = gm_xalloc(s.n + 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

bool gm_str_copy(struct gm_str s, char *buf, size_t size)
{
	if (size == 0)
		return false;
	size_t n = s.n < size ? s.n : size - 1;
	if (n)
		memcpy(buf, s.p, n);
	buf[n] = '\0';
	return n == s.n;
}

size_t gm_str_utf8_length(struct gm_str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	/* Of the second byte: keeps out overlong forms, surrogates and what is past 10FFFF. */
	unsigned char lo = 0x80, hi = 0xbf;
	size_t want;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		want = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		want = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		want = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (s.n < want || p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < want; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return want;
}

bool gm_str_utf8_ok(struct gm_str s)
{
	size_t i = 0;
	while (i < s.n) {
		uint64_t word = 0;
		if (s.n - i >= sizeof(word)) {
			memcpy(&word, s.p + i, sizeof(word));
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof(word);
				continue;
			}
		}
		size_t length = gm_str_utf8_length(gm_str_n(s.p + i, s.n - i));
		if (length == 0)
			return false;
		i += length;
	}
	return true;
}

/* Nearly every text is plain ASCII: one pass over it settles that. */
bool gm_str_plain_ok(struct gm_str s)
{
	bool ascii = true;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < ' ' || c == 0x7f)
			return false;
		ascii &= c < 0x80;
	}
	return ascii || gm_str_utf8_ok(s);
}
