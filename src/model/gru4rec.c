/* SPDX-License-Identifier: Apache-2.0 */
/* GRU4Rec (Hidasi et al., 2016): one GRU layer without biases over dropped-out item vectors. */
#include "model/backbones.h"
#include "tensor/ops.h"

genair_code gru4rec_parameters(struct model *m, genair_status *st) {
    const size_t d = m->width;
    genair_code code = add_matrix(m, "gru.weight_ih", 3 * d, d, 1, st);
    if (code == GENAIR_OK) code = add_matrix(m, "gru.weight_hh", 3 * d, d, 1, st);
    return code;
}

struct tensor *gru4rec_states(struct model *m, struct tensor *x, const uint32_t *offsets, size_t n_sequences) {
    return op_gru(&m->tape, op_linear(&m->tape, x, parameter_named(m, "gru.weight_ih"), NULL),
                  parameter_named(m, "gru.weight_hh"), offsets, n_sequences);
}

struct tensor *gru4rec_forward(struct model *m, struct tensor *table, const uint32_t *index,
                               const uint32_t *offsets, size_t n_sequences) {
    struct tensor *e = op_gather_dropped(&m->tape, table, index, offsets[n_sequences], m->config.dropout);
    return gru4rec_states(m, e, offsets, n_sequences);
}
