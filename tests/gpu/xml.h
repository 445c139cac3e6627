/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_GPU_XML_H
#define GM_TESTS_GPU_XML_H

#include <stdbool.h>

#include "base/str.h"

/*
 * Reads as much of XML as nvidia-smi writes: elements and text; attributes, comments and declarations are passed over.
 * An element is a view of what stands between its tags.
 */
/* The n-th child of this name, from 0; false when there are fewer, or the text is no XML. */
bool xml_child(struct gm_str element, struct gm_str name, unsigned n, struct gm_str *out);
/* "fb_memory_usage/used": down through first children. The text, without blanks around it. */
bool xml_text(struct gm_str element, const char *path, struct gm_str *out);

#endif
