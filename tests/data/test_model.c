/* SPDX-License-Identifier: Apache-2.0 */
/* The making of the bundled language model: test_model DIRECTORY-OF-THE-INVENTORY */
#include "compose.h"
#include "network.h"
#include "pieces.h"

#include "base/alloc.h"
#include "base/size.h"
#include "lm/tokenizer.h"
#include "lm/weights.h"
#include "support/scratch.h"

#include <math.h>
#include <string.h>

enum { N_EXAMPLES = 400, N_TOKENS = 600, HIDDEN = 32 };

static const char *directory;

static struct inventory *open_inventory(void) {
    struct inventory *inventory = NULL;
    genair_status st = {0};
    if (inventory_open(directory, &inventory, &st) != GENAIR_OK) fail_msg("%s:%ld: %s", st.file, (long)st.line, st.message);
    return inventory;
}

static void test_examples(void **state) {
    (void)state;
    static const char beginning[] = "You are a helpful recommendation expert. Based on the following attributes, ";
    static struct example e, again;
    struct inventory *inventory = open_inventory();
    assert_true(inventory->n_kinds >= 300);
    for (uint64_t i = 0; i < N_EXAMPLES; i++) {
        const enum kept which = i % 2 ? HELD_OUT : KEPT_IN;
        compose(inventory, 7, i, which, &e);
        compose(inventory, 7, i, which, &again);
        assert_string_equal(e.prompt, again.prompt);
        assert_string_equal(e.answer, again.answer);
        assert_int_equal(kind_is_held_out(inventory, e.kind), which == HELD_OUT);
        assert_memory_equal(e.prompt, beginning, strlen(beginning));
        assert_memory_equal(e.prompt + e.n_fixed, "The ", 4);
        assert_int_equal(e.prompt[strlen(e.prompt) - 1], '?');
        assert_true(names_audience(e.answer, e.kind));
        assert_null(strpbrk(e.answer, "{}~|"));
        assert_null(strpbrk(e.prompt, "{}~"));
    }
    inventory_close(inventory);
}

static void test_audience_is_a_whole_word(void **state) {
    (void)state;
    const struct audience men = {text_of("men"), {(const struct text[]){text_of("gentle people")}, 1}, {0}};
    const struct kind kind = {.n_audiences = 1, .audiences = {&men}};
    assert_true(names_audience("For Men.", &kind));
    assert_true(names_audience("gentle people, too", &kind));
    assert_false(names_audience("For women and instruments.", &kind));
    assert_false(names_audience("", &kind));
}

static void test_broken_inventory(void **state) {
    (void)state;
    static const struct {
        const char *kinds, *message;
    } cases[] = {
        {"screw; bolt | zinc | fixing | 3-25 | machinists\n", "a kind before the first department"},
        {"= A | 1 | x\nscrew | zinc | fixing | 3-25 | nobody\n", "no such audience: 'nobody'"},
        {"= A | 1 | x\nscrew | zinc | fixing | 25-3 | machinists\n", "a price range is LOW-HIGH: '25-3'"},
        {"= A | 1 | x\nscrew | zinc | fixing | 3-25\n", "a kind has five fields"},
    };
    char *audiences = scratch_path("audiences.txt"), *kinds = scratch_path("kinds.txt");
    scratch_write(audiences, "machinists | a; b | c\n", 22);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct inventory *inventory = NULL;
        genair_status st = {0};
        scratch_write(kinds, cases[i].kinds, strlen(cases[i].kinds));
        assert_int_equal(inventory_open(scratch_directory, &inventory, &st), GENAIR_FORMAT);
        assert_int_equal(st.line, cases[i].kinds[0] == '=' ? 2 : 1);
        assert_non_null(strstr(st.message, cases[i].message));
    }
    mem_free(audiences);
    mem_free(kinds);
}

/* ---- the vocabulary ---- */

