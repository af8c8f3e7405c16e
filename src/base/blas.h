/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps the BLAS to the thread that calls it: parallelism is ours (base/parallel.h),
 * and a BLAS with threads of its own would oversubscribe the processors and tie results to their
 * number. */
#ifndef GENAIR_BASE_BLAS_H
#define GENAIR_BASE_BLAS_H

#include <stdbool.h>

/* The build links the serial OpenBLAS where the system has one. Where another was put in its place,
 * this asks it for one thread: the only process-wide setting the library makes. Called for every
 * context. */
void blas_use_one_thread(void);
bool blas_is_serial(void); /* the one that was loaded */

/* Around BLAS and LAPACK calls that several threads may make at once. Debian's serial OpenBLAS (0.3.21) has
 * no locks: two dgemm at once, even on matrices of their own, share a work area now and then and return
 * wrong numbers (test_blas.c). Where the serial variant is loaded these calls therefore take turns, in the
 * whole process; the others lock for themselves. */
void blas_begin(void);
void blas_end(void);

#endif
