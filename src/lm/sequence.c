/* SPDX-License-Identifier: Apache-2.0 */
#include "lm/sequence.h"

#include "base/alloc.h"
#include "base/size.h"

#include <string.h>

static genair_code check_tokens(const struct lm_config *c, const uint32_t *tokens, size_t n, genair_status *st) {
    for (size_t i = 0; i < n; i++)
        if (tokens[i] >= c->vocabulary)
            return fail(st, GENAIR_USAGE, "token %u: the model has %zu, so this tokenizer is another model's", tokens[i],
                        c->vocabulary);
    return GENAIR_OK;
}

static bool allocate(const struct lm_config *c, struct sequence *s) {
    s->tokens = mem_array(s->max_tokens, sizeof *s->tokens);
    s->prompt_sum = mem_zeros(c->hidden, sizeof(double));
    s->answer_sum = mem_zeros(c->hidden, sizeof(double));
    s->last_hidden = mem_zeros(c->hidden, sizeof(float));
    s->means = mem_zeros(2 * c->hidden, sizeof(float));
    if (s->keep_logits) s->logits = mem_zeros(c->vocabulary, sizeof(float));
    return s->tokens && s->prompt_sum && s->answer_sum && s->last_hidden && s->means && (s->logits || !s->keep_logits);
}

genair_code sequence_create(const struct lm_config *c, const struct lm_request *r, uint64_t seed, struct sequence **out,
                            genair_status *st) {
    if (r->n_prompt == 0) return fail(st, GENAIR_USAGE, "a prompt of no tokens");
    genair_code code = check_tokens(c, r->prompt, r->n_prompt, st);
    if (code == GENAIR_OK && r->forced) code = check_tokens(c, r->forced, r->n_forced, st);
    if (code != GENAIR_OK) return code;
    struct sequence *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    /* the token after the last position that fits is known, and not fed */
    const size_t room = r->n_prompt <= c->context ? c->context - r->n_prompt + 1 : 0;
    const size_t n_given = r->forced ? r->n_forced : 0;
    *s = (struct sequence){.id = r->id, .n_prompt = r->n_prompt, .forced = r->forced != NULL, .keep_logits = r->keep_logits,
                           .n_tokens = r->n_prompt + n_given, .rng = rng_start(seed, RNG_GENERATE, r->stream)};
    s->cut = r->max_new > room;
    s->max_tokens = r->n_prompt + (r->forced ? n_given : min_size(r->max_new, room));
    if (!allocate(c, s)) {
        sequence_free(s);
        return fail_memory(st);
    }
    memcpy(s->tokens, r->prompt, r->n_prompt * sizeof *s->tokens);
    if (n_given) memcpy(s->tokens + r->n_prompt, r->forced, n_given * sizeof *s->tokens);
    *out = s;
    return GENAIR_OK;
}

void sequence_free(struct sequence *s) {
    if (!s) return;
    kv_free(&s->kv);
    mem_free(s->tokens);
    mem_free(s->prompt_sum);
    mem_free(s->answer_sum);
    mem_free(s->last_hidden);
    mem_free(s->means);
    mem_free(s->logits);
    mem_free(s);
}

size_t sequence_positions(const struct lm_config *c, const struct sequence *s) {
    return min_size(s->max_tokens, c->context);
}

void sequence_pool(const struct lm_config *c, struct sequence *s, const float *hidden, size_t stride, size_t n) {
    for (; n; n--, hidden += stride, s->n_fed++) {
        double *sum = s->n_fed < s->n_prompt ? s->prompt_sum : s->answer_sum;
        for (size_t i = 0; i < c->hidden; i++) sum[i] += (double)hidden[i];
        if (s->n_fed + 1 == s->n_prompt) memcpy(s->last_hidden, hidden, c->hidden * sizeof *hidden);
    }
}

struct answer sequence_answer(const struct lm_config *c, struct sequence *s, enum finish finish) {
    const size_t n_answered = s->n_fed > s->n_prompt ? s->n_fed - s->n_prompt : 0;
    struct answer a = {.id = s->id, .tokens = s->tokens + s->n_prompt, .n = s->n_tokens - s->n_prompt, .n_prompt = s->n_prompt,
                       .n_prefix = s->n_prefix, .finish = finish, .last_logits = s->logits, .n_fed = n_answered};
    if (s->n_fed < s->n_prompt) {
        a.n = 0;
        a.last_logits = NULL;
        return a;
    }
    for (size_t i = 0; i < c->hidden; i++) {
        s->means[i] = (float)(s->prompt_sum[i] / (double)s->n_prompt);
        s->means[c->hidden + i] = n_answered ? (float)(s->answer_sum[i] / (double)n_answered) : s->last_hidden[i];
    }
    a.prefill = s->means;
    a.decoding = s->means + c->hidden;
    return a;
}
