/* SPDX-License-Identifier: Apache-2.0 */
/* An item's vector v is nearly its codes w, the user's u nearly x, and the kernel multiplies those exactly:
 *
 *     |u v - x w|  =  |u (v - w) + (u - x) w|  <=  |u| |v - w| + |u - x| |w|        (Cauchy and Schwarz)
 *
 * The norms are known, so each item's score lies in a known interval. An item whose upper end is below the k-th largest lower
 * end cannot be among the k best; the others are scored in float. Panels of items stand in blocks that share the largest norms;
 * the interval is widened by what float arithmetic may round in both products.
 *
 * A sum of cosines, u1 v / |u1| |v| + u2 v / |u2| |v| + ..., is the score of the user u1 / |u1| + u2 / |u2| + ... over |v|. */
#include "ranking/screen.h"

#include "base/alloc.h"
#include "base/size.h"
#include "kernels/kernels.h"
#include "ranking/score_row.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    BLOCK_PANELS = 64,
    BLOCK_ITEMS = BLOCK_PANELS * PANEL,
    WORTHWHILE_BYTES = 8 << 20 /* of float vectors: less than that stays in the caches */
};

/* Norms of vectors between which products stay far from overflow and underflow. */
static const double longest = 1e15, shortest = 1e-15;

struct screen {
    struct scorer scorer;
    size_t n_panels, n_groups; /* groups of INT8_BLOCK components in a vector */
    int8_t *codes;             /* [n_panels, n_groups * INT8_BLOCK * PANEL], as int8_panel has them */
    float *scales;             /* [n_panels, n_groups * PANEL] */
    float *error, *norm;       /* [blocks] largest |v - w| and |w| of the block's items */
    float *inverse;            /* [n_panels * PANEL] 1 / |v|, 0 of a vector of zeros */
    bool has_nearest;
};

/* One vector in 8 bits, the first of a tile of int8_rows. */
struct coded {
    int8_t *codes;
    float *padded, *scales;
    int32_t *sums, *starts;
    struct int8_rows rows;
};

static bool coded_init(struct coded *c, size_t n_groups) {
    *c = (struct coded){.codes = mem_aligned(n_groups * INT8_ROWS, INT8_BLOCK),
                        .padded = mem_zeros(n_groups * INT8_BLOCK, sizeof *c->padded),
                        .scales = mem_zeros(n_groups * INT8_ROWS, sizeof *c->scales),
                        .sums = mem_zeros(2 * n_groups * INT8_ROWS, sizeof *c->sums),
                        .starts = mem_zeros(n_groups * INT8_ROWS, sizeof *c->starts)};
    c->rows = (struct int8_rows){c->codes, c->scales, c->sums, c->starts, n_groups};
    return c->codes && c->padded && c->scales && c->sums && c->starts;
}

/* Components k … k + 3, k a multiple of 4. */
static const int8_t *codes_at(const struct coded *c, size_t k) {
    return c->codes + k / INT8_BLOCK * INT8_ROWS * INT8_BLOCK + k % INT8_BLOCK;
}

static float scale_of(const struct coded *c, size_t group) {
    return c->scales[group * INT8_ROWS];
}

static void coded_deinit(struct coded *c) {
    mem_free(c->codes);
    mem_free(c->padded);
    mem_free(c->scales);
    mem_free(c->sums);
    mem_free(c->starts);
}

/* The norms of what the codes are off, of the codes' own vector, and of the vector. */
struct norms {
    double error, coded, whole;
};

static struct norms encode(struct coded *c, const float *x, size_t width) {
    struct norms n = {0};
    memcpy(c->padded, x, width * sizeof *x);
    kernels_select(NULL)->int8_quantise(c->padded, c->rows.n_blocks * INT8_BLOCK, &c->rows, 0);
    for (size_t k = 0; k < width; k++) {
        const double w = (double)scale_of(c, k / INT8_BLOCK) * codes_at(c, k / 4 * 4)[k % 4], v = (double)x[k];
        n.error += (v - w) * (v - w);
        n.coded += w * w;
        n.whole += v * v;
    }
    return (struct norms){sqrt(n.error), sqrt(n.coded), sqrt(n.whole)};
}

/* ---- making ---- */

static void place(struct screen *s, const struct coded *c, size_t item) {
    const size_t panel = item / PANEL, j = item % PANEL, width = s->n_groups * INT8_BLOCK;
    int8_t *codes = s->codes + panel * width * PANEL;
    float *scales = s->scales + panel * s->n_groups * PANEL;
    for (size_t k = 0; k < width; k += 4)
        memcpy(codes + (k / 4 * PANEL + j) * 4, codes_at(c, k), 4);
    for (size_t g = 0; g < s->n_groups; g++)
        scales[g * PANEL + j] = scale_of(c, g);
}

/* Up to the next float, and beyond what double arithmetic rounded. */
static float above(double x) {
    return nextafterf((float)(x * (1 + 1e-12)), INFINITY);
}

