/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peak.h"

#include "base/alloc.h"
#include "base/context.h"

#include <cblas.h>

enum { SIDE = 2048, ROUNDS = 5 };

struct peak {
    const float *a, *b;
    float *c; /* [n_threads, SIDE, SIDE] */
};

static void multiply(void *context, size_t i, int worker) {
    (void)worker;
    const struct peak *p = context;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1, p->a, SIDE, p->b,
                SIDE, 0, p->c + i * SIDE * SIDE, SIDE);
}

double bench_sgemm_peak(struct parallel *parallel, genair_status *st) {
    const size_t n_threads = (size_t)parallel_threads(parallel), values = (size_t)SIDE * SIDE;
    float *a = mem_aligned(values, sizeof *a), *b = mem_aligned(values, sizeof *b);
    float *c = mem_aligned(n_threads * values, sizeof *c);
    double best = 0;
    if (!a || !b || !c) {
        fail_memory(st);
        goto done;
    }
    for (size_t i = 0; i < values; i++) {
        a[i] = (float)(i % 17) - 8;
        b[i] = (float)(i % 13) - 6;
    }
    struct peak p = {a, b, c};
    for (int round = 0; round < ROUNDS; round++) {
        const double begin = context_seconds();
        parallel_run(parallel, n_threads, multiply, &p);
        const double speed =
            2.0 * SIDE * SIDE * SIDE * (double)n_threads / (context_seconds() - begin) * 1e-9;
        if (speed > best) best = speed;
    }
done:
    mem_free(a);
    mem_free(b);
    mem_free(c);
    return best;
}
