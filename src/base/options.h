/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the one table of all options: names, types, bounds, defaults, help. It feeds the command
 * line, the configuration file, the manual page and every binding. */
#ifndef GENAIR_BASE_OPTIONS_H
#define GENAIR_BASE_OPTIONS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type { OPTION_FLAG, OPTION_INT, OPTION_REAL, OPTION_TEXT, OPTION_CHOICE, OPTION_LIST };

struct option_spec {
    const char *name;       /* long name, without dashes */
    char letter;            /* short form, or 0 */
    enum option_type type;
    const char *fallback;   /* default as text; NULL: none, must be given or is absent */
    double min, max;        /* inclusive bounds of OPTION_INT and OPTION_REAL */
    const char *choices;    /* "a|b|c" of OPTION_CHOICE */
    const char *argument;   /* name of the value in help: "DIR" */
    const char *help;
    const char *commands;   /* " prepare train ": the commands that take it; "*" for all */
};

const struct option_spec *options_table(size_t *n);
bool option_applies(const struct option_spec *spec, const char *command);

/* Values of one command's options. Asking for a name that the command does not take is our defect and
 * asserts. Absent text is NULL. */
const char *options_command(const genair_options *o);
bool option_given(const genair_options *o, const char *name); /* set by the caller, not a default */
bool option_flag(const genair_options *o, const char *name);
int64_t option_int(const genair_options *o, const char *name);
double option_real(const genair_options *o, const char *name);
const char *option_text(const genair_options *o, const char *name); /* text and choices */
size_t option_list(const genair_options *o, const char *name, const char *const **values);
/* GENAIR_USAGE naming the option and command when it is absent. */
CHECKED genair_code option_require(const genair_options *o, const char *name, genair_status *st);

#endif
