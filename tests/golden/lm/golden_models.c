/* SPDX-License-Identifier: Apache-2.0 */
/* Every form of every tiny model: hidden states, logits, means, greedy continuations, ends. A file of quantised weights is
 * checked twice, with activations in 8 bits and in float32. Sequences share batches, and prompts come in pieces. */
#include "golden/lm/golden_lm.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "lm/engine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PROMPTS = 8, N_GENERATED = 48, SLOTS = 4, CHUNK = 37 };

/* What the references of a file allow. */
struct tolerance {
    double logits, hidden, means, logits_rms, means_rms, margin, cosine;
};
static const struct tolerance float_tolerance = {2e-4, 2e-4, 2e-5, HUGE_VAL, HUGE_VAL, 1e-3, 0.999999};

/* References of one directory: rows of prompts. */
struct references {
    double *logits, *prompt_mean, *gen_mean, *last_hidden, *stop_mean, *hidden_1, *gen_hidden_1; /* hidden_1.npy may be missing */
    json_t *cases;
};

struct model_case {
    struct golden_lm *g;
    const char *name;
    struct lm_weights *weights;
    struct engine_options options;
    struct tolerance allowed;
    struct references r;
    size_t n_prompts, lengths[MAX_PROMPTS];
    uint32_t *prompts[MAX_PROMPTS];
    uint32_t generated[MAX_PROMPTS][N_GENERATED]; /* of the reference */
    /* of the run */
    size_t next, only; /* only: a prompt, or n_prompts for all */
    bool forced;
    uint32_t found[MAX_PROMPTS][N_GENERATED];
    size_t n_found[MAX_PROMPTS];
    double *found_logits, *found_prefill, *found_decoding;
};

static bool next_prompt(void *user, struct lm_request *out) {
    struct model_case *c = user;
    if (c->next == c->n_prompts) return false;
    const size_t i = c->only < c->n_prompts ? c->only : c->next;
    *out = (struct lm_request){.id = i, .stream = i, .prompt = c->prompts[i], .n_prompt = c->lengths[i], .max_new = N_GENERATED,
                            .forced = c->forced ? c->generated[i] : NULL, .n_forced = N_GENERATED - 1, .keep_logits = true};
    c->next = c->only < c->n_prompts ? c->n_prompts : c->next + 1;
    return true;
}

static void widen(const float *from, double *to, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] = (double)from[i];
}

static genair_code take(void *user, const struct answer *a, genair_status *st) {
    (void)st;
    struct model_case *c = user;
    const struct lm_config *config = &c->weights->config;
    c->n_found[a->id] = a->n;
    memcpy(c->found[a->id], a->tokens, a->n * sizeof *a->tokens);
    widen(a->prefill, c->found_prefill + a->id * config->hidden, config->hidden);
    widen(a->decoding, c->found_decoding + a->id * config->hidden, config->hidden);
    widen(a->last_logits, c->found_logits + a->id * config->vocabulary, config->vocabulary);
    return GENAIR_OK;
}

static genair_code run_prompts(struct model_case *c, size_t only, bool forced, genair_status *st) {
    struct engine *e = NULL;
    const struct sampling greedy = {.greedy = true, .repetition_penalty = 1};
    c->next = 0;
    c->only = only;
    c->forced = forced;
    genair_code code = engine_create(c->g->ctx, c->weights, &c->options, &e, st);
    if (code == GENAIR_OK) code = engine_run(e, NULL, 0, &greedy, next_prompt, take, c, NULL, st);
    engine_free(e);
    return code;
}

