/* SPDX-License-Identifier: Apache-2.0 */
#include "tune/tuning.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/rng.h"
#include "base/size.h"
#include "ranking/rank.h"
#include "tune/adapter_file.h"
#include "workspace/npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* MOST_TOKENS: of a text, its end apart. */
enum { MOST_TOKENS = 1023, CHECKPOINT_STEPS = 50, VECTOR_TOKENS = 8192 };
#define LARGEST_NORM 1

/* ---- texts to sequences ---- */

static void clear(struct tuning *t) {
    t->tokens.n = t->n_sequences = 0;
}

/* Adds the view's text, cut, with the end token behind it where the model has one. */
static genair_code add_sequence(struct tuning *t, genair_status *st) {
    const struct lm_config *c = &t->weights->config;
    const size_t begin = t->tokens.n, end = c->n_eos > 0, most = min_size(MOST_TOKENS, c->context - end);
    if (!mem_grow(&t->offsets, &t->offsets_capacity, t->n_sequences + 2, sizeof *t->offsets)) return fail_memory(st);
    genair_code code = tokenizer_encode(t->tokenizer, (struct text){t->view.text, t->view.n}, &t->tokens, st);
    if (code != GENAIR_OK) return code;
    t->tokens.n = min_size(t->tokens.n, begin + most);
    if (end) code = tokens_push(&t->tokens, c->eos[0], st);
    t->offsets[0] = 0;
    t->offsets[++t->n_sequences] = (uint32_t)t->tokens.n;
    return code;
}

static struct sequences sequences_of(const struct tuning *t) {
    return (struct sequences){t->tokens.ids, t->offsets, t->n_sequences};
}

/* ---- a step ---- */

static size_t batches_of(const struct tuning *t) {
    return (t->n_known + t->options->batch - 1) / t->options->batch;
}

/* The items of a step: each that is not cold once an epoch, in an order drawn for it. */
static genair_code draw_items(const struct tuning *t, uint32_t *items, size_t *n, genair_status *st) {
    const struct dataset *data = t->catalogue->data;
    uint32_t n_drawn = 0;
    const uint64_t epoch = t->step / batches_of(t), first = t->step % batches_of(t) * t->options->batch;
    uint32_t *order = mem_array(t->n_known, sizeof *order);
    if (!order) return fail_memory(st);
    struct rng r = rng_start(t->options->style.seed, RNG_SHUFFLE, epoch);
    for (uint32_t item = 1; item <= data->n_items; item++) {
        if (data->cold[item]) continue;
        const uint32_t j = (uint32_t)rng_below(&r, n_drawn + 1);
        order[n_drawn++] = order[j];
        order[j] = item;
    }
    *n = min_size(t->options->batch, t->n_known - first);
    memcpy(items, order + first, *n * sizeof *items);
    mem_free(order);
    return GENAIR_OK;
}

/* First views of all items, then the second ones. */
static genair_code make_views(struct tuning *t, const uint32_t *items, size_t n, genair_status *st) {
    const uint64_t epoch = t->options->once ? 0 : t->step / batches_of(t);
    genair_code code = GENAIR_OK;
    clear(t);
    for (size_t i = 0; i < 2 * n && code == GENAIR_OK; i++) {
        const uint32_t item = items[i % n];
        const uint64_t visit = (epoch * ((uint64_t)t->catalogue->data->n_items + 1) + item) * 2 + i / n;
        json_t *record;
        code = catalogue_record(t->catalogue, item, &record, st);
        if (code != GENAIR_OK) break;
        code = view_part(&t->view, record, &t->options->style, visit, st);
        json_decref(record);
        if (code == GENAIR_OK) code = add_sequence(t, st);
    }
    return code;
}

static genair_code fail_model(genair_status *st) {
    return fail(st, GENAIR_FORMAT, "the language model gives vectors that are not finite numbers: take another one, or another form of it");
}

