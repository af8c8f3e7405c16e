/* SPDX-License-Identifier: Apache-2.0 */
/* A step passes one token of every sequence that is answering and up to `chunk` prompt tokens of those that are not yet, in
 * the order of their slots. */
#include "lm/engine.h"

#include "base/alloc.h"
#include "base/size.h"
#include "lm/forward.h"
#include "lm/sampler.h"
#include "lm/sequence.h"

#include <string.h>

const char *const finish_names[N_FINISHES] = {
    [FINISH_END] = "end", [FINISH_LENGTH] = "length", [FINISH_CONTEXT] = "context", [FINISH_EMPTY] = "empty"};

struct engine {
    genair_context *ctx;
    struct model_lm model;
    size_t n_slots, chunk;
    uint64_t kv_bytes;
    bool one_always;
    struct batch_memory *batch;
    struct sampler_memory **samplers; /* [threads] */
    /* of the step that is passing; rows: n_slots + chunk */
    struct sequence **slots; /* [n_slots], NULL where free */
    uint32_t *tokens;
    struct span *spans;
    struct sequence **span_sequences;
    size_t *logits_rows;
    struct sequence **logits_sequences;
    uint32_t *chosen;
};

/* ---- creation ---- */

static genair_code read_weights(const void *source, const struct lm_tensor *t, size_t first, size_t n_rows, void *out,
                                genair_status *st) {
    return lm_weights_read(source, t, first, n_rows, out, st);
}

static genair_code create_samplers(struct engine *e, genair_status *st) {
    const size_t n = (size_t)parallel_threads(e->model.parallel);
    e->samplers = mem_zeros(n + 1, sizeof(struct sampler_memory *)); /* NULL ends it */
    genair_code code = e->samplers ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < n; i++)
        code = sampler_memory_create(e->model.config.vocabulary, &e->samplers[i], st);
    return code;
}

static genair_code create_step(struct engine *e, genair_status *st) {
    size_t n_rows;
    if (!add_size(e->n_slots, e->chunk, &n_rows)) return fail_memory(st);
    e->slots = mem_zeros(e->n_slots, sizeof(struct sequence *));
    e->tokens = mem_array(n_rows, sizeof *e->tokens);
    e->spans = mem_array(e->n_slots, sizeof *e->spans);
    e->span_sequences = mem_array(e->n_slots, sizeof(struct sequence *));
    e->logits_rows = mem_array(e->n_slots, sizeof *e->logits_rows);
    e->logits_sequences = mem_array(e->n_slots, sizeof(struct sequence *));
    e->chosen = mem_array(e->n_slots, sizeof *e->chosen);
    if (!e->slots || !e->tokens || !e->spans || !e->span_sequences || !e->logits_rows || !e->logits_sequences || !e->chosen)
        return fail_memory(st);
    return batch_memory_create(&e->model, n_rows, e->n_slots, &e->batch, st);
}

genair_code engine_create(genair_context *ctx, const struct lm_weights *w, const struct engine_options *options,
                          struct engine **out, genair_status *st) {
    if (options->n_slots == 0 || options->chunk == 0)
        return fail(st, GENAIR_USAGE, "an engine needs at least one slot and a chunk of one token");
    struct engine *e = mem_zeros(1, sizeof *e);
    if (!e) return fail_memory(st);
    *e = (struct engine){.ctx = ctx, .n_slots = options->n_slots, .chunk = options->chunk, .kv_bytes = options->kv_bytes,
                         .one_always = options->one_always};
    e->model.kernels = options->kernels ? options->kernels : kernels_select(NULL);
    e->model.float_arithmetic = options->arithmetic == ENGINE_FLOAT32;
    genair_code code = options->read ? model_lm_load(ctx, w, options->read, options->source, &e->model, st)
                                     : model_lm_load(ctx, w, read_weights, w, &e->model, st);
    if (code == GENAIR_OK) code = create_samplers(e, st);
    if (code == GENAIR_OK) code = create_step(e, st);
    if (code != GENAIR_OK)
        engine_free(e);
    else
        *out = e;
    return code;
}

void engine_free(struct engine *e) {
    if (!e) return;
    for (size_t i = 0; e->samplers && e->samplers[i]; i++) mem_free(e->samplers[i]);
    mem_free(e->samplers);
    batch_memory_free(e->batch);
    mem_free(e->slots);
    mem_free(e->tokens);
    mem_free(e->spans);
    mem_free(e->span_sequences);
    mem_free(e->logits_rows);
    mem_free(e->logits_sequences);
    mem_free(e->chosen);
    model_lm_free(&e->model);
    mem_free(e);
}

