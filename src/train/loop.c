/* SPDX-License-Identifier: Apache-2.0 */
#include "train/loop.h"

#include "base/alloc.h"
#include "base/files.h"
#include "train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SELECTING_CUTOFF = 10 };

genair_code loop_init(const struct session *s, struct loop_state *state, genair_status *st) {
    const size_t n = parameters_count(s->model->parameters);
    *state = (struct loop_state){.epoch = 1, .lines = json_array(), .best = mem_zeros(n, sizeof *state->best)};
    bool sound = state->lines && state->best;
    for (size_t i = 0; sound && i < n; i++) {
        const struct parameter *p = parameters_at(s->model->parameters, i);
        state->best[i] = mem_zeros(p->rows * p->cols, sizeof(float));
        sound = state->best[i] != NULL;
    }
    if (sound) return GENAIR_OK;
    loop_deinit(s, state);
    return fail_memory(st);
}

void loop_deinit(const struct session *s, struct loop_state *state) {
    for (size_t i = 0; state->best && i < parameters_count(s->model->parameters); i++) mem_free(state->best[i]);
    mem_free(state->best);
    json_decref(state->lines);
    *state = (struct loop_state){0};
}

void loop_times_free(struct loop_times *t) {
    mem_free(t->epoch_seconds);
    *t = (struct loop_times){0};
}

static void copy_parameters(const struct session *s, const struct loop_state *state, bool to_best) {
    for (size_t i = 0; i < parameters_count(s->model->parameters); i++) {
        struct parameter *p = parameters_at(s->model->parameters, i);
        const size_t bytes = p->rows * p->cols * sizeof(float);
        if (to_best)
            memcpy(state->best[i], p->value, bytes);
        else
            memcpy(p->value, state->best[i], bytes);
    }
}

/* The batches of one epoch that are still to do. *whole: all of them ran here. */
static genair_code train_epoch(genair_context *ctx, struct session *s, struct loop_state *state, genair_status *st) {
    const size_t n = batches_count(s->batches);
    char what[48];
    snprintf(what, sizeof what, "epoch %llu", (unsigned long long)state->epoch);
    batches_start(s->batches, state->epoch);
    if (state->next_batch == 0) {
        const genair_code code = model_begin_epoch(s->model, st);
        if (code != GENAIR_OK) return code;
    }
    while (state->next_batch < n) {
        struct batch batch;
        struct step_losses losses;
        genair_code code = batches_get(s->batches, state->next_batch, &batch, st);
        if (code == GENAIR_OK) code = model_step(s->model, &batch, &s->objective, &losses, st);
        if (code == GENAIR_OK) code = parameters_adam(s->model->parameters, st);
        if (code != GENAIR_OK) return code;
        state->loss += losses.total;
        state->rank += losses.rank;
        state->calibration += losses.calibration;
        state->next_batch++;
        context_progress(ctx, what, (double)state->next_batch, (double)n);
        if (context_stopped(ctx)) return context_interrupted(st);
    }
    return GENAIR_OK;
}

static genair_code validate(genair_context *ctx, struct session *s, const struct loop_options *o, struct metrics *out,
                            genair_status *st) {
    genair_code code = model_refresh_items(s->model, st);
    if (code != GENAIR_OK) return code;
    const struct scorer scorer = model_scorer(s->model);
    struct ranking_result result = {0};
    code = ranking_evaluate(context_parallel(ctx), &scorer, s->data, PART_VALID, o->protocol, &result, st);
    *out = result.metrics;
    ranking_result_free(&result);
    return code;
}

/* metrics.jsonl: one object a line, replaced whole, so that it never ends in half a line. */
static genair_code write_lines(const struct loop_state *state, const char *directory, genair_status *st) {
    char *path = path_join(directory, "metrics.jsonl");
    struct writer *w = NULL;
    genair_code code = path ? writer_open(path, &w, st) : fail_memory(st);
    size_t i;
    json_t *line;
    json_array_foreach(state->lines, i, line) {
        char *text = code == GENAIR_OK ? json_dumps(line, JSON_PRESERVE_ORDER) : NULL;
        if (code == GENAIR_OK) code = text ? writer_printf(w, st, "%s\n", text) : fail_memory(st);
        free(text);
    }
    if (code == GENAIR_OK)
        code = writer_commit(w, st);
    else
        writer_abandon(w);
    mem_free(path);
    return code;
}

