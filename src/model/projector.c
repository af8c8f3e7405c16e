/* SPDX-License-Identifier: Apache-2.0 */
/* p_theta (eq. 8): Linear(D, 2 d), LayerNorm, GELU, Linear(2 d, d). */
#include "model/backbones.h"
#include "tensor/ops.h"

#define PROJECTOR_EPS 1e-5f

genair_code projector_parameters(struct model *m, genair_status *st) {
    const size_t d = m->config.hidden, in = m->config.fused_width;
    genair_code code = add_matrix(m, "adapter.lin1.weight", 2 * d, in, 1, st);
    if (code == GENAIR_OK) code = add_vector(m, "adapter.lin1.bias", 2 * d, 0, st);
    if (code == GENAIR_OK) code = add_vector(m, "adapter.ln.weight", 2 * d, 1, st);
    if (code == GENAIR_OK) code = add_vector(m, "adapter.ln.bias", 2 * d, 0, st);
    if (code == GENAIR_OK) code = add_matrix(m, "adapter.lin2.weight", d, 2 * d, 1, st);
    if (code == GENAIR_OK) code = add_vector(m, "adapter.lin2.bias", d, 0, st);
    return code;
}

struct tensor *model_project(struct model *m, struct tensor *x) {
    struct tape *t = &m->tape;
    struct tensor *h = linear_named(m, x, "adapter.lin1");
    h = op_layernorm(t, h, parameter_named(m, "adapter.ln.weight"), parameter_named(m, "adapter.ln.bias"),
                     PROJECTOR_EPS);
    return linear_named(m, op_gelu(t, h), "adapter.lin2");
}
