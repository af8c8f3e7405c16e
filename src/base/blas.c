/* SPDX-License-Identifier: Apache-2.0 */
#include "base/blas.h"

#include <cblas.h>
#include <pthread.h>

/* Beside the library's own state, which is as global. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

bool blas_is_serial(void) {
    return openblas_get_parallel() == OPENBLAS_SEQUENTIAL;
}

void blas_use_one_thread(void) {
    if (!blas_is_serial()) openblas_set_num_threads(1);
}

void blas_begin(void) {
    if (blas_is_serial()) pthread_mutex_lock(&turn);
}

void blas_end(void) {
    if (blas_is_serial()) pthread_mutex_unlock(&turn);
}
