/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the bundled language model: genair-model INVENTORY OUT.gguf [STEPS [THREADS]]
 *
 * Learns a vocabulary from composed examples, trains a small llama on prompt and archetype, writes OUT.gguf every
 * SAVE_EVERY steps and at the end, and says how often the archetype of a product kind that was kept out of the training
 * names one of its audiences. Every example is new; the same arguments give the same bytes for any number of threads. */
#include "compose.h"
#include "likeness.h"
#include "network.h"
#include "pieces.h"

#include "base/alloc.h"
#include "base/context.h"
#include "base/size.h"
#include "model/losses.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEED = 2026, VOCABULARY = 4096, VOCABULARY_EXAMPLES = 6000, LIKENESS_EXAMPLES = 12000, HIDDEN = 256, LAYERS = 2, HEADS = 8, FFN = 640,
    CONTEXT = 1024, BATCH_TOKENS = 1536, MOST_SEQUENCES = 64, WARM_UP = 60, DEFAULT_STEPS = 3000, SAVE_EVERY = 200,
    REPORT_EVERY = 20, N_SAMPLES = 2, MOST_NEW = 72, HELD_OUT_EXAMPLES = 68, HELD_OUT_NEW = 30
};

/* The prompt's attributes are learnt too, with less weight, so that their hidden states mean something: every second
 * token, which costs half as much; its fixed words are not. Z: see weighted_softmax_loss; the repetition penalty of the usual sampling divides logits, which
 * harms a model less whose best logit is near 0. */
static const double PROMPT_WEIGHT = 0.5, Z_WEIGHT = 1e-3, RATE = 3e-3, LAST_SHARE = 0.05, LARGEST_NORM = 1;

struct batch {
    struct ids tokens;  /* of all sequences, without their last one */
    struct ids rows;    /* that have a target */
    struct ids targets;
    float *weights;
    size_t weights_capacity;
    uint32_t offsets[MOST_SEQUENCES + 1];
    size_t n_sequences;
};

struct run {
    struct parallel *parallel;
    const struct kernels *kernels;
    struct inventory *inventory;
    struct pieces *vocabulary;
    struct parameters *parameters;
    struct network network;
    struct tape tape;
    struct batch batch;
    struct ids sequence;
    uint64_t next_example;
    genair_status status;
};

static genair_code learn_vocabulary(struct run *r) {
    struct example e;
    genair_code code = GENAIR_OK;
    for (uint64_t i = 0; i < VOCABULARY_EXAMPLES && code == GENAIR_OK; i++) {
        compose(r->inventory, SEED, i, KEPT_IN, &e);
        code = pieces_count(r->vocabulary, text_of(e.prompt), &r->status);
        if (code == GENAIR_OK) code = pieces_count(r->vocabulary, text_of(e.answer), &r->status);
    }
    return code == GENAIR_OK ? pieces_learn(r->vocabulary, VOCABULARY, &r->status) : code;
}

/* ---- batches ---- */

static genair_code push(struct run *r, struct ids *ids, uint32_t id) {
    if (!mem_grow(&ids->at, &ids->capacity, ids->n + 1, sizeof *ids->at)) return fail_memory(&r->status);
    ids->at[ids->n++] = id;
    return GENAIR_OK;
}

/* Begin token and prompt. n_fixed: tokens before the first attribute. */
static genair_code encode_prompt(struct run *r, const struct example *e, size_t *n_fixed) {
    struct ids *s = &r->sequence;
    const struct text fixed = {e->prompt, e->n_fixed - 1}; /* without the space, which begins the next word */
    s->n = 0;
    genair_code code = push(r, s, TOKEN_BEGIN);
    if (code == GENAIR_OK) code = pieces_encode(r->vocabulary, fixed, true, s, &r->status);
    *n_fixed = s->n;
    if (code != GENAIR_OK) return code;
    return pieces_encode(r->vocabulary, text_of(e->prompt + fixed.n), false, s, &r->status);
}

