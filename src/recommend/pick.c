/* SPDX-License-Identifier: Apache-2.0 */
/* Few items are allowed: each is scored. Else the screen, where there is one (ranking/screen.h). Else a row of all scores. */
#include "recommend/pick.h"

#include "base/alloc.h"
#include "ranking/rank.h"
#include "ranking/score_row.h"
#include "ranking/screen.h"
#include "recommend/likeness.h"

#include <math.h>
#include <string.h>

/* A screen reads about a quarter of the vectors' bytes, and those one after the other: from an eighth of the items on it is
 * not slower than reading each allowed one's. */
enum { FEW = 8 };

bool pick_goes_by_viewed(const struct pick *p) {
    return p->wish->n_history == 0 && p->wish->n_viewed > 0 && likeness_measure(p->run);
}

/* ---- what may be listed ---- */

struct lists {
    uint32_t *excluded, *allowed;
};

static void put(uint32_t *to, const uint32_t *from, size_t n) {
    if (n) memcpy(to, from, n * sizeof *to);
}

static genair_code choose(const struct pick *p, struct lists *l, struct choice *c, genair_status *st) {
    const struct wish *w = p->wish;
    const size_t n_known = w->repeat ? 0 : p->n_basis, n = n_known + w->n_deny;
    l->excluded = mem_array(n, sizeof *l->excluded);
    l->allowed = mem_array(w->n_allow, sizeof *l->allowed);
    if (!l->excluded || !l->allowed) return fail_memory(st);
    put(l->excluded, p->basis, n_known);
    put(l->excluded + n_known, w->deny, w->n_deny);
    put(l->allowed, w->allow, w->n_allow);
    *c = (struct choice){.excluded = l->excluded, .n_excluded = ids_distinct(l->excluded, n), .allowed = l->allowed,
                         .n_allowed = ids_distinct(l->allowed, w->n_allow), .only_allowed = w->only_allowed};
    return GENAIR_OK;
}

/* ---- a row of all scores ---- */

static void popularity_row(const struct catalogue *c, float *row) {
    for (uint32_t i = 1; i <= catalogue_items(c); i++)
        row[i] = (float)catalogue_popularity(c, i);
    row[0] = -INFINITY;
}

/* The sum of the likenesses to what was viewed. */
static genair_code likeness_sums(const struct pick *p, float *row, genair_status *st) {
    const size_t columns = (size_t)p->run->scorer.n_items + 1;
    float *one = mem_array(columns, sizeof *one);
    genair_code code = one ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < columns; i++) row[i] = i ? 0 : -INFINITY;
    for (size_t h = 0; code == GENAIR_OK && h < p->n_basis; h++) {
        code = likeness_row(p->run, p->basis[h], one, st);
        for (size_t i = 1; code == GENAIR_OK && i < columns; i++) row[i] += one[i];
    }
    mem_free(one);
    return code;
}

static genair_code best_of_row(const struct pick *p, const struct choice *c, struct topk *best, genair_status *st) {
    const struct scorer *s = &p->run->scorer;
    const size_t columns = (size_t)s->n_items + 1;
    genair_code code = GENAIR_OK;
    float *row = mem_array(columns, sizeof *row);
    if (!row) return fail_memory(st);
    if (p->user)
        code = score_row_of(s, p->user, row, st);
    else if (p->wish->n_history > 0)
        code = score_row(s, p->wish->history, p->wish->n_history, row, st);
    else if (pick_goes_by_viewed(p))
        code = likeness_sums(p, row, st);
    else
        popularity_row(p->catalogue, row);
    if (code == GENAIR_OK) {
        choice_apply(c, row, s->n_items);
        topk_push_row(best, kernels_select(NULL), row, columns, 0);
    }
    mem_free(row);
    return code;
}

/* ---- few items ---- */

static genair_code score_of(const struct pick *p, uint32_t item, float *out, genair_status *st) {
    const struct scorer *s = &p->run->scorer;
    if (pick_goes_by_viewed(p)) return score_cosines(s, p->basis, p->n_basis, item, out, st);
    *out = p->user ? kernels_select(NULL)->dot(p->user, s->item_vectors + item * s->width, s->width)
                   : (float)catalogue_popularity(p->catalogue, item);
    if (isfinite(*out)) return GENAIR_OK;
    return fail(st, GENAIR_FORMAT, "the score of item number %u is not a finite number: train the run again", item);
}

static genair_code best_of_few(const struct pick *p, const struct choice *c, struct topk *best, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < c->n_allowed; i++) {
        float score;
        if (!choice_admits(c, c->allowed[i])) continue;
        code = score_of(p, c->allowed[i], &score, st);
        if (code == GENAIR_OK) topk_push(best, score, c->allowed[i]);
    }
    return code;
}

/* ---- which way ---- */

/* One item's score can be had without the others'. */
static bool has_single_scores(const struct pick *p) {
    return p->run->scorer.encode || (p->wish->n_history == 0 && !pick_goes_by_viewed(p));
}

static bool is_few(const struct pick *p, const struct choice *c) {
    return c->only_allowed && c->n_allowed <= p->run->scorer.n_items / FEW && has_single_scores(p);
}

static genair_code best_of(const struct pick *p, const struct choice *c, struct topk *best, genair_status *st) {
    if (is_few(p, c)) return best_of_few(p, c, best, st);
    if (p->screen && p->user && p->probe) return screen_best_near(p->screen, p->user, c, p->probe, best, NULL, st);
    if (p->screen && p->user) return screen_best(p->screen, p->user, c, best, NULL, st);
    if (p->screen && pick_goes_by_viewed(p) && screen_has_nearest(p->screen))
        return screen_nearest(p->screen, p->basis, p->n_basis, c, best, NULL, st);
    return best_of_row(p, c, best, st);
}

genair_code pick_best(const struct pick *p, struct topk *best, genair_status *st) {
    struct lists l = {0};
    struct choice c;
    genair_code code = choose(p, &l, &c, st);
    if (code == GENAIR_OK) code = best_of(p, &c, best, st);
    if (code == GENAIR_OK) topk_sort(best);
    mem_free(l.excluded);
    mem_free(l.allowed);
    return code;
}
