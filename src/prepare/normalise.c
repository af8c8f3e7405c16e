/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/normalise.h"

#include "base/alloc.h"
#include "base/size.h"
#include "prepare/entities.h"
#include "prepare/fields.h"

#include <string.h>

/* An attribute of the normal form: what the formats call it, best first, in the plain form of
 * formats.h. The normal name stands first, so that only a foreign name can be left over under its
 * own. */
struct attribute {
    const char *name;
    const char *names;
    const char *joint; /* between the elements of a list */
    bool category;     /* elements occur once; "A|B" is a list */
};

// clang-format off
static const struct attribute attributes[] = {
    {"name",        "name title itemname productname productname movietitle", ", ", false},
    {"brand",       "brand store manufacturer",                              ", ", false},
    {"date",        "date releasedate publicationdate publishdate releaseyear year datefirstavailable", ", ", false},
    {"feature",     "feature features",                                      ", ", false},
    {"price",       "price",                                                 ", ", false},
    {"rating",      "rating averagerating avgrating stars",                  ", ", false},
    {"description", "description itemdescription summary",                   " ", false},
    {"categories",  "categories category genres genre",                      ", ", true},
};
// clang-format on

/* A text that grows. failed: memory is out, and nothing more is added. */
struct builder {
    char *p;
    size_t n, capacity;
    const char *joint;
    json_t *seen; /* the elements so far, when each is to occur once; else NULL */
    bool failed;
};