/* vectors, slopes: [2 n, hidden]. */
static genair_code contrast(struct tuning *t, size_t n, float *vectors, float *slopes, float *tau_slope, double *loss,
                            genair_status *st) {
    struct tape tape;
    const size_t d = t->weights->config.hidden;
    if (!tape_init(&tape, context_parallel(t->ctx), kernels_select(NULL), 0)) return fail_memory(st);
    tape_reset(&tape, true, 0);
    struct tensor *x = tape_view(&tape, n, d, vectors, slopes), *y = tape_view(&tape, n, d, vectors + n * d, slopes + n * d);
    const struct contrast c = {.form = t->options->form, .weight = 1,
                               .tau = tape_view(&tape, 1, 1, t->tau->value, tau_slope)};
    *loss = contrastive_loss(&tape, x, y, &c);
    const bool failed = tape_failed(&tape);
    tape_deinit(&tape);
    if (failed) return fail_memory(st);
    if (isfinite(*loss)) return GENAIR_OK;
    if (t->step == 0) return fail_model(st); /* nothing is learnt yet */
    return fail(st, GENAIR_INTERNAL, "step %" PRIu64 " of the fine-tuning: the loss is not finite; use a smaller --scft-lr",
                t->step + 1);
}

static genair_code learn(struct tuning *t, size_t n, float *vectors, float *slopes, genair_status *st) {
    const struct sequences s = sequences_of(t);
    float tau_slope = 0;
    double loss = 0;
    genair_code code = adapted_forward(t->model, &s, t->options->pooling, t->step + 1, vectors, st);
    if (code == GENAIR_OK) code = contrast(t, n, vectors, slopes, &tau_slope, &loss, st);
    if (code == GENAIR_OK) code = adapted_backward(t->model, &s, t->options->pooling, slopes, st);
    if (code != GENAIR_OK) return code;
    struct tensor tau = {.rows = 1, .cols = 1, .value = t->tau->value, .gradient = t->tau->gradient, .written = true};
    t->tau->tensor = &tau;
    t->tau->gradient[0] = tau_slope;
    parameters_clip(t->parameters, LARGEST_NORM);
    parameters_set_rate(t->parameters, t->options->rate * (1 - (double)t->step / (double)t->options->steps));
    code = parameters_adam(t->parameters, st);
    t->tau->tensor = NULL;
    if (code == GENAIR_OK && !(t->tau->value[0] > 0))
        code = fail(st, GENAIR_INTERNAL, "step %" PRIu64 " of the fine-tuning: the temperature fell to %g; use a smaller "
                    "--scft-lr", t->step + 1, (double)t->tau->value[0]);
    if (t->step == 0) t->first_loss = loss;
    t->last_loss = loss;
    t->step++;
    return code;
}

static genair_code one_step(struct tuning *t, genair_status *st) {
    const size_t d = t->weights->config.hidden, most = min_size(t->options->batch, t->n_known);
    uint32_t *items = mem_array(most, sizeof *items);
    float *vectors = mem_array(2 * most * d, sizeof *vectors), *slopes = mem_zeros(2 * most * d, sizeof *slopes);
    size_t n = 0;
    genair_code code = items && vectors && slopes ? draw_items(t, items, &n, st) : fail_memory(st);
    if (code == GENAIR_OK) code = make_views(t, items, n, st);
    if (code == GENAIR_OK) code = learn(t, n, vectors, slopes, st);
    mem_free(items);
    mem_free(vectors);
    mem_free(slopes);
    return code;
}

/* ---- all steps ---- */

static void tell(struct tuning *t) {
    char note[64];
    snprintf(note, sizeof note, "loss %.4f, tau %.3f", t->last_loss, (double)t->tau->value[0]);
    context_progress_note(t->ctx, "fine-tuning the language model", (double)t->step, (double)t->options->steps, note);
}

