/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the parser stands in the words. */
struct cursor {
    const char *command;
    char *const *words;
    int n, i;
    bool only_positional; /* after -- */
    struct arguments *out;
};

static void add(struct cursor *c, const char *name, size_t n, const char *value) {
    struct argument *a = &c->out->items[c->out->n++];
    if (n >= sizeof a->name) n = sizeof a->name - 1;
    memcpy(a->name, name, n);
    a->name[n] = '\0';
    a->value = value;
}

/* "-1" may be a value, "--json" and "-w" are not. */
static bool is_option(const char *word) {
    return word[0] == '-' && (word[1] == '-' || isalpha((unsigned char)word[1]));
}

static const struct option_spec *find_letter(const char *command, char letter) {
    size_t n;
    const struct option_spec *table = options_table(&n);
    for (size_t i = 0; i < n; i++)
        if (table[i].letter == letter && option_applies(&table[i], command)) return &table[i];
    return NULL;
}

static const struct option_spec *find_positional(const char *command) {
    size_t n;
    const struct option_spec *table = options_table(&n);
    for (size_t i = 0; i < n; i++)
        if (table[i].positional && option_applies(&table[i], command)) return &table[i];
    return NULL;
}

/* The value of an option whose name has been read and that was given none with "=". */
static genair_code take_value(struct cursor *c, const struct option_spec *spec, genair_status *st) {
    const size_t n = strlen(spec->name);
    if (spec->type == OPTION_FLAG) {
        add(c, spec->name, n, "yes");
        return GENAIR_OK;
    }
    if (c->i == c->n || is_option(c->words[c->i])) {
        char allowed[256];
        option_allowed(spec, allowed, sizeof allowed);
        return fail(st, GENAIR_USAGE, "--%s needs a value: %s", spec->name, allowed);
    }
    add(c, spec->name, n, c->words[c->i++]);
    if (spec->type == OPTION_LIST)
        while (c->i < c->n && !is_option(c->words[c->i]))
            add(c, spec->name, n, c->words[c->i++]);
    return GENAIR_OK;
}

static genair_code take_long(struct cursor *c, const char *word, genair_status *st) {
    const char *name = word + 2, *equals = strchr(name, '=');
    const size_t n = equals ? (size_t)(equals - name) : strlen(name);
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)(n < sizeof copy ? n : sizeof copy - 1), name);
    const struct option_spec *spec = option_find(c->command, copy);
    if (!spec) return option_unknown(c->command, copy, st);
    if (!equals) return take_value(c, spec, st);
    add(c, name, n, equals + 1);
    return GENAIR_OK;
}

static genair_code take_letter(struct cursor *c, const char *word, genair_status *st) {
    const struct option_spec *spec = find_letter(c->command, word[1]);
    if (!spec)
        return fail(st, GENAIR_USAGE, "'%s' has no option -%c; 'genair help %s' lists its options",
                    c->command, word[1], c->command);
    if (word[2] == '\0') return take_value(c, spec, st);
    if (spec->type == OPTION_FLAG)
        return fail(st, GENAIR_USAGE, "'%.80s': -%c takes no value; give letters one by one", word,
                    word[1]);
    add(c, spec->name, strlen(spec->name), word + 2 + (word[2] == '='));
    return GENAIR_OK;
}

static genair_code take_positional(struct cursor *c, const char *word, genair_status *st) {
    const struct option_spec *spec = find_positional(c->command);
    if (!spec)
        return fail(st, GENAIR_USAGE,
                    "'%.80s' belongs to no option; '%s' takes only options ('genair help %s')",
                    word, c->command, c->command);
    if (arguments_get(c->out, spec->name))
        return fail(st, GENAIR_USAGE, "'%.80s' is one word too many; '%s' takes one %s", word,
                    c->command, spec->argument ? spec->argument : spec->choices);
    add(c, spec->name, strlen(spec->name), word);
    return GENAIR_OK;
}

genair_code arguments_parse(const char *command, int n_words, char *const *words,
                            struct arguments *out, genair_status *st) {
    *out = (struct arguments){.items = calloc((size_t)n_words + 1, sizeof *out->items)};
    if (!out->items) return fail(st, GENAIR_MEMORY, "out of memory");
    struct cursor c = {.command = command, .words = words, .n = n_words, .out = out};
    genair_code code = GENAIR_OK;
    while (code == GENAIR_OK && c.i < c.n) {
        const char *word = words[c.i++];
        if (c.only_positional || !is_option(word))
            code = take_positional(&c, word, st);
        else if (strcmp(word, "--") == 0)
            c.only_positional = true;
        else if (word[1] == '-')
            code = take_long(&c, word, st);
        else
            code = take_letter(&c, word, st);
    }
    return code;
}

void arguments_free(struct arguments *a) {
    free(a->items);
    *a = (struct arguments){0};
}

const char *arguments_get(const struct arguments *a, const char *name) {
    for (size_t i = a->n; i-- > 0;)
        if (strcmp(a->items[i].name, name) == 0) return a->items[i].value;
    return NULL;
}

genair_code arguments_apply(const struct arguments *a, genair_options *o, genair_status *st) {
    for (size_t i = 0; i < a->n; i++) {
        const genair_code code = genair_options_set(o, a->items[i].name, a->items[i].value, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}