uint64_t engine_weight_bytes(const struct engine *e) {
    return model_lm_bytes(&e->model);
}

uint64_t engine_kv_bytes_per_token(const struct engine *e) {
    return kv_bytes_per_token(&e->model.config);
}

/* ---- a run ---- */

struct run {
    struct engine *e;
    const struct sampling *sampling;
    engine_source *source;
    engine_sink *sink;
    void *user;
    struct engine_statistics *statistics;
    genair_status *st;
    struct sequence *prefix;  /* that requests may begin with, read; NULL: none */
    struct sequence *waiting; /* the next one, for which there is no room yet */
    bool dry;                 /* the source */
    size_t n_active;
    uint64_t kv_used;
};

static uint64_t kv_bytes_of(const struct engine *e, const struct sequence *s) {
    return kv_round(sequence_positions(&e->model.config, s)) * kv_bytes_per_token(&e->model.config);
}

static genair_code give(struct run *r, struct sequence *s, enum finish finish) {
    const struct answer a = sequence_answer(&r->e->model.config, s, finish);
    if (s->kv.data) r->kv_used -= kv_bytes_of(r->e, s);
    kv_free(&s->kv);
    const genair_code code = r->sink(r->user, &a, r->st);
    sequence_free(s);
    return code;
}

static genair_code reserve(struct run *r, struct sequence *s) {
    const struct lm_config *c = &r->e->model.config;
    const size_t positions = kv_round(sequence_positions(c, s));
    genair_code code = batch_memory_reserve(&r->e->model, r->e->batch, positions, r->st);
    if (code == GENAIR_OK) code = kv_create(c, positions, &s->kv, r->st);
    if (code == GENAIR_OK) r->kv_used += kv_bytes_of(r->e, s);
    return code;
}

/* Its first tokens are the prefix's, and one at least follows whose logits are wanted. */
static void start_from_prefix(struct run *r, struct sequence *s) {
    const struct lm_config *c = &r->e->model.config;
    const struct sequence *prefix = r->prefix;
    if (!prefix || s->n_prompt <= prefix->n_prompt ||
        memcmp(s->tokens, prefix->tokens, prefix->n_prompt * sizeof *s->tokens) != 0)
        return;
    kv_copy(c, &prefix->kv, &s->kv, prefix->n_prompt);
    memcpy(s->prompt_sum, prefix->prompt_sum, c->hidden * sizeof *s->prompt_sum);
    s->n_fed = s->n_prefix = prefix->n_prompt;
    r->statistics->prefix_tokens_saved += prefix->n_prompt;
}

static genair_code take_next(struct run *r) {
    struct lm_request request = {0};
    if (!r->source(r->user, &request)) {
        r->dry = true;
        return GENAIR_OK;
    }
    genair_code code = sequence_create(&r->e->model.config, &request, r->sampling->seed, &r->waiting, r->st);
    if (code != GENAIR_OK || r->waiting->n_prompt <= r->e->model.config.context) return code;
    struct sequence *s = r->waiting;
    r->waiting = NULL;
    return give(r, s, FINISH_CONTEXT);
}

static genair_code too_large(uint64_t budget, size_t n_positions, uint64_t bytes, genair_status *st) {
    const double mib = 1.0 / (1 << 20);
    return fail(st, GENAIR_USAGE,
                "keys and values of one sequence of %zu tokens take %.1f MiB, more than the budget of %.1f MiB: raise it, or "
                "ask for fewer new tokens",
                n_positions, (double)bytes * mib, (double)budget * mib);
}

genair_code engine_fits(const struct lm_config *c, const struct engine_options *o, size_t n_tokens, genair_status *st) {
    const size_t n_positions = min_size(n_tokens, c->context);
    const uint64_t bytes = kv_round(n_positions) * kv_bytes_per_token(c);
    return o->one_always || bytes <= o->kv_bytes ? GENAIR_OK : too_large(o->kv_bytes, n_positions, bytes, st);
}

/* It is a saving of time alone: a request that needs its room has it. */
static void drop_prefix(struct run *r) {
    r->kv_used -= kv_bytes_of(r->e, r->prefix);
    sequence_free(r->prefix);
    r->prefix = NULL;
}

