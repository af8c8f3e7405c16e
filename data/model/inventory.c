/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/files.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20, MOST_KINDS = 1024, MOST_DEPARTMENTS = 64, MOST_PEOPLE = 256, HELD_OUT_EVERY = 10,
       HELD_OUT_PLACE = 4 };

struct storage {
    struct arena *arena;
    char *text[3]; /* the files */
    struct audience audiences[MOST_PEOPLE];
    struct kind kinds[MOST_KINDS];
    struct department departments[MOST_DEPARTMENTS];
};

struct reader {
    struct inventory *inventory;
    struct storage *storage;
    const char *path;
    int64_t line;
    int group; /* of phrases; -1 before the first */
    genair_status *st;
};

static const char *const group_names[N_PHRASE_GROUPS] = {
    [PHRASE_NAME] = "name", [PHRASE_DESCRIPTION] = "description", [PHRASE_OTHER_AUDIENCE] = "other-audience",
    [PHRASE_OPENING] = "opening", [PHRASE_REASON] = "reason", [PHRASE_FEATURE] = "feature", [PHRASE_CHEAP] = "cheap",
    [PHRASE_FAIR] = "fair", [PHRASE_DEAR] = "dear", [PHRASE_BRAND] = "brand", [PHRASE_BRAND_END] = "brand-end",
    [PHRASE_BRAND_TAIL] = "brand-tail", [PHRASE_ADJECTIVE] = "adjective"};

static genair_code wrong(struct reader *r, const char *what, struct text t) {
    char excerpt[TEXT_EXCERPT];
    text_excerpt(t, excerpt);
    return fail_line(r->st, GENAIR_FORMAT, r->path, r->line, "%s: '%s'", what, excerpt);
}

/* The parts of a text between marks, trimmed. at NULL when memory is out. */
static struct list split(struct arena *arena, struct text t, char mark) {
    size_t n = 1;
    for (size_t i = 0; i < t.n; i++) n += t.p[i] == mark;
    struct text *parts = arena_array(arena, n, sizeof *parts);
    if (!parts) return (struct list){0};
    size_t start = 0, k = 0;
    for (size_t i = 0; i <= t.n; i++)
        if (i == t.n || t.p[i] == mark) {
            parts[k++] = text_trim((struct text){t.p + start, i - start});
            start = i + 1;
        }
    return (struct list){parts, n};
}

/* The fields of a line, exactly n of them. */
static genair_code fields(struct reader *r, struct text line, size_t n, struct list *out) {
    *out = split(r->storage->arena, line, '|');
    if (!out->at) return fail_memory(r->st);
    if (out->n != n) return wrong(r, n == 5 ? "a kind has five fields" : "three fields expected", line);
    return GENAIR_OK;
}

static genair_code read_audience(struct reader *r, struct text line) {
    struct list f;
    const genair_code code = fields(r, line, 3, &f);
    if (code != GENAIR_OK) return code;
    if (r->inventory->n_audiences == MOST_PEOPLE) return wrong(r, "too many audiences", line);
    r->storage->audiences[r->inventory->n_audiences++] =
        (struct audience){f.at[0], split(r->storage->arena, f.at[1], ';'), split(r->storage->arena, f.at[2], ';')};
    return GENAIR_OK;
}

static genair_code read_department(struct reader *r, struct text line) {
    struct list f;
    const genair_code code = fields(r, line, 3, &f);
    if (code != GENAIR_OK) return code;
    if (r->inventory->n_departments == MOST_DEPARTMENTS) return wrong(r, "too many departments", line);
    struct arena *a = r->storage->arena;
    r->storage->departments[r->inventory->n_departments++] =
        (struct department){split(a, f.at[0], '>'), split(a, f.at[1], ';'), split(a, f.at[2], ';')};
    return GENAIR_OK;
}

static genair_code find_audiences(struct reader *r, struct text names, struct kind *kind) {
    const struct list list = split(r->storage->arena, names, ',');
    for (size_t i = 0; i < list.n; i++) {
        const struct audience *found = NULL;
        for (size_t a = 0; a < r->inventory->n_audiences; a++) {
            const struct text name = r->storage->audiences[a].name;
            if (name.n == list.at[i].n && memcmp(name.p, list.at[i].p, name.n) == 0) found = &r->storage->audiences[a];
        }
        if (!found) return wrong(r, "no such audience", list.at[i]);
        if (kind->n_audiences == MOST_AUDIENCES) return wrong(r, "too many audiences of a kind", names);
        kind->audiences[kind->n_audiences++] = found;
    }
    return GENAIR_OK;
}

