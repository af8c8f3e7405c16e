/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/list_metrics.h"

#include "base/alloc.h"
#include "base/size.h"
#include "base/sort.h"

#include <math.h>

enum { USERS_PER_TASK = 256 };

/* One user's share of the means; n_items 0: no list. */
struct of_user {
    uint32_t n_items, n_pairs;
    double popularity, information, distance; /* sums over items, items, pairs */
    double history_popularity;                /* mean; negative without a history */
};

struct work {
    const struct ranking_result *result;
    const struct dataset *data;
    double all_occurrences, log_max; /* log(1 + C_max), at least log 2 */
    struct of_user *users;           /* [result->n] */
};

static double similarity(const struct work *w, uint32_t a, uint32_t b) {
    const struct cooccurrence *c = &w->data->cooccurrence;
    uint64_t low = c->start[a], high = c->start[a + 1];
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (c->item[middle] == b) return log1p((double)c->count[middle]) / w->log_max;
        if (c->item[middle] < b)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

static double information(const struct work *w, uint32_t item) {
    const uint32_t n = w->data->popularity[item];
    return log2(w->all_occurrences / (n ? n : 1));
}

static double history_popularity(const struct work *w, size_t i) {
    const struct dataset *d = w->data;
    const uint32_t user = w->result->user[i], n = target_position(d, w->result->part, user);
    double sum = 0;
    for (uint32_t k = 0; k < n; k++)
        sum += d->popularity[d->item[d->start[user] + k]];
    return n ? sum / n : -1;
}

static void measure(const struct work *w, size_t i, struct of_user *out) {
    const uint32_t *list = w->result->list + i * RANKING_LIST;
    *out = (struct of_user){.history_popularity = history_popularity(w, i)};
    for (uint32_t k = 0; k < RANKING_LIST && list[k]; k++) {
        out->n_items++;
        out->popularity += w->data->popularity[list[k]];
        out->information += information(w, list[k]);
        for (uint32_t j = 0; j < k; j++, out->n_pairs++)
            out->distance += 1 - similarity(w, list[k], list[j]);
    }
}

static void measure_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct work *w = context;
    const size_t end = min_size(w->result->n, (task + 1) * USERS_PER_TASK);
    for (size_t i = task * USERS_PER_TASK; i < end; i++)
        measure(w, i, &w->users[i]);
}

static double ratio(double sum, double n) {
    return n > 0 ? sum / n : 0;
}

/* Sums in the order of users, whatever thread measured them. */
static void average(const struct work *w, struct list_metrics *out) {
    double popularity = 0, bits = 0, n_items = 0, diversity = 0, n_diverse = 0, of_lists = 0, of_histories = 0;
    for (size_t i = 0; i < w->result->n; i++) {
        const struct of_user *u = &w->users[i];
        popularity += u->popularity;
        bits += u->information;
        n_items += u->n_items;
        diversity += ratio(u->distance, u->n_pairs);
        n_diverse += u->n_pairs > 0;
        if (u->n_items == 0 || u->history_popularity < 0) continue;
        of_lists += u->popularity / u->n_items;
        of_histories += u->history_popularity;
    }
    out->popularity = ratio(popularity, n_items);
    out->novelty = ratio(bits, n_items);
    out->diversity = ratio(diversity, n_diverse);
    out->popularity_lift = of_histories > 0 ? of_lists / of_histories - 1 : 0;
}

/* listed: [n] times each item is in a list; is sorted. */
static void spread(uint32_t *listed, size_t n, struct list_metrics *out) {
    double sum = 0, weighted = 0;
    size_t distinct = 0;
    sort_u32(listed, n);
    for (size_t i = 0; i < n; i++) {
        distinct += listed[i] > 0;
        sum += listed[i];
        weighted += (2 * (double)(i + 1) - (double)n - 1) * listed[i];
    }
    out->coverage = ratio((double)distinct, (double)n);
    out->gini = ratio(weighted, (double)n * sum);
}

genair_code list_metrics_compute(struct parallel *parallel, const struct ranking_result *result,
                                 const struct dataset *data, struct list_metrics *out,
                                 genair_status *st) {
    struct work w = {.result = result, .data = data};
    w.log_max = log1p(data->cooccurrence.max_count ? data->cooccurrence.max_count : 1);
    for (uint32_t i = 1; i <= data->n_items; i++)
        w.all_occurrences += data->popularity[i];
    if (w.all_occurrences < 1) w.all_occurrences = 1;
    w.users = mem_array(result->n, sizeof *w.users);
    uint32_t *listed = mem_zeros((size_t)data->n_items + 1, sizeof *listed);
    genair_code code = w.users && listed ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) {
        *out = (struct list_metrics){0};
        parallel_run(parallel, (result->n + USERS_PER_TASK - 1) / USERS_PER_TASK, measure_task, &w);
        average(&w, out);
        for (size_t i = 0; i < result->n * RANKING_LIST; i++)
            listed[result->list[i]] += result->list[i] != 0;
        spread(listed + 1, data->n_items, out);
    }
    mem_free(listed);
    mem_free(w.users);
    return code;
}

bool list_metrics_add(const struct list_metrics *m, json_t *object) {
    const struct {
        const char *key;
        double value;
    } all[] = {{"coverage@10", m->coverage},
               {"gini@10", m->gini},
               {"mean_popularity@10", m->popularity},
               {"popularity_lift@10", m->popularity_lift},
               {"novelty@10", m->novelty},
               {"diversity@10", m->diversity}};
    bool done = true;
    for (size_t i = 0; i < COUNT(all); i++)
        done = json_object_set_new(object, all[i].key, json_real(all[i].value)) == 0 && done;
    return done;
}
