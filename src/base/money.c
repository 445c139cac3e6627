/* SPDX-License-Identifier: MIT */
#include "base/money.h"

#include "base/parse.h"

#define MS_PER_HOUR 3600000
#define DECIMALS 6

__extension__ typedef __int128 wide;

/* a / b rounded half to even; b > 0. */
static wide divide_even(wide a, wide b)
{
	wide q = a / b, r = a % b;
	if (r < 0) { /* to the floor: 0 <= r < b */
		q--;
		r += b;
	}
	if (r * 2 > b || (r * 2 == b && (q & 1) != 0))
		q++;
	return q;
}

static bool narrow(wide v, int64_t *out)
{
	if (v < INT64_MIN || v > INT64_MAX)
		return false;
	*out = (int64_t)v;
	return true;
}

bool gm_money_parse(struct gm_str s, int64_t *out_micros)
{
	struct gm_str number = s;
	if (number.n > 0 && number.p[0] == '-')
		number = gm_str_n(number.p + 1, number.n - 1);
	size_t point = gm_str_find(number, '.'), decimals = number.n - point - (point < number.n);
	if (point == 0 || decimals > DECIMALS || (point < number.n && decimals == 0))
		return false;
	for (size_t i = 0; i < number.n; i++)
		if (i != point && (number.p[i] < '0' || number.p[i] > '9'))
			return false;
	return gm_parse_fixed(s, DECIMALS, out_micros);
}

bool gm_money_over(int64_t micros_per_hour, int64_t ms, int64_t *out_micros)
{
	return narrow(divide_even((wide)micros_per_hour * ms, MS_PER_HOUR), out_micros);
}

bool gm_money_share(int64_t micros, int64_t part, int64_t whole, int64_t *out_micros)
{
	if (whole == 0)
		return false;
	wide product = (wide)micros * part;
	return narrow(divide_even(whole < 0 ? -product : product, whole < 0 ? -(wide)whole : whole), out_micros);
}

bool gm_money_add(int64_t a, int64_t b, int64_t *out)
{
	int64_t sum = 0;
	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*out = sum;
	return true;
}

bool gm_currency_ok(struct gm_str code)
{
	if (code.n != 3)
		return false;
	for (size_t i = 0; i < code.n; i++)
		if (code.p[i] < 'A' || code.p[i] > 'Z')
			return false;
	return true;
}
