/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/dataset.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/map.h"
#include "workspace/dataset_write.h"
#include "workspace/manifest.h"
#include "workspace/store.h"

#include <stdio.h>
#include <string.h>

struct names {
    const char *text;
    const uint64_t *start;
    const uint32_t *slots;
    size_t n_slots;
};

struct files {
    struct store *sequences, *ids, *cooccurrence, *candidates;
    struct names users, items;          /* item i has name i - 1 */
    const uint64_t *candidate_start[2]; /* [n_users + 1] */
    const uint32_t *candidate_item[2];
    uint32_t *training_length; /* where cold items make it differ from n_train */
    char *command;             /* what to run when a file is damaged */
};

/* Offsets from 0 to n that never go down. */
static bool offsets_sound(const uint64_t *start, size_t n_parts, uint64_t n) {
    for (size_t i = 0; i < n_parts; i++)
        if (start[i] > start[i + 1]) return false;
    return start[0] == 0 && start[n_parts] == n;
}

static bool items_sound(const uint32_t *item, size_t n, uint32_t n_items) {
    uint32_t worst = 0; /* wraps for 0, so that one comparison sees both ends */
    for (size_t i = 0; i < n; i++)
        worst = item[i] - 1 > worst ? item[i] - 1 : worst;
    return n == 0 || worst < n_items;
}

/* ---- sequences.bin ---- */

static bool split_sound(const struct dataset *d) {
    for (uint32_t u = 0; u < d->n_users; u++) {
        const uint64_t n = d->start[u + 1] - d->start[u];
        if (d->n_train[u] > n || n > UINT32_MAX) return false;
        if (d->valid[u] != DATASET_NONE && (d->valid[u] >= n || d->valid[u] < d->n_train[u]))
            return false;
        if (d->test[u] != DATASET_NONE && (d->test[u] >= n || d->test[u] < d->n_train[u]))
            return false;
    }
    return true;
}

/* With cold items, training parts are arrays of their own. */
static genair_code find_training(struct dataset *d, struct files *f, genair_status *st) {
    struct store *s = f->sequences;
    const void *start, *item;
    size_t n_start, n_item;
    genair_code code = store_find(s, "tr_start", sizeof *d->start, &start, &n_start, st);
    if (code == GENAIR_OK) code = store_find(s, "tr_item", sizeof *d->item, &item, &n_item, st);
    if (code != GENAIR_OK) return code;
    d->training = (struct item_lists){d->n_users, d->n_items, d->start, d->n_train, d->item};
    if (n_start == 0) return GENAIR_OK;
    const uint64_t *from = start;
    if (n_start != (size_t)d->n_users + 1 || !offsets_sound(from, d->n_users, n_item) ||
        !items_sound(item, n_item, d->n_items))
        return store_damaged(s, st, "its training parts are out of bounds");
    f->training_length = mem_array(d->n_users, sizeof *f->training_length);
    if (!f->training_length) return fail_memory(st);
    for (uint32_t u = 0; u < d->n_users; u++) {
        if (from[u + 1] - from[u] > d->n_train[u])
            return store_damaged(s, st, "its training parts are out of bounds");
        f->training_length[u] = (uint32_t)(from[u + 1] - from[u]);
    }
    d->training = (struct item_lists){d->n_users, d->n_items, from, f->training_length, item};
    return GENAIR_OK;
}

