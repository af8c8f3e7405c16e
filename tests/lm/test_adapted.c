/* SPDX-License-Identifier: Apache-2.0 */
/* The language model with adapters: test_adapted MODEL.gguf [DIRECTORY of models]
 *
 * Forward against the engine (adapters at their start) and, adapters grown, against a plain float64 version with
 * W + alpha / rank B A in W's place; gradients against that version's central differences; packing and threads. */
#include "lm/adapted.h"

#include "base/alloc.h"
#include "base/size.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lm/made_model.h"

#include <cmocka.h>

enum { N_SEQUENCES = 3, N_TOKENS = 40, RANK = 4 };
static const uint32_t offsets[N_SEQUENCES + 1] = {0, 7, 8, N_TOKENS};
static const char *model_path, *models_directory;

static void make_tokens(uint32_t *tokens, size_t n, size_t vocabulary) {
    struct rng r = rng_start(3, RNG_TEST, vocabulary);
    for (size_t i = 0; i < n; i++) tokens[i] = (uint32_t)rng_below(&r, vocabulary);
}

static struct parameters *make_parameters(genair_context *ctx) {
    struct parameters *p;
    const struct adam_options adam = {.rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    assert_int_equal(parameters_create(&adam, context_parallel(ctx), kernels_select(NULL), &p, NULL), GENAIR_OK);
    return p;
}

static const struct adapter_options made_options = {.rank = RANK, .alpha = 8, .read = made_read};

/* ---- against the engine ---- */

static void expect_engine(const struct lm_weights *w, const struct adapter_options *options, double tolerance) {
    genair_context *ctx;
    struct engine *e;
    struct adapted *m;
    genair_status st = {0};
    uint32_t tokens[N_TOKENS];
    const size_t d = w->config.hidden;
    float *states = mem_array(N_TOKENS * d, sizeof *states), *vectors = mem_array(N_SEQUENCES * d, sizeof *vectors);
    assert_int_equal(genair_context_create(2, NULL, NULL, &ctx, &st), GENAIR_OK);
    const struct engine_options engine = {.n_slots = 1, .chunk = 64, .kv_bytes = 1 << 26, .arithmetic = ENGINE_FLOAT32,
                                          .read = options->read};
    struct parameters *p = make_parameters(ctx);
    assert_int_equal(engine_create(ctx, w, &engine, &e, &st), GENAIR_OK);
    assert_int_equal(adapted_create(ctx, w, options, p, 5, &m, &st), GENAIR_OK);
    make_tokens(tokens, N_TOKENS, w->config.vocabulary);
    assert_int_equal(adapted_encode(m, &(struct sequences){tokens, offsets, N_SEQUENCES}, POOL_MEAN, vectors, &st), GENAIR_OK);
    for (size_t b = 0; b < N_SEQUENCES; b++) {
        const size_t n = offsets[b + 1] - offsets[b];
        assert_int_equal(engine_states(e, tokens + offsets[b], n, states, NULL, &st), GENAIR_OK);
        for (size_t c = 0; c < d; c++) {
            double mean = 0;
            for (size_t i = 0; i < n; i++) mean += (double)states[i * d + c] / (double)n;
            if (!(fabs(mean - (double)vectors[b * d + c]) <= tolerance))
                fail_msg("%s: sequence %zu, component %zu: %.9g, the engine has %.9g", w->path, b, c,
                         (double)vectors[b * d + c], mean);
        }
    }
    adapted_free(m);
    engine_free(e);
    parameters_free(p);
    genair_context_free(ctx);
    mem_free(states);
    mem_free(vectors);
}

/* States are of deviation 1: both add in float32, in another order (measured: 4e-6). */
static void agrees_with_the_engine(void **state) {
    (void)state;
    static const enum lm_type types[] = {LM_F32, LM_F16, LM_Q8_0, LM_Q4_K, LM_Q6_K};
    static struct made_model m;
    for (size_t i = 0; i < COUNT(types) * 4; i++) {
        made_model(&m, types[i / 4], i % 2, i / 2 % 2);
        expect_engine(&m.weights, &made_options, 2e-5);
    }
}

static void agrees_with_the_engine_on_files(void **state) {
    (void)state;
    static const char *const names[] = {
        "", "llama-tiny/gguf/llama-tiny-f32.gguf", "llama-tiny-256/gguf/llama-tiny-256-q4_k_m.gguf", "llama3-tiny/hf-f32",
        "llama3-tiny/gguf/llama3-tiny-q8_0.gguf", "qwen2-tiny/hf-bf16", "qwen2-tiny/gguf/qwen2-tiny-q4_0.gguf"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[1024];
        struct lm_weights *w;
        genair_status st = {0};
        if (i && !models_directory) break;
        snprintf(path, sizeof path, "%s%s%s", i ? models_directory : model_path, i ? "/" : "", names[i]);
        if (i && access(path, R_OK) != 0) continue;
        if (lm_weights_open(path, &w, &st) != GENAIR_OK) fail_msg("%s: %s", path, st.message);
        expect_engine(w, &(struct adapter_options){.rank = RANK, .alpha = 8}, 5e-5);
        lm_weights_close(w);
    }
}

/* ---- against float64 ---- */

static struct made_model made;
static struct parameters *adapters;

/* A tensor's values, made once: they are drawn one by one. */
static const float *values_of(const struct lm_tensor *t) {
    static struct {
        struct lm_tensor tensor;
        float *values;
    } known[64];
    size_t i = 0;
    while (known[i].values && memcmp(&known[i].tensor, t, sizeof *t) != 0) i++;
    if (known[i].values) return known[i].values;
    known[i].tensor = *t;
    known[i].values = mem_array(t->rows * t->cols, sizeof(float));
    assert_int_equal(made_read(NULL, t, 0, t->rows, known[i].values, NULL), GENAIR_OK); /* F32 */
    return known[i].values;
}

/* W + alpha / rank B A of a projection, with its bias, times x. */
static void project(const struct lm_tensor *t, const struct lm_tensor *bias, size_t layer, const char *name, const double *x,
                    size_t n, double *y) {
    const float *w = values_of(t), *b = bias->rows ? values_of(bias) : NULL;
    char full[64];
    snprintf(full, sizeof full, "blk.%zu.%s.lora_a", layer, name);
    const struct parameter *down = parameters_find(adapters, full);
    full[strlen(full) - 1] = 'b';
    const struct parameter *up = parameters_find(adapters, full);
    for (size_t o = 0; o < t->rows; o++) {
        static double row[MADE_FFN];
        for (size_t c = 0; c < t->cols; c++) {
            row[c] = (double)w[o * t->cols + c];
            for (size_t r = 0; r < RANK; r++)
                row[c] += 2 * (double)up->value[o * RANK + r] * (double)down->value[r * t->cols + c];
        }
        for (size_t i = 0; i < n; i++) {
            y[i * t->rows + o] = b ? (double)b[o] : 0;
            for (size_t c = 0; c < t->cols; c++) y[i * t->rows + o] += row[c] * x[i * t->cols + c];
        }
    }
}

static void normalise(const struct lm_tensor *t, const double *x, size_t n, double *y) {
    const float *gain = values_of(t);
    for (size_t i = 0; i < n; i++) {
        double square = 0;
        for (size_t c = 0; c < MADE_HIDDEN; c++) square += x[i * MADE_HIDDEN + c] * x[i * MADE_HIDDEN + c] / MADE_HIDDEN;
        for (size_t c = 0; c < MADE_HIDDEN; c++)
            y[i * MADE_HIDDEN + c] = x[i * MADE_HIDDEN + c] / sqrt(square + (double)made.weights.config.norm_eps) * (double)gain[c];
    }
}

static void rotate(double *x, size_t n, size_t heads) {
    const size_t half = MADE_HEAD / 2;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < heads * half; k++) {
            double *head = x + (i * heads + k / half) * MADE_HEAD;
            const size_t pair = k % half, one = made.weights.rope_pairs ? 2 * pair : pair;
            const size_t two = made.weights.rope_pairs ? one + 1 : one + half;
            const double angle = (double)i * pow(1e4, -2.0 * (double)pair / MADE_HEAD) / (double)made.divisors[pair];
            const double a = head[one], b = head[two];
            head[one] = a * cos(angle) - b * sin(angle);
            head[two] = a * sin(angle) + b * cos(angle);
        }
}

