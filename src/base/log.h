/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_LOG_H
#define GM_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

/*
 * One line a fact, to stderr: `gm_info("target up", { "target", url }, GM_LOG_INT("devices", n));`
 * Only app and cmd log above debug. Each line is one write(2). Threads may log at once.
 */
enum gm_log_level { GM_LOG_DEBUG, GM_LOG_INFO, GM_LOG_WARN, GM_LOG_ERROR };
enum gm_log_format { GM_LOG_LOGFMT, GM_LOG_JSON };

struct gm_log_field {
	const char *key;
	const char *text; /* NULL: a number */
	int64_t number;
};
#define GM_LOG_INT(k, v)                                                                                               \
	{                                                                                                              \
		.key = (k), .text = NULL, .number = (int64_t)(v)                                                       \
	}

void gm_log_setup(enum gm_log_format format, enum gm_log_level level, int fd, const struct gm_clock *clock);
void gm_log_set_level(enum gm_log_level level);
bool gm_log_enabled(enum gm_log_level level);
void gm_log_write(enum gm_log_level level, const char *message, const struct gm_log_field *fields, size_t count);
/* The same with `error` and `code` (and `where`) from err behind the fields. */
void gm_log_write_err(enum gm_log_level level, const char *message, const struct gm_err *err,
		      const struct gm_log_field *fields, size_t count);

#define GM_LOG_(level, message, ...)                                                                                   \
	do {                                                                                                           \
		if (gm_log_enabled(level)) {                                                                           \
			const struct gm_log_field gm_fields_[] = { { 0 }, ##__VA_ARGS__ };                             \
			gm_log_write(level, message, gm_fields_ + 1, GM_LEN(gm_fields_) - 1);                          \
		}                                                                                                      \
	} while (0)
#define GM_LOG_ERR_(level, message, err, ...)                                                                          \
	do {                                                                                                           \
		if (gm_log_enabled(level)) {                                                                           \
			const struct gm_log_field gm_fields_[] = { { 0 }, ##__VA_ARGS__ };                             \
			gm_log_write_err(level, message, err, gm_fields_ + 1, GM_LEN(gm_fields_) - 1);                 \
		}                                                                                                      \
	} while (0)
#define gm_debug(message, ...) GM_LOG_(GM_LOG_DEBUG, message, ##__VA_ARGS__)
#define gm_info(message, ...) GM_LOG_(GM_LOG_INFO, message, ##__VA_ARGS__)
#define gm_warn(message, ...) GM_LOG_(GM_LOG_WARN, message, ##__VA_ARGS__)
#define gm_error(message, ...) GM_LOG_(GM_LOG_ERROR, message, ##__VA_ARGS__)
#define gm_warn_err(message, err, ...) GM_LOG_ERR_(GM_LOG_WARN, message, err, ##__VA_ARGS__)
#define gm_error_err(message, err, ...) GM_LOG_ERR_(GM_LOG_ERROR, message, err, ##__VA_ARGS__)

/*
 * For lines that may repeat: true when the caller should log now, then at most once in `every_ms`; *out_suppressed is
 * how many were held back since. `{ 0 }` to begin. Not thread-safe: each caller's own.
 */
struct gm_log_limit {
	int64_t last_mono_ms;
	uint64_t suppressed;
	bool used;
};
bool gm_log_limit_pass(struct gm_log_limit *l, int64_t mono_ms, int64_t every_ms, uint64_t *out_suppressed);

#endif
