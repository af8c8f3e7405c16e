/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include "base/alloc.h"
#include "base/size.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct value {
    bool given, of_file; /* by an option file */
    char *text; /* flags, texts and choices as written; NULL when absent */
    int64_t integer;
    double real;
    char **list;
    size_t n_list, list_capacity;
    struct option_matrix matrix; /* values NULL: none */
};

struct genair_options {
    const char *command;   /* in the table of commands */
    struct value values[]; /* [rows of the table]; rows of other commands stay empty */
};

enum { NAME_LIMIT = 64 };

/* ---- what is allowed ---- */

void option_allowed(const struct option_spec *spec, char *out, size_t size) {
    switch (spec->type) {
    case OPTION_FLAG:
        snprintf(out, size, "yes or no");
        return;
    case OPTION_INT:
        snprintf(out, size, "an integer from %.0f to %.0f", spec->min, spec->max);
        return;
    case OPTION_REAL:
        snprintf(out, size, "a number from %.10g to %.10g", spec->min, spec->max);
        return;
    case OPTION_CHOICE:
        snprintf(out, size, "one of %s", spec->choices);
        return;
    case OPTION_TEXT:
    case OPTION_LIST:
        break;
    }
    switch (spec->rule) {
    case RULE_ANY:
        snprintf(out, size, "text in UTF-8, not empty");
        return;
    case RULE_NAME:
        snprintf(out, size, "letters, digits and . _ - (none of . - in front, no .partial or .training at the end), at most %d",
                 NAME_LIMIT);
        return;
    case RULE_COUNT:
        snprintf(out, size, "integers from %.0f to %.0f", spec->min, spec->max);
        return;
    }
}

static genair_code refuse(const struct option_spec *spec, const char *value, genair_status *st) {
    char allowed[256], shown[TEXT_EXCERPT];
    option_allowed(spec, allowed, sizeof allowed);
    text_excerpt(text_of(value), shown);
    return fail(st, GENAIR_USAGE, "--%s is '%s': allowed is %s", spec->name, shown, allowed);
}

/* Not one of a file in the making. */
static bool is_name(const char *s) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const size_t n = strlen(s);
    return n > 0 && n <= NAME_LIMIT && strspn(s, letters) == n && s[0] != '.' && s[0] != '-' &&
           !text_ends_with(text_of(s), ".partial") && !text_ends_with(text_of(s), ".training");
}

static bool is_choice(const char *choices, const char *value) {
    for (const char *p = choices; p; p = strchr(p, '|')) {
        if (*p == '|') p++;
        if (text_equal((struct text){p, strcspn(p, "|")}, value)) return true;
    }
    return false;
}

static bool parse_int(const struct option_spec *spec, const char *value, int64_t *out) {
    int64_t x;
    if (!text_i64(text_of(value), &x)) return false;
    if (x < (int64_t)spec->min || x > (int64_t)spec->max) return false; /* no double tells 2^53 + 1 */
    *out = x;
    return true;
}

static bool parse_real(const struct option_spec *spec, const char *value, double *out) {
    double x;
    if (!text_f64(text_of(value), &x)) return false;
    if (!(x >= spec->min && x <= spec->max)) return false; /* also when overflow made it infinite */
    *out = x;
    return true;
}

static bool is_text(const struct option_spec *spec, const char *value) {
    int64_t count;
    switch (spec->rule) {
    case RULE_ANY: /* results and records in JSON repeat it */
        return value[0] != '\0' && text_utf8_prefix(text_of(value)) == strlen(value);
    case RULE_NAME:
        return is_name(value);
    case RULE_COUNT:
        return parse_int(spec, value, &count);
    }
    return false;
}

/* Fills v's numbers; false when the value is not allowed. */
static bool parse(const struct option_spec *spec, const char *value, struct value *v) {
    switch (spec->type) {
    case OPTION_FLAG:
        return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0;
    case OPTION_INT:
        return parse_int(spec, value, &v->integer);
    case OPTION_REAL:
        return parse_real(spec, value, &v->real);
    case OPTION_CHOICE:
        return is_choice(spec->choices, value);
    case OPTION_TEXT:
    case OPTION_LIST:
        return is_text(spec, value);
    }
    return false;
}

static genair_code store(const struct option_spec *spec, const char *value, struct value *v,
                         genair_status *st) {
    if (!parse(spec, value, v)) return refuse(spec, value, st);
    char *copy = mem_text(value, strlen(value));
    if (!copy) return fail_memory(st);
    if (spec->type != OPTION_LIST) {
        mem_free(v->text);
        v->text = copy;
        return GENAIR_OK;
    }
    if (!mem_grow(&v->list, &v->list_capacity, v->n_list + 1, sizeof *v->list)) {
        mem_free(copy);
        return fail_memory(st);
    }
    v->list[v->n_list++] = copy;
    return GENAIR_OK;
}

