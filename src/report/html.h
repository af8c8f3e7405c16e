/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes HTML: what comes from data goes through html_text or html_table, which escape. */
#ifndef GENAIR_REPORT_HTML_H
#define GENAIR_REPORT_HTML_H

#include "base/files.h"
#include "base/text.h"

#include <jansson.h>

/* The first failure sticks: everything after it does nothing. */
struct html {
    struct writer *writer;
    genair_status *st;
    genair_code code;
};

void html_put(struct html *h, const char *markup); /* as it is: markup of ours */
/* Text of a catalogue or log: markup characters become entities, control characters and what is no UTF-8 become
 * U+FFFD. */
void html_text(struct html *h, struct text t);
/* rows: flat objects. Columns are their keys in order of first appearance; the first one heads its row. Nothing for an
 * empty array. */
void html_table(struct html *h, const char *caption, const json_t *rows);
/* The svg element of a file that a program of ours drew, with a caption. */
void html_figure(struct html *h, const char *svg_path, const char *caption);

#endif