enum { Q = MADE_HEADS * MADE_HEAD, KV = MADE_KV_HEADS * MADE_HEAD };

static void attend(const double *q, const double *k, const double *v, size_t n, double *y) {
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < MADE_HEADS; h++) {
            const size_t at = h / (MADE_HEADS / MADE_KV_HEADS) * MADE_HEAD;
            double weights[N_TOKENS], sum = 0, *to = y + i * Q + h * MADE_HEAD;
            for (size_t j = 0; j <= i; j++) {
                double product = 0;
                for (size_t c = 0; c < MADE_HEAD; c++) product += q[i * Q + h * MADE_HEAD + c] * k[j * KV + at + c];
                sum += weights[j] = exp(product / sqrt(MADE_HEAD));
            }
            for (size_t c = 0; c < MADE_HEAD; c++) {
                to[c] = 0;
                for (size_t j = 0; j <= i; j++) to[c] += weights[j] / sum * v[j * KV + at + c];
            }
        }
}

/* Mean of the states of n tokens. */
static void reference(const uint32_t *tokens, size_t n, double *out) {
    static double x[N_TOKENS * MADE_HIDDEN], h[N_TOKENS * MADE_HIDDEN], q[N_TOKENS * Q], k[N_TOKENS * KV], v[N_TOKENS * KV],
        o[N_TOKENS * Q], gate[N_TOKENS * MADE_FFN], up[N_TOKENS * MADE_FFN];
    const struct lm_tensor none = {0};
    for (size_t i = 0; i < n; i++) {
        const float *row = values_of(&made.weights.embedding) + tokens[i] * MADE_HIDDEN;
        for (size_t c = 0; c < MADE_HIDDEN; c++) x[i * MADE_HIDDEN + c] = (double)row[c];
    }
    for (size_t l = 0; l < MADE_LAYERS; l++) {
        const struct lm_layer *w = &made.layers[l];
        normalise(&w->attn_norm, x, n, h);
        project(&w->q, &w->q_bias, l, "attn_q", h, n, q);
        project(&w->k, &w->k_bias, l, "attn_k", h, n, k);
        project(&w->v, &w->v_bias, l, "attn_v", h, n, v);
        rotate(q, n, MADE_HEADS);
        rotate(k, n, MADE_KV_HEADS);
        attend(q, k, v, n, o);
        project(&w->out, &none, l, "attn_output", o, n, h);
        for (size_t i = 0; i < n * MADE_HIDDEN; i++) x[i] += h[i];
        normalise(&w->ffn_norm, x, n, h);
        project(&w->gate, &none, l, "ffn_gate", h, n, gate);
        project(&w->up, &none, l, "ffn_up", h, n, up);
        for (size_t i = 0; i < n * MADE_FFN; i++) up[i] *= gate[i] / (1 + exp(-gate[i]));
        project(&w->down, &none, l, "ffn_down", up, n, h);
        for (size_t i = 0; i < n * MADE_HIDDEN; i++) x[i] += h[i];
    }
    normalise(&made.weights.final_norm, x, n, h);
    for (size_t c = 0; c < MADE_HIDDEN; c++) {
        out[c] = 0;
        for (size_t i = 0; i < n; i++) out[c] += h[i * MADE_HIDDEN + c] / (double)n;
    }
}