genair_code tuning_run(struct tuning *t, genair_status *st) {
    char *path = path_join(t->options->directory, "checkpoint.safetensors");
    if (!path) return fail_memory(st);
    genair_code code = file_exists(path) ? adapter_checkpoint_load(t, path, st) : GENAIR_OK;
    if (code == GENAIR_OK && t->step)
        context_info(t->ctx, "fine-tuning goes on with step %" PRIu64 " of %" PRIu64, t->step + 1, t->options->steps);
    while (code == GENAIR_OK && t->step < t->options->steps) {
        const bool stopped = context_stopped(t->ctx);
        if (t->step && (stopped || t->step % CHECKPOINT_STEPS == 0)) code = adapter_checkpoint_save(t, path, st);
        if (code == GENAIR_OK && stopped) code = context_interrupted(st);
        if (code == GENAIR_OK) code = one_step(t, st);
        if (code == GENAIR_INTERRUPTED && t->step) { /* within a step, which is done again */
            const genair_code saved = adapter_checkpoint_save(t, path, NULL);
            if (saved != GENAIR_OK) context_warn(t->ctx, "the fine-tuning's state could not be saved");
        }
        if (code == GENAIR_OK) tell(t);
    }
    mem_free(path);
    return code;
}

/* ---- vectors ---- */

static genair_code put_vectors(struct tuning *t, struct writer *w, genair_status *st) {
    const size_t d = t->weights->config.hidden;
    float *vectors = mem_array(t->n_sequences * d, sizeof *vectors);
    if (!vectors) return fail_memory(st);
    const struct sequences s = sequences_of(t);
    genair_code code = adapted_encode(t->model, &s, t->options->pooling, vectors, st);
    if (code == GENAIR_OK && first_not_finite(vectors, t->n_sequences * d) < t->n_sequences * d) code = fail_model(st);
    if (code == GENAIR_OK) code = writer_put(w, vectors, t->n_sequences * d * sizeof *vectors, st);
    mem_free(vectors);
    clear(t);
    return code;
}

static genair_code write_vectors(struct tuning *t, struct writer *w, genair_status *st) {
    const uint32_t n_items = t->catalogue->data->n_items;
    genair_code code = npy_put_header(w, n_items, t->weights->config.hidden, st);
    clear(t);
    for (uint32_t i = 1; i <= n_items && code == GENAIR_OK; i++) {
        json_t *record;
        code = catalogue_record(t->catalogue, i, &record, st);
        if (code != GENAIR_OK) break;
        code = view_whole(&t->view, record, &t->options->style, st);
        json_decref(record);
        if (code == GENAIR_OK) code = add_sequence(t, st);
        if (code == GENAIR_OK && (t->tokens.n >= VECTOR_TOKENS || i == n_items)) code = put_vectors(t, w, st);
        context_progress(t->ctx, "item vectors", (double)i, (double)n_items);
    }
    return code;
}

genair_code tuning_vectors(struct tuning *t, const char *path, genair_status *st) {
    struct writer *w;
    genair_code code = writer_open(path, &w, st);
    if (code != GENAIR_OK) return code;
    code = write_vectors(t, w, st);
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

/* ---- opening ---- */

genair_code tuning_open(genair_context *ctx, const struct tuning_options *options, const struct lm_weights *w,
                        const struct tokenizer *tokenizer, const struct catalogue *catalogue, struct tuning *out,
                        genair_status *st) {
    *out = (struct tuning){.ctx = ctx, .options = options, .weights = w, .tokenizer = tokenizer, .catalogue = catalogue};
    for (uint32_t i = 1; i <= catalogue->data->n_items; i++) out->n_known += !catalogue->data->cold[i];
    const struct adam_options adam = {.rate = options->rate, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    genair_code code = parameters_create(&adam, context_parallel(ctx), kernels_select(NULL), &out->parameters, st);
    if (code == GENAIR_OK)
        code = adapted_create(ctx, w, &options->adapters, out->parameters, options->style.seed, &out->model, st);
    if (code == GENAIR_OK) code = parameters_add(out->parameters, "tau", 1, 1, false, &out->tau, st);
    if (code == GENAIR_OK) parameter_fill(out->tau, (float)options->tau);
    if (code == GENAIR_OK && options->given) code = adapter_file_load(out->parameters, w, options->given, st);
    return code;
}

void tuning_close(struct tuning *t) {
    view_deinit(&t->view);
    tokens_free(&t->tokens);
    mem_free(t->offsets);
    adapted_free(t->model);
    parameters_free(t->parameters);
    *t = (struct tuning){0};
}