static struct pieces *learn(void) {
    static struct example e;
    struct inventory *inventory = open_inventory();
    struct pieces *v = pieces_create();
    assert_non_null(v);
    for (uint64_t i = 0; i < 30; i++) {
        compose(inventory, 7, i, KEPT_IN, &e);
        assert_int_equal(pieces_count(v, text_of(e.prompt), NULL), GENAIR_OK);
        assert_int_equal(pieces_count(v, text_of(e.answer), NULL), GENAIR_OK);
    }
    assert_int_equal(pieces_learn(v, N_TOKENS, NULL), GENAIR_OK);
    inventory_close(inventory);
    assert_int_equal(pieces_size(v), N_TOKENS);
    return v;
}

static uint32_t find_piece(const struct pieces *v, const char *p, size_t n) {
    for (uint32_t i = TOKEN_FIRST_PIECE; i < pieces_size(v); i++) {
        const struct text piece = pieces_text(v, i);
        if (piece.n == n && memcmp(piece.p, p, n) == 0) return i;
    }
    return UINT32_MAX;
}

/* The definition: over the whole text at once, the best pair is joined until no pair makes a token. marked: the text
 * with U+2581 for its spaces. */
static size_t cut_plainly(const struct pieces *v, const char *marked, uint32_t *ids) {
    size_t start[512], n = 0;
    const size_t n_bytes = strlen(marked);
    for (size_t i = 0; i < n_bytes; i++)
        if ((marked[i] & 0xC0) != 0x80) start[n++] = i;
    start[n] = n_bytes;
    for (;;) {
        size_t place = 0;
        uint32_t best = UINT32_MAX;
        for (size_t i = 0; i + 1 < n; i++) {
            const uint32_t id = find_piece(v, marked + start[i], start[i + 2] - start[i]);
            if (id < best) {
                best = id;
                place = i;
            }
        }
        if (best == UINT32_MAX) break;
        memmove(start + place + 1, start + place + 2, (n - place - 1) * sizeof *start);
        n--;
    }
    for (size_t i = 0; i < n; i++) ids[i] = find_piece(v, marked + start[i], start[i + 1] - start[i]);
    return n;
}

#define MARK "\xE2\x96\x81"

static void test_vocabulary(void **state) {
    (void)state;
    static const char *const texts[] = {"This item would appeal to machinists, students and makers.", "M6 x 1/4\"-20  (Pack of 50)",
                                        "SUPCO SPP6 Relay/Capacitor", " ", "a  b ", "price is 12.99. The"};
    struct pieces *v = learn();
    for (size_t i = 0; i < COUNT(texts); i++) {
        char marked[512];
        size_t n_bytes = (size_t)snprintf(marked, sizeof marked, "%s", MARK);
        for (const char *c = texts[i]; *c; c++)
            n_bytes += (size_t)snprintf(marked + n_bytes, sizeof marked - n_bytes, "%.*s", *c == ' ' ? 3 : 1,
                                        *c == ' ' ? MARK : c);
        uint32_t want[512];
        const size_t n = cut_plainly(v, marked, want);
        struct ids ids = {0};
        assert_int_equal(pieces_encode(v, text_of(texts[i]), true, &ids, NULL), GENAIR_OK);
        assert_int_equal(ids.n, n);
        assert_memory_equal(ids.at, want, n * sizeof *want);
        mem_free(ids.at);
    }
    struct ids ids = {0};
    assert_int_equal(pieces_encode(v, text_of("\xC3\xA9\n"), false, &ids, NULL), GENAIR_OK);
    assert_int_equal(ids.n, 3);
    assert_int_equal(ids.at[0], TOKEN_FIRST_BYTE + 0xC3);
    assert_int_equal(ids.at[2], TOKEN_FIRST_BYTE + '\n');
    mem_free(ids.at);
    pieces_free(v);
}

/* ---- the network ---- */