enum { SHORT = 2 }; /* sequences 0 and 1: 8 tokens */

static double reference_loss(const uint32_t *tokens, const float *slopes) {
    double sum = 0, vector[MADE_HIDDEN];
    for (size_t b = 0; b < SHORT; b++) {
        reference(tokens + offsets[b], offsets[b + 1] - offsets[b], vector);
        for (size_t c = 0; c < MADE_HIDDEN; c++) sum += vector[c] * (double)slopes[b * MADE_HIDDEN + c];
    }
    return sum;
}

static void grow_adapters(struct parameters *p) {
    struct rng r = rng_start(4, RNG_TEST, 0);
    for (size_t i = 0; i < parameters_count(p); i++) {
        struct parameter *x = parameters_at(p, i);
        for (size_t k = 0; k < x->rows * x->cols; k++) x->value[k] = (float)(0.05 * rng_normal(&r));
    }
}

static void check_slope(struct parameter *p, size_t entry, const uint32_t *tokens, const float *slopes) {
    const size_t n = p->rows * p->cols, k = entry % n;
    const float at = p->value[k], step = 1.0f / 1024;
    float largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(p->gradient[i]));
    p->value[k] = at + step;
    const double above = reference_loss(tokens, slopes), upper = (double)p->value[k];
    p->value[k] = at - step;
    const double below = reference_loss(tokens, slopes), slope = (above - below) / (upper - (double)p->value[k]);
    p->value[k] = at;
    if (!(fabs(slope - (double)p->gradient[k]) <= 1e-3 * (double)largest))
        fail_msg("%s [%zu]: expected %.9g, found %.9g (largest %g)", p->name, k, slope, (double)p->gradient[k], (double)largest);
}

