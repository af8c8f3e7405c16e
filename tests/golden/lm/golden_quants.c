/* SPDX-License-Identifier: Apache-2.0 */
/* Every block type: TYPE.bin holds rows of blocks, TYPE.npy their values, TYPE_product.npy their
 * products with x.npy. */
#include "golden/lm/golden_lm.h"

#include "base/alloc.h"
#include "base/files.h"
#include "lm/matrix.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* rows x cols values of one type */
struct quants {
    char name[16]; /* of the case: "q4_k" */
    enum lm_type type;
    size_t rows, cols;
    unsigned char *blocks;
    double *values, *products, *x; /* expected; the vector */
    double *found;                 /* [rows x cols] */
};

/* Each block on its own: what one value may be off depends on the largest of its block. */
static bool values_agree(struct golden_lm *g, const struct quants *q) {
    const size_t in_block = lm_types[q->type].block_values, n = q->rows * q->cols;
    for (size_t i = 0; i < n; i += in_block) {
        double largest = 0;
        for (size_t k = i; k < i + in_block; k++)
            largest = fmax(largest, fabs(q->values[k]));
        if (!golden_lm_close(g, q->name, "values", i, in_block, q->values + i, q->found + i,
                             1e-6 * largest))
            return false;
    }
    return true;
}

static bool products_agree(struct golden_lm *g, const struct quants *q) {
    for (size_t r = 0; r < q->rows; r++) {
        const double *row = q->found + r * q->cols;
        double sum = 0, magnitude = 0;
        for (size_t i = 0; i < q->cols; i++) {
            sum += row[i] * q->x[i];
            magnitude += fabs(row[i] * q->x[i]);
        }
        if (!golden_lm_close(g, q->name, "products", r, 1, &q->products[r], &sum, 2e-6 * magnitude))
            return false;
    }
    return true;
}

/* ---- as the engine multiplies: repacked, in 8 bits and in float32 ---- */

static genair_code read_blocks(const void *source, const struct lm_tensor *t, size_t first, size_t n_rows, void *out,
                               genair_status *st) {
    (void)st;
    memcpy(out, (const unsigned char *)source + first * t->row_bytes, n_rows * t->row_bytes);
    return GENAIR_OK;
}

/* x in float32 and in 8 bits, which hold it exactly. out[padded rows] */
static bool multiply(const struct golden_lm *g, const struct matrix *m, const float *x, bool int8, float *out) {
    const size_t n_blocks = m->cols / INT8_BLOCK, n = n_blocks * INT8_ROWS;
    struct int8_rows rows = {.codes = mem_array(n, INT8_BLOCK), .scales = mem_array(n, sizeof(float)),
                             .sums = mem_array(2 * n, sizeof(int32_t)), .starts = mem_array(n, sizeof(int32_t)),
                             .n_blocks = n_blocks};
    const bool ok = rows.codes && rows.scales && rows.sums && rows.starts;
    if (ok) {
        g->kernels->int8_quantise(x, m->cols, &rows, 0);
        struct activations a = {.n = 1, .values = x, .stride = m->cols};
        if (int8) a.codes = rows;
        matrix_products(context_parallel(g->ctx), g->kernels, &(struct matrix_product){m, out, matrix_padded_rows(m)}, 1, &a);
    }
    mem_free(rows.codes);
    mem_free(rows.scales);
    mem_free(rows.sums);
    mem_free(rows.starts);
    return ok;
}

static bool repacked_agrees(struct golden_lm *g, const struct quants *q) {
    struct lm_tensor t = {.type = q->type, .rows = q->rows, .cols = q->cols};
    struct matrix m = {0};
    genair_status st = {0};
    if (!lm_row_bytes(q->type, q->cols, &t.row_bytes)) return false;
    if (!golden_lm_ok(g, q->name, matrix_load(context_parallel(g->ctx), read_blocks, q->blocks, &t, 0, &m, &st), &st))
        return false;
    float *x = mem_array(q->cols, sizeof *x), *out = mem_array(matrix_padded_rows(&m), sizeof *out);
    bool ok = x && out;
    for (size_t i = 0; ok && i < q->cols; i++) x[i] = (float)q->x[i];
    for (int int8 = 0; ok && int8 < 2; int8++) {
        ok = multiply(g, &m, x, int8, out);
        for (size_t r = 0; ok && r < q->rows; r++) {
            const double found = (double)out[r];
            double magnitude = 0;
            for (size_t i = 0; i < q->cols; i++) magnitude += fabs(q->values[r * q->cols + i] * q->x[i]);
            ok = golden_lm_close(g, q->name, int8 ? "8-bit products" : "float32 products", r, 1, &q->products[r], &found,
                                 2e-6 * magnitude);
        }
    }
    mem_free(x);
    mem_free(out);
    matrix_free(&m);
    return ok;
}

