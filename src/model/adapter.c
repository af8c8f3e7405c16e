/* SPDX-License-Identifier: Apache-2.0 */
/* Two linear layers without an activation between them are applied as the one matrix W2 W1: the same function and
 * gradients at a fraction of the operations. W1 stands transposed, [in, hidden], as that product reads it. */
#include "model/backbones.h"
#include "tensor/ops.h"

#include <stdio.h>

genair_code add_adapter(struct model *m, const char *name, size_t in, size_t hidden, size_t out, genair_status *st) {
    const struct {
        const char *name;
        size_t rows, cols; /* rows 0: a bias */
    } list[] = {{"lin1.transposed", in, hidden}, {"lin1.bias", 0, hidden}, {"lin2.weight", out, hidden}, {"lin2.bias", 0, out}};
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < sizeof list / sizeof list[0]; i++) {
        char full[64];
        snprintf(full, sizeof full, "%s.%s", name, list[i].name);
        code = list[i].rows ? add_matrix(m, full, list[i].rows, list[i].cols, 1, st)
                            : add_vector(m, full, list[i].cols, 0, st);
    }
    return code;
}

struct tensor *adapter_of_zero(struct model *m, const char *name) {
    return op_linear(&m->tape, parameter_named(m, "%s.lin1.bias", name), parameter_named(m, "%s.lin2.weight", name),
                     parameter_named(m, "%s.lin2.bias", name));
}

struct tensor *adapter_of(struct model *m, const char *name, struct tensor *x) {
    struct tensor *both = op_linear(&m->tape, parameter_named(m, "%s.lin2.weight", name),
                                    parameter_named(m, "%s.lin1.transposed", name), NULL);
    return op_linear(&m->tape, x, both, adapter_of_zero(m, name));
}
