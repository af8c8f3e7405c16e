/* SPDX-License-Identifier: Apache-2.0 */
#include "base/blas.h"

#include <cblas.h>

bool blas_bears_threads(void) {
    return openblas_get_parallel() == OPENBLAS_THREAD;
}

void blas_use_one_thread(void) {
    if (blas_bears_threads()) openblas_set_num_threads(1);
}

const char *blas_description(void) {
    return openblas_get_config();
}
