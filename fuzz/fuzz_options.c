/* SPDX-License-Identifier: Apache-2.0 */
/* Options from text: a line with the command, then lines name=value, as in a configuration file. */
#include "fuzz.h"

#include "base/alloc.h"
#include "base/options.h"

#include <string.h>

/* What was accepted can be asked for, and lies within its bounds. */
static void ask(const genair_options *o, const char *name) {
    const struct option_spec *spec = option_find(options_command(o), name);
    must(spec != NULL);
    must(option_given(o, name));
    if (spec->type == OPTION_INT) {
        const int64_t value = option_int(o, name);
        must((double)value >= spec->min && (double)value <= spec->max);
    } else if (spec->type == OPTION_REAL) {
        must(option_real(o, name) >= spec->min && option_real(o, name) <= spec->max);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = mem_text((const char *)data, size), *rest = NULL;
    if (!text) return 0;
    genair_options *o = NULL;
    genair_status st = {0};
    const char *command = strtok_r(text, "\n", &rest);
    if (command && genair_options_create(command, &o, &st) == GENAIR_OK)
        for (char *line; (line = strtok_r(NULL, "\n", &rest));) {
            char *equals = strchr(line, '=');
            if (equals) *equals = '\0';
            if (genair_options_set(o, line, equals ? equals + 1 : "", &st) == GENAIR_OK)
                ask(o, line);
        }
    genair_options_free(o);
    mem_free(text);
    return 0;
}