static bool has_room(const struct run *r) {
    const uint64_t budget = r->e->kv_bytes;
    return r->kv_used <= budget && kv_bytes_of(r->e, r->waiting) <= budget - r->kv_used;
}

/* Fills free slots while there are requests and room. */
static genair_code admit(struct run *r) {
    struct engine *e = r->e;
    for (size_t i = 0; i < e->n_slots;) {
        if (e->slots[i]) {
            i++;
            continue;
        }
        genair_code code = r->waiting || r->dry ? GENAIR_OK : take_next(r);
        if (code != GENAIR_OK) return code;
        if (r->dry && !r->waiting) return GENAIR_OK;
        if (!r->waiting) continue; /* it has been answered at once */
        if (!has_room(r)) {
            if (r->n_active) return GENAIR_OK;
            if (r->prefix) {
                drop_prefix(r);
                continue;
            }
            if (!e->one_always)
                return too_large(e->kv_bytes, sequence_positions(&e->model.config, r->waiting), kv_bytes_of(e, r->waiting), r->st);
        }
        code = reserve(r, r->waiting);
        if (code != GENAIR_OK) return code;
        start_from_prefix(r, r->waiting);
        e->slots[i] = r->waiting;
        r->waiting = NULL;
        r->n_active++;
    }
    return GENAIR_OK;
}

/* ---- a step ---- */

struct step {
    size_t n_rows, n_spans, n_prompt_rows, n_logits, n_sampled;
};

static size_t tokens_ahead(const struct engine *e, const struct sequence *s) {
    return min_size(s->n_tokens, e->model.config.context) - s->n_fed;
}

static void add_span(struct engine *e, struct step *step, struct sequence *s, size_t n) {
    memcpy(e->tokens + step->n_rows, s->tokens + s->n_fed, n * sizeof *s->tokens);
    e->span_sequences[step->n_spans] = s;
    e->spans[step->n_spans++] = (struct span){&s->kv, step->n_rows, n, s->n_fed};
    step->n_rows += n;
    if (s->n_fed < s->n_prompt) step->n_prompt_rows += min_size(n, s->n_prompt - s->n_fed);
}

static bool is_answering(const struct sequence *s) {
    return !s->forced && s->n_fed >= s->n_prompt;
}

static struct step plan_step(struct engine *e) {
    struct step step = {0};
    size_t chunk = e->chunk;
    for (size_t i = 0; i < e->n_slots; i++)
        if (e->slots[i] && is_answering(e->slots[i])) add_span(e, &step, e->slots[i], 1);
    for (size_t i = 0; i < e->n_slots && chunk; i++) {
        struct sequence *s = e->slots[i];
        if (!s || is_answering(s)) continue;
        const size_t n = min_size(chunk, tokens_ahead(e, s));
        if (n) add_span(e, &step, s, n);
        chunk -= n;
    }
    return step;
}

struct pooling {
    struct engine *e;
    const float *hidden;
    size_t stride;
};

static void pool_span(void *context, size_t i, int worker) {
    (void)worker;
    const struct pooling *p = context;
    const struct span *span = &p->e->spans[i];
    sequence_pool(&p->e->model.config, p->e->span_sequences[i], p->hidden + span->row * p->stride, p->stride, span->n);
}

static bool wants_token(const struct sequence *s) {
    return !s->forced && s->n_fed == s->n_tokens && s->n_tokens < s->max_tokens;
}

/* Rows whose logits are wanted: where a token follows, and a prompt's last one if they are kept. */
static void list_logits(struct engine *e, struct step *step) {
    for (size_t i = 0; i < step->n_spans; i++) {
        struct sequence *s = e->span_sequences[i];
        const struct span *span = &e->spans[i];
        const size_t last = s->n_prompt - 1;
        const bool keep = s->keep_logits && last >= span->position && last < span->position + span->n;
        if (!keep && !wants_token(s)) continue;
        e->logits_rows[step->n_logits] = span->row + (keep ? last - span->position : span->n - 1);
        e->logits_sequences[step->n_logits++] = s;
        step->n_sampled += wants_token(s);
    }
}

struct choosing {
    struct run *r;
    float *logits;
    size_t stride;
};

