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

/* Eigenvectors of the items' inner products, each times the root of its eigenvalue: the rows'
 * coordinates along the leading singular directions. LAPACK orders eigenvalues upwards; signs are
 * made unique by the largest coordinate. gram: [N_ITEMS * N_ITEMS], becomes the eigenvectors, one a
 * row. */
static int leading_coordinates(double *gram, double *values, float *out) {
    const int failed = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', N_ITEMS, gram, N_ITEMS, values);
    for (int c = 0; c < VECTOR_WIDTH && !failed; c++) {
        const double *v = gram + (size_t)(N_ITEMS - 1 - c) * N_ITEMS;
        const double largest = v[cblas_idamax(N_ITEMS, v, 1)], value = values[N_ITEMS - 1 - c];
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
    int failed = 1;
    if (!counts || !gram || !values) goto done;
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
    failed = leading_coordinates(gram, values, out);
done:
    mem_free(counts);
    mem_free(gram);
    mem_free(values);
    return failed;
}
