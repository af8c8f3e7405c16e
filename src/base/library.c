/* SPDX-License-Identifier: Apache-2.0 */
#include "genair.h"

#include "base/alloc.h"

const char *genair_version(void) {
    return GENAIR_VERSION;
}

size_t genair_status_size(void) {
    return sizeof(genair_status);
}

void genair_string_free(char *s) {
    mem_free(s);
}