static void choose_token(void *context, size_t i, int worker) {
    const struct choosing *c = context;
    struct engine *e = c->r->e;
    struct sequence *s = e->logits_sequences[i];
    float *logits = c->logits + i * c->stride;
    if (s->keep_logits && !s->has_logits) /* the first row listed for it is the prompt's last */
        memcpy(s->logits, logits, e->model.config.vocabulary * sizeof *logits);
    s->has_logits = true;
    if (wants_token(s))
        e->chosen[i] = sampler_choose(e->samplers[worker], e->model.kernels, c->r->sampling, logits, s->tokens, s->n_tokens,
                                      &s->rng);
}

static bool is_end(const struct lm_config *c, uint32_t token) {
    for (size_t i = 0; i < c->n_eos; i++)
        if (c->eos[i] == token) return true;
    return false;
}

/* Whether the sequence is done after the step, and how. */
static bool is_done(const struct engine *e, const struct sequence *s, bool ended, enum finish *finish) {
    const struct lm_config *c = &e->model.config;
    if (s->n_fed < s->n_prompt) return false;
    if (s->forced) {
        if (s->n_fed < min_size(s->n_tokens, c->context)) return false;
        *finish = s->n_fed < s->n_tokens ? FINISH_CONTEXT : s->n_tokens == s->n_prompt ? FINISH_EMPTY : FINISH_END;
        return true;
    }
    if (ended)
        *finish = s->n_tokens == s->n_prompt ? FINISH_EMPTY : FINISH_END;
    else
        *finish = s->cut ? FINISH_CONTEXT : FINISH_LENGTH;
    return ended || s->n_tokens == s->max_tokens;
}

static genair_code finish_step(struct run *r, const struct step *step) {
    struct engine *e = r->e;
    genair_code code = GENAIR_OK;
    for (size_t i = 0, at = 0; i < step->n_spans; i++) {
        struct sequence *s = e->span_sequences[i];
        bool ended = false;
        enum finish finish;
        if (at < step->n_logits && e->logits_sequences[at] == s) {
            if (wants_token(s)) {
                ended = is_end(&e->model.config, e->chosen[at]);
                if (!ended) s->tokens[s->n_tokens++] = e->chosen[at];
                r->statistics->generated_tokens += !ended;
            }
            at++;
        }
        if (!is_done(e, s, ended, &finish)) continue;
        for (size_t j = 0; j < e->n_slots; j++)
            if (e->slots[j] == s) e->slots[j] = NULL;
        r->n_active--;
        if (code == GENAIR_OK)
            code = give(r, s, finish);
        else
            sequence_free(s);
    }
    return code;
}

/* Seconds are shared out by multiplications: the layers' by rows, the output matrix's to what it was asked for. */
static void account(struct run *r, const struct step *step, double seconds) {
    const struct model_lm *m = &r->e->model;
    const double output = (double)m->config.vocabulary * (double)m->config.hidden;
    double weights = 0;
    for (size_t i = 0; i < m->config.n_layers; i++) {
        const struct layer *l = &m->layers[i];
        for (size_t j = 0; j < LAYER_MATRICES; j++) weights += (double)l->matrices[j].rows * (double)l->matrices[j].cols;
    }
    const double prompt = weights * (double)step->n_prompt_rows + output * (double)(step->n_logits - step->n_sampled);
    const double answer = weights * (double)(step->n_rows - step->n_prompt_rows) + output * (double)step->n_sampled;
    r->statistics->prompt_tokens += step->n_prompt_rows;
    r->statistics->prompt_seconds += seconds * prompt / (prompt + answer);
    r->statistics->generate_seconds += seconds * answer / (prompt + answer);
    r->statistics->steps++;
}

static genair_code run_step(struct run *r) {
    struct engine *e = r->e;
    struct parallel *p = e->model.parallel;
    const double start = context_seconds();
    struct step step = plan_step(e);
    struct pooling pooling = {.e = e};
    pooling.hidden = forward(&e->model, e->batch, e->tokens, step.n_rows, e->spans, step.n_spans, &pooling.stride);
    parallel_run(p, step.n_spans, pool_span, &pooling);
    list_logits(e, &step);
    if (step.n_logits) {
        struct choosing c = {.r = r};
        c.logits = forward_logits(&e->model, e->batch, e->logits_rows, step.n_logits, &c.stride);
        parallel_run(p, step.n_logits, choose_token, &c);
    }
    account(r, &step, context_seconds() - start);
    return finish_step(r, &step);
}

