/* SPDX-License-Identifier: Apache-2.0 */
#include "tune/scft.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "tune/adapter_file.h"
#include "workspace/stage_input.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ADAPTERS "scft.safetensors"

struct scft {
    genair_context *ctx;
    const genair_options *options;
    struct workspace *workspace;
    struct catalogue catalogue;
    struct lm_weights *weights;
    struct tokenizer *tokenizer;
    struct tuning_options tuning;
    char *growing; /* ws/scft.training */
    json_t *inputs;
    struct stage_inputs files;
};

static void scft_deinit(struct scft *s) {
    tokenizer_free(s->tokenizer);
    lm_weights_close(s->weights);
    catalogue_close(&s->catalogue);
    mem_free(s->growing);
    json_decref(s->inputs);
    stage_inputs_free(&s->files);
}

static bool is(const genair_options *o, const char *name, const char *value) {
    return strcmp(option_text(o, name), value) == 0;
}

static genair_code read_options(struct scft *s, genair_status *st) {
    const genair_options *o = s->options;
    s->tuning = (struct tuning_options){
        .style = {option_text(o, "item-noun"), (size_t)option_int(o, "attribute-characters"), option_real(o, "scft-drop"),
                  (uint64_t)option_int(o, "seed")},
        .once = is(o, "scft-resample", "once"),
        .adapters = {.rank = (size_t)option_int(o, "scft-rank"), .alpha = option_real(o, "scft-lora-alpha"),
                     .dropout = option_real(o, "scft-lora-dropout")},
        .pooling = is(o, "scft-pool", "last") ? POOL_LAST : POOL_MEAN,
        .form = is(o, "scft-loss", "infonce") ? CONTRAST_INFONCE : CONTRAST_SOFT,
        .rate = option_real(o, "scft-lr"),
        .tau = option_real(o, "scft-tau"),
        .steps = (uint64_t)option_int(o, "scft-steps"),
        .batch = (size_t)option_int(o, "scft-batch"),
        .directory = s->growing,
        .given = option_text(o, "scft-adapter")};
    if (!s->tuning.given) return GENAIR_OK;
    s->tuning.steps = 0; /* tuned already */
    return adapter_file_rank(s->tuning.given, &s->tuning.adapters.rank, st);
}

static genair_code open_model(struct scft *s, genair_status *st) {
    const char *path = option_text(s->options, "model");
    genair_code code = lm_weights_open(path, &s->weights, st);
    if (code == GENAIR_OK) code = tokenizer_open(s->weights, &s->tokenizer, st);
    return code;
}

/* What the vectors are a function of. */
static genair_code describe_inputs(struct scft *s, genair_status *st) {
    const struct tuning_options *t = &s->tuning;
    char model[33], tokenizer[33], given[33] = "";
    genair_code code = lm_weights_hash(s->ctx, s->weights, model, st);
    if (code == GENAIR_OK) code = tokenizer_hash(s->tokenizer, tokenizer, st);
    if (code == GENAIR_OK && t->given) code = stage_inputs_hash(&s->files, s->ctx, t->given, given, st);
    if (code != GENAIR_OK) return code;
    s->inputs = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:f, s:s, s:I}", "made_by", "train", "prepare",
                          workspace_stage_hash(s->workspace, "prepare"), "model", model, "tokenizer", tokenizer, "item-noun", t->style.noun,
                          "attribute-characters", (json_int_t)t->style.characters, "scft-pool",
                          t->pooling == POOL_LAST ? "last" : "mean", "scft-lora-alpha", t->adapters.alpha, "scft-adapter",
                          given, "scft-steps", (json_int_t)t->steps);
    if (!s->inputs) return fail_memory(st);
    if (t->steps == 0) return GENAIR_OK; /* nothing is learnt */
    json_t *more = json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:b, s:s, s:I}", "seed", (json_int_t)t->style.seed, "scft-rank",
                             (json_int_t)t->adapters.rank, "scft-lora-dropout", t->adapters.dropout, "scft-drop",
                             t->style.drop, "scft-lr", t->rate, "scft-tau", t->tau, "once", t->once, "scft-loss",
                             t->form == CONTRAST_SOFT ? "soft" : "infonce", "scft-batch", (json_int_t)t->batch);
    const bool sound = more && json_object_update(s->inputs, more) == 0;
    json_decref(more);
    return sound ? GENAIR_OK : fail_memory(st);
}

enum { MAX_INPUTS_BYTES = 1 << 20 };

