/* SPDX-License-Identifier: Apache-2.0 */
/* A whole file of item records in any format: what comes out is in normal form. */
#include "fuzz.h"

#include "prepare/read.h"

#include <stdlib.h>

static const char *const formats[] = {"auto",       "tsv",  "csv",     "amazon2014", "amazon2018",
                                      "amazon2023", "yelp", "recbole", "movielens"};

static void check(json_t *record) {
    const char *key;
    json_t *value;
    must(json_is_string(json_object_get(record, "item_id")));
    json_object_foreach(record, key, value) {
        const struct text text = {json_string_value(value), json_string_length(value)};
        must(json_is_string(value) && text.n > 0 && text_utf8_prefix(text) == text.n);
    }
    char *dump = json_dumps(record, JSON_COMPACT);
    must(dump != NULL);
    free(dump);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    const struct read_options options = {.format =
                                             formats[data[0] % (sizeof formats / sizeof *formats)],
                                         .skip_bad_lines = data[0] >= 128};
    struct memory_file f = memory_file_open(data + 1, size - 1);
    const char *path = f.path;
    struct item_reader *r;
    genair_status st = {0};
    json_t *record = NULL;
    must(items_open(&path, 1, &options, &r, &st) == GENAIR_OK);
    while (!items_next(r, &record, &st) && record) {
        check(record);
        json_decref(record);
    }
    must(st.code == GENAIR_OK || st.message[0]);
    items_close(r);
    memory_file_close(&f);
    return 0;
}
