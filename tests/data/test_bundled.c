/* SPDX-License-Identifier: Apache-2.0 */
/* The bundled model as users have it, through the engine: test_bundled DIRECTORY-OF-THE-INVENTORY MODEL.gguf
 *
 * It has not seen the product kinds asked for; docs/model.md has the rule and the rate, of which half is required here. */
#include "compose.h"

#include "base/alloc.h"
#include "lm/engine.h"
#include "lm/tokenizer.h"
#include "support/scratch.h"

#include <string.h>

enum { N_ITEMS = 60, LEAST_RIGHT = 19, MOST_NEW = 30, SEED = 3 };

static char **arguments;

struct exchange {
    struct tokenizer *tokenizer;
    struct tokens prompts[N_ITEMS];
    const struct kind *kinds[N_ITEMS];
    size_t n_asked, n_right, n_answers;
};

static bool ask(void *user, struct lm_request *out) {
    struct exchange *x = user;
    if (x->n_asked == N_ITEMS) return false;
    const struct tokens *prompt = &x->prompts[x->n_asked];
    *out = (struct lm_request){.id = x->n_asked++, .prompt = prompt->ids, .n_prompt = prompt->n, .max_new = MOST_NEW};
    return true;
}

static genair_code hear(void *user, const struct answer *a, genair_status *st) {
    struct exchange *x = user;
    char *text = NULL;
    size_t n;
    const genair_code code = tokenizer_decode(x->tokenizer, a->tokens, a->n, true, &text, &n, st);
    if (code != GENAIR_OK) return code;
    x->n_answers++;
    if (names_audience(text, x->kinds[a->id]))
        x->n_right++;
    else
        print_message("%.*s: %s\n", (int)x->kinds[a->id]->names.at[0].n, x->kinds[a->id]->names.at[0].p, text);
    mem_free(text);
    return GENAIR_OK;
}

static void test_held_out_kinds(void **state) {
    (void)state;
    static struct exchange x;
    static struct example e;
    struct inventory *inventory = NULL;
    struct lm_weights *weights = NULL;
    struct engine *engine = NULL;
    genair_context *ctx = NULL;
    genair_status st = {0};
    const struct engine_options options = {.n_slots = 16, .kv_bytes = 64 << 20, .chunk = 256};
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, &st), GENAIR_OK);
    assert_int_equal(inventory_open(arguments[1], &inventory, &st), GENAIR_OK);
    if (lm_weights_open(arguments[2], &weights, &st) != GENAIR_OK ||
        tokenizer_open_gguf(weights->gguf, weights->config.vocabulary, &x.tokenizer, &st) != GENAIR_OK ||
        engine_create(ctx, weights, &options, &engine, &st) != GENAIR_OK)
        fail_msg("%s", st.message);
    for (uint64_t i = 0; i < N_ITEMS; i++) {
        compose(inventory, SEED, i, HELD_OUT, &e);
        x.kinds[i] = e.kind;
        assert_int_equal(chat_encode(x.tokenizer, tokenizer_chat_format(x.tokenizer), (struct text){0}, text_of(e.prompt),
                                     &x.prompts[i], &st), GENAIR_OK);
    }
    if (engine_run(engine, NULL, 0, &(struct sampling){.greedy = true, .temperature = 1, .top_p = 1, .repetition_penalty = 1},
                   ask, hear, &x, NULL, &st) != GENAIR_OK)
        fail_msg("%s", st.message);
    print_message("%zu of %d answers name an audience of the kind\n", x.n_right, N_ITEMS);
    assert_int_equal(x.n_answers, N_ITEMS);
    assert_true(x.n_right >= LEAST_RIGHT);
    for (size_t i = 0; i < N_ITEMS; i++) tokens_free(&x.prompts[i]);
    engine_free(engine);
    tokenizer_free(x.tokenizer);
    lm_weights_close(weights);
    inventory_close(inventory);
    genair_context_free(ctx);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_held_out_kinds)};
    if (argc != 3) return 2;
    arguments = argv;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
