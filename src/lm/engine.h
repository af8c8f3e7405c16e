/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads prompts and writes answers with a language model, many at once, pooling hidden states as it goes.
 *
 * Offline, throughput first: a common prefix is read once, a finished sequence's place is refilled at once, one step
 * reads the weights once for all sequences. What a sequence gets (tokens, vectors) are the same bytes whatever else is in
 * the batch, for any number of threads, slots and chunk sizes. One thread at a time. */
#ifndef GENAIR_LM_ENGINE_H
#define GENAIR_LM_ENGINE_H

#include "base/context.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "lm/matrix.h"
#include "lm/weights.h"

struct engine;

/* Arithmetic of products with quantised weights: integers with activations in 8 bits, or float32. Weights of F32, F16 and
 * BF16 are always multiplied in float32. */
enum engine_arithmetic { ENGINE_INT8, ENGINE_FLOAT32 };

struct engine_options {
    size_t n_slots;        /* sequences at once */
    uint64_t kv_bytes;     /* budget of keys and values; slots are left empty when it is spent */
    bool one_always;       /* a sequence that does not fit the budget runs alone */
    size_t chunk;          /* prompt tokens in one step over all sequences */
    enum engine_arithmetic arithmetic;
    const struct kernels *kernels; /* NULL: the best */
    lm_reader *read;               /* where weights come from, with source; NULL: lm_weights_read */
    const void *source;
};

/* How an answer is drawn, in this order: repetition penalty over the prompt's and answer's tokens, temperature, top-p.
 * greedy: the penalty, then the largest, ties to the lowest token. */
struct sampling {
    bool greedy;
    float temperature, top_p, repetition_penalty;
    uint64_t seed;
};

/* END: the model's own end (or all forced tokens were fed); LENGTH: max_new; CONTEXT: the model's longest sequence is full;
 * EMPTY: nothing before the end. */
enum finish { FINISH_END, FINISH_LENGTH, FINISH_CONTEXT, FINISH_EMPTY, N_FINISHES };
extern const char *const finish_names[N_FINISHES];

struct lm_request {
    uint64_t id;              /* of the caller */
    uint64_t stream;          /* random stream: the text depends on (seed, stream) and the prompt alone */
    const uint32_t *prompt;   /* [n_prompt], n_prompt >= 1; the engine copies it */
    size_t n_prompt;
    size_t max_new;           /* tokens at most */
    const uint32_t *forced;   /* [n_forced] tokens given instead of drawn, or NULL: an answer written elsewhere; all are fed */
    size_t n_forced;
    bool keep_logits;         /* last_logits are asked for */
};

struct answer {
    uint64_t id;
    const uint32_t *tokens;  /* [n], without the end token; borrowed during the call */
    size_t n;
    size_t n_prompt, n_prefix; /* prompt tokens; of them, taken from the cached prefix */
    enum finish finish;
    const float *prefill;    /* [hidden] mean over the prompt's hidden states (eq. 6); NULL, and decoding too, when the
                              * prompt alone is longer than the context: finish CONTEXT, n 0 */
    const float *decoding;   /* [hidden] mean over the tokens that were fed back; the last prompt position's if none was */
    const float *last_logits; /* of the prompt's last position, [vocabulary]; NULL unless asked for */
    size_t n_fed;
};

/* Whether a sequence of so many tokens, prompt and answer, fits the budget; GENAIR_USAGE names both if not. */
CHECKED genair_code engine_fits(const struct lm_config *c, const struct engine_options *o, size_t n_tokens, genair_status *st);

/* Reads and repacks all weights: w is not needed afterwards. */
CHECKED genair_code engine_create(genair_context *ctx, const struct lm_weights *w, const struct engine_options *options,
                                  struct engine **out, genair_status *st);
void engine_free(struct engine *e);
uint64_t engine_weight_bytes(const struct engine *e);
uint64_t engine_kv_bytes_per_token(const struct engine *e);

/* Gives the next request; false when there is none now. Called when a slot is free. */
typedef bool engine_source(void *user, struct lm_request *out);
/* Takes an answer; a code other than GENAIR_OK ends the run with it. */
typedef genair_code engine_sink(void *user, const struct answer *a, genair_status *st);

struct engine_statistics {
    uint64_t prompt_tokens, prefix_tokens_saved, generated_tokens, steps;
    double prompt_seconds, generate_seconds; /* steps are shared out by the multiplications of each kind of token */
};

/* A sequence reserves the keys and values of its prompt and max_new (or forced) tokens; one that does not fit the budget even
 * alone is a GENAIR_USAGE that names both. The cached prefix and its copy in each sequence count too.
 * Runs until the source is dry and all answers are given, or the context is stopped (GENAIR_INTERRUPTED; answers not given
 * are lost). prefix[n_prefix]: tokens that requests may begin with; read once; a request that begins with all of them
 * starts from there. statistics may be NULL. */
CHECKED genair_code engine_run(struct engine *e, const uint32_t *prefix, size_t n_prefix, const struct sampling *sampling,
                               engine_source *source, engine_sink *sink, void *user, struct engine_statistics *statistics,
                               genair_status *st);

/* For tests and tools: hidden states [n, hidden] after the final norm and, if not NULL, logits [n, vocabulary]. */
CHECKED genair_code engine_states(struct engine *e, const uint32_t *tokens, size_t n, float *hidden, float *logits,
                                  genair_status *st);

#endif