static bool decode(struct golden_lm *g, struct quants *q, size_t n_bytes) {
    const struct lm_type_traits *t = &lm_types[q->type];
    const size_t n = q->rows * q->cols, n_blocks = n / t->block_values;
    if (n % t->block_values || n_bytes != n_blocks * t->block_bytes) {
        golden_lm_fail(g, q->name, "%zu bytes of blocks, expected %zu", n_bytes,
                       n_blocks * t->block_bytes);
        return false;
    }
    float *values = mem_array(n, sizeof *values);
    q->found = mem_array(n, sizeof *q->found);
    const bool ok = values && q->found;
    if (!ok) golden_lm_fail(g, q->name, "out of memory");
    if (ok) t->decode(q->blocks, n_blocks, values);
    for (size_t i = 0; ok && i < n; i++)
        q->found[i] = (double)values[i];
    mem_free(values);
    return ok;
}

static bool read_type(struct golden_lm *g, const char *directory, struct quants *q,
                      size_t *n_bytes) {
    char file[40];
    snprintf(file, sizeof file, "%s.bin", q->name);
    char *path = path_join(directory, file), *blocks = NULL;
    genair_status st = {0};
    size_t n = 0;
    const genair_code code =
        path ? file_read(path, 1 << 20, &blocks, n_bytes, &st) : fail_memory(&st);
    mem_free(path);
    q->blocks = (unsigned char *)blocks;
    if (!golden_lm_ok(g, q->name, code, &st)) return false;
    q->x = golden_lm_npy(g, directory, q->name, "x.npy", &q->cols);
    snprintf(file, sizeof file, "%s_product.npy", q->name);
    q->products = q->x ? golden_lm_npy(g, directory, q->name, file, &q->rows) : NULL;
    snprintf(file, sizeof file, "%s.npy", q->name);
    q->values = q->products ? golden_lm_npy(g, directory, q->name, file, &n) : NULL;
    if (!q->values) return false;
    if (n != q->rows * q->cols)
        golden_lm_fail(g, q->name, "%s holds %zu values, expected %zu", file, n, q->rows * q->cols);
    return n == q->rows * q->cols;
}

static bool type_of(const char *name, enum lm_type *out) {
    for (size_t i = 0; i < N_LM_TYPES; i++) {
        if (strcasecmp(name, lm_types[i].name) != 0) continue;
        *out = (enum lm_type)i;
        return true;
    }
    return false;
}

static void check_type(struct golden_lm *g, const char *directory, const char *file) {
    struct quants q = {0};
    size_t n_bytes = 0;
    snprintf(q.name, sizeof q.name, "%.*s", (int)(strlen(file) - strlen(".bin")), file);
    if (!type_of(q.name, &q.type))
        golden_lm_fail(g, q.name, "a type that this program does not know");
    else if (read_type(g, directory, &q, &n_bytes) && decode(g, &q, n_bytes) &&
             values_agree(g, &q) && products_agree(g, &q) && repacked_agrees(g, &q))
        golden_lm_pass(g);
    mem_free(q.blocks);
    mem_free(q.x);
    mem_free(q.products);
    mem_free(q.values);
    mem_free(q.found);
}

static int is_blocks(const struct dirent *entry) {
    const size_t n = strlen(entry->d_name);
    return n > 4 && strcmp(entry->d_name + n - 4, ".bin") == 0;
}

void golden_quants(struct golden_lm *g, const char *directory) {
    struct dirent **entries = NULL;
    const int n = scandir(directory, &entries, is_blocks, alphasort);
    if (n <= 0) golden_lm_fail(g, ".", "no TYPE.bin beside x.npy");
    for (int i = 0; i < n; i++) {
        check_type(g, directory, entries[i]->d_name);
        free(entries[i]); /* scandir's */
    }
    free(entries);
}
