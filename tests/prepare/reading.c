/* SPDX-License-Identifier: Apache-2.0 */
#include "reading.h"

#include "prepare/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

static void read_interactions(struct reading *out, FILE *text, const struct read_options *options,
                              const char *const *paths, size_t n_paths) {
    struct interaction_reader *r;
    struct interaction x;
    bool more = false;
    if (interactions_open(paths, n_paths, options, &r, &out->st)) return;
    while (!interactions_next(r, &x, &more, &out->st) && more) {
        out->n_records++;
        fwrite(x.user.p, 1, x.user.n, text);
        fputc('|', text);
        fwrite(x.item.p, 1, x.item.n, text);
        fprintf(text, "|%lld|", (long long)x.time);
        if (isnan(x.rating))
            fprintf(text, "-\n");
        else
            fprintf(text, "%g\n", x.rating);
    }
    out->n_skipped = interactions_skipped(r);
    interactions_close(r);
}

static void read_items(struct reading *out, FILE *text, const struct read_options *options,
                       const char *const *paths, size_t n_paths) {
    struct item_reader *r;
    json_t *record = NULL;
    if (items_open(paths, n_paths, options, &r, &out->st)) return;
    while (!items_next(r, &record, &out->st) && record) {
        out->n_records++;
        if (json_dumpf(record, text, 0) != 0)
            out->st.code = GENAIR_MEMORY; /* the test refuses jansson's too */
        fputc('\n', text);
        json_decref(record);
    }
    out->n_skipped = items_skipped(r);
    items_close(r);
}

struct reading read_all(bool items, const char *format, bool skip, const char *const *paths,
                        size_t n_paths) {
    const struct read_options options = {.format = format, .skip_bad_lines = skip, .may_skip = true};
    struct reading out = {0};
    size_t size;
    FILE *text = open_memstream(&out.text, &size);
    assert_non_null(text);
    (items ? read_items : read_interactions)(&out, text, &options, paths, n_paths);
    fclose(text);
    return out;
}

struct reading read_one(bool items, const char *format, bool skip, const char *path) {
    return read_all(items, format, skip, &path, 1);
}

void reading_free(struct reading *r) {
    free(r->text);
    r->text = NULL;
}

char *slurp(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    char *data = malloc(*size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, f), *size);
    data[*size] = '\0';
    fclose(f);
    return data;
}

void spill(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

void spill_gzip(const char *path, const void *data, size_t size, int n_members) {
    remove(path);
    for (int i = 0; i < n_members; i++) {
        const size_t from = size * (size_t)i / (size_t)n_members,
                     to = size * (size_t)(i + 1) / (size_t)n_members;
        gzFile f = gzopen(path, "ab");
        assert_non_null(f);
        assert_int_equal(gzwrite(f, (const char *)data + from, (unsigned)(to - from)),
                         (int)(to - from));
        assert_int_equal(gzclose(f), Z_OK);
    }
}
