/* SPDX-License-Identifier: Apache-2.0 */
/* A context leaves the BLAS with one thread, whichever variant was loaded. Argument "serial": and
 * the variant is the serial one. Argument "threaded": it is not (the test preloads another), so
 * that the call that restrains it is seen to work. Several threads at once get right products, which the
 * serial variant does not give them without blas_begin. */
#include "base/blas.h"
#include "base/parallel.h"
#include "base/status.h"

#include <cblas.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 32, N_TASKS = 4, N_THREADS = 4, N_ROUNDS = 8000 };

struct products {
    double a[SIDE * SIDE], b[SIDE * SIDE], expected[SIDE * SIDE]; /* small multiples of 1/16: sums are exact */
    atomic_size_t n_wrong;
};

static void multiply(const double *a, const double *b, double *c) {
    blas_begin();
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, SIDE, SIDE, SIDE, 1, a, SIDE, b, SIDE, 0, c, SIDE);
    blas_end();
}

static void multiply_task(void *context, size_t i, int worker) {
    (void)worker;
    struct products *p = context;
    double a[SIDE * SIDE], c[SIDE * SIDE];
    const double factor = (double)(i + 1); /* no two tasks have the same products */
    for (int k = 0; k < SIDE * SIDE; k++) a[k] = factor * p->a[k];
    for (int round = 0; round < N_ROUNDS; round++) {
        multiply(a, p->b, c);
        bool right = true;
        for (int k = 0; k < SIDE * SIDE; k++) right = right && c[k] == factor * p->expected[k];
        if (!right) atomic_fetch_add(&p->n_wrong, 1);
    }
}

static bool products_are_right(void) {
    static struct products p;
    struct parallel *parallel;
    for (int i = 0; i < SIDE * SIDE; i++) {
        p.a[i] = (i * 7 % 13 - 6) / 4.0;
        p.b[i] = (i * 5 % 11 - 5) / 4.0;
    }
    multiply(p.a, p.b, p.expected);
    if (parallel_create(N_THREADS, &parallel, NULL) != GENAIR_OK) return false;
    parallel_run(parallel, N_TASKS, multiply_task, &p);
    parallel_free(parallel);
    printf("%zu of %d products wrong\n", (size_t)p.n_wrong, N_TASKS * N_ROUNDS);
    return p.n_wrong == 0;
}

int main(int argc, char **argv) {
    const char *expected = argc > 1 ? argv[1] : "";
    const int before = openblas_get_num_threads();
    genair_context *ctx = NULL;
    if (genair_context_create(1, NULL, NULL, &ctx, NULL) != GENAIR_OK) return 1;
    const int after = openblas_get_num_threads();
    genair_context_free(ctx);
    printf("%s BLAS, %d threads before, %d after; %s\n", blas_is_serial() ? "serial" : "threaded",
           before, after, openblas_get_config());
    if (strcmp(expected, "serial") == 0 && !blas_is_serial()) return 1;
    if (strcmp(expected, "threaded") == 0 && blas_is_serial()) return 1;
    return after != 1 || !products_are_right();
}
