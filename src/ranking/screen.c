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
#include "ranking/partition.h"
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

/* Up to BLOCK_PANELS whole panels of one list; the last panel may miss items. */
struct block {
    size_t panel, place, n; /* the first panel; the items stand at place … place + n - 1 */
    float error, norm;      /* largest |v - w| and |w| of its items */
};

struct screen {
    struct scorer scorer;
    const struct partition *partition; /* NULL: one list */
    size_t n_panels, n_groups;         /* groups of INT8_BLOCK components in a vector */
    int8_t *codes;                     /* [n_panels, n_groups * INT8_BLOCK * PANEL], as int8_panel has them */
    float *scales;                     /* [n_panels, n_groups * PANEL] */
    struct block *blocks;
    size_t n_blocks, *first_block; /* [lists + 1] of each list */
    float *inverse;                /* [n_items] 1 / |v| by place, 0 of a vector of zeros */
    bool has_nearest;
};

static size_t lists_of(const struct screen *s) {
    return s->partition ? s->partition->n_lists : 1;
}

static uint32_t item_at(const struct screen *s, size_t place) {
    return s->partition ? s->partition->items[place] : (uint32_t)place + 1;
}

/* One vector in 8 bits, the first of a tile of int8_rows. */
struct coded {
    int8_t *codes;
    float *padded, *scales;
    float *row; /* a vector that a file holds is read into it */
    int32_t *sums, *starts;
    struct int8_rows rows;
};