static void add(struct builder *b, const char *p, size_t n) {
    if (b->failed || !n) return;
    if (!mem_grow(&b->p, &b->capacity, b->n + n, 1)) {
        b->failed = true;
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

/* Bytes of the white space or control character that p begins with, 0 for another; U+00A0 is what "&nbsp;" becomes. */
static size_t space_bytes(const char *p, size_t n) {
    const unsigned char c = (unsigned char)p[0];
    if (c <= 0x20 || c == 0x7F) return 1;
    return n > 1 && c == 0xC2 && (unsigned char)p[1] == 0xA0 ? 2 : 0;
}

/* Runs of white space and control characters become one space, none at the ends. In place. */
static size_t tidy(char *p, size_t n) {
    size_t used = 0;
    bool space = false;
    for (size_t i = 0; i < n; i++) {
        const size_t skipped = space_bytes(p + i, n - i);
        if (skipped) {
            space = true;
            i += skipped - 1;
            continue;
        }
        if (space && used) p[used++] = ' ';
        space = false;
        p[used++] = p[i];
    }
    return used;
}

/* Adds one element, with the joint before it unless one of both is empty. */
static void add_text(struct builder *b, const char *p, size_t n) {
    const size_t before = b->n;
    if (before) add(b, b->joint, strlen(b->joint));
    const size_t start = b->n;
    add(b, p, n);
    if (b->failed || !n) {
        b->n = before;
        return;
    }
    char *text = b->p + start;
    const size_t kept = tidy(text, entities_resolve(text, n, text));
    b->n = kept ? start + kept : before;
    if (!kept || !b->seen) return;
    if (json_object_getn(b->seen, text, kept))
        b->n = before;
    else if (json_object_setn_new_nocheck(b->seen, text, kept, json_true()) != 0)
        b->failed = true;
}

static void add_split(struct builder *b, const char *p, size_t n) {
    const char *bar;
    while (n && (bar = memchr(p, '|', n))) {
        add_text(b, p, (size_t)(bar - p));
        n -= (size_t)(bar - p) + 1;
        p = bar + 1;
    }
    add_text(b, p, n);
}

/* The recursion is bounded by the parser's limit. */
static void add_value(struct builder *b, json_t *value);

/* {"Metal": "Steel", "Fits": ["A", "B"]} becomes "Metal: Steel, Fits: A, B". */
static void add_object(struct builder *b, json_t *object) {
    const char *key;
    size_t key_n;
    json_t *value;
    json_object_keylen_foreach(object, key, key_n, value) {
        struct builder member = {.joint = b->joint};
        add_value(&member, value);
        if (member.n) { /* else nothing is said about this key */
            add_text(b, key, key_n);
            add(b, ": ", 2);
            add(b, member.p, member.n);
        }
        b->failed = b->failed || member.failed;
        mem_free(member.p);
    }
}

static void add_value(struct builder *b, json_t *value) {
    switch (json_typeof(value)) {
    case JSON_STRING:
        (b->seen ? add_split : add_text)(b, json_string_value(value), json_string_length(value));
        break;
    case JSON_TRUE:
        add_text(b, "true", 4);
        break;
    case JSON_FALSE:
        add_text(b, "false", 5);
        break;
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array_size(value); i++)
            add_value(b, json_array_get(value, i));
        break;
    case JSON_OBJECT:
        add_object(b, value);
        break;
    case JSON_NULL:
    case JSON_INTEGER: /* numbers come as strings */
    case JSON_REAL:
        break;
    }
}

/* The value as one text in *b, whose p the caller frees. False when memory is out: *b is empty
 * then. */
static bool flatten(json_t *value, const char *joint, bool category, struct builder *b) {
    *b = (struct builder){.joint = joint, .seen = category ? json_object() : NULL};
    if (category && !b->seen) return false;
    add_value(b, value);
    json_decref(b->seen);
    b->seen = NULL;
    if (!b->failed) return true;
    mem_free(b->p);
    *b = (struct builder){0};
    return false;
}

/* What is known while one record is brought into form. */
struct forming {
    json_t *raw, *out;
    const char *used[COUNT(attributes) + 1]; /* keys of raw that gave an attribute or the id */
    size_t n_used;
    genair_status *st;
};

static genair_code put(struct forming *f, const char *name, size_t name_n,
                       const struct builder *b) {
    json_t *text = json_stringn_nocheck(b->p, b->n);
    if (!text || json_object_setn_new_nocheck(f->out, name, name_n, text) != 0)
        return fail_memory(f->st);
    return GENAIR_OK;
}

/* Sets attribute from the best name in source that has a value; *found tells whether there was one.
 */
static genair_code put_best(struct forming *f, const struct attribute *a, json_t *source,
                            bool *found) {
    struct builder best = {0};
    const char *best_key = NULL;
    int best_rank = -1;
    const char *key;
    size_t key_n;
    json_t *value;
    genair_code code = GENAIR_OK;
    json_object_keylen_foreach(source, key, key_n, value) {
        const int rank = format_rank(a->names, (struct text){key, key_n});
        if (rank < 0 || (best_key && rank >= best_rank)) continue;
        struct builder b;
        if (!flatten(value, a->joint, a->category, &b)) {
            mem_free(best.p);
            return fail_memory(f->st);
        }
        mem_free(b.n ? best.p : b.p);
        if (!b.n) continue;
        best = b;
        best_key = key;
        best_rank = rank;
    }
    *found = best_key;
    if (best_key) code = put(f, a->name, strlen(a->name), &best);
    if (best_key && source == f->raw) f->used[f->n_used++] = best_key;
    mem_free(best.p);
    return code;
}

static genair_code put_attributes(struct forming *f) {
    json_t *details = json_object_get(f->raw, "details");
    for (size_t i = 0; i < COUNT(attributes); i++) {
        bool found = false;
        genair_code code = put_best(f, &attributes[i], f->raw, &found);
        if (!code && !found && json_is_object(details))
            code = put_best(f, &attributes[i], details, &found);
        if (code) return code;
    }
    return GENAIR_OK;
}

/* As format_rank; what the log calls the item comes before all others. */
static int id_rank(const char *names, const char *item_name, struct text key) {
    const int rank = format_rank(names, key);
    if (rank < 0) return -1;
    return item_name && format_rank(item_name, key) == 0 ? 0 : rank + 1;
}

static genair_code put_id(struct forming *f, const char *names, const char *item_name) {
    const char *key, *id_key = NULL, *null_key = NULL;
    size_t key_n;
    json_t *value, *id = NULL;
    int best = -1;
    json_object_keylen_foreach(f->raw, key, key_n, value) {
        const int rank = id_rank(names, item_name, (struct text){key, key_n});
        if (rank < 0 || (id_key && rank > best)) continue;
        if (json_is_null(value)) { /* as if it were not there */
            null_key = key;
            continue;
        }
        if (rank == best)
            return fail(f->st, GENAIR_FORMAT, "two keys are the item: \"%s\" and \"%s\"", id_key,
                        key);
        best = rank;
        id_key = key;
        id = value;
    }
    if (!id_key && null_key) return fail(f->st, GENAIR_FORMAT, "\"%s\" is empty", null_key);
    if (!id_key) {
        missing_role("item", names, NULL, 0, f->st);
        return GENAIR_FORMAT;
    }
    if (!json_is_string(id))
        return fail(f->st, GENAIR_FORMAT, "\"%s\" is neither text nor a number", id_key);
    const struct text text = {json_string_value(id), json_string_length(id)};
    if (!id_check(text, "item", f->st)) return f->st ? f->st->code : GENAIR_FORMAT;
    f->used[f->n_used++] = id_key;
    return json_object_set(f->out, "item_id", id) == 0 ? GENAIR_OK : fail_memory(f->st);
}

static bool is_used(const struct forming *f, const char *key) {
    for (size_t i = 0; i < f->n_used; i++)
        if (f->used[i] == key) return true;
    return false;
}

/* A name that could not be written and read again, or would reach a terminal as a command. */
static genair_code check_name(const struct forming *f, const char *key, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)key[i] < 0x20 || key[i] == 0x7F)
            return fail(f->st, GENAIR_FORMAT, "an attribute's name holds a control character (byte %02X)", (unsigned)key[i]);
    return GENAIR_OK;
}

static genair_code put_others(struct forming *f) {
    const char *key;
    size_t key_n;
    json_t *value;
    json_object_keylen_foreach(f->raw, key, key_n, value) {
        /* an item_id that is not what the log calls the item: the name is taken */
        if (is_used(f, key) || strcmp(key, "item_id") == 0) continue;
        struct builder b;
        genair_code code = check_name(f, key, key_n);
        if (code) return code;
        code = flatten(value, ", ", false, &b) ? GENAIR_OK : fail_memory(f->st);
        if (!code && b.n && json_object_getn(f->out, key, key_n))
            code = fail(f->st, GENAIR_FORMAT, "two attributes are called \"%s\"", key);
        if (!code && b.n) code = put(f, key, key_n, &b);
        mem_free(b.p);
        if (code) return code;
    }
    return GENAIR_OK;
}

genair_code item_normalise(const struct format *format, const char *item_name, json_t *raw, json_t **out,
                           genair_status *st) {
    struct forming f = {.raw = raw, .out = json_object(), .st = st};
    if (!f.out) return fail_memory(st);
    genair_code code = put_id(&f, format->item_record, item_name);
    if (!code) code = put_attributes(&f);
    if (!code) code = put_others(&f);
    if (code) {
        json_decref(f.out);
        return code;
    }
    *out = f.out;
    return GENAIR_OK;
}
