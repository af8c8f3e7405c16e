/* SPDX-License-Identifier: Apache-2.0 */
/* An option file: a line with the command, then the file as --config has it. */
#include "fuzz.h"

#include "base/alloc.h"
#include "cli/arguments.h"

/* What was accepted can be asked for, and lies within its bounds. */
static void ask(const genair_options *o, const struct option_spec *spec) {
    if (!option_given(o, spec->name)) return;
    if (spec->type == OPTION_INT) {
        const int64_t value = option_int(o, spec->name);
        must((double)value >= spec->min && (double)value <= spec->max);
    } else if (spec->type == OPTION_REAL) {
        must(option_real(o, spec->name) >= spec->min && option_real(o, spec->name) <= spec->max);
    }
}

static void apply(genair_options *o, struct bytes file) {
    static const struct arguments none = {0};
    genair_status st = {0};
    struct memory_file f = memory_file_open(file.p, file.n);
    if (config_apply(f.path, &none, o, &st) != GENAIR_OK) must(st.code != GENAIR_OK && st.message[0]);
    memory_file_close(&f);
    size_t n;
    const struct option_spec *table = options_table(&n);
    for (size_t i = 0; i < n; i++)
        if (option_find(options_command(o), table[i].name) == &table[i]) ask(o, &table[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes rest = {data, size};
    const struct bytes first = bytes_until(&rest, '\n');
    char *command = mem_text((const char *)first.p, first.n);
    genair_options *o = NULL;
    if (command && genair_options_create(command, &o, NULL) == GENAIR_OK) apply(o, rest);
    genair_options_free(o);
    mem_free(command);
    return 0;
}