static bool coded_init(struct coded *c, size_t n_groups) {
    *c = (struct coded){.codes = mem_aligned(n_groups * INT8_ROWS, INT8_BLOCK),
                        .padded = mem_zeros(n_groups * INT8_BLOCK, sizeof *c->padded),
                        .scales = mem_zeros(n_groups * INT8_ROWS, sizeof *c->scales),
                        .row = mem_zeros(n_groups * INT8_BLOCK, sizeof *c->row),
                        .sums = mem_zeros(2 * n_groups * INT8_ROWS, sizeof *c->sums),
                        .starts = mem_zeros(n_groups * INT8_ROWS, sizeof *c->starts)};
    c->rows = (struct int8_rows){c->codes, c->scales, c->sums, c->starts, n_groups};
    return c->codes && c->padded && c->row && c->scales && c->sums && c->starts;
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
    mem_free(c->row);
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

static double norm_of(const float *x, size_t width) {
    double square = 0;
    for (size_t k = 0; k < width; k++) square += (double)x[k] * (double)x[k];
    return sqrt(square);
}

/* ---- making ---- */

static void place(struct screen *s, const struct coded *c, size_t panel, size_t j) {
    const size_t width = s->n_groups * INT8_BLOCK;
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

static float inverse_of(double norm) {
    return norm >= shortest ? (float)(1 / norm) : 0;
}

/* An item's vector, by way of row [width] where a file holds it: codes are all that such a catalogue has in memory. */
static const float *vector_of(const struct scorer *s, size_t item, float *row) {
    const size_t bytes = s->width * sizeof *row;
    if (!s->file) return s->item_vectors + item * s->width;
    overlay_read(s->file, item * bytes, row, bytes);
    return row;
}

/* false: a vector is too long, or a component no number. */
static bool fill_block(struct screen *s, struct block *b, struct coded *c) {
    const struct scorer *v = &s->scorer;
    for (size_t i = 0; i < b->n; i++) {
        const struct norms n = encode(c, vector_of(v, item_at(s, b->place + i), c->row), v->width);
        if (!(n.whole <= longest)) return false;
        if (n.whole > 0 && n.whole < shortest) s->has_nearest = false;
        s->inverse[b->place + i] = inverse_of(n.whole);
        b->error = fmaxf(b->error, above(n.error));
        b->norm = fmaxf(b->norm, above(n.coded));
        place(s, c, b->panel + i / PANEL, i % PANEL);
    }
    return true;
}

static bool fill(struct screen *s, struct coded *c) {
    bool sound = true;
    for (size_t i = 0; sound && i < s->n_blocks; i++) sound = fill_block(s, &s->blocks[i], c);
    return sound;
}

/* Where each list's items come to stand; blocks NULL: how many blocks and panels that takes. */
static void lay_out(struct screen *s) {
    size_t place = 0;
    s->n_blocks = s->n_panels = 0;
    for (size_t l = 0; l < lists_of(s); l++) {
        const size_t end = s->partition ? s->partition->start[l + 1] : s->scorer.n_items;
        if (s->blocks) s->first_block[l] = s->n_blocks;
        while (place < end) {
            const size_t n = min_size(BLOCK_ITEMS, end - place);
            if (s->blocks) s->blocks[s->n_blocks] = (struct block){.panel = s->n_panels, .place = place, .n = n};
            s->n_blocks++;
            s->n_panels += (n + PANEL - 1) / PANEL;
            place += n;
        }
    }
    if (s->blocks) s->first_block[lists_of(s)] = s->n_blocks;
}

static bool allocate(struct screen *s) {
    lay_out(s);
    const size_t panels = s->n_panels, per_panel = s->n_groups * PANEL;
    s->codes = mem_aligned(panels * INT8_BLOCK, per_panel); /* items that a panel misses: codes 0 */
    s->scales = mem_zeros(panels * s->n_groups, PANEL * sizeof *s->scales);
    s->first_block = mem_array(lists_of(s) + 1, sizeof *s->first_block);
    s->inverse = mem_array(s->scorer.n_items, sizeof *s->inverse);
    s->blocks = mem_array(s->n_blocks, sizeof *s->blocks);
    if (s->codes) memset(s->codes, 0, panels * INT8_BLOCK * per_panel);
    if (!s->codes || !s->scales || !s->first_block || !s->inverse || !s->blocks) return false;
    lay_out(s);
    return true;
}

bool screen_is_worthwhile(const struct scorer *s) {
    return s->encode && (size_t)s->n_items * s->width * sizeof(float) >= WORTHWHILE_BYTES;
}

genair_code screen_create(const struct scorer *scorer, const struct partition *partition, struct screen **out,
                          genair_status *st) {
    *out = NULL;
    if (!screen_is_worthwhile(scorer)) return GENAIR_OK;
    struct screen *s = mem_zeros(1, sizeof *s);
    struct coded c = {0};
    if (!s) return fail_memory(st);
    s->scorer = *scorer;
    s->partition = partition;
    s->has_nearest = true;
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
    mem_free(s->blocks);
    mem_free(s->first_block);
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
    const struct topk *lists; /* that are read, NULL: all */
    struct norms norms;       /* of the user */
    size_t n_read;            /* items */
    struct topk lower;  /* lower ends of the intervals */
    struct scored *candidates; /* with upper ends */
    size_t n, capacity;
};

/* Half the interval of the block's scores. */
static float margin(const struct search *q, const struct block *b) {
    const double error = (double)b->error, norm = (double)b->norm, width = (double)q->screen->scorer.width;
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

/* about: [b->n], all with the same margin. */
static bool look_at_scores(struct search *q, const struct block *b, const float *about) {
    const float half = margin(q, b);
    for (size_t i = 0; i < b->n; i++) {
        i += q->kernels->first_above(about + i, b->n - i, nextafterf(least(q) - half, -INFINITY));
        if (i < b->n && !look_at(q, item_at(q->screen, b->place + i), nextafterf(about[i] - half, -INFINITY),
                                 nextafterf(about[i] + half, INFINITY)))
            return false;
    }
    return true;
}

/* The same divided by each item's norm. What float arithmetic rounds: in each of the n cosines (products and norms of the
 * width, as in margin), in their sum, at most n, n times, and here, a few times relative to the numbers themselves. about
 * becomes the upper ends. */
static bool look_at_cosines(struct search *q, const struct block *b, float *about) {
    const float *inverse = q->screen->inverse + b->place;
    const float count = (float)q->n_items, wider = margin(q, b) * 1.0001f;
    const float rounding = (4 * ((float)q->screen->scorer.width + 64) + count) * count * FLT_EPSILON;
    for (size_t i = 0; i < b->n; i++) about[i] = (about[i] + wider) * inverse[i] + rounding;
    for (size_t i = 0; i < b->n; i++) {
        i += q->kernels->first_above(about + i, b->n - i, nextafterf(least(q), -INFINITY));
        if (i < b->n && !look_at(q, item_at(q->screen, b->place + i), about[i] - 2.0002f * wider * inverse[i] - 2 * rounding, about[i]))
            return false;
    }
    return true;
}

static bool search_block(struct search *q, const struct block *b, const struct coded *user) {
    const struct screen *s = q->screen;
    float about[BLOCK_ITEMS];
    const size_t panels = (b->n + PANEL - 1) / PANEL, codes = s->n_groups * INT8_BLOCK * PANEL, scales = s->n_groups * PANEL;
    for (size_t p = 0; p < panels; p++) {
        const struct int8_panel panel = {s->codes + (b->panel + p) * codes, s->scales + (b->panel + p) * scales, NULL, s->n_groups,
                                         INT8_BLOCK};
        q->kernels->int8_product(&user->rows, 1, &panel, about + p * PANEL, PANEL, false);
    }
    q->n_read += b->n;
    return q->items ? look_at_cosines(q, b, about) : look_at_scores(q, b, about);
}

static bool search_blocks(struct search *q, size_t first, size_t end, const struct coded *user) {
    bool sound = true;
    for (size_t i = first; sound && i < end; i++) sound = search_block(q, &q->screen->blocks[i], user);
    return sound;
}

/* Those of the chosen lists. Where fewer than k are left of them, those of all lists. */
static bool search_lists(struct search *q, const struct coded *user) {
    const struct screen *s = q->screen;
    bool sound = true;
    for (size_t i = 0; sound && q->lists && i < q->lists->n; i++) {
        const uint32_t l = q->lists->entries[i].id;
        sound = search_blocks(q, s->first_block[l], s->first_block[l + 1], user);
    }
    if (!sound || (q->lists && q->lower.n == q->lower.k)) return sound;
    q->n = q->lower.n = 0;
    return search_blocks(q, 0, s->n_blocks, user);
}

/* Float scores of those that are still possible. */
static genair_code score_candidates(const struct search *q, float *row, struct topk *best, struct screen_reading *reading,
                                    genair_status *st) {
    const struct scorer *v = &q->screen->scorer;
    const float end = least(q);
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        const struct scored c = q->candidates[i];
        float score;
        if (c.score < end) continue;
        if (!q->items) {
            score = q->kernels->dot(q->user, vector_of(v, c.id, row), v->width);
        } else {
            const genair_code code = score_cosines(v, q->items, q->n_items, c.id, &score, st);
            if (code != GENAIR_OK) return code;
        }
        topk_push(best, score, c.id);
        n++;
    }
    topk_sort(best);
    if (reading) *reading = (struct screen_reading){.codes = q->n_read, .vectors = n};
    return GENAIR_OK;
}

static genair_code search(struct search *q, struct coded *user, struct topk *best, struct screen_reading *reading, genair_status *st) {
    const struct screen *s = q->screen;
    q->norms = encode(user, q->user, s->scorer.width);
    if (!(q->norms.whole <= longest))
        return fail(st, GENAIR_FORMAT, "the user's vector is not finite, or as good as: train the run again");
    q->kernels->int8_begin(INT8_BLOCK);
    const bool sound = search_lists(q, user);
    q->kernels->int8_end();
    return sound ? score_candidates(q, user->row, best, reading, st) : fail_memory(st);
}

static genair_code run_search(struct search *q, struct topk *best, struct screen_reading *reading, genair_status *st) {
    static const struct choice every = {0};
    struct coded c = {0};
    if (!q->choice) q->choice = &every;
    q->lower = (struct topk){.k = best->k, .entries = mem_array(best->k, sizeof *q->lower.entries)};
    const bool sound = coded_init(&c, q->screen->n_groups) && q->lower.entries;
    const genair_code code = sound ? search(q, &c, best, reading, st) : fail_memory(st);
    coded_deinit(&c);
    mem_free(q->lower.entries);
    mem_free(q->candidates);
    return code;
}

genair_code screen_best(const struct screen *s, const float *user, const struct choice *c, struct topk *best,
                        struct screen_reading *reading, genair_status *st) {
    return run_search(&(struct search){.screen = s, .kernels = kernels_select(NULL), .user = user, .choice = c}, best, reading, st);
}

/* Of m items n are allowed: what would have been found in probe lists lies in m / n times as many. */
static size_t lists_to_read(const struct screen *s, const struct choice *c, size_t probe) {
    const double share = c && c->only_allowed ? (double)c->n_allowed / s->scorer.n_items : 1;
    return (size_t)fmin(ceil((double)probe / share), (double)lists_of(s));
}

genair_code screen_best_near(const struct screen *s, const float *user, const struct choice *c, size_t probe, struct topk *best,
                             struct screen_reading *reading, genair_status *st) {
    const size_t n = lists_to_read(s, c, probe);
    if (n == lists_of(s) || !(norm_of(user, s->scorer.width) <= longest)) return screen_best(s, user, c, best, reading, st);
    struct topk lists = {.k = n, .entries = mem_array(n, sizeof *lists.entries)};
    if (!lists.entries) return fail_memory(st);
    partition_nearest(s->partition, user, &lists);
    struct search q = {.screen = s, .kernels = kernels_select(NULL), .user = user, .choice = c, .lists = &lists};
    const genair_code code = run_search(&q, best, reading, st);
    mem_free(lists.entries);
    return code;
}

genair_code screen_nearest(const struct screen *s, const uint32_t *items, size_t n, const struct choice *c, struct topk *best,
                           struct screen_reading *reading, genair_status *st) {
    const struct scorer *v = &s->scorer;
    float *sum = mem_array(v->width, sizeof *sum), *inverse = mem_array(n, sizeof *inverse);
    if (!sum || !inverse) {
        mem_free(sum);
        mem_free(inverse);
        return fail_memory(st);
    }
    for (size_t i = 0; i < n; i++) inverse[i] = inverse_of(norm_of(v->item_vectors + items[i] * v->width, v->width));
    for (size_t k = 0; k < v->width; k++) {
        double exact = 0;
        for (size_t i = 0; i < n; i++)
            exact += (double)v->item_vectors[items[i] * v->width + k] * (double)inverse[i];
        sum[k] = (float)exact;
    }
    struct search q = {.screen = s, .kernels = kernels_select(NULL), .user = sum, .choice = c, .items = items, .n_items = n};
    const genair_code code = run_search(&q, best, reading, st);
    mem_free(sum);
    mem_free(inverse);
    return code;
}
