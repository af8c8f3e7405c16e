/* SPDX-License-Identifier: Apache-2.0 */
#include "lm/matrix.h"

#include "base/alloc.h"
#include "base/size.h"

#include <pthread.h>
#include <string.h>

/* Columns at a time: 16 KiB of a panel, half of a first cache, whether codes or floats. A multiple of 256. */
enum { INT_COLUMNS = 1024, FLOAT_COLUMNS = 256, PANELS_PER_TASK = 4 };

static size_t panels_of(size_t rows) {
    return rows / PANEL + (rows % PANEL != 0);
}

bool matrix_is_integer(const struct matrix *m) {
    return m->packing != NULL;
}

size_t matrix_padded_rows(const struct matrix *m) {
    return m->n_panels * PANEL;
}

size_t matrix_bytes(const struct matrix *m) {
    return m->n_panels * m->panel_bytes;
}

void matrix_free(struct matrix *m) {
    mem_free(m->data);
    *m = (struct matrix){0};
}

/* ---- loading ---- */

struct loader {
    const struct matrix *m;
    lm_reader *read;
    const void *source;
    const struct lm_tensor *t;
    size_t pairs_of;
    size_t scratch_bytes; /* of a worker: PANEL rows of the file, then codes or values of a panel */
    unsigned char *scratch;
    pthread_mutex_t mutex; /* for the two below */
    genair_code code;
    genair_status *st;
};

/* Where row i of the matrix stands in the file. */
static size_t row_in_file(const struct loader *l, size_t i) {
    if (!l->pairs_of) return i;
    const size_t head = i / l->pairs_of * l->pairs_of, at = i % l->pairs_of, half = l->pairs_of / 2;
    return head + (at < half ? 2 * at : 2 * (at - half) + 1);
}

static genair_code read_rows(const struct loader *l, size_t first, size_t n, unsigned char *out, genair_status *st) {
    if (!l->pairs_of) return l->read(l->source, l->t, first, n, out, st);
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < n; i++)
        code = l->read(l->source, l->t, row_in_file(l, first + i), 1, out + i * l->t->row_bytes, st);
    return code;
}

static void pack_floats(const struct matrix *m, const unsigned char *rows, const struct lm_tensor *t, size_t n, float *values,
                        unsigned char *panel) {
    const size_t width = lm_types[m->type].block_bytes;
    for (size_t j = 0; j < n; j++) {
        const unsigned char *row = rows + j * t->row_bytes;
        if (m->type != t->type) { /* a type that has no panels of its own */
            lm_types[t->type].decode(row, m->cols / lm_types[t->type].block_values, values);
            row = (const unsigned char *)values;
        }
        unsigned char *to = panel + j * width;
        if (width == 2) /* sizes that the compiler sees: moves */
            for (size_t k = 0; k < m->cols; k++) memcpy(to + k * PANEL * 2, row + k * 2, 2);
        else
            for (size_t k = 0; k < m->cols; k++) memcpy(to + k * PANEL * 4, row + k * 4, 4);
    }
}

static void load_panel(void *context, size_t i, int worker) {
    struct loader *l = context;
    const struct matrix *m = l->m;
    const size_t first = i * PANEL, n = min_size(PANEL, m->rows - first);
    unsigned char *rows = l->scratch + (size_t)worker * l->scratch_bytes, *panel = m->data + i * m->panel_bytes;
    unsigned char *rest = rows + (PANEL * l->t->row_bytes + 63) / 64 * 64;
    genair_status st = {0};
    const genair_code code = read_rows(l, first, n, rows, &st);
    if (code != GENAIR_OK) {
        pthread_mutex_lock(&l->mutex);
        if (l->code == GENAIR_OK && l->st && l->st->code == GENAIR_OK) *l->st = st;
        l->code = code;
        pthread_mutex_unlock(&l->mutex);
        return;
    }
    if (!m->packing) {
        pack_floats(m, rows, l->t, n, (float *)(void *)rest, panel);
        return;
    }
    int8_t *codes = (int8_t *)rest;
    memset(codes, 0, m->cols * PANEL);
    for (size_t j = 0; j < n; j++) packing_put_row(m->type, m->cols, rows + j * l->t->row_bytes, j, panel, codes);
    packing_finish(m->type, m->cols, codes, panel);
}

/* 16 rows are read at once; a row is a tensor's, whose size has been checked against its file. */
static bool plan(struct matrix *m, const struct lm_tensor *t, size_t *scratch_bytes) {
    const size_t width = m->packing ? 1 : sizeof(float);
    size_t row_bytes, values, bytes;
    if (!mul_size(t->row_bytes, PANEL, &row_bytes) || !mul_size(t->cols, PANEL * width, &values) ||
        !add_size(row_bytes, values, &bytes) || !add_size(bytes, 128, scratch_bytes))
        return false;
    *scratch_bytes = *scratch_bytes / 64 * 64;
    const struct panel_layout l = m->packing ? packing_layout(m->packing, m->cols) : (struct panel_layout){0};
    m->codes_at = l.codes;
    m->panel_bytes = m->packing ? l.bytes : lm_types[m->type].block_bytes * PANEL * m->cols;
    return mul_size(m->n_panels, m->panel_bytes, &bytes);
}

