/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the bundled made-up shop: genair-shop DIRECTORY [USERS [SEED]]
 *
 *   interactions.tsv   user, item, time: people with a first and a second audience choose by whom an item is for, by
 *                      brand and popularity, and by what goes with their last purchase
 *   items.jsonl        titles, brands, categories, prices, descriptions
 *   prefill.npy        vectors of the whole records } stand-ins for a language model's,
 *   decoding.npy       vectors of the descriptions  } a row for each line of
 *   vectors.ids        item ids
 *
 * The same arguments give the same bytes. */
#include "shop.h"

#include "base/alloc.h"
#include "base/blas.h"
#include "base/files.h"
#include "base/rng.h"
#include "base/text.h"
#include "workspace/npy.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_USERS = 2000, DEFAULT_SEED = 44, MAX_HISTORY = 40, USER_STREAM = 1 << 20 };

/* How the next item is chosen. The rest goes by taste. */
static const double P_FOLLOW = 0.35, P_POPULAR = 0.08, P_SECOND = 0.2;
/* How much likelier an item is that is for people like this one, or of the brand they know. */
static const double FONDNESS = 20, LOYALTY = 3;

struct event {
    int64_t time;
    int user, item;
};

struct shopper {
    int first, second;          /* audiences */
    unsigned fond[N_AUDIENCES]; /* bit p: phrase p speaks to this person */
    const char *brand[N_AUDIENCES];
    int history[MAX_HISTORY];
    int n;
};

/* Within an audience people differ, and descriptions say in what. */
static double wish(const struct shopper *s, const struct item *item, int audience) {
    const double fondness = s->fond[item->audience] & item->praised ? FONDNESS : 1;
    const double loyalty = s->brand[item->audience] == item->brand ? LOYALTY : 1;
    if (item->audience == audience) return fondness * loyalty * item->popularity;
    return item->second == audience ? item->popularity : 0;
}

/* audience -1: anything. follows: the kind that goes with what was bought last, or -1 */
static double weight(const struct shopper *s, const struct item *item, int audience, int follows) {
    if (audience < 0) return item->popularity;
    if (follows >= 0 && (item->audience != audience || item->kind != follows)) return 0;
    return wish(s, item, audience);
}

static int draw(struct rng *r, const struct item *items, const struct shopper *s, int audience,
                int follows) {
    double total = 0;
    for (int i = 0; i < N_ITEMS; i++)
        total += weight(s, &items[i], audience, follows);
    double left = rng_unit(r) * total;
    for (int i = 0; i < N_ITEMS; i++) {
        left -= weight(s, &items[i], audience, follows);
        if (left < 0) return i;
    }
    return N_ITEMS - 1;
}

static int choose(struct rng *r, const struct item *items, const struct shopper *s) {
    const double u = rng_unit(r);
    if (s->n && u < P_FOLLOW) {
        const struct item *last = &items[s->history[s->n - 1]];
        return draw(r, items, s, last->audience, (last->kind + 1) % N_KINDS);
    }
    if (u > 1 - P_POPULAR) return draw(r, items, s, -1, -1);
    return draw(r, items, s, rng_unit(r) < P_SECOND ? s->second : s->first, -1);
}

static int has(const struct shopper *s, int item) {
    for (int i = 0; i < s->n; i++)
        if (s->history[i] == item) return 1;
    return 0;
}

/* One user's purchases; returns how many. events: room for MAX_HISTORY. */
static int shop(uint64_t seed, int user, const struct item *items, struct event *events) {
    struct rng r = rng_start(seed, RNG_SHOP, (uint64_t)USER_STREAM + (uint64_t)user);
    struct shopper s = {0};
    /* some audiences are larger than others */
    s.first = (int)(N_AUDIENCES * pow(rng_unit(&r), 1.3));
    s.second = (int)rng_below(&r, N_AUDIENCES);
    for (int a = 0; a < N_AUDIENCES; a++) {
        s.fond[a] = 1u << rng_below(&r, N_PHRASES);
        s.brand[a] = audiences[a].brands[rng_below(&r, N_BRANDS)];
    }
    int64_t time = 1640995200 + (int64_t)rng_below(&r, 2 * 365 * 86400); /* in 2022 or 2023 */
    const double mean_extra = 2.5;
    const int n = 5 + (int)fmin(-mean_extra * log(1 - rng_unit(&r)), MAX_HISTORY - 5);
    while (s.n < n) {
        int item = choose(&r, items, &s);
        for (int attempt = 0; attempt < 8 && has(&s, item); attempt++)
            item = choose(&r, items, &s);
        events[s.n] = (struct event){time, user, item};
        s.history[s.n++] = item;
        time += 60 + (int64_t)(86400 *
                               exp(2 + 1.2 * rng_normal(&r))); /* about a week, sometimes months */
    }
    return n;
}

static int by_time(const void *a, const void *b) {
    const struct event *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return x->user != y->user ? (x->user < y->user ? -1 : 1) : 0;
}

