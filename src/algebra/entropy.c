/* SPDX-License-Identifier: Apache-2.0 */
#include "algebra/entropy.h"

#include "base/alloc.h"
#include "base/size.h"

#include <math.h>

static void normalised_row(const void *source, size_t r, double *out) {
    const struct rows *z = source;
    z->read(z->source, r, out);
    double largest = 0, sum = 0;
    for (size_t c = 0; c < z->width; c++)
        largest = fmax(largest, fabs(out[c]));
    if (largest <= 0) return;
    for (size_t c = 0; c < z->width; c++)
        sum += out[c] / largest * (out[c] / largest); /* no overflow */
    const double norm = largest * sqrt(sum);
    for (size_t c = 0; c < z->width; c++)
        out[c] /= norm;
}

/* The non-zero eigenvalues of Z Zᵀ and Zᵀ Z are the same, so the smaller of the two is decomposed.
 */
static genair_code smaller_product(genair_context *ctx, const struct rows *z, double *square,
                                   genair_status *st) {
    if (z->n >= z->width) return gram_columns(ctx, z, NULL, square, st);
    size_t cells;
    double *dense = mul_size(z->n, z->width, &cells) ? mem_array(cells, sizeof *dense) : NULL;
    if (!dense) return fail_memory(st);
    rows_load(z, NULL, 0, z->n, context_parallel(ctx), dense);
    const genair_code code = gram_rows(ctx, dense, z->n, z->width, square, st);
    mem_free(dense);
    return code;
}

genair_code entropy_spectrum(genair_context *ctx, const struct rows *z, bool normalise, double *out,
                             genair_status *st) {
    const struct rows normalised = {z->n, z->width, normalised_row, z};
    const size_t n = min_size(z->n, z->width);
    size_t cells;
    double *square = mul_size(n, n, &cells) ? mem_array(cells, sizeof *square) : NULL;
    if (!square) return fail_memory(st);
    genair_code code = smaller_product(ctx, normalise ? &normalised : z, square, st);
    double trace = 0;
    for (size_t i = 0; i < n && code == GENAIR_OK; i++)
        trace += square[i * n + i];
    if (code == GENAIR_OK) code = symmetric_eigen(square, n, out, st);
    for (size_t i = 0; i < n && code == GENAIR_OK; i++)
        out[i] = trace > 0 ? fmax(out[i] / trace, 0) : 0;
    mem_free(square);
    return code;
}

double entropy_of_spectrum(const double *p, size_t n, double rho) {
    const bool shannon = fabs(rho - 1) < 1e-9;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (p[i] > 0) sum += shannon ? -p[i] * log(p[i]) : pow(p[i], rho);
    if (shannon) return sum;
    return sum > 0 ? log(sum) / (1 - rho) : 0;
}