genair_code matrix_load(struct parallel *p, lm_reader *read, const void *source, const struct lm_tensor *t, size_t pairs_of,
                        struct matrix *out, genair_status *st) {
    struct matrix m = {.rows = t->rows, .cols = t->cols, .type = t->type, .packing = lm_packings[t->type],
                       .n_panels = panels_of(t->rows)};
    if (!m.packing && t->type != LM_F16 && t->type != LM_BF16) m.type = LM_F32;
    struct loader l = {.m = &m, .read = read, .source = source, .t = t, .pairs_of = pairs_of, .code = GENAIR_OK, .st = st};
    if (!plan(&m, t, &l.scratch_bytes)) return fail_memory(st);
    const size_t n_workers = (size_t)parallel_threads(p);
    m.data = mem_aligned(m.n_panels, m.panel_bytes);
    l.scratch = mem_aligned(n_workers, l.scratch_bytes);
    if (!m.data || !l.scratch) {
        mem_free(m.data);
        mem_free(l.scratch);
        return fail_memory(st);
    }
    if (m.rows % PANEL) /* scales and values of rows that are not there */
        memset(m.data + (m.n_panels - 1) * m.panel_bytes, 0, m.panel_bytes);
    pthread_mutex_init(&l.mutex, NULL);
    parallel_run(p, m.n_panels, load_panel, &l);
    pthread_mutex_destroy(&l.mutex);
    mem_free(l.scratch);
    if (l.code != GENAIR_OK)
        matrix_free(&m);
    else
        *out = m;
    return l.code;
}

/* ---- a part of a panel in the form that a kernel reads ---- */

struct scratch {
    _Alignas(64) int8_t codes[INT_COLUMNS * PANEL];
    _Alignas(64) float scales[INT_COLUMNS / 16 * PANEL];
    _Alignas(64) float mins[INT_COLUMNS / INT8_BLOCK * PANEL];
    _Alignas(64) float values[FLOAT_COLUMNS * PANEL];
};

/* Columns k0 … k0 + kc - 1 in 8 bits. */
static struct int8_panel int8_part(const struct matrix *m, const struct kernels *k, const unsigned char *panel, size_t k0,
                                   size_t kc, struct scratch *s) {
    const struct packing *p = m->packing;
    struct int8_panel part = {.codes = s->codes, .scales = s->scales, .mins = p->mins ? s->mins : NULL,
                              .n_blocks = kc / INT8_BLOCK, .group = p->group};
    packing_scales(p, k, m->cols, panel, k0 / INT8_BLOCK, part.n_blocks, s->scales, s->mins);
    panel += m->codes_at;
    if (p->bits == 8) {
        part.codes = (const int8_t *)panel + k0 * PANEL;
        return part;
    }
    enum { HALF_BLOCK = INT8_BLOCK * PANEL / 2 };
    for (size_t b = 0; b < part.n_blocks; b++)
        k->int4_unpack(panel + k0 * PANEL / 2 + b * HALF_BLOCK, HALF_BLOCK, p->lowest, s->codes + b * 2 * HALF_BLOCK);
    return part;
}

/* Component c of vector j. */
static float int8_value(const struct int8_panel *part, size_t c, size_t j) {
    const float value = part->scales[c / part->group * PANEL + j] * (float)part->codes[(c / 4 * PANEL + j) * 4 + c % 4];
    return part->mins ? value - part->mins[c / INT8_BLOCK * PANEL + j] : value;
}

/* The same as floats: [kc][PANEL]. */
static const float *float_part(const struct matrix *m, const struct kernels *k, const unsigned char *panel, size_t k0,
                               size_t kc, struct scratch *s) {
    const void *from = panel + k0 * PANEL * lm_types[m->type].block_bytes;
    if (m->packing) {
        const struct int8_panel part = int8_part(m, k, panel, k0, kc, s);
        for (size_t i = 0; i < kc * PANEL; i++) s->values[i] = int8_value(&part, i / PANEL, i % PANEL);
        return s->values;
    }
    if (m->type == LM_F32) return from;
    (m->type == LM_F16 ? k->half_to_float : k->bfloat_to_float)(from, kc * PANEL, s->values);
    return s->values;
}

