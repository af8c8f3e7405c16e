/* SPDX-License-Identifier: Apache-2.0 */
/* Item metadata: from records to objects in normal form. A catalogue has a thousandth of the log's
 * lines, so that here trees may be built. */
#include "prepare/read.h"

#include "base/alloc.h"
#include "prepare/fields.h"
#include "prepare/literal.h"
#include "prepare/normalise.h"
#include "prepare/source.h"

#include <stdio.h>

struct item_reader {
    struct source *source;
    const char *item_name; /* the caller's */
    genair_status bad;
};

genair_code items_open(const char *const *paths, size_t n_paths, const struct read_options *options,
                       struct item_reader **out, genair_status *st) {
    struct item_reader *r = mem_zeros(1, sizeof *r);
    if (!r) return fail_memory(st);
    const genair_code code = source_open(paths, n_paths, options, KIND_ITEMS, &r->source, st);
    if (code) {
        items_close(r);
        return code;
    }
    r->item_name = options->item_name;
    *out = r;
    return GENAIR_OK;
}

void items_close(struct item_reader *r) {
    if (!r) return;
    source_close(r->source);
    mem_free(r);
}

uint64_t items_skipped(const struct item_reader *r) {
    return source_skipped(r->source);
}

/* ---- raw records ---- */

static json_t *object_of_line(struct text line, genair_status *bad) {
    if (!text_check_utf8(line, "the line", bad)) return NULL;
    struct literal l = literal_start(line);
    json_t *object = literal_tree(&l);
    if (object && json_is_object(object)) return object;
    json_decref(object);
    if (object)
        fail(bad, GENAIR_FORMAT, "the line is no object in braces");
    else if (l.error)
        fail(bad, GENAIR_FORMAT, "broken %s: %s, at byte %zu",
             l.dialect == LITERAL_JSON ? "JSON" : "Python literal", l.error, l.at + 1);
    else
        fail_memory(bad);
    return NULL;
}

/* The "::" files of MovieLens are in Latin-1, whose bytes are the first 256 code points. */
static json_t *string_of_latin1(struct text t) {
    char *utf8 = mem_array(t.n, 2);
    if (!utf8) return NULL;
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++)
        n += text_put_utf8((unsigned char)t.p[i], utf8 + n);
    json_t *string = json_stringn_nocheck(utf8, n);
    mem_free(utf8);
    return string;
}

static json_t *field_string(struct item_reader *r, const struct record *record, size_t i) {
    const struct text field = record->fields[i];
    json_t *string = NULL;
    if (text_utf8_prefix(field) == field.n) {
        string = json_stringn_nocheck(field.p ? field.p : "", field.n);
    } else if (record->layout.shape == SHAPE_COLONS) {
        string = string_of_latin1(field);
    } else {
        char what[TEXT_EXCERPT + 16], name[TEXT_EXCERPT];
        text_excerpt(record->columns[i], name);
        snprintf(what, sizeof what, "the column \"%s\"", name);
        if (!text_check_utf8(field, what, &r->bad)) return NULL;
    }
    if (!string) fail_memory(&r->bad);
    return string;
}

static json_t *object_of_fields(struct item_reader *r, const struct record *record) {
    json_t *object = json_object();
    if (!object) fail_memory(&r->bad);
    for (size_t i = 0; object && i < record->n_columns; i++) {
        json_t *value = field_string(r, record, i);
        const struct text name = record->columns[i];
        if (value && json_object_setn_new_nocheck(object, name.p, name.n, value) == 0) continue;
        if (value) fail_memory(&r->bad);
        json_decref(object);
        return NULL;
    }
    return object;
}

/* A header without an id is a fault of the file, not of its lines. */
static bool header_has_id(struct item_reader *r, const struct record *record) {
    const char *names = source_format(r->source)->item_record;
    for (size_t i = 0; i < record->n_columns; i++)
        if (format_rank(names, record->columns[i]) >= 0) return true;
    missing_role("item", names, record->columns, record->n_columns, &r->bad);
    return false;
}

genair_code items_next(struct item_reader *r, json_t **record, genair_status *st) {
    for (;;) {
        struct record in;
        bool more;
        genair_code code = source_next(r->source, &in, &more, st);
        if (code) return code;
        if (!more) {
            *record = NULL;
            return GENAIR_OK;
        }
        r->bad.code = GENAIR_OK;
        const bool json = in.layout.shape == SHAPE_JSON;
        if (in.header) {
            if (!json && !header_has_id(r, &in)) return source_bad_header(r->source, &r->bad, st);
            continue;
        }
        json_t *raw = json ? object_of_line(in.line, &r->bad) : object_of_fields(r, &in);
        if (raw) {
            code = item_normalise(source_format(r->source), r->item_name, raw, record, &r->bad);
            json_decref(raw);
            if (!code) return GENAIR_OK;
        }
        code = source_bad(r->source, &r->bad, st);
        if (code) return code;
    }
}

static genair_code refuse(const genair_status *bad, genair_status *st) {
    return bad->code == GENAIR_MEMORY ? fail_memory(st) : fail(st, GENAIR_USAGE, "%s", bad->message);
}

genair_code items_parse(struct text object, json_t **raw, genair_status *st) {
    genair_status bad = {0};
    *raw = object_of_line(object, &bad);
    return *raw ? GENAIR_OK : refuse(&bad, st);
}

genair_code items_normalise(json_t *raw, const char *item_name, json_t **record, genair_status *st) {
    const struct format *format;
    genair_status bad = {0};
    const genair_code code = format_find("auto", &format, st);
    if (code != GENAIR_OK) return code;
    return item_normalise(format, item_name, raw, record, &bad) == GENAIR_OK ? GENAIR_OK : refuse(&bad, st);
}
