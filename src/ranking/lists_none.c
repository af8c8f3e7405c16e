/* SPDX-License-Identifier: Apache-2.0 */
/* Without FAISS there is no approximate index. */
#include "ranking/lists.h"

genair_code lists_require(genair_status *st) {
    return fail(st, GENAIR_USAGE, "--index approximate: this program was built without FAISS; install libfaiss-dev and g++ and "
                                  "build it again (-Dfaiss=enabled), or go without: every item is looked at then");
}

genair_code lists_train(const float *x, size_t n, size_t width, size_t n_lists, uint64_t seed, float *centres,
                        genair_status *st) {
    (void)x;
    (void)n;
    (void)width;
    (void)n_lists;
    (void)seed;
    (void)centres;
    return lists_require(st);
}

genair_code lists_assign(const float *centres, size_t n_lists, size_t width, const float *x, size_t n, uint32_t *list,
                         genair_status *st) {
    (void)centres;
    (void)n_lists;
    (void)width;
    (void)x;
    (void)n;
    (void)list;
    return lists_require(st);
}
