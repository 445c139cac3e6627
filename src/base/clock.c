/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "base/parse.h"

#define MS_PER_DAY INT64_C(86400000)

static int64_t read_ms(clockid_t id)
{
	struct timespec ts;
	(void)clock_gettime(id, &ts); /* cannot fail for these two */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t system_wall_ms(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_REALTIME);
}

static int64_t system_mono_ms(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_MONOTONIC);
}

const struct gm_clock *gm_clock_system(void)
{
	static const struct gm_clock clock = { .wall_ms = system_wall_ms, .mono_ms = system_mono_ms };
	return &clock;
}

int64_t gm_clock_mono_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t manual_wall_ms(void *ctx)
{
	return ((struct gm_manual_clock *)ctx)->wall_ms;
}

static int64_t manual_mono_ms(void *ctx)
{
	return ((struct gm_manual_clock *)ctx)->mono_ms;
}

void gm_manual_clock_init(struct gm_manual_clock *c, int64_t wall_ms)
{
	*c = (struct gm_manual_clock){
		.clock = { .wall_ms = manual_wall_ms, .mono_ms = manual_mono_ms, .ctx = c },
		.wall_ms = wall_ms,
	};
}

void gm_manual_clock_advance(struct gm_manual_clock *c, int64_t ms)
{
	c->wall_ms += ms;
	c->mono_ms += ms;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; the year is counted from March, so leap days come last. */
static int64_t days_of(int year, int month, int day)
{
	int y = month > 2 ? year : year - 1;
	int era = y / 400, year_of_era = y % 400;
	int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return (int64_t)era * 146097 + day_of_era - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468; /* not negative from year 1 on */
	int era = (int)(z / 146097), day_of_era = (int)(z % 146097);
	int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int m = (5 * day_of_year + 2) / 153;
	*day = day_of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = era * 400 + year_of_era + (*month <= 2);
}

static char *put_digits(char *p, int v, unsigned width)
{
	for (unsigned i = width; i-- > 0; v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + width;
}

static char *put_char(char *p, char c)
{
	*p = c;
	return p + 1;
}

unsigned gm_time_format(int64_t ms, char buf[static GM_TIME_TEXT_SIZE])
{
	int64_t first = days_of(1, 1, 1) * MS_PER_DAY, last = days_of(10000, 1, 1) * MS_PER_DAY - 1;
	ms = ms < first ? first : ms > last ? last : ms;
	int64_t in_day = ms % MS_PER_DAY;
	if (in_day < 0)
		in_day += MS_PER_DAY;
	int year = 0, month = 0, day = 0, s = (int)(in_day / 1000), milli = (int)(in_day % 1000);
	date_of((ms - in_day) / MS_PER_DAY, &year, &month, &day);
	char *p = put_char(put_digits(buf, year, 4), '-');
	p = put_char(put_digits(p, month, 2), '-');
	p = put_char(put_digits(p, day, 2), 'T');
	p = put_char(put_digits(p, s / 3600, 2), ':');
	p = put_char(put_digits(p, s / 60 % 60, 2), ':');
	p = put_digits(p, s % 60, 2);
	if (milli)
		p = put_digits(put_char(p, '.'), milli, 3);
	p = put_char(p, 'Z');
	*p = '\0';
	return (unsigned)(p - buf);
}

/* Exactly `width` digits within [min, max] at the front of *s, which is moved behind them. */
static bool take_number(struct gm_str *s, size_t width, int min, int max, int *out)
{
	if (s->n < width)
		return false;
	uint64_t v = 0;
	if (!gm_parse_u64(gm_str_n(s->p, width), (uint64_t)min, (uint64_t)max, &v))
		return false;
	*s = gm_str_n(s->p + width, s->n - width);
	*out = (int)v;
	return true;
}

static bool take_char(struct gm_str *s, const char *set)
{
	if (s->n == 0 || s->p[0] == '\0' || !strchr(set, s->p[0]))
		return false;
	*s = gm_str_n(s->p + 1, s->n - 1);
	return true;
}

/* ".123456": milliseconds, the rest cut off; nothing is 0. */
static bool take_fraction(struct gm_str *s, int *out_milli)
{
	*out_milli = 0;
	if (!take_char(s, "."))
		return true;
	size_t n = 0;
	for (int unit = 100; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++, unit /= 10)
		*out_milli += unit * (s->p[n] - '0');
	*s = gm_str_n(s->p + n, s->n - n);
	return n > 0;
}

static bool take_offset(struct gm_str *s, int64_t *out_ms)
{
	*out_ms = 0;
	if (take_char(s, "Zz"))
		return true;
	bool west = s->n > 0 && s->p[0] == '-';
	int hours = 0, minutes = 0;
	if (!take_char(s, "+-") || !take_number(s, 2, 0, 23, &hours) || !take_char(s, ":") ||
	    !take_number(s, 2, 0, 59, &minutes))
		return false;
	*out_ms = (west ? -1 : 1) * (hours * 60 + minutes) * INT64_C(60000);
	return true;
}

static int days_in_month(int year, int month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

bool gm_time_parse(struct gm_str s, int64_t *out_ms)
{
	uint64_t seconds = 0;
	if (gm_parse_u64(s, 0, UINT64_C(253402300799), &seconds)) {
		*out_ms = (int64_t)seconds * 1000;
		return true;
	}
	int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, milli = 0;
	int64_t offset = 0;
	/* Second 60 is a leap second: it is the next minute's first. */
	if (!take_number(&s, 4, 1, 9999, &year) || !take_char(&s, "-") || !take_number(&s, 2, 1, 12, &month) ||
	    !take_char(&s, "-") || !take_number(&s, 2, 1, days_in_month(year, month), &day) || !take_char(&s, "Tt ") ||
	    !take_number(&s, 2, 0, 23, &hour) || !take_char(&s, ":") || !take_number(&s, 2, 0, 59, &minute) ||
	    !take_char(&s, ":") || !take_number(&s, 2, 0, 60, &second) || !take_fraction(&s, &milli) ||
	    !take_offset(&s, &offset) || s.n != 0)
		return false;
	*out_ms = days_of(year, month, day) * MS_PER_DAY + ((hour * 60 + minute) * 60 + second) * INT64_C(1000) +
		  milli - offset;
	return true;
}
