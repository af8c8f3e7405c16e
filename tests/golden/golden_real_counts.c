/* SPDX-License-Identifier: Apache-2.0 */
/* Group 11_real_counts: what `prepare` makes of a real log, counted. The log is looked for beside
 * the golden data: data/DATASET/interactions.tsv or shared/data/…, in a directory above the case or
 * the working directory. */
#include "golden/groups.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "ranking/groups.h"
#include "workspace/dataset.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct counts {
    struct golden *g;
    const struct dataset *d;
    uint32_t *number; /* [n_items + 1] the golden data's number of each item, from 0 */
    uint32_t *item;   /* [n_items] its inverse */
    uint8_t *fifth;   /* [n_items] popularity fifth of each number */
    uint8_t *tail;    /* [n_items] 0: head */
};

/* In place and the directories above it; place is used up. */
static bool find_above(char *place, const char *dataset, char *out, size_t size) {
    static const char *const folders[] = {"data", "shared/data"};
    for (char *slash; (slash = strrchr(place, '/')); *slash = '\0')
        for (size_t i = 0; i < COUNT(folders); i++) {
            snprintf(out, size, "%s/%s/%s/interactions.tsv", place, folders[i], dataset);
            if (file_exists(out)) return true;
        }
    return false;
}

static bool find_log(struct golden *g, char *out, size_t size) {
    char dataset[64], place[PATH_MAX];
    snprintf(dataset, sizeof dataset, "%s", golden_text(g, "dataset"));
    for (char *c = dataset; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (golden_failed(g)) return false;
    if (realpath(golden_directory(g), place) && find_above(place, dataset, out, size)) return true;
    if (getcwd(place, sizeof place) && find_above(place, dataset, out, size)) return true;
    golden_fail(g, "there is no data/%s/interactions.tsv above the case or the working directory",
                dataset);
    return false;
}

/* Without filtering; the counts are of the log as it is. */
static bool prepare(struct golden *g, const char *log, const char *workspace) {
    const char *const settings[][2] = {
        {"workspace", workspace}, {"interactions", log}, {"user-core", "1"}, {"item-core", "1"}};
    genair_options *o = NULL;
    bool ok = golden_ok(g, genair_options_create("prepare", &o, golden_status(g)));
    for (size_t i = 0; i < COUNT(settings) && ok; i++)
        ok = golden_ok(g, genair_options_set(o, settings[i][0], settings[i][1], golden_status(g)));
    ok = ok && golden_ok(g, genair_prepare(golden_context(g), o, NULL, golden_status(g)));
    genair_options_free(o);
    return ok;
}

/* "i1" is number 0; where the ids are not such, the items' own order. */
static bool number_items(struct counts *c) {
    const uint32_t n = c->d->n_items;
    c->number = golden_zeros(c->g, (size_t)n + 1, sizeof *c->number);
    c->item = golden_zeros(c->g, n, sizeof *c->item);
    c->fifth = golden_zeros(c->g, n, 1);
    c->tail = golden_zeros(c->g, n, 1);
    uint32_t *popularity = golden_zeros(c->g, n, sizeof *popularity);
    if (golden_failed(c->g)) return false;
    bool named = true;
    for (uint32_t i = 1; i <= n && named; i++) {
        struct text t = dataset_item_name(c->d, i);
        int64_t value = 0;
        named = t.n > 1 && t.p[0] == 'i' && text_i64((struct text){t.p + 1, t.n - 1}, &value) &&
                value >= 1 && value <= n;
        c->number[i] = (uint32_t)value - 1;
    }
    for (uint32_t i = 1; i <= n; i++) {
        if (!named) c->number[i] = i - 1;
        c->item[c->number[i]] = i;
        popularity[c->number[i]] = c->d->popularity[i];
    }
    return golden_ok(c->g,
                     groups_equal_popularity(popularity, n, 5, c->fifth, golden_status(c->g))) &&
           golden_ok(c->g, groups_head_tail(popularity, n, 0.2, c->tail, golden_status(c->g)));
}

static const json_t *scalar(const struct counts *c, const char *name) {
    return json_object_get(json_object_get(golden_json(c->g), "scalars"), name);
}

/* ---- the pair table ---- */

struct pairs {
    uint64_t total, self, at_max, hash;
    double s_sum;
};

static uint64_t fnv1a(uint64_t hash, const char *s) {
    for (; *s; s++)
        hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return hash;
}

static double association(const struct cooccurrence *table, uint32_t count) {
    return log(1 + (double)count) / log(1 + (double)table->max_count);
}

/* In the order of the golden numbers, which need not be that of the items. */
static struct pairs count_pairs(const struct counts *c) {
    const struct cooccurrence *t = &c->d->cooccurrence;
    const uint32_t n = c->d->n_items;
    struct pairs p = {.hash = UINT64_C(0xcbf29ce484222325)};
    uint32_t *row = golden_zeros(c->g, n, sizeof *row);
    for (uint32_t a = 0; row && a < n; a++) {
        const uint32_t item = c->item[a];
        memset(row, 0, n * sizeof *row);
        for (uint64_t k = t->start[item]; k < t->start[item + 1]; k++)
            row[c->number[t->item[k]]] = t->count[k];
        for (uint32_t b = a; b < n; b++) {
            if (!row[b]) continue;
            char line[64];
            snprintf(line, sizeof line, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", a, b, row[b]);
            p.hash = fnv1a(p.hash, line);
            p.total += row[b];
            p.self += a == b;
            p.at_max += row[b] == t->max_count;
            p.s_sum += association(t, row[b]);
        }
    }
    return p;
}

static uint32_t pair_count(const struct counts *c, json_int_t a, json_int_t b) {
    const struct cooccurrence *t = &c->d->cooccurrence;
    if (a < 0 || b < 0 || a >= c->d->n_items || b >= c->d->n_items) return 0;
    const uint32_t item = c->item[a];
    for (uint64_t k = t->start[item]; k < t->start[item + 1]; k++)
        if (t->item[k] == c->item[b]) return t->count[k];
    return 0;
}

static void check_pairs(const struct counts *c) {
    const struct pairs p = count_pairs(c);
    const struct cooccurrence *t = &c->d->cooccurrence;
    char digits[32], label[64];
    snprintf(digits, sizeof digits, "%016" PRIx64, p.hash);
    const char *expected = json_string_value(scalar(c, "pair_table_fnv1a64"));
    if (!expected || strcmp(digits, expected) != 0)
        golden_fail(c->g, "pair_table_fnv1a64 expected %s, found %s",
                    expected ? expected : "nothing", digits);
    golden_expect_scalar(c->g, "pairs", (double)t->n_pairs, 0);
    golden_expect_scalar(c->g, "pair_total", (double)p.total, 0);
    golden_expect_scalar(c->g, "self_pairs", (double)p.self, 0);
    golden_expect_scalar(c->g, "cooc_max", t->max_count, 0);
    golden_expect_scalar(c->g, "pairs_at_max", (double)p.at_max, 0);
    golden_expect_scalar(c->g, "S_sum", p.s_sum, 1e-9 * p.s_sum);
    golden_expect_scalar(c->g, "S_of_count_1", association(t, 1), 1e-12);
    const json_t *top;
    size_t i;
    json_array_foreach(scalar(c, "top_pairs"), i, top) {
        const json_t *pair = json_object_get(top, "pair");
        snprintf(label, sizeof label, "top_pairs[%zu]", i);
        golden_expect_number(c->g, label, (double)json_integer_value(json_object_get(top, "count")),
                             pair_count(c, json_integer_value(json_array_get(pair, 0)),
                                        json_integer_value(json_array_get(pair, 1))),
                             0);
    }
}

/* ---- users and items ---- */

static uint64_t length_of(const struct dataset *d, uint32_t u) {
    return d->start[u + 1] - d->start[u];
}

static void check_lengths(const struct counts *c) {
    const struct dataset *d = c->d;
    uint64_t shortest = UINT64_MAX, longest = 0, train_shortest = UINT64_MAX, train_longest = 0,
             train = 0;
    for (uint32_t u = 0; u < d->n_users; u++) {
        const uint64_t n = length_of(d, u), t = d->n_train[u];
        shortest = n < shortest ? n : shortest;
        longest = n > longest ? n : longest;
        train_shortest = t < train_shortest ? t : train_shortest;
        train_longest = t > train_longest ? t : train_longest;
        train += t;
    }
    const double users = d->n_users, items = d->n_items, all = (double)d->n_interactions;
    golden_expect_scalar(c->g, "users", users, 0);
    golden_expect_scalar(c->g, "items", items, 0);
    golden_expect_scalar(c->g, "items_seen", items, 0);
    golden_expect_scalar(c->g, "interactions", all, 0);
    golden_expect_scalar(c->g, "length_min", (double)shortest, 0);
    golden_expect_scalar(c->g, "length_max", (double)longest, 0);
    golden_expect_scalar(c->g, "length_mean", all / users, 1e-12 * all / users);
    golden_expect_scalar(c->g, "sparsity", 1 - all / (users * items), 1e-12);
    golden_expect_scalar(c->g, "train_interactions", (double)train, 0);
    golden_expect_scalar(c->g, "train_length_min", (double)train_shortest, 0);
    golden_expect_scalar(c->g, "train_length_max", (double)train_longest, 0);
}

static bool repeats(const uint32_t *item, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        for (uint64_t k = 0; k < i; k++)
            if (item[i] == item[k]) return true;
    return false;
}

static void expect_list(const struct counts *c, const char *name, const uint64_t *found, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char label[96];
        snprintf(label, sizeof label, "%s[%zu]", name, i);
        golden_expect_number(c->g, label, json_number_value(json_array_get(scalar(c, name), i)),
                             (double)found[i], 0);
    }
}

static void check_targets(const struct counts *c) {
    const struct dataset *d = c->d;
    uint64_t repeated = 0, in_head = 0, unseen = 0, never = 0, valid[5] = {0}, test[5] = {0},
             n_head = 0;
    for (uint32_t u = 0; u < d->n_users; u++) {
        const uint32_t *history = d->item + d->start[u];
        repeated += repeats(history, length_of(d, u));
        if (d->valid[u] != DATASET_NONE) valid[c->fifth[c->number[history[d->valid[u]]]]]++;
        if (d->test[u] == DATASET_NONE) continue;
        const uint32_t target = history[d->test[u]];
        test[c->fifth[c->number[target]]]++;
        in_head += !c->tail[c->number[target]];
        unseen += !d->popularity[target];
    }
    for (uint32_t i = 1; i <= d->n_items; i++) {
        never += !d->popularity[i];
        n_head += !c->tail[i - 1];
    }
    golden_expect_scalar(c->g, "users_with_repeated_items", (double)repeated, 0);
    golden_expect_scalar(c->g, "train_items_never_seen", (double)never, 0);
    golden_expect_scalar(c->g, "head_items", (double)n_head, 0);
    golden_expect_scalar(c->g, "test_targets_in_head", (double)in_head, 0);
    golden_expect_scalar(c->g, "test_targets_unseen_in_training", (double)unseen, 0);
    expect_list(c, "test_targets_per_popularity_fifth", test, 5);
    expect_list(c, "valid_targets_per_popularity_fifth", valid, 5);
}

/* ---- histograms: {"value": how many have it} ---- */

/* The n values, sorted here, against the histogram called name. */
static int ascending(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void check_histogram(const struct counts *c, const char *name, uint64_t *values, size_t n) {
    const json_t *expected = scalar(c, name);
    size_t distinct = 0;
    qsort(values, n, sizeof *values, ascending);
    for (size_t i = 0, end; i < n; i = end, distinct++) {
        char key[32], label[96];
        for (end = i; end < n && values[end] == values[i]; end++) {
        }
        snprintf(key, sizeof key, "%" PRIu64, values[i]);
        snprintf(label, sizeof label, "%s[%s]", name, key);
        golden_expect_number(c->g, label, json_number_value(json_object_get(expected, key)),
                             (double)(end - i), 0);
    }
    if (distinct != json_object_size(expected))
        golden_fail(c->g, "%s has %zu values, found %zu", name, json_object_size(expected),
                    distinct);
}

static void check_histograms(const struct counts *c) {
    const struct dataset *d = c->d;
    const struct cooccurrence *t = &d->cooccurrence;
    uint64_t *length = golden_zeros(c->g, d->n_users, sizeof *length);
    uint64_t *train = golden_zeros(c->g, d->n_items, sizeof *train),
             *all = golden_zeros(c->g, d->n_items, sizeof *all);
    uint64_t *pairs = golden_zeros(c->g, t->n_pairs, sizeof *pairs);
    if (golden_failed(c->g)) return;
    for (uint32_t u = 0; u < d->n_users; u++)
        length[u] = length_of(d, u);
    for (uint32_t i = 1; i <= d->n_items; i++)
        train[i - 1] = d->popularity[i];
    for (uint64_t k = 0; k < d->n_interactions; k++)
        all[d->item[k] - 1]++;
    size_t n = 0;
    for (uint32_t a = 1; a <= d->n_items; a++)
        for (uint64_t k = t->start[a]; k < t->start[a + 1]; k++)
            if (t->item[k] >= a && n < t->n_pairs) pairs[n++] = t->count[k];
    check_histogram(c, "length_histogram", length, d->n_users);
    check_histogram(c, "train_popularity_histogram", train, d->n_items);
    check_histogram(c, "all_popularity_histogram", all, d->n_items);
    check_histogram(c, "pair_count_histogram", pairs, n);
}

static void check_dataset(struct golden *g, const char *workspace) {
    struct dataset *d = NULL;
    if (!golden_ok(g, dataset_open(workspace, &d, golden_status(g)))) return;
    struct counts c = {.g = g, .d = d};
    if (number_items(&c)) {
        check_lengths(&c);
        check_targets(&c);
        check_pairs(&c);
        check_histograms(&c);
    }
    dataset_close(d);
}

void golden_real_counts(struct golden *g) {
    char log[PATH_MAX + 128], workspace[] = "/tmp/genair-golden-XXXXXX", command[64];
    if (!find_log(g, log, sizeof log)) return;
    if (!mkdtemp(workspace)) {
        golden_fail(g, "%s: cannot be made", workspace);
        return;
    }
    if (prepare(g, log, workspace)) check_dataset(g, workspace);
    snprintf(command, sizeof command, "rm -rf %s", workspace);
    if (system(command) != 0) golden_fail(g, "%s: cannot be removed", workspace);
}