/* ---- names that do not exist ---- */

genair_code option_unknown(const char *command, const char *name, genair_status *st) {
    size_t n, best = SIZE_MAX;
    char shown[TEXT_EXCERPT];
    text_excerpt(text_of(name), shown);
    const struct option_spec *table = options_table(&n), *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(table[i].name, name) == 0)
            return fail(
                st, GENAIR_USAGE,
                "'%s' has no option --%s; it belongs to:%s('genair help %s' lists its options)",
                command, name, table[i].commands, command);
        const size_t d = text_distance(text_of(name), text_of(table[i].name));
        if (option_applies(&table[i], command) && d < best) {
            best = d;
            nearest = &table[i];
        }
    }
    if (nearest && text_is_near(best, text_of(name)))
        return fail(st, GENAIR_USAGE, "'%s' has no option --%s; did you mean --%s?", command, shown,
                    nearest->name);
    return fail(st, GENAIR_USAGE, "'%s' has no option --%s; 'genair help %s' lists its options",
                command, shown, command);
}

static genair_code unknown_command(const char *command, genair_status *st) {
    size_t n, best = SIZE_MAX;
    char shown[TEXT_EXCERPT];
    text_excerpt(text_of(command), shown);
    const struct command_spec *table = commands_table(&n), *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        const size_t d = text_distance(text_of(command), text_of(table[i].name));
        if (d < best) {
            best = d;
            nearest = &table[i];
        }
    }
    if (nearest && text_is_near(best, text_of(command)))
        return fail(st, GENAIR_USAGE, "no command '%s'; did you mean '%s'?", shown, nearest->name);
    return fail(st, GENAIR_USAGE, "no command '%s'; 'genair help' lists them", shown);
}

/* ---- the handle ---- */

static struct value *value_of(genair_options *o, const struct option_spec *spec) {
    size_t n;
    return &o->values[spec - options_table(&n)];
}

genair_code genair_options_create(const char *command, genair_options **out, genair_status *st) {
    size_t n_commands, n;
    const struct command_spec *commands = commands_table(&n_commands);
    const char *known = NULL;
    for (size_t i = 0; i < n_commands && !known; i++)
        if (strcmp(commands[i].name, command) == 0) known = commands[i].name;
    if (!known) return unknown_command(command, st);
    const struct option_spec *table = options_table(&n);
    genair_options *o = mem_zeros(1, sizeof *o + n * sizeof o->values[0]);
    if (!o) return fail_memory(st);
    o->command = known;
    for (size_t i = 0; i < n; i++) {
        if (!table[i].fallback || !option_applies(&table[i], command)) continue;
        const genair_code code = store(&table[i], table[i].fallback, &o->values[i], st);
        if (code != GENAIR_OK) {
            genair_options_free(o);
            return code;
        }
    }
    *out = o;
    return GENAIR_OK;
}

genair_code genair_options_set(genair_options *o, const char *name, const char *value,
                               genair_status *st) {
    const struct option_spec *spec = option_find(o->command, name);
    if (!spec) return option_unknown(o->command, name, st);
    struct value *v = value_of(o, spec);
    const genair_code code = store(spec, value, v, st);
    if (code != GENAIR_OK) return code;
    v->given = true;
    v->of_file = false;
    v->matrix.values = NULL;
    return GENAIR_OK;
}

genair_code genair_options_set_matrix(genair_options *o, const char *name, const void *values, genair_type type,
                                      size_t rows, size_t columns, genair_status *st) {
    const struct option_spec *spec = option_find(o->command, name);
    if (!spec) return option_unknown(o->command, name, st);
    if (!spec->matrix) return fail(st, GENAIR_USAGE, "--%s takes no matrix", name);
    if (!values || !rows || !columns) return fail(st, GENAIR_USAGE, "the matrix for --%s is empty", name);
    if ((unsigned)type > GENAIR_F64 || rows > SIZE_MAX / sizeof(double) / columns)
        return fail(st, GENAIR_USAGE, "the matrix for --%s is of no known type, or larger than memory", name);
    char text[NAME_LIMIT + 32]; /* stands for the file in messages */
    snprintf(text, sizeof text, "the matrix for --%s", name);
    const genair_code code = genair_options_set(o, name, text, st);
    if (code == GENAIR_OK) value_of(o, spec)->matrix = (struct option_matrix){values, type, rows, columns};
    return code;
}

void genair_options_free(genair_options *o) {
    if (!o) return;
    size_t n;
    (void)options_table(&n);
    for (size_t i = 0; i < n; i++) {
        struct value *v = &o->values[i];
        for (size_t j = 0; j < v->n_list; j++)
            mem_free(v->list[j]);
        mem_free(v->list);
        mem_free(v->text);
    }
    mem_free(o);
}

