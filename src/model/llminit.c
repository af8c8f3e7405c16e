/* SPDX-License-Identifier: Apache-2.0 */
/* LLMInit (Harte et al., 2023): the table of item vectors starts from language vectors. Either the table has their
 * width and one linear layer brings it to d, or it is their first d principal components. */
#include "model/backbones.h"
#include "model/method.h"
#include "tensor/ops.h"

#include <string.h>

static bool is_pca(const json_t *options) {
    return strcmp(method_text(options, "llminit-mode"), "pca") == 0;
}

static struct matrix_request matrix(const json_t *options, size_t which) {
    (void)which;
    if (is_pca(options)) return (struct matrix_request){.components = method_count(options, "hidden"), .exact = true};
    return method_matrix(options, which);
}

static genair_code parameters(struct model *m, const float *semantic, genair_status *st) {
    const size_t d = m->config.hidden, width = m->config.fused_width;
    const bool pca = is_pca(m->config.inputs->options);
    if (pca && method_is(m->config.inputs->options, "freeze", "yes"))
        return fail(st, GENAIR_USAGE, "--llminit-mode pca: its table is all that learns of the items; leave out --freeze yes");
    if (pca) return add_table(m, "item_emb", d, semantic, st);
    genair_code code = GENAIR_OK;
    if (m->config.trainable_fused)
        code = add_table(m, "llminit.table", width, semantic, st);
    else
        m->fused = semantic;
    if (code == GENAIR_OK) code = add_matrix(m, "llminit.weight", d, width, 1, st);
    if (code == GENAIR_OK) code = add_vector(m, "llminit.bias", d, 0, st);
    return code;
}

static struct tensor *items(struct model *m, struct tensor *source, const uint32_t *ids) {
    (void)ids;
    if (is_pca(m->config.inputs->options)) return source;
    return linear_named(m, source, "llminit");
}

/* The mask stands beside projected vectors; a table's own rows and mask are drawn alike. */
static genair_code begin(struct model *m, genair_status *st) {
    (void)st;
    struct parameter *mask = parameters_find(m->parameters, "mask_emb");
    if (mask && !is_pca(m->config.inputs->options)) parameter_normal(mask, 0.01, m->seed);
    return GENAIR_OK;
}

static const struct method_default defaults[] = {{"semantic-components", "384"}, {"freeze", "no"}, {0}};

const struct method method_llminit = {.name = "llminit", .n_matrices = 1, .matrix = matrix, .defaults = defaults,
                                      .term = "calibration", .weight_options = "", .parameters = parameters, .begin = begin,
                                      .items = items};
