/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the one table of all options: names, types, bounds, defaults, help. It feeds the
 * command line, the configuration file, the manual page and every binding. */
#ifndef GENAIR_BASE_OPTIONS_H
#define GENAIR_BASE_OPTIONS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What values of OPTION_TEXT and OPTION_LIST must look like beyond their type. */
enum option_rule {
    RULE_ANY,
    RULE_NAME, /* names a directory: letters, digits . _ -, at most 64, no dot or dash in front */
    RULE_COUNT /* an integer within the bounds of the row */
};

enum option_type { OPTION_FLAG, OPTION_INT, OPTION_REAL, OPTION_TEXT, OPTION_CHOICE, OPTION_LIST };

struct option_spec {
    const char *name; /* long name, without dashes */
    char letter;      /* short form, or 0 */
    enum option_type type;
    const char *fallback; /* default as text; NULL: none, must be given or is absent */
    double min, max;      /* inclusive bounds of OPTION_INT and OPTION_REAL */
    const char *choices;  /* "a|b|c" of OPTION_CHOICE */
    const char *argument; /* name of the value in help: "DIR" */
    const char *help;
    const char *commands; /* " prepare train ": the commands that take it; "*" for all */
    enum option_rule rule;
    const char *methods; /* of train: " llminit rlmrec "; NULL: every method */
    bool matrix;     /* a matrix in memory may stand for the file */
    bool positional; /* a bare word on the command line is its value: genair inspect FILE */
};

/* The commands, in the order of the data's way, and one sentence on each. */
struct command_spec {
    const char *name, *help, *example;
};
const struct command_spec *commands_table(size_t *n);

const struct option_spec *options_table(size_t *n);
bool option_applies(const struct option_spec *spec, const char *command);
/* Whether runs of that method have the option. */
bool option_of_method(const struct option_spec *spec, const char *method);
/* The row of `name` under `command`, NULL when it has none. A name may have several rows, one for
 * each set of commands. */
const struct option_spec *option_find(const char *command, const char *name);
/* The failure to return for a name that has no row: suggests the nearest one, or says whose it is.
 */
genair_code option_unknown(const char *command, const char *name, genair_status *st);
/* What a value may be, for messages and help: "an integer from 1 to 8192". */
void option_allowed(const struct option_spec *spec, char *out, size_t size);

/* Sets on `to` what was given on `from` where both commands have the very same row and runs of the method have the
 * option (NULL: whatever the method); lists are left out. */
CHECKED genair_code options_pass_on(const genair_options *from, genair_options *to, const char *method,
                                    genair_status *st);

/* As if an option without a default had not been given. */
void options_forget(genair_options *o, const char *name);

/* GENAIR_USAGE for options of another command: what every public function looks at first, before it asks for any. */
CHECKED genair_code options_check_command(const genair_options *o, const char *command, genair_status *st);

/* Values of one command's options. Asking for a name that the command does not take is our defect
 * and asserts. Absent text is NULL. */
void options_note_file(genair_options *o, const char *name); /* what was set last came from an option file */
const char *options_command(const genair_options *o);
bool option_given(const genair_options *o, const char *name); /* set by the caller, not a default */
/* The same, and for this command: not by an option file, which may serve others too. */
bool option_asked(const genair_options *o, const char *name);
bool option_flag(const genair_options *o, const char *name);
int64_t option_int(const genair_options *o, const char *name);
double option_real(const genair_options *o, const char *name);
const char *option_text(const genair_options *o, const char *name); /* text and choices */
size_t option_list(const genair_options *o, const char *name, const char *const **values);
/* What genair_options_set_matrix set; NULL: a file is named, or nothing. */
struct option_matrix {
    const void *values; /* [rows, columns] */
    genair_type type;
    size_t rows, columns;
};
const struct option_matrix *option_matrix(const genair_options *o, const char *name);
/* GENAIR_USAGE naming an option that was given although it belongs to none of the methods. */
CHECKED genair_code options_check_methods(const genair_options *o, size_t n, const char *const *methods,
                                          genair_status *st);
/* The same for one option, given or not. */
CHECKED genair_code option_check_methods(const struct option_spec *spec, size_t n, const char *const *methods,
                                         genair_status *st);
/* GENAIR_USAGE naming the option and command when it is absent. */
CHECKED genair_code option_require(const genair_options *o, const char *name, genair_status *st);

#endif