/* Throws away what grows there unless it was begun with the same inputs. */
static genair_code begin(const struct scft *s, genair_status *st) {
    char *path = path_join(s->growing, "inputs.json"), *text = json_text(s->inputs, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_t *begun = NULL;
    genair_code code = path && text ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) code = json_file_try(path, MAX_INPUTS_BYTES, &begun, st);
    if (code == GENAIR_OK && (!begun || !json_equal(begun, s->inputs))) {
        code = directory_remove(s->growing, st);
        if (code == GENAIR_OK) code = directory_make(s->growing, st);
        if (code == GENAIR_OK) code = file_replace(path, text, strlen(text), st);
    }
    json_decref(begun);
    free(text);
    mem_free(path);
    return code;
}

static genair_code write_outputs(struct tuning *t, const char *staging, genair_status *st) {
    char *vectors = path_join(staging, SCFT_VECTORS), *adapters = path_join(staging, ADAPTERS);
    genair_code code = vectors && adapters ? directory_make(staging, st) : fail_memory(st);
    if (code == GENAIR_OK) code = tuning_vectors(t, vectors, st);
    if (code == GENAIR_OK) code = adapter_file_save(t->parameters, adapters, st);
    mem_free(vectors);
    mem_free(adapters);
    return code;
}

static genair_code publish(const struct scft *s, struct tuning *t, genair_status *st) {
    char *staging = path_join(workspace_path(s->workspace), "scft.partial");
    json_t *result = json_pack("{s:I, s:I, s:I, s:I, s:f}", "items", (json_int_t)s->catalogue.data->n_items, "columns",
                               (json_int_t)s->weights->config.hidden, "steps", (json_int_t)t->step, "trainable_parameters",
                               (json_int_t)parameters_values(t->parameters), "tau", (double)t->tau->value[0]);
    genair_code code = staging && result ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && t->step &&
        (json_object_set_new(result, "first_loss", json_real(t->first_loss)) != 0 ||
         json_object_set_new(result, "last_loss", json_real(t->last_loss)) != 0))
        code = fail_memory(st);
    if (code == GENAIR_OK) code = write_outputs(t, staging, st);
    if (code == GENAIR_OK)
        code = workspace_publish(s->workspace, "scft", s->inputs, staging, (const char *const[]){SCFT_VECTORS, ADAPTERS}, 2,
                                 result, st);
    if (staging) {
        const genair_code removed = directory_remove(staging, code == GENAIR_OK ? st : NULL);
        if (code == GENAIR_OK) code = removed;
    }
    json_decref(result);
    mem_free(staging);
    return code == GENAIR_OK ? directory_remove(s->growing, st) : code;
}

static genair_code make(struct scft *s, genair_status *st) {
    struct tuning t = {0};
    const double start = context_seconds();
    genair_code code = begin(s, st);
    if (code == GENAIR_OK)
        code = tuning_open(s->ctx, &s->tuning, s->weights, s->tokenizer, &s->catalogue, &t, st);
    if (code == GENAIR_OK) code = stage_inputs_unchanged(&s->files, st);
    if (code == GENAIR_OK) code = tuning_run(&t, st);
    if (code == GENAIR_OK) code = publish(s, &t, st);
    if (code == GENAIR_OK)
        context_info(s->ctx, "item vectors from the language model, %" PRIu64 " steps of fine-tuning: %.0f seconds", t.step,
                     context_seconds() - start);
    tuning_close(&t);
    return code;
}

static genair_code open_inputs(struct scft *s, genair_status *st) {
    genair_code code = workspace_verify(s->workspace, "prepare", st);
    s->growing = path_join(workspace_path(s->workspace), "scft.training");
    if (code == GENAIR_OK && !s->growing) code = fail_memory(st);
    if (code == GENAIR_OK) code = read_options(s, st);
    if (code == GENAIR_OK) code = catalogue_open(workspace_path(s->workspace), &s->catalogue, st);
    if (code == GENAIR_OK && s->catalogue.records.size == 0)
        code = fail_line(st, GENAIR_USAGE, workspace_path(s->workspace), 0,
                         "there is no text for the language model; give `genair prepare` the items' metadata (--items)");
    if (code == GENAIR_OK) code = open_model(s, st);
    return code == GENAIR_OK ? describe_inputs(s, st) : code;
}

genair_code scft_make(genair_context *ctx, const genair_options *options, struct workspace *w, genair_status *st) {
    struct scft s = {.ctx = ctx, .options = options, .workspace = w};
    json_t *known;
    genair_code code = open_inputs(&s, st);
    if (code == GENAIR_OK)
        code = workspace_is_current(w, "scft", s.inputs, &known) ? directory_remove(s.growing, st) /* its maker may have ended before */
                                                                 : make(&s, st);
    scft_deinit(&s);
    return code;
}

bool scft_tuned(const struct workspace *w) {
    const json_t *inputs = workspace_stage_inputs(w, "scft");
    const char *given = json_string_value(json_object_get(inputs, "scft-adapter"));
    return json_integer_value(json_object_get(inputs, "scft-steps")) > 0 || (given && *given);
}