static genair_code open_sequences(struct dataset *d, struct files *f, const char *path,
                                  genair_status *st) {
    genair_code code = store_open(path, "SEQU", f->command, &f->sequences, st);
    if (code != GENAIR_OK) return code;
    const struct store *s = f->sequences;
    const void *p[8];
    size_t n_start, n_item, n_popular;
    code = store_find(s, "start", sizeof *d->start, &p[0], &n_start, st);
    if (code == GENAIR_OK) code = store_find(s, "item", sizeof *d->item, &p[1], &n_item, st);
    if (code == GENAIR_OK)
        code = store_find(s, "popular", sizeof *d->popularity, &p[2], &n_popular, st);
    if (code != GENAIR_OK) return code;
    if (n_start == 0 || n_start - 1 > UINT32_MAX - 1 || n_popular == 0 ||
        n_popular > UINT32_MAX - 1)
        return store_damaged(s, st, "its numbers of users and items are out of bounds");
    const size_t n_users = n_start - 1;
    code = store_find_n(s, "time", sizeof *d->time, n_item, &p[3], st);
    if (code == GENAIR_OK)
        code = store_find_n(s, "n_train", sizeof *d->n_train, n_users, &p[4], st);
    if (code == GENAIR_OK) code = store_find_n(s, "valid", sizeof *d->valid, n_users, &p[5], st);
    if (code == GENAIR_OK) code = store_find_n(s, "test", sizeof *d->test, n_users, &p[6], st);
    if (code == GENAIR_OK) code = store_find_n(s, "tied", 1, n_users, &p[7], st);
    const void *cold;
    if (code == GENAIR_OK) code = store_find_n(s, "cold", 1, n_popular, &cold, st);
    if (code != GENAIR_OK) return code;
    d->n_users = (uint32_t)n_users;
    d->n_items = (uint32_t)(n_popular - 1);
    d->n_interactions = n_item;
    d->start = p[0], d->item = p[1], d->popularity = p[2], d->time = p[3];
    d->n_train = p[4], d->valid = p[5], d->test = p[6], d->tied_time = p[7], d->cold = cold;
    d->hash = store_made_from(s);
    if (!offsets_sound(d->start, n_users, n_item) || !items_sound(d->item, n_item, d->n_items))
        return store_damaged(s, st, "its histories are out of bounds");
    if (!split_sound(d)) return store_damaged(s, st, "its split is out of bounds");
    return find_training(d, f, st);
}

/* ---- ids.bin ---- */

static bool slots_sound(const struct names *names, size_t n) {
    size_t n_full = 0;
    for (size_t i = 0; i < names->n_slots; i++) {
        if (names->slots[i] > n) return false;
        n_full += names->slots[i] != 0;
    }
    const bool power = names->n_slots && (names->n_slots & (names->n_slots - 1)) == 0;
    return power && n_full == n && n < names->n_slots;
}

static genair_code open_names(const struct store *s, const char *text, const char *start,
                              const char *slots, size_t n, struct names *out, genair_status *st) {
    const void *p[3];
    size_t n_text;
    genair_code code = store_find(s, text, 1, &p[0], &n_text, st);
    if (code == GENAIR_OK) code = store_find_n(s, start, sizeof *out->start, n + 1, &p[1], st);
    if (code == GENAIR_OK)
        code = store_find(s, slots, sizeof *out->slots, &p[2], &out->n_slots, st);
    if (code != GENAIR_OK) return code;
    out->text = p[0], out->start = p[1], out->slots = p[2];
    if (!offsets_sound(out->start, n, n_text) || !slots_sound(out, n))
        return store_damaged(s, st, "its names are out of bounds");
    return GENAIR_OK;
}

static genair_code open_ids(struct dataset *d, struct files *f, const char *path,
                            genair_status *st) {
    genair_code code = store_open(path, "NAME", f->command, &f->ids, st);
    if (code == GENAIR_OK)
        code = open_names(f->ids, "u_text", "u_start", "u_slots", d->n_users, &f->users, st);
    if (code == GENAIR_OK)
        code = open_names(f->ids, "i_text", "i_start", "i_slots", d->n_items, &f->items, st);
    return code;
}

/* ---- cooccurrence.bin ---- */

static bool rows_sound(const struct cooccurrence *c, const struct store *s) {
    enum { PIECE = 1 << 18 }; /* pairs between two times that what was looked at leaves memory */
    uint64_t released = 0;
    if (c->start[1] != 0) return false;
    for (uint32_t i = 1; i <= c->n_items; i++) {
        uint32_t last = 0;
        for (uint64_t k = c->start[i]; k < c->start[i + 1]; k++) {
            if (c->item[k] <= last || c->item[k] > c->n_items) return false;
            if (c->count[k] == 0 || c->count[k] > c->max_count) return false;
            last = c->item[k];
        }
        if (c->start[i + 1] - released < PIECE) continue;
        released = c->start[i + 1];
        store_release(s);
    }
    return true;
}