static genair_code add_sequence(struct run *r, const struct example *e) {
    struct batch *b = &r->batch;
    const struct ids *s = &r->sequence;
    size_t n_fixed;
    genair_code code = encode_prompt(r, e, &n_fixed);
    const size_t n_prompt = s->n;
    if (code == GENAIR_OK) code = pieces_encode(r->vocabulary, text_of(e->answer), true, &r->sequence, &r->status);
    if (code == GENAIR_OK) code = push(r, &r->sequence, TOKEN_END);
    for (size_t i = 0; i + 1 < s->n && code == GENAIR_OK; i++) {
        const bool second = (i + b->n_sequences) % 2 == 0;
        const double weight = i + 1 >= n_prompt ? 1 : i + 1 > n_fixed && second ? PROMPT_WEIGHT : 0;
        if (weight > 0) {
            if (!mem_grow(&b->weights, &b->weights_capacity, b->rows.n + 1, sizeof *b->weights))
                return fail_memory(&r->status);
            b->weights[b->rows.n] = (float)weight;
            code = push(r, &b->rows, (uint32_t)b->tokens.n);
            if (code == GENAIR_OK) code = push(r, &b->targets, s->at[i + 1]);
        }
        if (code == GENAIR_OK) code = push(r, &b->tokens, s->at[i]);
    }
    b->offsets[++b->n_sequences] = (uint32_t)b->tokens.n;
    return code;
}

static genair_code next_batch(struct run *r) {
    struct batch *b = &r->batch;
    struct example e;
    b->tokens.n = b->rows.n = b->targets.n = b->n_sequences = 0;
    genair_code code = GENAIR_OK;
    while (code == GENAIR_OK && b->tokens.n < BATCH_TOKENS && b->n_sequences < MOST_SEQUENCES) {
        compose(r->inventory, SEED, r->next_example++, KEPT_IN, &e);
        code = add_sequence(r, &e);
    }
    double sum = 0;
    for (size_t i = 0; i < b->rows.n; i++) sum += (double)b->weights[i];
    for (size_t i = 0; i < b->rows.n; i++) b->weights[i] /= (float)sum;
    return code;
}

/* ---- a step ---- */

static double rate_at(uint64_t step, uint64_t n_steps) {
    if (step < WARM_UP) return RATE * (double)(step + 1) / WARM_UP;
    const double done = (double)(step - WARM_UP) / (double)max_size(1, n_steps - WARM_UP);
    return RATE * (LAST_SHARE + (1 - LAST_SHARE) * 0.5 * (1 + cos(3.14159265358979 * done)));
}

/* Embeddings that know the company of words, from the attributes and answers of the first examples. */
static genair_code start_embedding(struct run *r) {
    struct example e;
    struct likeness *l = likeness_create(pieces_size(r->vocabulary));
    genair_code code = l ? GENAIR_OK : fail_memory(&r->status);
    for (uint64_t i = 0; i < LIKENESS_EXAMPLES && code == GENAIR_OK; i++) {
        size_t n_fixed;
        compose(r->inventory, SEED, i, KEPT_IN, &e);
        code = encode_prompt(r, &e, &n_fixed);
        if (code == GENAIR_OK) code = pieces_encode(r->vocabulary, text_of(e.answer), true, &r->sequence, &r->status);
        if (code == GENAIR_OK) likeness_count(l, r->sequence.at + n_fixed, r->sequence.n - n_fixed);
    }
    if (code == GENAIR_OK) code = likeness_start(l, r->parallel, r->kernels, r->network.embedding, &r->status);
    likeness_free(l);
    return code;
}

static genair_code train_step(struct run *r, uint64_t step, uint64_t n_steps, double *loss) {
    genair_code code = next_batch(r);
    if (code != GENAIR_OK) return code;
    const struct batch *b = &r->batch;
    struct tape *t = &r->tape;
    tape_reset(t, true, step);
    parameters_begin_step(r->parameters);
    struct tensor *h = network_forward(&r->network, t, b->tokens.at, b->offsets, b->n_sequences);
    struct tensor *u = op_gather(t, h, NULL, b->rows.at, b->rows.n);
    *loss = weighted_softmax_loss(t, u, parameter_tensor(t, r->network.embedding), b->targets.at, b->weights, Z_WEIGHT);
    if (tape_failed(t)) return fail_memory(&r->status);
    if (!isfinite(*loss)) return fail(&r->status, GENAIR_INTERNAL, "loss is %g at step %llu", *loss, (unsigned long long)step);
    tape_backward(t);
    parameters_clip(r->parameters, LARGEST_NORM);
    parameters_set_rate(r->parameters, rate_at(step, n_steps));
    return parameters_adam(r->parameters, &r->status);
}

