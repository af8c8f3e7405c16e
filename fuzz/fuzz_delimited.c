/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that were split, written again and split again are the same fields. */
#include "fuzz.h"

#include "prepare/delimited.h"

#include <string.h>

enum { FIELDS = 64, BYTES = 4096 };

static size_t write_field(char *out, struct text field, bool quoted) {
    size_t n = 0;
    if (quoted) out[n++] = '"';
    for (size_t i = 0; i < field.n; i++) {
        if (quoted && field.p[i] == '"') out[n++] = '"';
        out[n++] = field.p[i];
    }
    if (quoted) out[n++] = '"';
    return n;
}

static void split_again(const struct text *fields, size_t n, char delimiter, bool quoted) {
    char line[2 * BYTES + 4 * FIELDS], scratch[sizeof line];
    struct text again[FIELDS];
    size_t used = 0, n_again, wrong_at;
    for (size_t i = 0; i < n; i++) {
        if (i) line[used++] = delimiter;
        if (i && delimiter == ':') line[used++] = delimiter;
        used += write_field(line + used, fields[i], quoted);
    }
    must(delimited_split((struct text){line, used}, delimiter, quoted, again, FIELDS, scratch,
                         &n_again, &wrong_at) == SPLIT_DONE);
    must(n_again == n);
    for (size_t i = 0; i < n; i++)
        must(again[i].n == fields[i].n &&
             (!again[i].n || memcmp(again[i].p, fields[i].p, again[i].n) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char delimiters[] = {',', '\t', ':'};
    char scratch[BYTES];
    struct text fields[FIELDS];
    size_t n, wrong_at = 0;
    if (size < 1 || size > BYTES) return 0;
    const char delimiter = delimiters[data[0] % 3];
    const bool quoted = delimiter == ',';
    const struct text record = {(const char *)data + 1, size - 1};
    const enum split_result result =
        delimited_split(record, delimiter, quoted, fields, FIELDS, scratch, &n, &wrong_at);
    if (result == SPLIT_WRONG)
        must(wrong_at > 0 && wrong_at < record.n && record.p[wrong_at - 1] == '"');
    if (result == SPLIT_DONE && n <= FIELDS) split_again(fields, n, delimiter, quoted);
    return 0;
}