/* Each, their root mean square, and with cosine > 0 the angle of each of the rows. */
static bool close_rows(struct model_case *c, const char *array, size_t rows, size_t width, const double *expected,
                       const double *found, double allowed, double allowed_rms, double cosine) {
    double square = 0;
    if (!golden_lm_close(c->g, c->name, array, 0, rows * width, expected, found, allowed)) return false;
    for (size_t r = 0; r < rows; r++) {
        double product = 0, a = 0, b = 0;
        for (size_t i = r * width; i < (r + 1) * width; i++) {
            square += (expected[i] - found[i]) * (expected[i] - found[i]);
            product += expected[i] * found[i];
            a += expected[i] * expected[i];
            b += found[i] * found[i];
        }
        if (cosine > 0 && !(product / sqrt(a * b) >= cosine)) {
            golden_lm_fail(c->g, c->name, "%s, prompt %zu: cosine %.9f, at least %.9f", array, r, product / sqrt(a * b), cosine);
            return false;
        }
    }
    const double rms = sqrt(square / (double)(rows * width));
    if (!(rms <= allowed_rms)) golden_lm_fail(c->g, c->name, "%s: RMS of the difference %.3g, allowed %.3g", array, rms, allowed_rms);
    return rms <= allowed_rms;
}

/* The reference's own continuation is fed, so that all sums are over the same tokens. */
static bool means_agree(struct model_case *c) {
    genair_status st = {0};
    const size_t width = c->weights->config.hidden, n = c->n_prompts;
    const struct tolerance *t = &c->allowed;
    return golden_lm_ok(c->g, c->name, run_prompts(c, n, true, &st), &st) &&
           close_rows(c, "logits", n, c->weights->config.vocabulary, c->r.logits, c->found_logits, t->logits, t->logits_rms, 0) &&
           close_rows(c, "prompt_mean", n, width, c->r.prompt_mean, c->found_prefill, t->means, t->means_rms, t->cosine) &&
           close_rows(c, "gen_mean", n, width, c->r.gen_mean, c->found_decoding, t->means, HUGE_VAL, t->cosine);
}

/* How many steps must be equal: up to the first one whose margin is too small to tell. */
static size_t certain_steps(const struct model_case *c, size_t prompt) {
    const json_t *margins = json_object_get(json_array_get(c->r.cases, prompt), "gen_margins");
    size_t n = 0;
    while (n < N_GENERATED && json_number_value(json_array_get(margins, n)) >= c->allowed.margin) n++;
    return n;
}

static bool greedy_agrees(struct model_case *c) {
    genair_status st = {0};
    if (!golden_lm_ok(c->g, c->name, run_prompts(c, c->n_prompts, false, &st), &st)) return false;
    for (size_t i = 0; i < c->n_prompts; i++) {
        const size_t n = certain_steps(c, i);
        for (size_t j = 0; j < n; j++) {
            if (j < c->n_found[i] && c->found[i][j] == c->generated[i][j]) continue;
            golden_lm_fail(c->g, c->name, "prompt %zu, step %zu of %zu: expected token %u, found %u", i, j, n, c->generated[i][j],
                           j < c->n_found[i] ? c->found[i][j] : 0);
            return false;
        }
    }
    return true;
}

/* With another end token for each prompt, where the way to it is certain. */
static bool stops_agree(struct model_case *c) {
    const size_t width = c->weights->config.hidden;
    for (size_t i = 0; i < c->n_prompts; i++) {
        const json_t *stop = json_object_get(json_array_get(c->r.cases, i), "stop");
        const size_t n = (size_t)json_integer_value(json_object_get(stop, "n_before"));
        genair_status st = {0};
        if (!stop || certain_steps(c, i) < n + 1) continue;
        c->weights->config.n_eos = 1;
        c->weights->config.eos[0] = (uint32_t)json_integer_value(json_object_get(stop, "eos_id"));
        const genair_code code = run_prompts(c, i, false, &st);
        c->weights->config.n_eos = 0;
        if (!golden_lm_ok(c->g, c->name, code, &st)) return false;
        if (c->n_found[i] != n) {
            golden_lm_fail(c->g, c->name, "prompt %zu ends after %zu tokens, expected %zu", i, c->n_found[i], n);
            return false;
        }
        if (!golden_lm_close(c->g, c->name, "stop_mean", i * width, width, c->r.stop_mean + i * width,
                             c->found_decoding + i * width, c->allowed.means))
            return false;
    }
    return true;
}

