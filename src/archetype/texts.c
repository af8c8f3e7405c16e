/* SPDX-License-Identifier: Apache-2.0 */
#include "archetype/texts.h"

#include "base/alloc.h"
#include "base/input.h"
#include "base/json_text.h"
#include "base/size.h"

#include <jansson.h>
#include <string.h>

enum { LINE_MAX_BYTES = 16 * 1024 * 1024 };

struct texts {
    const char *path;
    char *bytes;
    size_t n_bytes, capacity;
    size_t *begin;  /* [n_items + 1] in bytes */
    size_t *length; /* [n_items + 1] 0: none */
    int64_t *line;  /* [n_items + 1] */
    size_t n_unused;
};

void texts_free(struct texts *t) {
    if (!t) return;
    mem_free(t->bytes);
    mem_free(t->begin);
    mem_free(t->length);
    mem_free(t->line);
    mem_free(t);
}

struct text texts_of(const struct texts *t, uint32_t item) {
    return (struct text){t->bytes ? t->bytes + t->begin[item] : "", t->length[item]};
}

const char *texts_place(const struct texts *t, uint32_t item, int64_t *line) {
    *line = t->line[item];
    return t->path;
}

size_t texts_unused(const struct texts *t) {
    return t->n_unused;
}

/* The first of the names that the object has. */
static json_t *member(json_t *object, const char *const *names, size_t n) {
    json_t *value = NULL;
    for (size_t i = 0; i < n && !value; i++)
        value = json_object_get(object, names[i]);
    return value;
}

static struct text text_of_json(const json_t *value) {
    return (struct text){json_string_value(value), json_string_length(value)};
}

struct reading {
    struct texts *texts;
    const struct dataset *data;
    const char *path;
    int64_t line;
    genair_status *st;
};

static genair_code keep(struct reading *r, struct text id, struct text text) {
    struct texts *t = r->texts;
    uint32_t item;
    if (!dataset_item_named(r->data, id, &item)) {
        t->n_unused++;
        return GENAIR_OK;
    }
    if (t->length[item]) {
        char name[TEXT_EXCERPT];
        text_excerpt(id, name);
        return fail_line(r->st, GENAIR_FORMAT, r->path, r->line,
                         "item '%s' stands in line %lld already; each item has one text", name,
                         (long long)t->line[item]);
    }
    if (!mem_grow(&t->bytes, &t->capacity, t->n_bytes + text.n, 1)) return fail_memory(r->st);
    memcpy(t->bytes + t->n_bytes, text.p, text.n);
    t->begin[item] = t->n_bytes;
    t->length[item] = text.n;
    t->line[item] = r->line;
    t->n_bytes += text.n;
    return GENAIR_OK;
}

static genair_code keep_members(struct reading *r, json_t *object) {
    static const char *const ids[] = {"item", "id", "item_id"},
                             *const texts[] = {"archetype", "text"};
    const json_t *id = member(object, ids, COUNT(ids)),
                 *text = member(object, texts, COUNT(texts));
    if (!json_is_string(id) || !json_is_string(text))
        return fail_line(r->st, GENAIR_FORMAT, r->path, r->line,
                         "%s; expected a line like {\"item\": \"i5\", \"archetype\": \"...\"}",
                         !json_is_string(id) ? "no text under \"item\" or \"id\""
                                             : "no text under \"archetype\" or \"text\"");
    const struct text trimmed = text_trim(text_of_json(text));
    if (!trimmed.n)
        return fail_line(r->st, GENAIR_FORMAT, r->path, r->line,
                         "the archetype is empty; leave the line out");
    return keep(r, text_of_json(id), trimmed);
}

static genair_code read_line(struct reading *r, struct text line) {
    if (!text_trim(line).n) return GENAIR_OK;
    json_error_t error;
    json_t *object;
    genair_code code = json_read(line, JSON_REJECT_DUPLICATES, &object, &error, r->st);
    if (json_is_object(object))
        code = keep_members(r, object);
    else if (code != GENAIR_MEMORY)
        code = fail_line(r->st, GENAIR_FORMAT, r->path, r->line, "not a JSON object%s%s",
                         object ? "" : ": ", object ? "" : error.text);
    json_decref(object);
    return code;
}

static genair_code read_lines(struct reading *r, struct input *in) {
    for (;;) {
        struct text line;
        bool more;
        genair_code code = input_line(in, &line, &more, r->st);
        if (code != GENAIR_OK || !more) return code;
        r->line = input_line_number(in);
        code = read_line(r, line);
        if (code != GENAIR_OK) return code;
    }
}

genair_code texts_read(const char *path, const struct dataset *d, struct texts **out,
                       genair_status *st) {
    struct texts *t = mem_zeros(1, sizeof *t);
    if (!t) return fail_memory(st);
    const size_t n = (size_t)d->n_items + 1;
    t->path = path;
    t->begin = mem_zeros(n, sizeof *t->begin);
    t->length = mem_zeros(n, sizeof *t->length);
    t->line = mem_zeros(n, sizeof *t->line);
    struct input *in = NULL;
    genair_code code = t->begin && t->length && t->line ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) code = input_open(path, LINE_MAX_BYTES, &in, st);
    struct reading r = {t, d, path, 0, st};
    if (code == GENAIR_OK) code = read_lines(&r, in);
    input_close(in);
    if (code == GENAIR_OK)
        *out = t;
    else
        texts_free(t);
    return code;
}
