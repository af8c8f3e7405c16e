/* SPDX-License-Identifier: Apache-2.0 */
/* The BLAS has one thread after a context is made, and gives the same bits to several threads that call it at
 * once: not every variant of OpenBLAS does. */
#include "base/blas.h"
#include "base/context.h"

#include <cblas.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { M = 96, N = 64, K = 48, ROUNDS = 20000, TASKS = 8 };

struct products {
    float a[M * K], b[N * K], wanted[M * N];
    atomic_size_t different;
};

static void product(const struct products *p, float *c) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, M, N, K, 1, p->a, K, p->b, K, 0, c, N);
}

static void task(void *context, size_t i, int worker) {
    (void)i;
    (void)worker;
    struct products *p = context;
    float c[M * N];
    for (int round = 0; round < ROUNDS / TASKS; round++) {
        product(p, c);
        if (memcmp(c, p->wanted, sizeof c) != 0) atomic_fetch_add(&p->different, 1);
    }
}

int main(void) {
    static struct products p;
    genair_context *ctx = NULL;
    genair_status st = {0};
    if (genair_context_create(4, NULL, NULL, &ctx, &st) != GENAIR_OK) {
        printf("%s\n", st.message);
        return 1;
    }
    for (int i = 0; i < M * K; i++) p.a[i] = (float)(i * 7 % 101) / 101;
    for (int i = 0; i < N * K; i++) p.b[i] = (float)(i * 5 % 103) / 103;
    product(&p, p.wanted);
    parallel_run(context_parallel(ctx), TASKS, task, &p);
    genair_context_free(ctx);
    printf("%s: %d threads, %zu of %d products differ\n", blas_description(), openblas_get_num_threads(),
           atomic_load(&p.different), ROUNDS);
    return openblas_get_num_threads() != 1 || atomic_load(&p.different) != 0;
}
