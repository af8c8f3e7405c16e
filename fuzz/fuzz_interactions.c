/* SPDX-License-Identifier: Apache-2.0 */
/* A whole file of interactions, plain or gzip, in any format. */
#include "fuzz.h"

#include "prepare/read.h"

#include <math.h>

static const char *const formats[] = {"auto",       "tsv",  "csv",     "amazon2014", "amazon2018",
                                      "amazon2023", "yelp", "recbole", "movielens"};

static void check(const struct interaction *x) {
    must(text_is_name(x->user, NAME_CHARACTERS));
    must(text_is_name(x->item, NAME_CHARACTERS));
    must(!isinf(x->rating));
}

static genair_code read_file(const char *path, const char *format, bool skip, uint64_t *n,
                             uint64_t *skipped) {
    const struct read_options options = {.format = format, .skip_bad_lines = skip};
    struct interaction_reader *r;
    struct interaction x;
    genair_status st = {0};
    bool more = true;
    *n = 0;
    if (interactions_open(&path, 1, &options, &r, &st)) return st.code;
    while (!interactions_next(r, &x, &more, &st) && more) {
        check(&x);
        ++*n;
    }
    *skipped = interactions_skipped(r);
    interactions_close(r);
    must(st.code == GENAIR_OK || st.message[0]);
    return st.code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t n, n_skip, skipped = 0;
    if (!size) return 0;
    const char *format = formats[data[0] % (sizeof formats / sizeof *formats)];
    struct memory_file f = memory_file_open(data + 1, size - 1);
    const genair_code code = read_file(f.path, format, false, &n, &skipped);
    must(skipped == 0);
    const genair_code code_skip = read_file(f.path, format, true, &n_skip, &skipped);
    if (code == GENAIR_OK) must(code_skip == GENAIR_OK && n_skip == n && skipped == 0);
    must(n_skip >= n);
    memory_file_close(&f);
    return 0;
}
