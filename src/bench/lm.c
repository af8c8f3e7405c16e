/* SPDX-License-Identifier: Apache-2.0 */
/* The language-model engine on a model of Qwen 2.5 0.5B's shape with random weights in Q8_0: prompts are read, then answers
 * written, all sequences at once, drawn as the paper draws. The floor is the multiply-adds of the layers for every token that
 * is fed and of the output matrix for every one that is drawn, at the machine's peak of 8-bit products; attention, norms and
 * drawing are overhead. Weights are read once a step: their bytes are the other floor. */
#include "bench/bench.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "bench/random_lm.h"
#include "lm/engine.h"

#include <string.h>

enum { PEAK_ROUNDS = 5, CHUNK = 512 };

/* ---- the machine's peak ---- */

struct peak {
    const struct kernels *kernels;
    size_t rounds;
    double multiply_adds[1024]; /* of a thread; parallel.c has no more */
    int32_t sinks[1024];
};

static void spin(void *context, size_t i, int worker) {
    (void)worker;
    struct peak *p = context;
    p->sinks[i] = (int32_t)i + 3;
    p->multiply_adds[i] = p->kernels->int8_peak(p->rounds, &p->sinks[i]);
}

/* GOP/s of all threads: the best of a few rounds of about 50 ms. */
static double int8_peak(struct parallel *parallel, const struct kernels *kernels, genair_status *st) {
    const size_t n = (size_t)parallel_threads(parallel);
    struct peak *p = mem_zeros(1, sizeof *p);
    double best = 0;
    if (!p) {
        fail_memory(st);
        return 0;
    }
    p->kernels = kernels;
    p->rounds = 1000000;
    for (int round = 0; round < PEAK_ROUNDS; round++) {
        const double start = context_seconds();
        double sum = 0;
        parallel_run(parallel, n, spin, p);
        const double seconds = context_seconds() - start;
        for (size_t i = 0; i < n; i++) sum += p->multiply_adds[i];
        if (2 * sum / seconds * 1e-9 > best) best = 2 * sum / seconds * 1e-9;
        p->rounds = (size_t)((double)p->rounds * 0.05 / seconds) + 1;
    }
    mem_free(p);
    return best;
}

/* ---- runs ---- */

struct requests {
    uint32_t *tokens; /* [n, prompt]: prompts that begin alike */
    size_t n, prompt, max_new, next;
};

static bool next_request(void *user, struct lm_request *out) {
    struct requests *r = user;
    if (r->next == r->n) return false;
    *out = (struct lm_request){.id = r->next, .stream = r->next, .prompt = r->tokens + r->next * r->prompt, .n_prompt = r->prompt,
                            .max_new = r->max_new};
    r->next++;
    return true;
}

static genair_code ignore(void *user, const struct answer *a, genair_status *st) {
    (void)user;
    (void)a;
    (void)st;
    return GENAIR_OK;
}

static genair_code run(struct engine *e, struct requests *r, size_t n_prefix, size_t max_new, uint64_t seed,
                       struct engine_statistics *statistics, genair_status *st) {
    const struct sampling sampling = {.temperature = 0.6f, .top_p = 0.9f, .repetition_penalty = 1.2f, .seed = seed};
    r->next = 0;
    r->max_new = max_new;
    return engine_run(e, r->tokens, n_prefix, &sampling, next_request, ignore, r, statistics, st);
}

static json_t *measured(double multiply_adds, double seconds, double tokens, double peak) {
    const double achieved = 2 * multiply_adds / seconds * 1e-9;
    return json_pack("{s:f, s:f, s:f, s:s, s:f}", "achieved", achieved, "peak", peak, "utilization", achieved / peak, "unit",
                     "GOP/s", "tokens_per_second", tokens / seconds);
}