static genair_code write_log(const char *path, uint64_t seed, int n_users, const struct item *items,
                             genair_status *st) {
    struct event *events = mem_array((size_t)n_users * MAX_HISTORY, sizeof *events);
    if (!events) return fail_memory(st);
    size_t n = 0;
    for (int u = 0; u < n_users; u++)
        n += (size_t)shop(seed, u, items, events + n);
    qsort(events, n, sizeof *events, by_time);
    struct writer *w = NULL;
    genair_code code = writer_open(path, &w, st);
    if (code == GENAIR_OK) code = writer_printf(w, st, "user_id\titem_id\ttimestamp\n");
    for (size_t i = 0; i < n && code == GENAIR_OK; i++)
        code = writer_printf(w, st, "u%d\t%s\t%lld\n", events[i].user + 1, items[events[i].item].id,
                             (long long)events[i].time);
    if (code == GENAIR_OK)
        code = writer_commit(w, st);
    else
        writer_abandon(w);
    mem_free(events);
    return code;
}

static genair_code put_item(struct writer *w, const struct item *item, genair_status *st) {
    const struct audience *a = &audiences[item->audience];
    json_t *record =
        json_pack("{ss ss ss s[ss] ss ss ss}", "item_id", item->id, "title", item->title, "brand",
                  item->brand, "categories", a->category, a->kinds[item->kind], "date", item->year,
                  "price", item->price, "description", item->description);
    char *line = record ? json_dumps(record, JSON_COMPACT) : NULL;
    const genair_code code = line ? writer_printf(w, st, "%s\n", line) : fail_memory(st);
    free(line);
    json_decref(record);
    return code;
}

static genair_code write_items(const char *items_path, const char *ids_path,
                               const struct item *items, genair_status *st) {
    struct writer *records = NULL, *ids = NULL;
    genair_code code = writer_open(items_path, &records, st);
    if (code == GENAIR_OK) code = writer_open(ids_path, &ids, st);
    for (int i = 0; i < N_ITEMS && code == GENAIR_OK; i++) {
        code = put_item(records, &items[i], st);
        if (code == GENAIR_OK) code = writer_printf(ids, st, "%s\n", items[i].id);
    }
    if (code != GENAIR_OK) {
        writer_abandon(records);
        writer_abandon(ids);
        return code;
    }
    code = writer_commit(records, st);
    if (code != GENAIR_OK) {
        writer_abandon(ids);
        return code;
    }
    return writer_commit(ids, st);
}

static genair_code write_vectors(const char *path, const struct item *items, int descriptions,
                                 genair_status *st) {
    float *vectors = mem_zeros((size_t)N_ITEMS * VECTOR_WIDTH, sizeof *vectors);
    if (!vectors) return fail_memory(st);
    genair_code code;
    if (shop_vectors(items, descriptions, vectors) != 0)
        code = fail(st, GENAIR_INTERNAL, "the vectors of %s could not be computed", path);
    else
        code = npy_write_f32(path, N_ITEMS, VECTOR_WIDTH, vectors, st);
    mem_free(vectors);
    return code;
}

static genair_code write_shop(const char *directory, int n_users, uint64_t seed,
                              genair_status *st) {
    static const char *const names[] = {"interactions.tsv", "items.jsonl", "vectors.ids",
                                        "prefill.npy", "decoding.npy"};
    enum { LOG, ITEMS, IDS, PREFILL, DECODING, N_FILES };
    char *paths[N_FILES] = {NULL};
    static struct item items[N_ITEMS]; /* 350 kB: too large for a stack */
    shop_items(seed, items);
    genair_code code = directory_make(directory, st);
    for (int i = 0; i < N_FILES && code == GENAIR_OK; i++)
        if (!(paths[i] = path_join(directory, names[i]))) code = fail_memory(st);
    if (code == GENAIR_OK) code = write_log(paths[LOG], seed, n_users, items, st);
    if (code == GENAIR_OK) code = write_items(paths[ITEMS], paths[IDS], items, st);
    if (code == GENAIR_OK) code = write_vectors(paths[PREFILL], items, 0, st);
    if (code == GENAIR_OK) code = write_vectors(paths[DECODING], items, 1, st);
    for (int i = 0; i < N_FILES; i++)
        mem_free(paths[i]);
    return code;
}

int main(int argc, char **argv) {
    int64_t n_users = DEFAULT_USERS, seed = DEFAULT_SEED;
    if (argc < 2 || argc > 4 || argv[1][0] == '-' ||
        (argc > 2 && (!text_i64(text_of(argv[2]), &n_users) || n_users < 1 || n_users > 1000000)) ||
        (argc > 3 && (!text_i64(text_of(argv[3]), &seed) || seed < 0))) {
        fprintf(stderr, "usage: genair-shop DIRECTORY [USERS up to 1000000 [SEED]]\n");
        return 2;
    }
    genair_status st = {0};
    blas_use_one_thread();
    if (write_shop(argv[1], (int)n_users, (uint64_t)seed, &st) == GENAIR_OK) return 0;
    char text[2048];
    genair_status_text(&st, text, sizeof text);
    fprintf(stderr, "genair-shop: %s\n", text);
    return 1;
}
