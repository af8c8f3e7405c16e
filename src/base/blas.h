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

#endif
