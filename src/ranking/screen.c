/* SPDX-License-Identifier: Apache-2.0 */
/* An item's vector v is nearly its codes w, the user's u nearly x, and the kernel multiplies those exactly:
 *
 *     |u v - x w|  =  |u (v - w) + (u - x) w|  <=  |u| |v - w| + |u - x| |w|        (Cauchy and Schwarz)
 *
 * The norms are known, so each item's score lies in a known interval. An item whose upper end is below the k-th largest lower
 * end cannot be among the k best; the others are scored in float. Panels of items stand in blocks that share the largest norms;
 * the interval is widened by what float arithmetic may round in both products. */
#include "ranking/screen.h"

#include "base/alloc.h"
#include "base/size.h"
#include "kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    BLOCK_PANELS = 64,
    BLOCK_ITEMS = BLOCK_PANELS * PANEL,
    WORTHWHILE_BYTES = 8 << 20 /* of float vectors: less than that stays in the caches */
};

static const double longest = 1e15; /* norm of a vector: products stay far from overflow */

struct screen {
    struct scorer scorer;
    size_t n_panels, n_groups; /* groups of INT8_BLOCK components in a vector */
    int8_t *codes;             /* [n_panels, n_groups * INT8_BLOCK * PANEL], as int8_panel has them */
    float *scales;             /* [n_panels, n_groups * PANEL] */
    float *error, *norm;       /* [blocks] largest |v - w| and |w| of the block's items */
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
    if (s->codes) memset(s->codes, 0, panels * INT8_BLOCK * per_panel);
    return s->codes && s->scales && s->error && s->norm;
}

genair_code screen_create(const struct scorer *scorer, struct screen **out, genair_status *st) {
    *out = NULL;
    if (!scorer->encode || (size_t)scorer->n_items * scorer->width * sizeof(float) < WORTHWHILE_BYTES) return GENAIR_OK;
    struct screen *s = mem_zeros(1, sizeof *s);
    struct coded c = {0};
    if (!s) return fail_memory(st);
    s->scorer = *scorer;
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
    mem_free(s);
}

size_t screen_bytes(const struct screen *s) {
    return s->n_panels * s->n_groups * PANEL * (INT8_BLOCK + sizeof(float));
}

/* ---- asking ---- */

struct search {
    const struct screen *screen;
    const struct kernels *kernels;
    const float *user;
    const uint32_t *excluded;
    size_t n_excluded;
    struct norms norms; /* of the user */
    struct topk lower;  /* lower ends of the intervals */
    struct scored *candidates; /* with upper ends */
    size_t n, capacity;
};

static bool is_excluded(const struct search *q, uint32_t id) {
    size_t from = 0, to = q->n_excluded;
    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (q->excluded[middle] < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from < q->n_excluded && q->excluded[from] == id;
}

/* Half the interval of the block's scores. */
static float margin(const struct search *q, size_t block) {
    const struct screen *s = q->screen;
    const double error = (double)s->error[block], norm = (double)s->norm[block], width = (double)s->scorer.width;
    const double rounding = 2 * (width + 64) * (double)FLT_EPSILON * (q->norms.whole + q->norms.error) * (norm + error);
    return above(q->norms.whole * error + q->norms.error * norm + rounding + 1e-30);
}

static bool look_at(struct search *q, uint32_t id, float about, float half) {
    if (is_excluded(q, id)) return true;
    if (!mem_grow(&q->candidates, &q->capacity, q->n + 1, sizeof *q->candidates)) return false;
    q->candidates[q->n++] = (struct scored){nextafterf(about + half, INFINITY), id};
    topk_push(&q->lower, nextafterf(about - half, -INFINITY), id);
    return true;
}

/* What an upper end must reach. */
static float least(const struct search *q) {
    return q->lower.n < q->lower.k ? -INFINITY : q->lower.entries[0].score;
}

static bool search_block(struct search *q, size_t block, const struct coded *user) {
    const struct screen *s = q->screen;
    float about[BLOCK_ITEMS];
    const size_t first = block * BLOCK_PANELS, panels = min_size(BLOCK_PANELS, s->n_panels - first);
    const size_t n = min_size(panels * PANEL, s->scorer.n_items - first * PANEL);
    const size_t codes = s->n_groups * INT8_BLOCK * PANEL, scales = s->n_groups * PANEL;
    q->kernels->int8_begin(INT8_BLOCK);
    for (size_t p = 0; p < panels; p++) {
        const struct int8_panel panel = {s->codes + (first + p) * codes, s->scales + (first + p) * scales, NULL, s->n_groups,
                                         INT8_BLOCK};
        q->kernels->int8_product(&user->rows, 1, &panel, about + p * PANEL, PANEL, false);
    }
    q->kernels->int8_end();
    const float half = margin(q, block);
    for (size_t i = 0; i < n; i++) {
        i += q->kernels->first_above(about + i, n - i, nextafterf(least(q) - half, -INFINITY));
        if (i < n && !look_at(q, (uint32_t)(first * PANEL + i) + 1, about[i], half)) return false;
    }
    return true;
}

/* Float scores of those that are still possible. */
static void score_candidates(const struct search *q, struct topk *best, size_t *checked) {
    const struct scorer *v = &q->screen->scorer;
    const float end = least(q);
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        const struct scored c = q->candidates[i];
        if (c.score < end) continue;
        topk_push(best, q->kernels->dot(q->user, v->item_vectors + c.id * v->width, v->width), c.id);
        n++;
    }
    topk_sort(best);
    if (checked) *checked = n;
}

static genair_code search(struct search *q, struct coded *user, struct topk *best, size_t *checked, genair_status *st) {
    const struct screen *s = q->screen;
    q->norms = encode(user, q->user, s->scorer.width);
    if (!(q->norms.whole <= longest))
        return fail(st, GENAIR_FORMAT, "the user's vector is not finite, or as good as: train the run again");
    for (size_t block = 0; block * BLOCK_PANELS < s->n_panels; block++)
        if (!search_block(q, block, user)) return fail_memory(st);
    score_candidates(q, best, checked);
    return GENAIR_OK;
}

genair_code screen_best(const struct screen *s, const float *user, const uint32_t *excluded, size_t n_excluded,
                        struct topk *best, size_t *checked, genair_status *st) {
    struct coded c = {0};
    struct search q = {s, kernels_select(NULL), user, excluded, n_excluded, .lower = {.k = best->k}};
    q.lower.entries = mem_array(best->k, sizeof *q.lower.entries);
    const bool sound = coded_init(&c, s->n_groups) && q.lower.entries;
    const genair_code code = sound ? search(&q, &c, best, checked, st) : fail_memory(st);
    coded_deinit(&c);
    mem_free(q.lower.entries);
    mem_free(q.candidates);
    return code;
}