static json_t *describe(const struct engine *e, const struct requests *r, const struct engine_statistics *prompts,
                        const struct engine_statistics *answers, double peak, const char *kernels) {
    const double output = (double)RANDOM_LM_VOCABULARY * RANDOM_LM_HIDDEN;
    const double layers = random_lm_multiply_adds();
    const double n_fed = (double)prompts->prompt_tokens, n_first = (double)prompts->generated_tokens;
    const double n_drawn = (double)answers->generated_tokens;
    return json_pack("{s:o, s:o, s:s, s:I, s:I, s:I, s:f, s:f, s:f}", "prompt",
                     measured(layers * n_fed + output * n_first, prompts->prompt_seconds + prompts->generate_seconds, n_fed, peak),
                     "answer",
                     measured(layers * (n_drawn - (double)r->n) + output * n_drawn, answers->generate_seconds, n_drawn, peak),
                     "kernels", kernels, "sequences", (json_int_t)r->n, "prompt_tokens_each", (json_int_t)r->prompt,
                     "prefix_tokens_saved", (json_int_t)answers->prefix_tokens_saved, "weight_mb_per_step",
                     (double)engine_weight_bytes(e) * 1e-6, "kv_kb_per_token", (double)engine_kv_bytes_per_token(e) * 1e-3,
                     "peak_rss_mb", context_peak_rss_mb());
}

static genair_code measure(struct engine *e, struct requests *r, size_t max_new, uint64_t seed, double peak, const char *kernels,
                           json_t **result, genair_status *st) {
    struct engine_statistics prompts, answers;
    genair_code code = run(e, r, 0, 1, seed, &prompts, st);
    /* the first half is the same for all: read once */
    if (code == GENAIR_OK) code = run(e, r, r->prompt / 2, max_new, seed, &answers, st);
    if (code != GENAIR_OK) return code;
    *result = describe(e, r, &prompts, &answers, peak, kernels);
    return *result ? GENAIR_OK : fail_memory(st);
}

static genair_code make_requests(const genair_options *o, struct requests *r, genair_status *st) {
    r->n = (size_t)option_int(o, "sequences");
    r->prompt = (size_t)option_int(o, "prompt-tokens");
    r->tokens = mem_array(r->n * r->prompt, sizeof *r->tokens);
    if (!r->tokens) return fail_memory(st);
    for (size_t i = 0; i < r->n * r->prompt; i++) {
        const bool common = i % r->prompt < r->prompt / 2;
        struct rng rng = rng_start((uint64_t)option_int(o, "seed"), RNG_GENERATE, common ? i % r->prompt : i);
        r->tokens[i] = (uint32_t)rng_below(&rng, RANDOM_LM_VOCABULARY);
    }
    return GENAIR_OK;
}

genair_code bench_lm(genair_context *ctx, const genair_options *options, double peak, json_t **result, genair_status *st) {
    (void)peak; /* of float32 */
    struct random_lm model;
    random_lm_make(&model);
    const char *file = option_text(options, "model-out");
    const struct kernels *kernels = kernels_select(NULL);
    struct requests r = {0};
    struct engine *e = NULL;
    const size_t max_new = (size_t)option_int(options, "new-tokens");
    genair_code code = file ? random_lm_save(&model, file, st) : GENAIR_OK;
    if (code == GENAIR_OK) code = make_requests(options, &r, st);
    const struct engine_options engine = {.n_slots = r.n, .kv_bytes = UINT64_MAX, .chunk = CHUNK, .arithmetic = ENGINE_INT8,
                                          .kernels = kernels, .read = random_lm_rows};
    double best = 0;
    genair_status peak_status = {0};
    if (code == GENAIR_OK) code = engine_create(ctx, &model.weights, &engine, &e, st);
    if (code == GENAIR_OK) best = int8_peak(context_parallel(ctx), kernels, &peak_status);
    if (code == GENAIR_OK && peak_status.code != GENAIR_OK) code = fail_memory(st);
    if (code == GENAIR_OK)
        code = measure(e, &r, max_new, (uint64_t)option_int(options, "seed"), best, kernels->name, result, st);
    engine_free(e);
    mem_free(r.tokens);
    return code;
}
