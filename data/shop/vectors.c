/* SPDX-License-Identifier: Apache-2.0 */
#include "shop.h"

#include "base/alloc.h"

#include <cblas.h>
#include <ctype.h>
#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BUCKETS = 2048, TEXT_LIMIT = 1024 };

/* FNV-1a, 32 bits */
static uint32_t hash_on(uint32_t hash, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)tolower((unsigned char)p[i])) * 16777619u;
    return hash;
}

/* Words and pairs of neighbouring words. row: [BUCKETS] */
static void count_words(const char *text, double *row) {
    const uint32_t start = 2166136261u;
    uint32_t before = 0;
    for (const char *p = text; *p;) {
        if (!isalpha((unsigned char)*p)) {
            p++;
            continue;
        }
        size_t n = 0;
        while (isalpha((unsigned char)p[n]))
            n++;
        const uint32_t word = hash_on(start, p, n);
        row[word % BUCKETS] += 1;
        if (before) row[hash_on(before, p, n) % BUCKETS] += 0.5;
        before = hash_on(word, " ", 1);
        p += n;
    }
}

static void weigh(double *counts) {
    for (int b = 0; b < BUCKETS; b++) {
        int found = 0;
        for (int i = 0; i < N_ITEMS; i++)
            found += counts[i * BUCKETS + b] > 0;
        const double idf = log((1.0 + N_ITEMS) / (1.0 + found));
        for (int i = 0; i < N_ITEMS; i++)
            counts[i * BUCKETS + b] = idf * log1p(counts[i * BUCKETS + b]);
    }
    for (int i = 0; i < N_ITEMS; i++) {
        const double length = cblas_dnrm2(BUCKETS, counts + i * BUCKETS, 1);
        if (length > 0) cblas_dscal(BUCKETS, 1 / length, counts + i * BUCKETS, 1);
    }
}

/* The last eigenvectors of the items' inner products, each times the root of its eigenvalue: the rows'
 * coordinates along the leading singular directions. LAPACK orders eigenvalues upwards; signs are
 * made unique by the largest coordinate. gram: [N_ITEMS * N_ITEMS], destroyed; vectors: [VECTOR_WIDTH *
 * N_ITEMS]; values: [N_ITEMS] */
static int leading_coordinates(double *gram, double *vectors, double *values, float *out) {
    lapack_int n_found, support[2 * VECTOR_WIDTH];
    const int failed = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'U', N_ITEMS, gram, N_ITEMS, 0, 0,
                                      N_ITEMS - VECTOR_WIDTH + 1, N_ITEMS, 0, &n_found, values, vectors,
                                      N_ITEMS, support);
    for (int c = 0; c < VECTOR_WIDTH && !failed; c++) {
        const double *v = vectors + (size_t)(VECTOR_WIDTH - 1 - c) * N_ITEMS;
        const double largest = v[cblas_idamax(N_ITEMS, v, 1)], value = values[VECTOR_WIDTH - 1 - c];
        const double scale = (largest < 0 ? -1 : 1) * sqrt(value > 0 ? value : 0);
        for (int i = 0; i < N_ITEMS; i++)
            out[i * VECTOR_WIDTH + c] = (float)(scale * v[i]);
    }
    return failed;
}

int shop_vectors(const struct item items[N_ITEMS], int descriptions, float *out) {
    double *counts = mem_zeros((size_t)N_ITEMS * BUCKETS, sizeof *counts);
    double *gram = mem_zeros((size_t)N_ITEMS * N_ITEMS, sizeof *gram);
    double *values = mem_zeros(N_ITEMS, sizeof *values);
    double *vectors = mem_zeros((size_t)VECTOR_WIDTH * N_ITEMS, sizeof *vectors);
    int failed = 1;
    if (!counts || !gram || !values || !vectors) goto done;
    for (int i = 0; i < N_ITEMS; i++) {
        char text[TEXT_LIMIT];
        if (descriptions)
            snprintf(text, sizeof text, "%s", items[i].description);
        else
            snprintf(text, sizeof text, "%s. %s. %s", items[i].title,
                     audiences[items[i].audience].category, items[i].description);
        count_words(text, counts + i * BUCKETS);
    }
    weigh(counts);
    cblas_dsyrk(CblasColMajor, CblasUpper, CblasTrans, N_ITEMS, BUCKETS, 1, counts, BUCKETS, 0,
                gram, N_ITEMS);
    failed = leading_coordinates(gram, vectors, values, out);
done:
    mem_free(counts);
    mem_free(gram);
    mem_free(values);
    mem_free(vectors);
    return failed;
}
