/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/item_matrix.h"

#include <stdio.h>

struct item_matrix item_matrix_named(const char *name) {
    struct item_matrix m;
    const char *dash = name ? "-" : "", *slash = name ? "/" : "";
    if (!name) name = "";
    snprintf(m.file, sizeof m.file, "fused%s%s.npy", dash, name);
    snprintf(m.description, sizeof m.description, "fuse%s%s.json", dash, name);
    snprintf(m.components, sizeof m.components, "fuse%s%s.safetensors", dash, name);
    snprintf(m.stage, sizeof m.stage, "fuse%s%s", slash, name);
    return m;
}