static genair_code states_of_prompt_1(struct model_case *c, size_t n, double **out, genair_status *st) {
    const size_t width = c->weights->config.hidden, all = n + N_GENERATED;
    struct engine *e = NULL;
    uint32_t *tokens = mem_array(all, sizeof *tokens);
    float *hidden = mem_array(all * width, sizeof *hidden);
    *out = mem_array(all * width, sizeof **out);
    genair_code code = tokens && hidden && *out ? engine_create(c->g->ctx, c->weights, &c->options, &e, st) : fail_memory(st);
    if (code == GENAIR_OK) {
        memcpy(tokens, c->prompts[1], n * sizeof *tokens);
        memcpy(tokens + n, c->generated[1], N_GENERATED * sizeof *tokens);
        code = engine_states(e, tokens, all, hidden, NULL, st);
    }
    if (code == GENAIR_OK) widen(hidden, *out, all * width);
    engine_free(e);
    mem_free(tokens);
    mem_free(hidden);
    return code;
}

static bool states_agree(struct model_case *c) {
    const size_t width = c->weights->config.hidden, n = c->lengths[1];
    double *states = NULL;
    genair_status st = {0};
    bool ok = golden_lm_ok(c->g, c->name, states_of_prompt_1(c, n, &states, &st), &st);
    if (ok && c->r.hidden_1)
        ok = golden_lm_close(c->g, c->name, "hidden_1", 0, n * width, c->r.hidden_1, states, c->allowed.hidden);
    if (ok)
        ok = golden_lm_close(c->g, c->name, "last_hidden", width, width, c->r.last_hidden + width, states + (n - 1) * width,
                             c->allowed.hidden);
    if (ok && c->r.gen_hidden_1)
        ok = golden_lm_close(c->g, c->name, "gen_hidden_1", 0, N_GENERATED * width, c->r.gen_hidden_1, states + n * width,
                             c->allowed.hidden);
    mem_free(states);
    return ok;
}

static bool is_quantised(const struct lm_weights *w) {
    return lm_types[w->layers[0].gate.type].block_values > 1;
}

static void check_arithmetic(struct model_case *c, const char *file, const json_t *about, enum engine_arithmetic arithmetic) {
    char name[160];
    const json_t *tolerance = json_object_get(about, "tolerance_int8_activations");
    const bool int8 = arithmetic == ENGINE_INT8 && is_quantised(c->weights);
    snprintf(name, sizeof name, "%s, %s activations", file, int8 ? "8-bit" : "float32");
    c->name = name;
    c->options = (struct engine_options){.n_slots = SLOTS, .chunk = CHUNK, .kv_bytes = (uint64_t)1 << 30,
                                         .arithmetic = arithmetic, .kernels = c->g->kernels};
    c->allowed = float_tolerance;
    if (int8) {
        const double logits = json_number_value(json_object_get(tolerance, "logits_max_abs"));
        const double means = json_number_value(json_object_get(tolerance, "prompt_mean_max_abs"));
        /* single hidden states: no tolerance is given; they may be off as the logits */
        c->allowed = (struct tolerance){logits, logits, means, json_number_value(json_object_get(tolerance, "logits_rms")),
                                        json_number_value(json_object_get(tolerance, "prompt_mean_rms")), 2 * logits, 0.999};
    }
    if (means_agree(c) && greedy_agrees(c) && stops_agree(c) && states_agree(c)) golden_lm_pass(c->g);
}

/* ---- reading what there is ---- */

static double *reference(struct model_case *c, const char *directory, const char *file, size_t n_expected, bool required) {
    size_t n = 0;
    char *path = path_join(directory, file);
    const bool there = path && file_exists(path);
    mem_free(path);
    if (!there && !required) return NULL;
    double *values = golden_lm_npy(c->g, directory, c->name, file, &n);
    if (!values || n == n_expected) return values;
    golden_lm_fail(c->g, c->name, "%s holds %zu values, expected %zu", file, n, n_expected);
    mem_free(values);
    return NULL;
}

