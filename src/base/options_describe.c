/* SPDX-License-Identifier: Apache-2.0 */
/* A command's rows of the table of options as JSON, for bindings. */
#include "base/options.h"

#include "base/alloc.h"
#include "base/json_text.h"
#include "base/size.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [OPTION_FLAG] = "flag", [OPTION_INT] = "int",       [OPTION_REAL] = "real",
    [OPTION_TEXT] = "text", [OPTION_CHOICE] = "choice", [OPTION_LIST] = "list"};

/* "a|b" as ["a", "b"]; NULL when memory is out. */
static json_t *choices_of(const struct option_spec *spec) {
    json_t *list = json_array();
    for (const char *p = spec->choices; *p; p += *p == '|') {
        const size_t n = strcspn(p, "|");
        if (json_array_append_new(list, json_stringn(p, n)) != 0) {
            json_decref(list);
            return NULL;
        }
        p += n;
    }
    return list;
}

static bool is_number(const struct option_spec *spec) {
    return spec->type == OPTION_INT || spec->type == OPTION_REAL || spec->rule == RULE_COUNT;
}

/* NULL when memory is out. */
static json_t *describe(const struct option_spec *spec) {
    json_t *o = json_pack("{s:s, s:s, s:s}", "name", spec->name, "type", type_names[spec->type], "help", spec->help);
    bool done = o != NULL;
    if (done && spec->fallback) done = json_object_set_new(o, "default", json_string(spec->fallback)) == 0;
    if (done && spec->argument) done = json_object_set_new(o, "argument", json_string(spec->argument)) == 0;
    if (done && spec->choices) done = json_object_set_new(o, "choices", choices_of(spec)) == 0;
    if (done && spec->matrix) done = json_object_set_new(o, "matrix", json_true()) == 0;
    if (done && is_number(spec))
        done = json_object_set_new(o, "min", json_real(spec->min)) == 0 &&
               json_object_set_new(o, "max", json_real(spec->max)) == 0;
    if (done) return o;
    json_decref(o);
    return NULL;
}

static json_t *describe_all(const char *command) {
    size_t n;
    const struct option_spec *table = options_table(&n);
    json_t *list = json_array();
    for (size_t i = 0; i < n && list; i++) {
        if (!option_applies(&table[i], command)) continue;
        if (json_array_append_new(list, describe(&table[i])) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

GENAIR_API genair_code genair_options_describe(const char *command, char **json, genair_status *st) {
    genair_options *o;
    const genair_code code = genair_options_create(command, &o, st); /* is there such a command? */
    if (code != GENAIR_OK) return code;
    genair_options_free(o);
    json_t *list = describe_all(command);
    char *dumped = list ? json_text(list, JSON_COMPACT) : NULL, *text = dumped ? mem_text(dumped, strlen(dumped)) : NULL;
    free(dumped);
    json_decref(list);
    if (!text) return fail_memory(st);
    *json = text;
    return GENAIR_OK;
}
