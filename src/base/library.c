/* SPDX-License-Identifier: Apache-2.0 */
#include "genair.h"

#include "base/alloc.h"

const char *genair_version(void) {
    return GENAIR_VERSION;
}

void genair_string_free(char *s) {
    mem_free(s);
}
