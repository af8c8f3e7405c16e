/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps the BLAS to the thread that calls it: parallelism is ours (base/parallel.h), and a BLAS
 * with threads of its own would oversubscribe the processors and tie results to their number. */
#ifndef GENAIR_BASE_BLAS_H
#define GENAIR_BASE_BLAS_H

#include <stdbool.h>

/* The only process-wide setting the library makes. Called for every context. */
void blas_use_one_thread(void);
/* Whether the loaded variant gives right results to several calling threads: OpenBLAS with pthreads does, its
 * serial and OpenMP builds do not (docs/decisions.md). */
bool blas_bears_threads(void);
const char *blas_description(void);

#endif
