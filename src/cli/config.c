/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *trim(char *s) {
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n && strchr(" \t\r\n", s[n - 1]))
        n--;
    s[n] = '\0';
    return s;
}

static bool is_known_anywhere(const char *name) {
    size_t n;
    const struct option_spec *table = options_table(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0) return true;
    return false;
}

static genair_code apply_line(const char *path, int64_t number, char *line,
                              const struct arguments *over, genair_options *o, genair_status *st) {
    static const char mark[] = "\xEF\xBB\xBF"; /* that some editors begin a file with */
    if (number == 1 && strncmp(line, mark, strlen(mark)) == 0) line += strlen(mark);
    line = trim(line);
    if (line[0] == '\0' || line[0] == '#') return GENAIR_OK;
    char *equals = strchr(line, '=');
    if (!equals)
        return fail_line(st, GENAIR_USAGE, path, number, "'%.80s' is not of the form: name = value",
                         line);
    *equals = '\0';
    const char *name = trim(line), *value = trim(equals + 1);
    if (strcmp(name, "config") == 0 || strcmp(name, "help") == 0)
        return fail_line(st, GENAIR_USAGE, path, number, "'%s' belongs on the command line", name);
    const bool elsewhere = !option_find(options_command(o), name) && is_known_anywhere(name);
    if (elsewhere || arguments_get(over, name)) return GENAIR_OK;
    genair_status inner = {0};
    const genair_code code = genair_options_set(o, name, value, &inner);
    if (code == GENAIR_OK) {
        options_note_file(o, name);
        return GENAIR_OK;
    }
    return fail_line(st, code, path, number, "%s", inner.message);
}

genair_code config_apply(const char *path, const struct arguments *over, genair_options *o,
                         genair_status *st) {
    FILE *file = fopen(path, "r");
    if (!file) return fail_errno(st, path, "open");
    char *line = NULL;
    size_t capacity = 0;
    genair_code code = GENAIR_OK;
    ssize_t n = 0;
    for (int64_t number = 1; code == GENAIR_OK; number++) {
        errno = 0;
        n = getline(&line, &capacity, file);
        if (n < 0) break;
        if (strlen(line) != (size_t)n)
            code =
                fail_line(st, GENAIR_USAGE, path, number, "a zero byte: this is not a text file");
        else
            code = apply_line(path, number, line, over, o, st);
    }
    if (code == GENAIR_OK && !feof(file)) code = fail_errno(st, path, "read");
    free(line);
    fclose(file);
    return code;
}
