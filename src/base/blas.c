/* SPDX-License-Identifier: Apache-2.0 */
#include "base/blas.h"

#include <cblas.h>

bool blas_is_serial(void) {
    return openblas_get_parallel() == OPENBLAS_SEQUENTIAL;
}

void blas_use_one_thread(void) {
    if (!blas_is_serial()) openblas_set_num_threads(1);
}