genair_code options_pass_on(const genair_options *from, genair_options *to, const char *method, genair_status *st) {
    size_t n;
    const struct option_spec *table = options_table(&n);
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < n; i++)
        if (from->values[i].given && table[i].type != OPTION_LIST && option_applies(&table[i], to->command) &&
            (!method || option_of_method(&table[i], method)))
            code = genair_options_set(to, table[i].name, from->values[i].text, st);
    return code;
}

void options_forget(genair_options *o, const char *name) {
    const struct option_spec *spec = option_find(o->command, name);
    assert(spec && !spec->fallback && spec->type == OPTION_TEXT);
    struct value *v = value_of(o, spec);
    mem_free(v->text);
    *v = (struct value){0};
}

void options_note_file(genair_options *o, const char *name) {
    value_of(o, option_find(o->command, name))->of_file = true;
}

const char *options_command(const genair_options *o) {
    return o->command;
}

genair_code options_check_command(const genair_options *o, const char *command, genair_status *st) {
    if (strcmp(o->command, command) == 0) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "options of '%s' are needed, these are of '%s'", command, o->command);
}

static const struct value *get(const genair_options *o, const char *name,
                               const struct option_spec **spec) {
    size_t n;
    *spec = option_find(o->command, name);
    assert(*spec && "a stage asks for an option that its command does not take");
    return &o->values[*spec - options_table(&n)];
}

bool option_given(const genair_options *o, const char *name) {
    const struct option_spec *spec;
    return get(o, name, &spec)->given;
}

bool option_asked(const genair_options *o, const char *name) {
    const struct option_spec *spec;
    const struct value *v = get(o, name, &spec);
    return v->given && !v->of_file;
}

bool option_flag(const genair_options *o, const char *name) {
    const struct option_spec *spec;
    const struct value *v = get(o, name, &spec);
    assert(spec->type == OPTION_FLAG);
    return v->text && strcmp(v->text, "yes") == 0;
}

int64_t option_int(const genair_options *o, const char *name) {
    const struct option_spec *spec;
    const struct value *v = get(o, name, &spec);
    assert(spec->type == OPTION_INT);
    return v->integer;
}

double option_real(const genair_options *o, const char *name) {
    const struct option_spec *spec;
    const struct value *v = get(o, name, &spec);
    assert(spec->type == OPTION_REAL);
    return v->real;
}

const char *option_text(const genair_options *o, const char *name) {
    const struct option_spec *spec;
    const struct value *v = get(o, name, &spec);
    assert(spec->type == OPTION_TEXT || spec->type == OPTION_CHOICE);
    return v->text;
}

size_t option_list(const genair_options *o, const char *name, const char *const **values) {
    const struct option_spec *spec;
    const struct value *v = get(o, name, &spec);
    assert(spec->type == OPTION_LIST);
    *values = (const char *const *)v->list;
    return v->n_list;
}

const struct option_matrix *option_matrix(const genair_options *o, const char *name) {
    const struct option_spec *spec;
    const struct value *v = get(o, name, &spec);
    assert(spec->matrix);
    return v->matrix.values ? &v->matrix : NULL;
}

genair_code option_check_methods(const struct option_spec *spec, size_t n, const char *const *methods, genair_status *st) {
    for (size_t i = 0; i < n; i++)
        if (option_of_method(spec, methods[i])) return GENAIR_OK;
    if (n == 1)
        return fail(st, GENAIR_USAGE, "method %s has no option --%s; it belongs to:%s", methods[0], spec->name, spec->methods);
    return fail(st, GENAIR_USAGE, "none of the methods here has an option --%s; it belongs to:%s", spec->name, spec->methods);
}

genair_code options_check_methods(const genair_options *o, size_t n, const char *const *methods, genair_status *st) {
    size_t n_rows;
    const struct option_spec *table = options_table(&n_rows);
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < n_rows; i++)
        if (o->values[i].given && table[i].methods) code = option_check_methods(&table[i], n, methods, st);
    return code;
}

genair_code option_require(const genair_options *o, const char *name, genair_status *st) {
    const struct option_spec *spec;
    const struct value *v = get(o, name, &spec);
    if (v->text || v->n_list) return GENAIR_OK;
    if (spec->positional)
        return fail(st, GENAIR_USAGE, "'%s' needs %s; for example: genair %s %s", o->command,
                    spec->argument ? spec->argument : spec->choices, o->command,
                    spec->argument ? spec->argument : spec->choices);
    return fail(st, GENAIR_USAGE, "'%s' needs --%s %s; 'genair help %s' shows an example",
                o->command, name, spec->argument ? spec->argument : spec->choices, o->command);
}