/* Reads the prefix, in chunks, as a sequence that answers nothing. Without room for it there is none. */
static genair_code read_prefix(struct run *r, const uint32_t *prefix, size_t n) {
    const struct lm_config *c = &r->e->model.config;
    struct sequence *s = NULL;
    if (n == 0 || n > c->context) return GENAIR_OK;
    const struct lm_request request = {.prompt = prefix, .n_prompt = n};
    genair_code code = sequence_create(c, &request, 0, &s, r->st);
    if (code == GENAIR_OK && kv_bytes_of(r->e, s) > r->e->kv_bytes / 4) { /* it must leave room for its copies */
        sequence_free(s);
        return GENAIR_OK;
    }
    if (code == GENAIR_OK) code = reserve(r, s);
    while (code == GENAIR_OK && s->n_fed < n) {
        const double start = context_seconds();
        struct step step = {0};
        struct pooling pooling = {.e = r->e};
        add_span(r->e, &step, s, min_size(r->e->chunk, n - s->n_fed));
        pooling.hidden = forward(&r->e->model, r->e->batch, r->e->tokens, step.n_rows, r->e->spans, 1, &pooling.stride);
        pool_span(&pooling, 0, 0);
        account(r, &step, context_seconds() - start);
        if (context_stopped(r->e->ctx)) code = context_interrupted(r->st);
    }
    r->prefix = s;
    return code;
}

genair_code engine_run(struct engine *e, const uint32_t *prefix, size_t n_prefix, const struct sampling *sampling,
                       engine_source *source, engine_sink *sink, void *user, struct engine_statistics *statistics,
                       genair_status *st) {
    struct engine_statistics unused;
    struct run r = {.e = e, .sampling = sampling, .source = source, .sink = sink, .user = user, .st = st,
                    .statistics = statistics ? statistics : &unused};
    *r.statistics = (struct engine_statistics){0};
    genair_code code = read_prefix(&r, prefix, n_prefix);
    while (code == GENAIR_OK) {
        if (context_stopped(e->ctx)) code = context_interrupted(st);
        if (code == GENAIR_OK) code = admit(&r);
        if (code != GENAIR_OK || !r.n_active) break;
        code = run_step(&r);
    }
    for (size_t i = 0; i < e->n_slots; i++) {
        sequence_free(e->slots[i]);
        e->slots[i] = NULL;
    }
    sequence_free(r.waiting);
    sequence_free(r.prefix);
    return code;
}

/* ---- all states of one sequence ---- */

static void copy_logits(struct engine *e, size_t first, size_t n, float *out) {
    const size_t width = e->model.config.vocabulary;
    for (size_t i = 0; i < n; i += e->n_slots) {
        size_t stride;
        const size_t n_rows = min_size(e->n_slots, n - i);
        for (size_t j = 0; j < n_rows; j++) e->logits_rows[j] = i + j;
        const float *logits = forward_logits(&e->model, e->batch, e->logits_rows, n_rows, &stride);
        for (size_t j = 0; j < n_rows; j++)
            memcpy(out + (first + i + j) * width, logits + j * stride, width * sizeof *out);
    }
}

genair_code engine_states(struct engine *e, const uint32_t *tokens, size_t n, float *hidden, float *logits,
                          genair_status *st) {
    const struct lm_config *c = &e->model.config;
    if (n > c->context) return fail(st, GENAIR_USAGE, "%zu tokens: the model reads at most %zu", n, c->context);
    struct sequence *s = NULL;
    const struct lm_request request = {.prompt = tokens, .n_prompt = n};
    genair_code code = sequence_create(c, &request, 0, &s, st);
    if (code == GENAIR_OK) code = batch_memory_reserve(&e->model, e->batch, n, st);
    if (code == GENAIR_OK) code = kv_create(c, n, &s->kv, st);
    while (code == GENAIR_OK && s->n_fed < n) {
        size_t stride;
        const size_t first = s->n_fed, n_rows = min_size(e->chunk, n - first);
        const struct span span = {&s->kv, 0, n_rows, first};
        const float *rows = forward(&e->model, e->batch, tokens + first, n_rows, &span, 1, &stride);
        for (size_t i = 0; i < n_rows; i++) memcpy(hidden + (first + i) * c->hidden, rows + i * stride, c->hidden * sizeof *rows);
        if (logits) copy_logits(e, first, n_rows, logits);
        s->n_fed += n_rows;
        if (context_stopped(e->ctx)) code = context_interrupted(st);
    }
    sequence_free(s);
    return code;
}
