/* SPDX-License-Identifier: Apache-2.0 */
/* This module shows messages on standard error: a bar on a terminal, plain lines elsewhere. */
#ifndef GENAIR_CLI_PROGRESS_H
#define GENAIR_CLI_PROGRESS_H

#include "genair.h"

#include <stdbool.h>

struct progress {
    bool terminal, quiet;
    bool drawn;  /* a bar stands on the terminal's last line */
    double last; /* when the last plain progress line went out */
};

void progress_init(struct progress *p, bool quiet);
void progress_log(void *p, genair_log_level level, const char *line); /* a genair_log */
void progress_clear(struct progress *p); /* before anything else is printed */

#endif