/* ---- answers ---- */

static uint32_t best_token(const struct run *r, const struct tensor *h) {
    const size_t d = h->cols;
    uint32_t best = 0;
    float most = -INFINITY;
    for (uint32_t i = 0; i < pieces_size(r->vocabulary); i++) {
        const float logit = r->kernels->dot(h->value + (h->rows - 1) * d, r->network.embedding->value + i * d, d);
        if (logit > most) {
            most = logit;
            best = i;
        }
    }
    return best;
}

static void append_piece(const struct run *r, uint32_t id, char *text, size_t room) {
    static const char mark[] = "\xE2\x96\x81";
    const struct text p = pieces_text(r->vocabulary, id);
    const bool spaced = p.n >= 3 && memcmp(p.p, mark, 3) == 0;
    const size_t n = strlen(text), skip = spaced ? 3 : 0;
    snprintf(text + n, room - n, "%s%.*s", spaced && n ? " " : "", (int)(p.n - skip), p.p + skip);
}

/* The greedy archetype of an example, the whole text read again for each token: for a look, not for use. */
static genair_code answer(struct run *r, const struct example *e, size_t most_new, char *text, size_t room) {
    size_t n_fixed;
    genair_code code = encode_prompt(r, e, &n_fixed);
    text[0] = '\0';
    for (size_t i = 0; i < most_new && code == GENAIR_OK; i++) {
        tape_reset(&r->tape, false, 0);
        parameters_begin_step(r->parameters);
        const struct tensor *h = network_forward(&r->network, &r->tape, r->sequence.at,
                                                 (const uint32_t[]){0, (uint32_t)r->sequence.n}, 1);
        if (!h) return fail_memory(&r->status);
        const uint32_t id = best_token(r, h);
        if (id == TOKEN_END) break;
        append_piece(r, id, text, room);
        code = push(r, &r->sequence, id);
    }
    return code;
}

static genair_code print_samples(struct run *r) {
    struct example e;
    char text[ANSWER_BYTES];
    genair_code code = GENAIR_OK;
    for (uint64_t i = 0; i < N_SAMPLES && code == GENAIR_OK; i++) {
        compose(r->inventory, SEED + 1, i, HELD_OUT, &e);
        code = answer(r, &e, MOST_NEW, text, sizeof text);
        if (code == GENAIR_OK) printf("\n%s\n  > %s\n", e.prompt + e.n_fixed, text);
    }
    printf("\n");
    return code;
}

/* Of held-out kinds: how many answers name an audience of the kind, and how many would of another kind's, which is
 * what luck gives. */
static genair_code measure(struct run *r) {
    static struct example e[HELD_OUT_EXAMPLES];
    static char text[HELD_OUT_EXAMPLES][ANSWER_BYTES];
    size_t hits = 0, by_luck = 0;
    for (uint64_t i = 0; i < HELD_OUT_EXAMPLES; i++) {
        compose(r->inventory, SEED + 2, i, HELD_OUT, &e[i]);
        const genair_code code = answer(r, &e[i], HELD_OUT_NEW, text[i], sizeof text[i]);
        if (code != GENAIR_OK) return code;
        hits += names_audience(text[i], e[i].kind);
    }
    for (size_t i = 0; i < HELD_OUT_EXAMPLES; i++)
        for (size_t j = 0; j < HELD_OUT_EXAMPLES; j++) by_luck += names_audience(text[i], e[j].kind);
    printf("held-out kinds: %zu of %d answers name an audience of the kind; of kinds drawn at random %.1f would\n", hits,
           HELD_OUT_EXAMPLES, (double)by_luck / HELD_OUT_EXAMPLES);
    return GENAIR_OK;
}