static genair_code read_kind(struct reader *r, struct text line) {
    struct list f;
    const genair_code code = fields(r, line, 5, &f);
    if (code != GENAIR_OK) return code;
    if (r->inventory->n_departments == 0) return wrong(r, "a kind before the first department", line);
    if (r->inventory->n_kinds == MOST_KINDS) return wrong(r, "too many kinds", line);
    struct arena *a = r->storage->arena;
    struct kind *kind = &r->storage->kinds[r->inventory->n_kinds++];
    *kind = (struct kind){.department = &r->storage->departments[r->inventory->n_departments - 1],
                          .names = split(a, f.at[0], ';'), .attributes = split(a, f.at[1], ';'),
                          .uses = split(a, f.at[2], ';')};
    const struct list price = split(a, f.at[3], '-');
    if (price.n != 2 || !text_f64(price.at[0], &kind->low) || !text_f64(price.at[1], &kind->high) ||
        !(kind->low < kind->high))
        return wrong(r, "a price range is LOW-HIGH", f.at[3]);
    return find_audiences(r, f.at[4], kind);
}

static genair_code read_kind_line(struct reader *r, struct text line) {
    if (line.p[0] == '=') return read_department(r, (struct text){line.p + 1, line.n - 1});
    return read_kind(r, line);
}

static genair_code read_phrase(struct reader *r, struct text line) {
    struct list *phrases = r->inventory->phrases;
    if (line.p[0] == '[') {
        for (r->group = 0; r->group < N_PHRASE_GROUPS; r->group++) {
            const size_t n = strlen(group_names[r->group]);
            if (line.n == n + 2 && memcmp(line.p + 1, group_names[r->group], n) == 0) break;
        }
        if (r->group == N_PHRASE_GROUPS) return wrong(r, "no such group", line);
        return GENAIR_OK;
    }
    if (r->group < 0) return wrong(r, "a phrase before the first group", line);
    struct list *list = &phrases[r->group];
    struct text *longer = arena_array(r->storage->arena, list->n + 1, sizeof *longer);
    if (!longer) return fail_memory(r->st);
    if (list->n) memcpy(longer, list->at, list->n * sizeof *longer);
    longer[list->n] = line;
    *list = (struct list){longer, list->n + 1};
    return GENAIR_OK;
}

static genair_code read_lines(struct reader *r, const char *directory, const char *name, char **text,
                              genair_code (*take)(struct reader *, struct text)) {
    size_t size;
    char *path = path_join(directory, name);
    genair_code code = path ? file_read(path, MOST_BYTES, text, &size, r->st) : fail_memory(r->st);
    r->path = path;
    r->line = 0;
    for (size_t start = 0; code == GENAIR_OK && start < size;) {
        const char *end = memchr(*text + start, '\n', size - start);
        const size_t n = end ? (size_t)(end - *text) - start : size - start;
        const struct text line = text_trim((struct text){*text + start, n});
        r->line++;
        if (line.n && line.p[0] != '#') code = take(r, line);
        start += n + 1;
    }
    if (code == GENAIR_OK && arena_failed(r->storage->arena)) code = fail_memory(r->st);
    mem_free(path);
    return code;
}

genair_code inventory_open(const char *directory, struct inventory **out, genair_status *st) {
    struct inventory *inventory = mem_zeros(1, sizeof *inventory);
    struct storage *s = mem_zeros(1, sizeof *s);
    struct arena *arena = arena_create();
    if (!inventory || !s || !arena) {
        mem_free(inventory);
        mem_free(s);
        arena_free(arena);
        return fail_memory(st);
    }
    s->arena = arena;
    inventory->private_ = s;
    inventory->audiences = s->audiences;
    inventory->kinds = s->kinds;
    inventory->departments = s->departments;
    struct reader r = {.inventory = inventory, .storage = s, .group = -1, .st = st};
    genair_code code = read_lines(&r, directory, "audiences.txt", &s->text[0], read_audience);
    if (code == GENAIR_OK) code = read_lines(&r, directory, "kinds.txt", &s->text[1], read_kind_line);
    if (code == GENAIR_OK) code = read_lines(&r, directory, "phrases.txt", &s->text[2], read_phrase);
    for (int g = 0; code == GENAIR_OK && g < N_PHRASE_GROUPS; g++)
        if (inventory->phrases[g].n == 0) code = fail(st, GENAIR_FORMAT, "no phrases of group [%s]", group_names[g]);
    if (code == GENAIR_OK)
        *out = inventory;
    else
        inventory_close(inventory);
    return code;
}

void inventory_close(struct inventory *inventory) {
    if (!inventory) return;
    struct storage *s = inventory->private_;
    arena_free(s->arena);
    for (size_t i = 0; i < COUNT(s->text); i++) mem_free(s->text[i]);
    mem_free(s);
    mem_free(inventory);
}

bool kind_is_held_out(const struct inventory *inventory, const struct kind *kind) {
    return (size_t)(kind - inventory->kinds) % HELD_OUT_EVERY == HELD_OUT_PLACE;
}