/* false: a vector is too long, or a component no number. */
static bool fill(struct screen *s, struct coded *c) {
    const struct scorer *v = &s->scorer;
    for (size_t item = 0; item < v->n_items; item++) {
        const struct norms n = encode(c, v->item_vectors + (item + 1) * v->width, v->width);
        if (!(n.whole <= longest)) return false;
        if (n.whole > 0 && n.whole < shortest) s->has_nearest = false;
        if (n.whole >= shortest) s->inverse[item] = (float)(1 / n.whole);
        const size_t block = item / BLOCK_ITEMS;
        s->error[block] = fmaxf(s->error[block], above(n.error));
        s->norm[block] = fmaxf(s->norm[block], above(n.coded));
        place(s, c, item);
    }
    return true;
}

static bool allocate(struct screen *s) {
    const size_t panels = s->n_panels, per_panel = s->n_groups * PANEL, blocks = panels / BLOCK_PANELS + 1;
    s->codes = mem_aligned(panels * INT8_BLOCK, per_panel); /* the last panel's missing items: codes 0 */
    s->scales = mem_zeros(panels * s->n_groups, PANEL * sizeof *s->scales);
    s->error = mem_zeros(blocks, sizeof *s->error);
    s->norm = mem_zeros(blocks, sizeof *s->norm);
    s->inverse = mem_zeros(panels, PANEL * sizeof *s->inverse);
    if (s->codes) memset(s->codes, 0, panels * INT8_BLOCK * per_panel);
    return s->codes && s->scales && s->error && s->norm && s->inverse;
}

genair_code screen_create(const struct scorer *scorer, struct screen **out, genair_status *st) {
    *out = NULL;
    if (!scorer->encode || (size_t)scorer->n_items * scorer->width * sizeof(float) < WORTHWHILE_BYTES) return GENAIR_OK;
    struct screen *s = mem_zeros(1, sizeof *s);
    struct coded c = {0};
    if (!s) return fail_memory(st);
    s->scorer = *scorer;
    s->has_nearest = true;
    s->n_panels = ((size_t)scorer->n_items + PANEL - 1) / PANEL;
    s->n_groups = (scorer->width + INT8_BLOCK - 1) / INT8_BLOCK;
    const bool sound = coded_init(&c, s->n_groups) && allocate(s);
    if (sound && fill(s, &c))
        *out = s;
    else
        screen_free(s);
    coded_deinit(&c);
    return sound ? GENAIR_OK : fail_memory(st);
}

void screen_free(struct screen *s) {
    if (!s) return;
    mem_free(s->codes);
    mem_free(s->scales);
    mem_free(s->error);
    mem_free(s->norm);
    mem_free(s->inverse);
    mem_free(s);
}

bool screen_has_nearest(const struct screen *s) {
    return s->has_nearest;
}

size_t screen_bytes(const struct screen *s) {
    return s->n_panels * s->n_groups * PANEL * (INT8_BLOCK + sizeof(float));
}

/* ---- asking ---- */

struct search {
    const struct screen *screen;
    const struct kernels *kernels;
    const float *user;
    const struct choice *choice;
    const uint32_t *items; /* [n_items] whose cosines are summed; NULL: the score */
    size_t n_items;
    struct norms norms; /* of the user */
    struct topk lower;  /* lower ends of the intervals */
    struct scored *candidates; /* with upper ends */
    size_t n, capacity;
};

/* Half the interval of the block's scores. */
static float margin(const struct search *q, size_t block) {
    const struct screen *s = q->screen;
    const double error = (double)s->error[block], norm = (double)s->norm[block], width = (double)s->scorer.width;
    const double rounding = 2 * (width + 64) * (double)FLT_EPSILON * (q->norms.whole + q->norms.error) * (norm + error);
    return above(q->norms.whole * error + q->norms.error * norm + rounding + 1e-30);
}

static bool look_at(struct search *q, uint32_t id, float lower, float upper) {
    if (!choice_admits(q->choice, id)) return true;
    if (!mem_grow(&q->candidates, &q->capacity, q->n + 1, sizeof *q->candidates)) return false;
    q->candidates[q->n++] = (struct scored){upper, id};
    topk_push(&q->lower, lower, id);
    return true;
}

/* What an upper end must reach. */
static float least(const struct search *q) {
    return q->lower.n < q->lower.k ? -INFINITY : q->lower.entries[0].score;
}

/* about: [n] of items from first on; all have the same margin. */
static bool look_at_scores(struct search *q, uint32_t first, const float *about, size_t n, float half) {
    for (size_t i = 0; i < n; i++) {
        i += q->kernels->first_above(about + i, n - i, nextafterf(least(q) - half, -INFINITY));
        if (i < n && !look_at(q, first + (uint32_t)i, nextafterf(about[i] - half, -INFINITY), nextafterf(about[i] + half, INFINITY)))
            return false;
    }
    return true;
}

/* The same divided by each item's norm. What float arithmetic rounds: in each of the n cosines (products and norms of the
 * width, as in margin), in their sum, at most n, n times, and here, a few times relative to the numbers themselves. about
 * becomes the upper ends. */