/* ---- the run ---- */

static genair_code prepare(struct run *r, const char *directory, int n_threads) {
    genair_code code = parallel_create(n_threads, &r->parallel, &r->status);
    if (code == GENAIR_OK) code = inventory_open(directory, &r->inventory, &r->status);
    if (code != GENAIR_OK) return code;
    r->kernels = kernels_select(NULL);
    r->vocabulary = pieces_create();
    if (!r->vocabulary || !tape_init(&r->tape, r->parallel, r->kernels, SEED)) return fail_memory(&r->status);
    code = learn_vocabulary(r);
    const struct adam_options adam = {.rate = RATE, .beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-8};
    if (code == GENAIR_OK) code = parameters_create(&adam, r->parallel, r->kernels, &r->parameters, &r->status);
    if (code != GENAIR_OK) return code;
    const struct network_sizes sizes = {.vocabulary = pieces_size(r->vocabulary), .hidden = HIDDEN, .n_layers = LAYERS,
                                        .n_heads = HEADS, .ffn = FFN, .context = CONTEXT, .rope_base = 10000,
                                        .norm_eps = 1e-5f};
    code = network_init(&r->network, &sizes, r->parameters, SEED, &r->status);
    return code == GENAIR_OK ? start_embedding(r) : code;
}

static genair_code train(struct run *r, uint64_t n_steps, const char *path) {
    const double start = context_seconds();
    uint64_t n_tokens = 0;
    double sum = 0;
    for (uint64_t step = 0; step < n_steps; step++) {
        double loss;
        genair_code code = train_step(r, step, n_steps, &loss);
        if (code != GENAIR_OK) return code;
        n_tokens += r->batch.tokens.n;
        sum += loss;
        if ((step + 1) % REPORT_EVERY == 0) {
            const double seconds = context_seconds() - start;
            printf("step %llu: loss %.4f, %.2f M tokens, %.0f tokens/s, %.1f GFLOP/s\n", (unsigned long long)step + 1,
                   sum / REPORT_EVERY, (double)n_tokens * 1e-6, (double)n_tokens / seconds, r->tape.flops / seconds * 1e-9);
            fflush(stdout);
            sum = 0;
        }
        if ((step + 1) % SAVE_EVERY == 0 || step + 1 == n_steps) {
            code = network_write(&r->network, r->vocabulary, path, &r->status);
            if (code == GENAIR_OK) code = print_samples(r);
            if (code != GENAIR_OK) return code;
        }
    }
    return measure(r);
}

static void release(struct run *r) {
    mem_free(r->batch.tokens.at);
    mem_free(r->batch.rows.at);
    mem_free(r->batch.targets.at);
    mem_free(r->batch.weights);
    mem_free(r->sequence.at);
    if (r->tape.arena) tape_deinit(&r->tape);
    parameters_free(r->parameters);
    pieces_free(r->vocabulary);
    inventory_close(r->inventory);
    parallel_free(r->parallel);
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 5) {
        fprintf(stderr, "usage: %s INVENTORY OUT.gguf [STEPS [THREADS]]\n", argv[0]);
        return 2;
    }
    const int n_threads = argc > 4 ? atoi(argv[4]) : 1;
    const long n_steps = argc > 3 ? atol(argv[3]) : DEFAULT_STEPS;
    struct run r = {0};
    genair_code code = prepare(&r, argv[1], n_threads > 0 ? n_threads : 1);
    if (code == GENAIR_OK) {
        printf("%llu parameters, vocabulary %zu\n", (unsigned long long)parameters_values(r.parameters),
               pieces_size(r.vocabulary));
        code = train(&r, n_steps > 0 ? (uint64_t)n_steps : 1, argv[2]);
    }
    if (code != GENAIR_OK) {
        char line[2048];
        genair_status_text(&r.status, line, sizeof line);
        fprintf(stderr, "%s: %s\n", argv[0], line);
    }
    release(&r);
    return code == GENAIR_OK ? 0 : 1;
}
