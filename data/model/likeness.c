/* SPDX-License-Identifier: Apache-2.0 */
#include "likeness.h"

#include "base/alloc.h"
#include "tensor/gemm.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 4 };
static const double LEAST_COUNT = 3; /* pairs met less often say nothing */

struct likeness {
    size_t n;
    float *pairs;    /* [n, n] examples with both; their mutual information later */
    double *alone;   /* [n] examples with the token */
    uint32_t *last;  /* [n] example in which the token was met last, from 1 */
    uint32_t *met;   /* [n] distinct tokens of an example */
    uint32_t n_examples;
};

struct likeness *likeness_create(size_t n_tokens) {
    struct likeness *l = mem_zeros(1, sizeof *l);
    if (!l) return NULL;
    l->n = n_tokens;
    l->pairs = mem_zeros(n_tokens * n_tokens, sizeof *l->pairs);
    l->alone = mem_zeros(n_tokens, sizeof *l->alone);
    l->last = mem_zeros(n_tokens, sizeof *l->last);
    l->met = mem_zeros(n_tokens, sizeof *l->met);
    if (l->pairs && l->alone && l->last && l->met) return l;
    likeness_free(l);
    return NULL;
}

void likeness_free(struct likeness *l) {
    if (!l) return;
    mem_free(l->pairs);
    mem_free(l->alone);
    mem_free(l->last);
    mem_free(l->met);
    mem_free(l);
}

void likeness_count(struct likeness *l, const uint32_t *tokens, size_t n) {
    size_t n_met = 0;
    l->n_examples++;
    for (size_t i = 0; i < n; i++)
        if (l->last[tokens[i]] != l->n_examples) {
            l->last[tokens[i]] = l->n_examples;
            l->met[n_met++] = tokens[i];
        }
    for (size_t i = 0; i < n_met; i++) {
        l->alone[l->met[i]]++;
        for (size_t j = 0; j < n_met; j++)
            if (j != i) l->pairs[l->met[i] * l->n + l->met[j]]++;
    }
}

/* log(p(i, j) / (p(i) p(j))), or 0 where that is negative. */
static void make_information(struct likeness *l) {
    for (size_t i = 0; i < l->n; i++)
        for (size_t j = 0; j < l->n; j++) {
            float *x = &l->pairs[i * l->n + j];
            const double ratio = (double)*x >= LEAST_COUNT ? (double)*x * l->n_examples / (l->alone[i] * l->alone[j]) : 1;
            *x = ratio > 1 ? (float)log(ratio) : 0;
        }
}

/* Gram and Schmidt on the rows of q: [width, n]. A row of zeros stays one. */
static void make_orthonormal(const struct kernels *k, float *q, size_t width, size_t n) {
    for (size_t r = 0; r < width; r++) {
        float *row = q + r * n;
        for (size_t s = 0; s < r; s++) k->axpy(-k->dot(q + s * n, row, n), q + s * n, row, n);
        const float length = sqrtf(k->dot(row, row, n));
        k->scale(length > 0 ? 1 / length : 0, row, n);
    }
}

static void mix_rows(const struct likeness *l, const struct kernels *k, const float *directions, struct parameter *embedding) {
    const size_t width = embedding->cols;
    for (size_t i = 0; i < l->n; i++) {
        float *row = embedding->value + i * width, square = 0;
        for (size_t c = 0; c < width; c++) square += directions[c * l->n + i] * directions[c * l->n + i];
        if (square <= 0) continue;
        const float share = sqrtf(k->dot(row, row, width) / square);
        for (size_t c = 0; c < width; c++)
            row[c] = 0.70710678F * (row[c] + share * directions[c * l->n + i]);
    }
}

/* Orthogonal iteration: q <- orthonormal(q A), A symmetric; the rows of q A are the coordinates in the end. */
genair_code likeness_start(struct likeness *l, struct parallel *parallel, const struct kernels *kernels,
                           struct parameter *embedding, genair_status *st) {
    const size_t width = embedding->cols;
    float *q = mem_array(width * l->n, sizeof *q), *product = mem_array(width * l->n, sizeof *product);
    if (!q || !product) {
        mem_free(q);
        mem_free(product);
        return fail_memory(st);
    }
    make_information(l);
    kernels->transpose(embedding->value, l->n, width, width, q, l->n);
    for (int round = 0; round < ROUNDS; round++) {
        make_orthonormal(kernels, q, width, l->n);
        gemm(parallel, &(struct gemm){.kernels = kernels, .m = width, .n = l->n, .k = l->n, .a = q, .lda = l->n,
                                      .b = l->pairs, .ldb = l->n, .c = product, .ldc = l->n, .alpha = 1});
        memcpy(q, product, width * l->n * sizeof *q);
    }
    mix_rows(l, kernels, q, embedding);
    mem_free(q);
    mem_free(product);
    return GENAIR_OK;
}