static bool look_at_cosines(struct search *q, uint32_t first, float *about, size_t n, float half) {
    const float *inverse = q->screen->inverse + first - 1;
    const float count = (float)q->n_items, wider = half * 1.0001f;
    const float rounding = (4 * ((float)q->screen->scorer.width + 64) + count) * count * FLT_EPSILON;
    for (size_t i = 0; i < n; i++) about[i] = (about[i] + wider) * inverse[i] + rounding;
    for (size_t i = 0; i < n; i++) {
        i += q->kernels->first_above(about + i, n - i, nextafterf(least(q), -INFINITY));
        if (i < n && !look_at(q, first + (uint32_t)i, about[i] - 2.0002f * wider * inverse[i] - 2 * rounding, about[i])) return false;
    }
    return true;
}

static bool search_block(struct search *q, size_t block, const struct coded *user) {
    const struct screen *s = q->screen;
    float about[BLOCK_ITEMS];
    const size_t first = block * BLOCK_PANELS, panels = min_size(BLOCK_PANELS, s->n_panels - first);
    const size_t n = min_size(panels * PANEL, s->scorer.n_items - first * PANEL);
    const size_t codes = s->n_groups * INT8_BLOCK * PANEL, scales = s->n_groups * PANEL;
    for (size_t p = 0; p < panels; p++) {
        const struct int8_panel panel = {s->codes + (first + p) * codes, s->scales + (first + p) * scales, NULL, s->n_groups,
                                         INT8_BLOCK};
        q->kernels->int8_product(&user->rows, 1, &panel, about + p * PANEL, PANEL, false);
    }
    const uint32_t id = (uint32_t)(first * PANEL) + 1;
    return q->items ? look_at_cosines(q, id, about, n, margin(q, block)) : look_at_scores(q, id, about, n, margin(q, block));
}

/* Float scores of those that are still possible. */
static genair_code score_candidates(const struct search *q, struct topk *best, size_t *checked, genair_status *st) {
    const struct scorer *v = &q->screen->scorer;
    const float end = least(q);
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        const struct scored c = q->candidates[i];
        float score;
        if (c.score < end) continue;
        if (!q->items) {
            score = q->kernels->dot(q->user, v->item_vectors + c.id * v->width, v->width);
        } else {
            const genair_code code = score_cosines(v, q->items, q->n_items, c.id, &score, st);
            if (code != GENAIR_OK) return code;
        }
        topk_push(best, score, c.id);
        n++;
    }
    topk_sort(best);
    if (checked) *checked = n;
    return GENAIR_OK;
}

static genair_code search(struct search *q, struct coded *user, struct topk *best, size_t *checked, genair_status *st) {
    const struct screen *s = q->screen;
    q->norms = encode(user, q->user, s->scorer.width);
    if (!(q->norms.whole <= longest))
        return fail(st, GENAIR_FORMAT, "the user's vector is not finite, or as good as: train the run again");
    bool sound = true;
    q->kernels->int8_begin(INT8_BLOCK);
    for (size_t block = 0; sound && block * BLOCK_PANELS < s->n_panels; block++) sound = search_block(q, block, user);
    q->kernels->int8_end();
    return sound ? score_candidates(q, best, checked, st) : fail_memory(st);
}

static genair_code run_search(struct search *q, struct topk *best, size_t *checked, genair_status *st) {
    static const struct choice every = {0};
    struct coded c = {0};
    if (!q->choice) q->choice = &every;
    q->lower = (struct topk){.k = best->k, .entries = mem_array(best->k, sizeof *q->lower.entries)};
    const bool sound = coded_init(&c, q->screen->n_groups) && q->lower.entries;
    const genair_code code = sound ? search(q, &c, best, checked, st) : fail_memory(st);
    coded_deinit(&c);
    mem_free(q->lower.entries);
    mem_free(q->candidates);
    return code;
}

genair_code screen_best(const struct screen *s, const float *user, const struct choice *c, struct topk *best, size_t *checked,
                        genair_status *st) {
    return run_search(&(struct search){.screen = s, .kernels = kernels_select(NULL), .user = user, .choice = c}, best, checked, st);
}

genair_code screen_nearest(const struct screen *s, const uint32_t *items, size_t n, const struct choice *c, struct topk *best,
                           size_t *checked, genair_status *st) {
    const struct scorer *v = &s->scorer;
    float *sum = mem_array(v->width, sizeof *sum);
    if (!sum) return fail_memory(st);
    for (size_t k = 0; k < v->width; k++) {
        double exact = 0;
        for (size_t i = 0; i < n; i++)
            exact += (double)v->item_vectors[items[i] * v->width + k] * (double)s->inverse[items[i] - 1];
        sum[k] = (float)exact;
    }
    struct search q = {.screen = s, .kernels = kernels_select(NULL), .user = sum, .choice = c, .items = items, .n_items = n};
    const genair_code code = run_search(&q, best, checked, st);
    mem_free(sum);
    return code;
}
