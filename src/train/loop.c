/* SPDX-License-Identifier: Apache-2.0 */
#include "train/loop.h"

#include "base/alloc.h"
#include "model/parts.h"
#include "train/checkpoint.h"
#include "train/epoch_lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SELECTING_CUTOFF = 10 };

genair_code loop_init(const struct session *s, struct loop_state *state, genair_status *st) {
    const size_t n = parameters_count(s->model->parameters);
    *state = (struct loop_state){.epoch = 1, .best = mem_zeros(n, sizeof *state->best)};
    bool sound = state->best != NULL;
    for (size_t i = 0; sound && i < n; i++) {
        const struct parameter *p = parameters_at(s->model->parameters, i);
        state->best[i] = mem_zeros(p->held * p->cols, sizeof(float));
        sound = state->best[i] != NULL;
    }
    if (sound) return GENAIR_OK;
    loop_deinit(s, state);
    return fail_memory(st);
}

void loop_deinit(const struct session *s, struct loop_state *state) {
    for (size_t i = 0; state->best && i < parameters_count(s->model->parameters); i++) mem_free(state->best[i]);
    mem_free(state->best);
    *state = (struct loop_state){0};
}

void loop_times_free(struct loop_times *t) {
    mem_free(t->epoch_seconds);
    *t = (struct loop_times){0};
}

static void copy_parameters(const struct session *s, const struct loop_state *state, bool to_best) {
    for (size_t i = 0; i < parameters_count(s->model->parameters); i++) {
        struct parameter *p = parameters_at(s->model->parameters, i);
        const size_t bytes = p->held * p->cols * sizeof(float);
        if (to_best)
            memcpy(state->best[i], p->value, bytes);
        else
            memcpy(p->value, state->best[i], bytes);
    }
}

/* Of several processes all stop after the same step. */
static bool is_stopped(const genair_context *ctx, const struct session *s) {
    return s->model->parts ? parts_stopped(s->model->parts) : context_stopped(ctx);
}

/* The steps of one epoch that are still to do. */
static genair_code train_epoch(genair_context *ctx, struct session *s, struct loop_state *state, genair_status *st) {
    const size_t n = session_steps(s);
    char what[48];
    snprintf(what, sizeof what, "epoch %llu", (unsigned long long)state->epoch);
    genair_code code = session_start(s, state->epoch, state->next_batch == 0, st);
    if (code != GENAIR_OK) return code;
    while (state->next_batch < n) {
        struct step_losses losses;
        if (s->model->parts) parts_wish_to_stop(s->model->parts, context_stopped(ctx));
        code = session_step(s, state->next_batch, &losses, st);
        if (code != GENAIR_OK) return code;
        state->loss += losses.total;
        state->rank += losses.rank;
        state->calibration += losses.calibration;
        state->next_batch++;
        context_progress(ctx, what, (double)state->next_batch, (double)n);
        if (is_stopped(ctx, s)) return context_interrupted(st);
    }
    return GENAIR_OK;
}

/* What validation says of an epoch. */
struct verdict {
    double score; /* the higher the better */
    bool none;    /* there is no target to validate with */
    json_t *valid; /* of its line */
    char text[64];
};

static genair_code rank_validation(genair_context *ctx, struct session *s, const struct loop_options *o,
                                   struct verdict *out, genair_status *st) {
    genair_code code = model_refresh_items(s->model, st);
    if (code != GENAIR_OK) return code;
    const struct scorer scorer = model_scorer(s->model);
    struct ranking_result result = {0};
    code = ranking_evaluate(context_parallel(ctx), &scorer, s->data, PART_VALID, o->protocol, &result, st);
    out->score = metrics_ndcg(&result.metrics, SELECTING_CUTOFF);
    out->valid = json_pack("{s:o}", protocol_name(o->protocol), metrics_json(&result.metrics));
    out->none = result.metrics.n_users == 0;
    if (out->none)
        snprintf(out->text, sizeof out->text, "without targets");
    else
        snprintf(out->text, sizeof out->text, "%s NDCG@10 %.4f", protocol_name(o->protocol), out->score);
    ranking_result_free(&result);
    return code;
}

static genair_code validate(genair_context *ctx, struct session *s, const struct loop_options *o, struct verdict *out,
                            genair_status *st) {
    double error = 0;
    if (!s->prelude) return rank_validation(ctx, s, o, out, st);
    const genair_code code = s->prelude->error(s->model, &error, st);
    out->score = -error;
    out->valid = json_pack("{s:f}", "error", error);
    snprintf(out->text, sizeof out->text, "error %.4g", error);
    return code;
}

static genair_code add_line(const struct session *s, struct loop_state *state, const struct loop_options *o,
                            json_t *valid, genair_status *st) {
    const double n = (double)session_steps(s);
    json_t *line = json_pack("{s:I, s:f}", "epoch", (json_int_t)state->epoch, "loss", state->loss / n);
    bool sound = line != NULL;
    if (sound && !s->prelude)
        sound = json_object_set_new(line, "rank_loss", json_real(state->rank / n)) == 0 &&
                json_object_set_new(line, "calibration_loss", json_real(state->calibration / n)) == 0;
    sound = sound && valid && json_object_set(line, "valid", valid) == 0;
    genair_code code = sound ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && o->directory) code = epoch_lines_add(o->directory, line, st);
    state->n_lines++;
    json_decref(line);
    return code;
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
    struct verdict verdict = {0};
    genair_code code = model_check_moments(s->model, st);
    if (code == GENAIR_OK) code = validate(ctx, s, o, &verdict, st);
    if (code == GENAIR_OK) code = add_line(s, state, o, verdict.valid, st);
    json_decref(verdict.valid);
    if (code != GENAIR_OK) return code;
    if (state->best_epoch == 0 || verdict.score > state->best_score || verdict.none) { /* none: the last one is kept */
        state->best_epoch = state->epoch;
        state->best_score = verdict.score;
        copy_parameters(s, state, true);
    }
    context_info(ctx, "epoch %llu: loss %.4g, valid %s%s", (unsigned long long)state->epoch,
                 state->loss / (double)session_steps(s), verdict.text,
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
    if (state->best_epoch > 0) copy_parameters(s, state, false);
    return GENAIR_OK;
}

genair_code loop_end_prelude(struct session *s, struct loop_state *state, genair_status *st) {
    const genair_code code = s->prelude->finish(s->model, st);
    s->prelude = NULL;
    state->epoch = 1;
    state->best_epoch = 0;
    return code == GENAIR_OK ? parameters_set_step(s->model->parameters, 0, st) : code;
}