/* The engine's tokenizer, from the file, cuts texts as the training did. */
static void expect_same_tokens(const struct gguf *g, struct pieces *v) {
    static struct example e;
    struct inventory *inventory = open_inventory();
    struct tokenizer *tokenizer = NULL;
    uint32_t begin = 0;
    genair_status st = {0};
    if (tokenizer_open_gguf(g, N_TOKENS, &tokenizer, &st) != GENAIR_OK) fail_msg("%s", st.message);
    assert_true(tokenizer_begin(tokenizer, &begin));
    assert_int_equal(begin, TOKEN_BEGIN);
    assert_int_equal(tokenizer_chat_format(tokenizer), CHAT_NONE);
    for (uint64_t i = 0; i < 40; i++) {
        struct ids want = {0};
        struct tokens got = {0};
        compose(inventory, 9, i, HELD_OUT, &e);
        assert_int_equal(pieces_encode(v, text_of(e.prompt), true, &want, NULL), GENAIR_OK);
        assert_int_equal(tokenizer_encode(tokenizer, text_of(e.prompt), &got, NULL), GENAIR_OK);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.ids, want.at, want.n * sizeof *want.at);
        mem_free(want.at);
        tokens_free(&got);
    }
    tokenizer_free(tokenizer);
    inventory_close(inventory);
}

static void test_network(void **state) {
    (void)state;
    struct pieces *v = learn();
    struct parallel *parallel = NULL;
    struct parameters *parameters = NULL;
    struct network n;
    struct tape t;
    const struct adam_options adam = {.rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    const struct network_sizes sizes = {.vocabulary = N_TOKENS, .hidden = HIDDEN, .n_layers = 2, .n_heads = 2, .ffn = 64,
                                        .context = 128, .rope_base = 10000, .norm_eps = 1e-5f};
    assert_int_equal(parallel_create(2, &parallel, NULL), GENAIR_OK);
    assert_int_equal(parameters_create(&adam, parallel, kernels_select(NULL), &parameters, NULL), GENAIR_OK);
    assert_int_equal(network_init(&n, &sizes, parameters, 1, NULL), GENAIR_OK);
    assert_true(tape_init(&t, parallel, kernels_select(NULL), 1));
    /* a sequence's states are the same bytes alone and beside another */
    static const uint32_t tokens[] = {1, 300, 301, 302, 303, 1, 400, 401};
    float alone[3 * HIDDEN];
    parameters_begin_step(parameters);
    const struct tensor *h = network_forward(&n, &t, tokens + 5, (const uint32_t[]){0, 3}, 1);
    assert_non_null(h);
    memcpy(alone, h->value, sizeof alone);
    tape_reset(&t, false, 0);
    parameters_begin_step(parameters);
    h = network_forward(&n, &t, tokens, (const uint32_t[]){0, 5, 8}, 2);
    assert_non_null(h);
    assert_memory_equal(alone, h->value + 5 * HIDDEN, sizeof alone);
    /* the file is a model that the engine's loader takes */
    char *path = scratch_path("network.gguf");
    struct lm_weights *w = NULL;
    genair_status st = {0};
    assert_int_equal(network_write(&n, v, path, &st), GENAIR_OK);
    if (lm_weights_open(path, &w, &st) != GENAIR_OK) fail_msg("%s", st.message);
    assert_int_equal(w->config.architecture, LM_LLAMA);
    assert_int_equal(w->config.n_layers, 2);
    assert_int_equal(w->config.vocabulary, N_TOKENS);
    assert_int_equal(w->config.ffn, 64);
    assert_int_equal(w->config.head_dim, HIDDEN / 2);
    assert_int_equal(w->config.n_eos, 1);
    assert_int_equal(w->config.eos[0], TOKEN_END);
    assert_true(w->tied && w->rope_pairs);
    expect_same_tokens(w->gguf, v);
    lm_weights_close(w);
    mem_free(path);
    tape_deinit(&t);
    parameters_free(parameters);
    parallel_free(parallel);
    pieces_free(v);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),         cmocka_unit_test(test_audience_is_a_whole_word),
        cmocka_unit_test(test_broken_inventory), cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_network),
    };
    if (argc != 2) return 2;
    directory = argv[1];
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