static genair_code add_line(const struct session *s, struct loop_state *state, const struct loop_options *o,
                            const struct metrics *m, genair_status *st) {
    const double n = (double)batches_count(s->batches);
    json_t *line = json_pack("{s:I, s:f, s:f, s:f, s:{s:o}}", "epoch", (json_int_t)state->epoch, "loss",
                             state->loss / n, "rank_loss", state->rank / n, "calibration_loss",
                             state->calibration / n, "valid", protocol_name(o->protocol), metrics_json(m));
    if (!line || json_array_append_new(state->lines, line) != 0) return fail_memory(st);
    return write_lines(state, o->directory, st);
}

static bool is_over(const struct loop_state *state, const struct loop_options *o) {
    return state->epoch > o->epochs ||
           (o->patience > 0 && state->best_epoch > 0 && state->epoch > state->best_epoch + o->patience);
}

static genair_code note_time(struct loop_times *t, double seconds, double flops, genair_status *st) {
    double *longer = mem_array(t->n_epochs + 1, sizeof *longer);
    if (!longer) return fail_memory(st);
    if (t->n_epochs) memcpy(longer, t->epoch_seconds, t->n_epochs * sizeof *longer);
    longer[t->n_epochs++] = seconds;
    mem_free(t->epoch_seconds);
    t->epoch_seconds = longer;
    t->flops = flops;
    return GENAIR_OK;
}

/* Validation, the best epoch, the line, the checkpoint: state moves to the next epoch. */
static genair_code close_epoch(genair_context *ctx, struct session *s, const struct loop_options *o,
                               struct loop_state *state, genair_status *st) {
    struct metrics m;
    genair_code code = validate(ctx, s, o, &m, st);
    if (code == GENAIR_OK) code = add_line(s, state, o, &m, st);
    if (code != GENAIR_OK) return code;
    const double ndcg = metrics_ndcg(&m, SELECTING_CUTOFF);
    if (state->best_epoch == 0 || ndcg > state->best_ndcg) {
        state->best_epoch = state->epoch;
        state->best_ndcg = ndcg;
        copy_parameters(s, state, true);
    }
    context_info(ctx, "epoch %llu: loss %.4f, valid %s NDCG@10 %.4f%s", (unsigned long long)state->epoch,
                 state->loss / (double)batches_count(s->batches), protocol_name(o->protocol), ndcg,
                 state->best_epoch == state->epoch ? ", best so far" : "");
    state->epoch++;
    state->next_batch = 0;
    state->loss = state->rank = state->calibration = 0;
    if (is_over(state, o) || (state->epoch - 1) % o->checkpoint_every != 0) return GENAIR_OK;
    return checkpoint_save(s, state, o->directory, st);
}

genair_code loop_run(genair_context *ctx, struct session *s, const struct loop_options *o, struct loop_state *state,
                     struct loop_times *times, genair_status *st) {
    while (!is_over(state, o)) {
        const double start = context_seconds(), flops = s->model->tape.flops;
        const bool whole = state->next_batch == 0;
        genair_code code = train_epoch(ctx, s, state, st);
        const double trained = context_seconds();
        times->train_seconds += trained - start;
        if (code == GENAIR_INTERRUPTED) {
            const genair_code saved = checkpoint_save(s, state, o->directory, NULL);
            if (saved != GENAIR_OK) context_warn(ctx, "could not save a checkpoint in %s", o->directory);
            return code;
        }
        if (code == GENAIR_OK && whole) code = note_time(times, trained - start, s->model->tape.flops - flops, st);
        if (code == GENAIR_OK) code = close_epoch(ctx, s, o, state, st);
        times->eval_seconds += context_seconds() - trained;
        if (code != GENAIR_OK) return code;
    }
    copy_parameters(s, state, false);
    return GENAIR_OK;
}