static void gradients_are_right(void **state) {
    (void)state;
    for (int form = 0; form < 2; form++) { /* Llama's pairs, Qwen's biases and halves */
        genair_context *ctx;
        struct adapted *m;
        uint32_t tokens[N_TOKENS];
        static float vectors[SHORT * MADE_HIDDEN], slopes[SHORT * MADE_HIDDEN];
        made_model(&made, LM_F32, form, !form);
        assert_int_equal(genair_context_create(2, NULL, NULL, &ctx, NULL), GENAIR_OK);
        adapters = make_parameters(ctx);
        assert_int_equal(adapted_create(ctx, &made.weights, &made_options, adapters, 5, &m, NULL), GENAIR_OK);
        assert_int_equal(parameters_count(adapters), MADE_LAYERS * 14);
        grow_adapters(adapters);
        make_tokens(tokens, N_TOKENS, MADE_VOCABULARY);
        struct rng r = rng_start(6, RNG_TEST, 0);
        for (size_t i = 0; i < COUNT(slopes); i++) slopes[i] = (float)rng_normal(&r);
        const struct sequences s = {tokens, offsets, SHORT};
        assert_int_equal(adapted_forward(m, &s, POOL_MEAN, 1, vectors, NULL), GENAIR_OK);
        double loss = 0;
        for (size_t i = 0; i < COUNT(slopes); i++) loss += (double)vectors[i] * (double)slopes[i];
        assert_true(fabs(loss - reference_loss(tokens, slopes)) < 1e-4 * (1 + fabs(loss)));
        assert_int_equal(adapted_backward(m, &s, POOL_MEAN, slopes, NULL), GENAIR_OK);
        /* An entry of every second one, against its largest. */
        for (size_t i = (size_t)form; i < parameters_count(adapters); i += 2)
            check_slope(parameters_at(adapters, i), i * 97, tokens, slopes);
        adapted_free(m);
        parameters_free(adapters);
        genair_context_free(ctx);
    }
}

/* ---- packing and threads ---- */

enum { MANY = 120 }; /* sequences of 1 to 40 tokens: more than one group */

struct outcome {
    float vectors[MANY * MADE_HIDDEN];
    float gradients[MADE_LAYERS * 14][256];
};

static void run(int threads, struct outcome *out) {
    genair_context *ctx;
    struct adapted *m;
    static uint32_t tokens[MANY * N_TOKENS], at[MANY + 1];
    static float slopes[MANY * MADE_HIDDEN], alone[MADE_HIDDEN];
    for (size_t b = 0; b < MANY; b++) at[b + 1] = at[b] + 1 + (uint32_t)(b * 7 % N_TOKENS);
    make_tokens(tokens, at[MANY], MADE_VOCABULARY);
    for (size_t i = 0; i < COUNT(slopes); i++) slopes[i] = cosf((float)i);
    struct adapter_options options = made_options;
    options.dropout = 0.1;
    assert_int_equal(genair_context_create(threads, NULL, NULL, &ctx, NULL), GENAIR_OK);
    struct parameters *p = make_parameters(ctx);
    assert_int_equal(adapted_create(ctx, &made.weights, &options, p, 5, &m, NULL), GENAIR_OK);
    grow_adapters(p);
    const struct sequences all = {tokens, at, MANY};
    assert_int_equal(adapted_encode(m, &all, POOL_LAST, out->vectors, NULL), GENAIR_OK);
    for (uint32_t b = 0; b < MANY; b += 17) {
        const struct sequences one = {tokens + at[b], (const uint32_t[]){0, at[b + 1] - at[b]}, 1};
        assert_int_equal(adapted_encode(m, &one, POOL_LAST, alone, NULL), GENAIR_OK);
        assert_memory_equal(alone, out->vectors + b * MADE_HIDDEN, sizeof alone);
    }
    assert_int_equal(adapted_forward(m, &all, POOL_LAST, 3, out->vectors, NULL), GENAIR_OK);
    assert_int_equal(adapted_backward(m, &all, POOL_LAST, slopes, NULL), GENAIR_OK);
    for (size_t i = 0; i < parameters_count(p); i++) {
        const struct parameter *x = parameters_at(p, i);
        memcpy(out->gradients[i], x->gradient, min_size(256, x->rows * x->cols) * sizeof(float));
    }
    adapted_free(m);
    parameters_free(p);
    genair_context_free(ctx);
}

static void packing_and_threads_do_not_matter(void **state) {
    (void)state;
    static struct outcome one, three;
    made_model(&made, LM_Q8_0, true, false);
    run(1, &one);
    run(3, &three);
    assert_memory_equal(&one, &three, sizeof one);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_engine), cmocka_unit_test(agrees_with_the_engine_on_files),
        cmocka_unit_test(gradients_are_right), cmocka_unit_test(packing_and_threads_do_not_matter)};
    if (argc < 2) return 2;
    model_path = argv[1];
    models_directory = argc > 2 ? argv[2] : NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
