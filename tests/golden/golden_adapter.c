/* SPDX-License-Identifier: Apache-2.0 */
/* Group 02_adapter: the projector of eq. 8. */
#include "golden/golden_model.h"
#include "golden/groups.h"

void golden_adapter(struct golden *g) {
    const size_t rows = golden_dim(g, "in.E", 0), in = golden_dim(g, "in.E", 1);
    const size_t d = (size_t)golden_number(g, "d");
    const struct model_config config = {.backbone = GRU4REC, .n_items = rows, .hidden = d, .fused_width = in};
    const struct adam_options adam = golden_adam(g);
    const float *fused = golden_f32(g, "in.E", NULL);
    struct model *m = golden_model(g, &config, fused, &adam);
    if (!m) return;
    golden_set_parameters(g, m, "adapter.");
    tape_reset(&m->tape, true, 1);
    parameters_begin_step(m->parameters);
    struct tensor *x = golden_tensor(g, &m->tape, "in.E", rows, in);
    struct tensor *e = golden_failed(g) ? NULL : model_project(m, x);
    const double sum = golden_backward(g, &m->tape, e, "in.cotangent");
    if (!golden_failed(g)) {
        golden_expect_f32(g, "out.e", e->value, rows * d);
        golden_expect_f64(g, "out.L", &sum, 1);
        golden_expect_gradients(g, m, "adapter.");
        golden_expect_f32(g, "grad_in.E", x->gradient, rows * in);
    }
    /* The item vectors of inference are the same numbers, computed in blocks. */
    if (!golden_failed(g) && golden_ok(g, model_refresh_items(m, golden_status(g))))
        golden_expect_f32(g, "out.e", m->item_vectors + d, rows * d);
    model_free(m);
}
