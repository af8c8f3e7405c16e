/* SPDX-License-Identifier: Apache-2.0 */
/* A context leaves the BLAS with one thread, whichever variant was loaded. Argument "serial": and
 * the variant is the serial one. Argument "threaded": it is not (the test preloads another), so
 * that the call that restrains it is seen to work. */
#include "base/blas.h"
#include "base/status.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *expected = argc > 1 ? argv[1] : "";
    const int before = openblas_get_num_threads();
    genair_context *ctx = NULL;
    if (genair_context_create(1, NULL, NULL, &ctx, NULL) != GENAIR_OK) return 1;
    const int after = openblas_get_num_threads();
    genair_context_free(ctx);
    printf("%s BLAS, %d threads before, %d after; %s\n", blas_is_serial() ? "serial" : "threaded",
           before, after, openblas_get_config());
    if (strcmp(expected, "serial") == 0 && !blas_is_serial()) return 1;
    if (strcmp(expected, "threaded") == 0 && blas_is_serial()) return 1;
    return after != 1;
}