static genair_code open_cooccurrence(struct dataset *d, struct files *f, const char *path,
                                     genair_status *st) {
    genair_code code = store_open(path, "COOC", f->command, &f->cooccurrence, st);
    if (code != GENAIR_OK) return code;
    const struct store *s = f->cooccurrence;
    struct cooccurrence *c = &d->cooccurrence;
    const void *p[4];
    size_t n;
    code = store_find(s, "item", sizeof *c->item, &p[0], &n, st);
    if (code == GENAIR_OK) code = store_find_n(s, "count", sizeof *c->count, n, &p[1], st);
    if (code == GENAIR_OK)
        code = store_find_n(s, "start", sizeof *c->start, (size_t)d->n_items + 2, &p[2], st);
    if (code == GENAIR_OK) code = store_find_n(s, "summary", sizeof(uint64_t), 2, &p[3], st);
    if (code != GENAIR_OK) return code;
    uint64_t summary[2];
    memcpy(summary, p[3], sizeof summary);
    *c = (struct cooccurrence){.n_items = d->n_items,
                               .n_pairs = summary[0],
                               .max_count = (uint32_t)summary[1],
                               .start = p[2],
                               .item = p[0],
                               .count = p[1]};
    if (!offsets_sound(c->start, (size_t)d->n_items + 1, n) ||
        !rows_sound(c, s))
        return store_damaged(s, st, "its rows are out of bounds");
    return GENAIR_OK;
}

/* ---- candidates.bin ---- */

static bool few_enough(const uint64_t *start, size_t n_users) {
    for (size_t u = 0; u < n_users; u++)
        if (start[u + 1] - start[u] > DATASET_CANDIDATES) return false;
    return true;
}

static genair_code open_candidates(struct dataset *d, struct files *f, const char *path,
                                   genair_status *st) {
    static const char *const names[2][2] = {{"v_start", "v_item"}, {"t_start", "t_item"}};
    genair_code code = store_open(path, "CAND", f->command, &f->candidates, st);
    for (int part = 0; code == GENAIR_OK && part < 2; part++) {
        const void *start, *item;
        size_t n;
        code = store_find_n(f->candidates, names[part][0], sizeof *d->start, (size_t)d->n_users + 1,
                            &start, st);
        if (code == GENAIR_OK)
            code = store_find(f->candidates, names[part][1], sizeof *d->item, &item, &n, st);
        if (code != GENAIR_OK) break;
        f->candidate_start[part] = start;
        f->candidate_item[part] = item;
        if (!offsets_sound(start, d->n_users, n) || !few_enough(start, d->n_users) || !items_sound(item, n, d->n_items))
            code = store_damaged(f->candidates, st, "its candidates are out of bounds");
    }
    return code;
}

/* ---- all ---- */

typedef genair_code open_file(struct dataset *d, struct files *f, const char *path,
                              genair_status *st);

static genair_code open_in(const char *workspace, const char *name, open_file *open,
                           struct dataset *d, genair_status *st) {
    char *path = path_join(workspace, name);
    if (!path) return fail_memory(st);
    const genair_code code = open(d, d->private_, path, st);
    mem_free(path);
    return code;
}

genair_code dataset_open_sequences(const char *workspace, struct dataset **out, genair_status *st) {
    struct dataset *d = mem_zeros(1, sizeof *d);
    struct files *f = mem_zeros(1, sizeof *f);
    if (!d || !f) {
        mem_free(d);
        mem_free(f);
        return fail_memory(st);
    }
    d->private_ = f;
    const size_t size = sizeof "prepare -w " + strlen(workspace);
    f->command = mem_array(size, 1);
    genair_code code = GENAIR_OK;
    if (f->command) {
        snprintf(f->command, size, "prepare -w %s", workspace);
        code = open_in(workspace, DATASET_SEQUENCES, open_sequences, d, st);
        if (code == GENAIR_OK) code = workspace_check_data(workspace, d->hash, st);
    } else {
        code = fail_memory(st);
    }
    if (code == GENAIR_OK)
        *out = d;
    else
        dataset_close(d);
    return code;
}

