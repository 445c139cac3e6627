/* SPDX-License-Identifier: MIT */
/* Comma-separated values: every field lies within the text, lines only rise, and the reader comes to an end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/ctl/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gm_csv csv;
	struct gm_err err = { 0 };
	size_t line = 0, length;
	int64_t value = -1;
	int rc;

	if (gm_csv_open_text("fuzz", gm_str_n((const char *)data, size), &csv, &err) < 0)
		return 0;
	length = strlen(csv.text);
	while ((rc = gm_csv_next(&csv, &err)) > 0) {
		must(csv.line > line && csv.field_count > 0 && csv.field_count <= GM_CSV_FIELDS_MAX);
		line = csv.line;
		for (size_t i = 0; i < csv.field_count; i++)
			must(csv.fields[i].p >= csv.text && csv.fields[i].p + csv.fields[i].n <= csv.text + length);
		if (gm_csv_fixed(&csv, 0, "value", 3, 0, 1000, &value, &err) == 0)
			must(value >= 0 && value <= 1000);
		else
			must(err.where[0] && err.text[0]);
		(void)gm_csv_column(&csv, "Latency");
	}
	must(rc == 0 || (err.where[0] && err.text[0]));
	gm_csv_close(&csv);
	return 0;
}
