/* SPDX-License-Identifier: Apache-2.0 */
/* This module multiplies matrices with the panel kernel of kernels.h.
 *
 * An element's bits depend on its row of A, its column of B and k alone: not on where it stands, on the other
 * rows and columns, or on threads. No BLAS does that, and Debian's serial OpenBLAS (0.3.21) gives wrong
 * numbers when several threads call it at once, even on matrices of their own.
 *
 * All row-major, leading dimension = the row's length unless given. beta 0 does not read C. */
#ifndef GENAIR_TENSOR_GEMM_H
#define GENAIR_TENSOR_GEMM_H

#include "base/parallel.h"
#include "kernels/kernels.h"

#include <stddef.h>

struct gemm {
    const struct kernels *kernels;
    size_t m, n, k;       /* C is m × n, the sum over k */
    const float *a;       /* [m, k], or [k, m] when a_transposed */
    const float *b;       /* [k, n], or [n, k] when b_transposed */
    float *c;
    size_t lda, ldb, ldc;
    _Bool a_transposed, b_transposed;
    float alpha, beta;
    const float *bias;    /* [n] or NULL: C starts as the bias instead of beta C */
    const float *packed;  /* gemm_pack's of B, which is then not read, or NULL; for gemm_single */
};

/* Over all threads; how C is cut changes no element. */
void gemm(struct parallel *p, const struct gemm *g);
/* In the calling thread. */
void gemm_single(const struct gemm *g);
/* B of g (n, k, b, ldb and b_transposed count) in the kernels' order, for many products with few rows each. out:
 * [gemm_packed_size(n, k)] */
void gemm_pack(const struct gemm *g, float *out);
size_t gemm_packed_size(size_t n, size_t k);
/* Number of equal tasks for m rows: even, about 256 rows each, a function of m alone. */
size_t gemm_tasks(size_t m);
/* First row of task i of n_tasks: task i has rows [gemm_split(m, n_tasks, i), gemm_split(m, n_tasks, i+1)). */
size_t gemm_split(size_t m, size_t n_tasks, size_t i);

#endif