/* A killed prepare leaves files of two data sets: each is whole, together they are nothing. */
static genair_code check_kinship(const struct dataset *d, genair_status *st) {
    const struct files *f = d->private_;
    const struct store *others[] = {f->ids, f->cooccurrence, f->candidates};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i] && strcmp(store_made_from(others[i]), d->hash) != 0)
            return store_damaged(others[i], st,
                                 "made from other data than sequences.bin beside it");
    return GENAIR_OK;
}

static void release(const struct files *f) {
    const struct store *all[] = {f->sequences, f->ids, f->cooccurrence, f->candidates};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]) store_release(all[i]);
}

static genair_code open_all(const char *workspace, bool named_only, struct dataset **out, genair_status *st) {
    struct dataset *d;
    genair_code code = dataset_open_sequences(workspace, &d, st);
    if (code != GENAIR_OK) return code;
    code = open_in(workspace, DATASET_IDS, open_ids, d, st);
    if (code == GENAIR_OK && !named_only) code = open_in(workspace, DATASET_COOCCURRENCE, open_cooccurrence, d, st);
    if (code == GENAIR_OK && !named_only) code = open_in(workspace, DATASET_CANDIDATES_FILE, open_candidates, d, st);
    if (code == GENAIR_OK) code = check_kinship(d, st);
    if (code == GENAIR_OK) {
        release(d->private_);
        *out = d;
    } else {
        dataset_close(d);
    }
    return code;
}

genair_code dataset_open(const char *workspace, struct dataset **out, genair_status *st) {
    return open_all(workspace, false, out, st);
}

genair_code dataset_open_named(const char *workspace, struct dataset **out, genair_status *st) {
    return open_all(workspace, true, out, st);
}

void dataset_close(struct dataset *d) {
    if (!d) return;
    struct files *f = d->private_;
    store_close(f->sequences);
    store_close(f->ids);
    store_close(f->cooccurrence);
    store_close(f->candidates);
    mem_free(f->training_length);
    mem_free(f->command);
    mem_free(f);
    mem_free(d);
}

const uint32_t *dataset_training(const struct dataset *d, uint32_t user, uint32_t *n) {
    *n = d->training.length[user];
    return d->training.item + d->training.start[user];
}

bool dataset_user_named(const struct dataset *d, struct text name, uint32_t *user) {
    const struct names *u = &((const struct files *)d->private_)->users;
    return map_lookup(u->slots, u->n_slots, u->text, u->start, name, user);
}

bool dataset_item_named(const struct dataset *d, struct text name, uint32_t *item) {
    const struct names *i = &((const struct files *)d->private_)->items;
    uint32_t index;
    if (!map_lookup(i->slots, i->n_slots, i->text, i->start, name, &index)) return false;
    *item = index + 1;
    return true;
}

static struct text name_of(const struct names *n, uint32_t i) {
    return (struct text){n->text + n->start[i], (size_t)(n->start[i + 1] - n->start[i])};
}

struct text dataset_user_name(const struct dataset *d, uint32_t user) {
    return name_of(&((const struct files *)d->private_)->users, user);
}

struct text dataset_item_name(const struct dataset *d, uint32_t item) {
    return name_of(&((const struct files *)d->private_)->items, item - 1);
}

const uint32_t *dataset_candidates(const struct dataset *d, int part, uint32_t user, uint32_t *n) {
    const struct files *f = d->private_;
    const uint64_t *start = f->candidate_start[part];
    *n = (uint32_t)(start[user + 1] - start[user]);
    return f->candidate_item[part] + start[user];
}