static bool read_references(struct model_case *c, const char *directory) {
    const size_t n = c->n_prompts, width = c->weights->config.hidden, vocabulary = c->weights->config.vocabulary;
    struct references *r = &c->r;
    const size_t failed = c->g->failed;
    r->logits = reference(c, directory, "logits.npy", n * vocabulary, true);
    r->prompt_mean = reference(c, directory, "prompt_mean.npy", n * width, true);
    r->gen_mean = reference(c, directory, "gen_mean.npy", n * width, true);
    r->last_hidden = reference(c, directory, "last_hidden.npy", n * width, true);
    r->stop_mean = reference(c, directory, "stop_mean.npy", n * width, true);
    r->hidden_1 = reference(c, directory, "hidden_1.npy", c->lengths[1] * width, false);
    r->gen_hidden_1 = reference(c, directory, "gen_hidden_1.npy", N_GENERATED * width, false);
    r->cases = golden_lm_json(c->g, directory, c->name, "cases.json");
    for (size_t i = 0; r->cases && i < n; i++) {
        const json_t *ids = json_object_get(json_array_get(r->cases, i), "gen_ids");
        for (size_t j = 0; j < N_GENERATED; j++) c->generated[i][j] = (uint32_t)json_integer_value(json_array_get(ids, j));
    }
    return c->g->failed == failed;
}

static void free_references(struct references *r) {
    double *const arrays[] = {r->logits, r->prompt_mean, r->gen_mean, r->last_hidden, r->stop_mean, r->hidden_1, r->gen_hidden_1};
    for (size_t i = 0; i < COUNT(arrays); i++) mem_free(arrays[i]);
    json_decref(r->cases);
}

static void check_file(struct model_case *c, const char *directory, const char *file, const json_t *about) {
    genair_status st = {0};
    char *path = path_join(directory, file);
    char *references = path_join(directory, json_string_value(json_object_get(about, "reference")));
    c->name = file;
    if (golden_lm_ok(c->g, file, path && references ? lm_weights_open(path, &c->weights, &st) : fail_memory(&st), &st)) {
        const size_t width = c->weights->config.hidden, n = c->n_prompts;
        c->weights->config.n_eos = 0; /* the continuations go on past ends */
        c->found_logits = mem_zeros(n * c->weights->config.vocabulary, sizeof(double));
        c->found_prefill = mem_zeros(n * width, sizeof(double));
        c->found_decoding = mem_zeros(n * width, sizeof(double));
        if (!c->found_logits || !c->found_prefill || !c->found_decoding)
            golden_lm_fail(c->g, file, "out of memory");
        else if (read_references(c, references)) {
            check_arithmetic(c, file, about, ENGINE_INT8);
            if (is_quantised(c->weights)) check_arithmetic(c, file, about, ENGINE_FLOAT32);
        }
    }
    free_references(&c->r);
    c->r = (struct references){0};
    mem_free(c->found_logits);
    mem_free(c->found_prefill);
    mem_free(c->found_decoding);
    lm_weights_close(c->weights);
    c->weights = NULL;
    mem_free(references);
    mem_free(path);
}

void golden_models(struct golden_lm *g, const char *directory) {
    struct model_case c = {.g = g};
    json_t *about = golden_lm_json(g, directory, "prompts.json", "prompts.json");
    const json_t *prompts = json_object_get(about, "prompts");
    c.n_prompts = json_array_size(prompts);
    bool ok = c.n_prompts > 1 && c.n_prompts <= MAX_PROMPTS;
    for (size_t i = 0; ok && i < c.n_prompts; i++) {
        const json_t *ids = json_object_get(json_array_get(prompts, i), "ids");
        c.lengths[i] = json_array_size(ids);
        c.prompts[i] = mem_array(c.lengths[i], sizeof *c.prompts[i]);
        ok = c.prompts[i] != NULL;
        for (size_t j = 0; ok && j < c.lengths[i]; j++)
            c.prompts[i][j] = (uint32_t)json_integer_value(json_array_get(ids, j));
    }
    if (about && !ok) golden_lm_fail(g, "prompts.json", "not 2 to %d prompts", MAX_PROMPTS);
    const char *file;
    json_t *of_file;
    if (ok)
        json_object_foreach (json_object_get(about, "files"), file, of_file)
            check_file(&c, directory, file, of_file);
    for (size_t i = 0; i < MAX_PROMPTS; i++) mem_free(c.prompts[i]);
    json_decref(about);
}
