/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds what many vectors lie around, by FAISS: its k-means on the sphere. In C for C; the file that calls
 * FAISS is C++ and lets no exception out. */
#ifndef GENAIR_RANKING_LISTS_H
#define GENAIR_RANKING_LISTS_H

#ifdef __cplusplus
extern "C" {
#endif
#include "base/status.h"

/* "libfaiss-dev is missing", as GENAIR_USAGE, for those who ask for an approximate index; built without FAISS the others say
 * the same. */
CHECKED genair_code lists_require(genair_status *st);

/* centres: [n_lists, width], of length 1. x: [n, width], finite, of length 1 (or zeros), n >= n_lists >= 1. The same
 * seed gives the same bytes. One thread, the caller's. Errors: GENAIR_MEMORY; GENAIR_INTERNAL for what FAISS says. */
CHECKED genair_code lists_train(const float *x, size_t n, size_t width, size_t n_lists, uint64_t seed, float *centres,
                                genair_status *st);
/* list[i]: the centre with the largest product with x[i]. Errors as above. Any thread. */
CHECKED genair_code lists_assign(const float *centres, size_t n_lists, size_t width, const float *x, size_t n,
                                 uint32_t *list, genair_status *st);

#ifdef __cplusplus
}
#endif

#endif