void matrix_row(const struct matrix *m, const struct kernels *k, size_t row, float *out) {
    struct scratch s;
    const unsigned char *panel = m->data + row / PANEL * m->panel_bytes;
    for (size_t k0 = 0; k0 < m->cols; k0 += FLOAT_COLUMNS) {
        const size_t kc = min_size(FLOAT_COLUMNS, m->cols - k0);
        if (m->packing) {
            const struct int8_panel part = int8_part(m, k, panel, k0, kc, &s);
            for (size_t c = 0; c < kc; c++) out[k0 + c] = int8_value(&part, c, row % PANEL);
        } else {
            const float *values = float_part(m, k, panel, k0, kc, &s);
            for (size_t c = 0; c < kc; c++) out[k0 + c] = values[c * PANEL + row % PANEL];
        }
    }
}

/* ---- products ---- */

static void int8_panel_product(const struct matrix *m, const struct kernels *k, const unsigned char *panel,
                               const struct activations *x, float *out, size_t stride) {
    struct scratch s;
    for (size_t k0 = 0; k0 < m->cols; k0 += INT_COLUMNS) {
        const struct int8_panel part = int8_part(m, k, panel, k0, min_size(INT_COLUMNS, m->cols - k0), &s);
        const struct int8_rows rows = int8_rows_from(&x->codes, k0 / INT8_BLOCK);
        k->int8_product(&rows, x->n, &part, out, stride, k0 > 0);
    }
}

static void float_panel_product(const struct matrix *m, const struct kernels *k, const unsigned char *panel,
                                const struct activations *x, float *out, size_t stride) {
    struct scratch s;
    for (size_t k0 = 0; k0 < m->cols; k0 += FLOAT_COLUMNS) {
        const size_t kc = min_size(FLOAT_COLUMNS, m->cols - k0);
        const float *part = float_part(m, k, panel, k0, kc, &s);
        k->panel_product(x->values + k0, x->n, x->stride, part, kc, k0 > 0 ? out : NULL, stride, out, stride);
    }
}

/* Panels first … end - 1. */
static void panels_product(const struct matrix *m, size_t first, size_t end, const struct kernels *k,
                           const struct activations *x, float *out, size_t stride) {
    const bool integer = m->packing && x->codes.codes;
    if (integer) k->int8_begin(m->packing->group);
    for (size_t i = first; i < end; i++, out += PANEL)
        (integer ? int8_panel_product : float_panel_product)(m, k, m->data + i * m->panel_bytes, x, out, stride);
    if (integer) k->int8_end();
}

struct products {
    const struct kernels *kernels;
    const struct matrix_product *products;
    const struct activations *x;
};

static size_t tasks_of(const struct matrix *m) {
    return (m->n_panels + PANELS_PER_TASK - 1) / PANELS_PER_TASK;
}

static void multiply(void *context, size_t i, int worker) {
    (void)worker;
    const struct products *all = context;
    const struct matrix_product *p = all->products;
    for (; i >= tasks_of(p->m); p++) i -= tasks_of(p->m);
    const size_t first = i * PANELS_PER_TASK, end = min_size(p->m->n_panels, first + PANELS_PER_TASK);
    panels_product(p->m, first, end, all->kernels, all->x, p->out + first * PANEL, p->stride);
}

void matrix_products(struct parallel *p, const struct kernels *k, const struct matrix_product *products, size_t n_products,
                     const struct activations *x) {
    struct products all = {k, products, x};
    size_t n_tasks = 0;
    for (size_t i = 0; i < n_products; i++) n_tasks += tasks_of(products[i].m);
    parallel_run(p, n_tasks, multiply, &all);
}

/* ---- the gated product ---- */

struct gating {
    const struct kernels *kernels;
    const struct gated_product *product;
    const struct activations *x;
};

static void gate_columns(void *context, size_t i, int worker) {
    const struct gating *g = context;
    const struct gated_product *p = g->product;
    enum { PANELS = MATRIX_GATED / PANEL, STRIDE = 2 * MATRIX_GATED };
    const size_t first = i * PANELS, end = min_size(p->gate->n_panels, first + PANELS);
    const size_t n = min_size(MATRIX_GATED, p->gate->rows - first * PANEL);
    float *row = p->scratch + (size_t)worker * p->scratch_stride;
    panels_product(p->gate, first, end, g->kernels, g->x, row, STRIDE);
    panels_product(p->up, first, end, g->kernels, g->x, row + MATRIX_GATED, STRIDE);
    for (size_t r = 0; r < g->x->n; r++, row += STRIDE) {
        const bool codes = p->codes.codes != NULL;
        float *y = codes ? row : p->values + r * p->stride + first * PANEL;
        g->kernels->silu_product(row, row + MATRIX_GATED, y, n);
        if (!codes) continue;
        const struct int8_rows block = int8_rows_from(&p->codes, i);
        g->kernels->int8_quantise(y, n, &block, r);
    }
}

void matrix_gated_product(struct parallel *p, const struct kernels *k, const struct gated_product *product,
                          const struct activations *x) {
    struct gating g = {k, product, x};
    parallel_run(p, (product->gate->rows + MATRIX_GATED - 1) / MATRIX_GATED, gate_columns, &g);
}
