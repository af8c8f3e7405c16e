/* SPDX-License-Identifier: Apache-2.0 */
/* This module turns the words of a command line into options. */
#ifndef GENAIR_CLI_ARGUMENTS_H
#define GENAIR_CLI_ARGUMENTS_H

#include "base/options.h"

struct argument {
    char name[64];     /* long name */
    const char *value; /* borrowed from the words */
};

struct arguments {
    struct argument *items;
    size_t n;
};

/* words: what follows the command. Forms: --name value, --name=value, --flag, -w DIR, -wDIR; a list
 * takes all words up to the next option; after a bare -- every word is positional. Names and places
 * are checked here, values by genair_options_set. */
CHECKED genair_code arguments_parse(const char *command, int n_words, char *const *words,
                                    struct arguments *out, genair_status *st);
void arguments_free(struct arguments *a);
/* The last value of `name`, or NULL. */
const char *arguments_get(const struct arguments *a, const char *name);

/* Sets every argument on o. */
CHECKED genair_code arguments_apply(const struct arguments *a, genair_options *o,
                                    genair_status *st);

/* Sets the lines `name = value` of a file on o, but for names that `over` holds: those win. Blank
 * lines and those that begin with # are skipped; so are options of other commands, so that one file
 * may serve them all. Errors carry file and line. */
CHECKED genair_code config_apply(const char *path, const struct arguments *over, genair_options *o,
                                 genair_status *st);

#endif
