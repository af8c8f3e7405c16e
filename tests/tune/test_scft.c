/* SPDX-License-Identifier: Apache-2.0 */
/* The fine-tuning of a language model with the bundled one: test_scft MODEL.gguf */
#include "tune/scft.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "genair.h"
#include "lm/engine.h"
#include "tune/adapter_file.h"
#include "workspace/npy.h"
#include "workspace/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "support/scratch.h"

#include <cmocka.h>

enum { N_ITEMS = 24, N_WORDS = 6 };
static const char *model_path;

static void ok(genair_code code, const genair_status *st) {
    if (code != GENAIR_OK) fail_msg("%s: %s", st->file, st->message);
}

/* A catalogue of kinds, makers and colours; every item twice in the log. last: the colour of the last one. */
static char *make_workspace_of(const char *name, const char *last) {
    static const char *const kinds[N_WORDS] = {"soap", "comb", "lamp", "rope", "chair", "knife"};
    static const char *const makers[N_WORDS] = {"Adler", "Brand", "Celik", "Dorn", "Elm", "Falk"};
    static const char *const colours[N_WORDS] = {"red", "blue", "green", "white", "black", "grey"};
    char log[N_ITEMS * 64] = "user_id\titem_id\ttimestamp\n", items[N_ITEMS * 256] = "", file[64];
    for (int i = 0; i < N_ITEMS; i++) {
        snprintf(log + strlen(log), sizeof log - strlen(log), "u1\ti%d\t%d\nu2\ti%d\t%d\n", i, i, i, N_ITEMS - i);
        snprintf(items + strlen(items), sizeof items - strlen(items),
                 "{\"item_id\": \"i%d\", \"title\": \"%s %s\", \"brand\": \"%s\", \"color\": \"%s\", \"size\": \"%d cm\"}\n", i,
                 kinds[i % N_WORDS], makers[i / 4], makers[i / 4], i + 1 < N_ITEMS ? colours[(i / 6 + i) % N_WORDS] : last, 3 + i);
    }
    char *workspace = scratch_path(name);
    snprintf(file, sizeof file, "%s.tsv", name);
    char *log_path = scratch_path(file);
    snprintf(file, sizeof file, "%s.jsonl", name);
    char *items_path = scratch_path(file);
    scratch_write(log_path, log, strlen(log));
    scratch_write(items_path, items, strlen(items));
    genair_context *ctx;
    genair_options *o;
    genair_status st = {0};
    ok(genair_context_create(1, NULL, NULL, &ctx, &st), &st);
    ok(genair_options_create("prepare", &o, &st), &st);
    const char *const values[][2] = {{"workspace", workspace}, {"interactions", log_path}, {"items", items_path},
                                     {"user-core", "1"}, {"item-core", "1"}};
    for (size_t i = 0; i < COUNT(values); i++) ok(genair_options_set(o, values[i][0], values[i][1], &st), &st);
    ok(genair_prepare(ctx, o, NULL, &st), &st);
    genair_options_free(o);
    genair_context_free(ctx);
    mem_free(log_path);
    mem_free(items_path);
    return workspace;
}

static char *make_workspace(const char *name) {
    return make_workspace_of(name, "green");
}

struct call {
    int threads;
    const char *values[8][2]; /* options, ends with NULL */
    int stop_after;           /* steps; 0: not at all */
    genair_context *ctx;
};

static void count_steps(void *user, genair_log_level level, const char *line) {
    struct call *c = user;
    if (level == GENAIR_LOG_PROGRESS && strstr(line, "fine-tuning") && c->stop_after && --c->stop_after == 0)
        genair_context_stop(c->ctx);
}

static genair_code make(const char *workspace, struct call *c, genair_status *st) {
    genair_options *o;
    struct workspace *w;
    ok(genair_context_create(c->threads ? c->threads : 1, count_steps, c, &c->ctx, st), st);
    ok(genair_options_create("train", &o, st), st);
    ok(genair_options_set(o, "model", model_path, st), st);
    ok(genair_options_set(o, "scft-batch", "8", st), st);
    for (size_t i = 0; c->values[i][0]; i++) ok(genair_options_set(o, c->values[i][0], c->values[i][1], st), st);
    ok(workspace_open(NULL, workspace, "train", false, &w, st), st);
    const genair_code code = scft_make(c->ctx, o, w, st);
    workspace_close(w);
    genair_options_free(o);
    genair_context_free(c->ctx);
    return code;
}

static char *file_of(const char *workspace, const char *name, size_t *n) {
    char *path = path_join(workspace, name), *data = NULL;
    genair_status st = {0};
    ok(file_read(path, 1 << 26, &data, n, &st), &st);
    mem_free(path);
    return data;
}

static void expect_same_file(const char *a, const char *b, const char *name) {
    size_t n, m;
    char *one = file_of(a, name, &n), *two = file_of(b, name, &m);
    assert_int_equal(n, m);
    if (memcmp(one, two, n) != 0) fail_msg("%s differs between %s and %s", name, a, b);
    mem_free(one);
    mem_free(two);
}

/* Without a step the vectors are those of the model: whatever the adapters' scale, and as the engine has them. */
static void no_steps_change_nothing(void **state) {
    (void)state;
    char *one = make_workspace("none"), *two = make_workspace("scaled");
    genair_status st = {0};
    struct call plain = {.values = {{"scft-steps", "0"}}}, scaled = {.values = {{"scft-steps", "0"}, {"scft-lora-alpha", "5"}}};
    ok(make(one, &plain, &st), &st);
    ok(make(two, &scaled, &st), &st);
    expect_same_file(one, two, SCFT_VECTORS);

    struct lm_weights *w;
    struct tokenizer *t;
    struct catalogue c;
    struct engine *e;
    genair_context *ctx;
    struct view v = {0};
    struct tokens tokens = {0};
    json_t *record;
    char *path = path_join(one, SCFT_VECTORS);
    struct npy *vectors;
    ok(genair_context_create(1, NULL, NULL, &ctx, &st), &st);
    ok(lm_weights_open(model_path, &w, &st), &st);
    ok(tokenizer_open(w, &t, &st), &st);
    ok(catalogue_open(one, &c, &st), &st);
    ok(engine_create(ctx, w, &(struct engine_options){.n_slots = 1, .chunk = 256, .kv_bytes = 1 << 26,
                                                      .arithmetic = ENGINE_FLOAT32}, &e, &st), &st);
    ok(npy_open(path, &vectors, &st), &st);
    assert_int_equal(vectors->shape[0], N_ITEMS);
    const size_t d = vectors->shape[1];
    float *row = mem_array(d, sizeof *row);
    for (uint32_t item = 1; item <= N_ITEMS; item += 7) {
        ok(catalogue_record(&c, item, &record, &st), &st);
        ok(view_whole(&v, record, &(struct view_style){"item", 100, 0, 0}, &st), &st);
        json_decref(record);
        tokens.n = 0;
        ok(tokenizer_encode(t, (struct text){v.text, v.n}, &tokens, &st), &st);
        ok(tokens_push(&tokens, w->config.eos[0], &st), &st);
        float *states = mem_array(tokens.n * d, sizeof *states);
        ok(engine_states(e, tokens.ids, tokens.n, states, NULL, &st), &st);
        npy_row_f32(vectors, item - 1, row);
        for (size_t k = 0; k < d; k++) {
            double mean = 0;
            for (size_t i = 0; i < tokens.n; i++) mean += (double)states[i * d + k] / (double)tokens.n;
            assert_true(fabs(mean - (double)row[k]) < 1e-5);
        }
        mem_free(states);
    }
    mem_free(row);
    npy_close(vectors);
    engine_free(e);
    catalogue_close(&c);
    tokenizer_free(t);
    lm_weights_close(w);
    genair_context_free(ctx);
    tokens_free(&tokens);
    view_deinit(&v);
    mem_free(path);
    mem_free(one);
    mem_free(two);
}

#define SHORT {"scft-steps", "7"}, {"scft-lr", "2e-3"}

static void same_bytes_however_it_is_run(void **state) {
    (void)state;
    char *one = make_workspace("one"), *three = make_workspace("three"), *stopped = make_workspace("stopped");
    genair_status st = {0};
    struct call plain = {.values = {SHORT}}, threads = {.threads = 3, .values = {SHORT}},
                stop = {.values = {SHORT}, .stop_after = 1}, other = {.values = {SHORT, {"seed", "45"}}};
    ok(make(one, &plain, &st), &st);
    ok(make(three, &threads, &st), &st);
    assert_int_equal(make(stopped, &stop, &st), GENAIR_INTERRUPTED);
    st = (genair_status){0};
    ok(make(stopped, &plain, &st), &st);
    expect_same_file(one, three, SCFT_VECTORS);
    expect_same_file(one, stopped, SCFT_VECTORS);
    expect_same_file(one, stopped, "scft.safetensors");
    ok(make(three, &other, &st), &st); /* another seed: made again, other vectors */
    size_t n, m;
    char *a = file_of(one, SCFT_VECTORS, &n), *b = file_of(three, SCFT_VECTORS, &m);
    assert_true(n == m && memcmp(a, b, n) != 0);
    mem_free(a);
    mem_free(b);

    /* The adapters, taken from the file, give the same vectors; by PEFT's names too. */
    char *path = path_join(one, "scft.safetensors");
    struct call given = {.values = {{"scft-adapter", path}}};
    ok(make(three, &given, &st), &st);
    expect_same_file(one, three, SCFT_VECTORS);
    mem_free(path);
    mem_free(one);
    mem_free(three);
    mem_free(stopped);
}

/* The same adapters as Hugging Face's PEFT has them: other names, q's and k's rows in halves instead of pairs. */
/* A model whose last norm is so large that its vectors overflow. */
static char *overflowing_model(void) {
    struct lm_weights *w;
    genair_status st = {0};
    size_t n;
    char *data, *path = scratch_path("overflows.gguf");
    const float large = 3e38F;
    ok(file_read(model_path, 1 << 28, &data, &n, &st), &st);
    ok(lm_weights_open(model_path, &w, &st), &st);
    assert_int_equal(w->final_norm.type, LM_F32);
    for (size_t i = 0; i < w->final_norm.cols; i++) memcpy(data + w->final_norm.offset + i * sizeof large, &large, sizeof large);
    lm_weights_close(w);
    scratch_write(path, data, n);
    mem_free(data);
    return path;
}

static void vectors_that_are_not_finite_are_refused(void **state) {
    (void)state;
    char *workspace = make_workspace("overflows"), *model = overflowing_model(), *made = path_join(workspace, SCFT_VECTORS);
    const char *const steps[] = {"0", "2"};
    for (size_t i = 0; i < COUNT(steps); i++) {
        genair_status st = {0};
        struct call c = {.values = {{"model", model}, {"scft-steps", steps[i]}}};
        assert_int_equal(make(workspace, &c, &st), GENAIR_FORMAT);
        assert_non_null(strstr(st.message, "not finite"));
        assert_null(strstr(st.message, "--scft-lr"));
        assert_false(file_exists(made));
    }
    mem_free(workspace);
    mem_free(model);
    mem_free(made);
}

static void adapters_of_peft(void **state) {
    (void)state;
    char *one = make_workspace("ours"), *two = make_workspace("theirs"), *theirs = scratch_path("peft.safetensors");
    genair_status st = {0};
    struct call plain = {.values = {SHORT}}, given = {.values = {{"scft-adapter", theirs}}};
    ok(make(one, &plain, &st), &st);
    char *path = path_join(one, "scft.safetensors");
    struct safetensors *f;
    struct lm_weights *w;
    ok(safetensors_open(path, &f, &st), &st);
    ok(lm_weights_open(model_path, &w, &st), &st);
    static const char *const names[][2] = {{"attn_q", "self_attn.q_proj"}, {"attn_k", "self_attn.k_proj"},
                                           {"attn_v", "self_attn.v_proj"}, {"attn_output", "self_attn.o_proj"},
                                           {"ffn_gate", "mlp.gate_proj"}, {"ffn_up", "mlp.up_proj"},
                                           {"ffn_down", "mlp.down_proj"}};
    static char full[64][96];
    struct safetensor out[64];
    float *turned[64] = {0};
    size_t n = 0;
    for (size_t l = 0; l < w->config.n_layers; l++)
        for (size_t i = 0; i < 2 * COUNT(names); i++, n++) {
            char ours[64];
            snprintf(ours, sizeof ours, "blk.%zu.%s.lora_%c", l, names[i / 2][0], i % 2 ? 'b' : 'a');
            snprintf(full[n], sizeof full[n], "base_model.model.model.layers.%zu.%s.lora_%c.weight", l, names[i / 2][1],
                     i % 2 ? 'B' : 'A');
            out[n] = *safetensors_find(f, ours);
            out[n].name = full[n];
            if (i != 1 && i != 3) continue;
            const size_t rows = out[n].shape[0], rank = out[n].shape[1], width = w->config.head_dim;
            const float *from = (const float *)(const void *)out[n].data;
            turned[n] = mem_array(rows * rank, sizeof(float));
            for (size_t r = 0; r < rows; r++) {
                const size_t head = r / width * width, at = r % width, pair = at % 2 ? width / 2 + at / 2 : at / 2;
                memcpy(turned[n] + (head + pair) * rank, from + r * rank, rank * sizeof(float));
            }
            out[n].data = (const unsigned char *)turned[n];
        }
    ok(safetensors_write(theirs, n, out, 0, NULL, NULL, &st), &st);
    lm_weights_close(w);
    ok(make(two, &given, &st), &st);
    expect_same_file(one, two, SCFT_VECTORS);

    /* one of a deeper model */
    out[n] = out[0];
    out[n].name = "base_model.model.model.layers.99.self_attn.q_proj.lora_A.weight";
    ok(safetensors_write(theirs, n + 1, out, 0, NULL, NULL, &st), &st);
    assert_int_equal(make(two, &given, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "layers.99.self_attn.q_proj.lora_A.weight\" adapts nothing of this model"));

    /* One is missing; a file of something else. */
    st = (genair_status){0};
    ok(safetensors_write(theirs, n - 1, out, 0, NULL, NULL, &st), &st);
    assert_int_equal(make(two, &given, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "all seven projections"));
    st = (genair_status){0};
    ok(safetensors_write(theirs, 1, out + 2, 0, NULL, NULL, &st), &st);
    assert_int_equal(make(two, &given, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "holds no adapters"));
    for (size_t i = 0; i < n; i++) mem_free(turned[i]);
    safetensors_close(f);
    mem_free(path);
    mem_free(theirs);
    mem_free(one);
    mem_free(two);
}

/* ---- what it learns ---- */

static double cosine(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Mean cosine of two views of one item, less that of views of two items; views that the tuning does not see. */
static double margin(struct tuning *t) {
    const size_t d = t->weights->config.hidden;
    float *vectors = mem_array(2 * N_ITEMS * d, sizeof *vectors);
    struct tokens tokens = {0};
    uint32_t offsets[2 * N_ITEMS + 1] = {0};
    struct view v = {0};
    double same = 0, different = 0;
    for (uint32_t i = 0; i < 2 * N_ITEMS; i++) {
        json_t *record;
        assert_int_equal(catalogue_record(t->catalogue, i % N_ITEMS + 1, &record, NULL), GENAIR_OK);
        assert_int_equal(view_part(&v, record, &t->options->style, 1000000 + i, NULL), GENAIR_OK);
        json_decref(record);
        assert_int_equal(tokenizer_encode(t->tokenizer, (struct text){v.text, v.n}, &tokens, NULL), GENAIR_OK);
        offsets[i + 1] = (uint32_t)tokens.n;
    }
    assert_int_equal(adapted_encode(t->model, &(struct sequences){tokens.ids, offsets, 2 * N_ITEMS}, POOL_MEAN, vectors, NULL),
                     GENAIR_OK);
    for (size_t i = 0; i < N_ITEMS; i++)
        for (size_t j = 0; j < N_ITEMS; j++)
            *(i == j ? &same : &different) += cosine(vectors + i * d, vectors + (N_ITEMS + j) * d, d);
    mem_free(vectors);
    tokens_free(&tokens);
    view_deinit(&v);
    return same / N_ITEMS - different / (N_ITEMS * (N_ITEMS - 1));
}

struct opened {
    genair_context *ctx;
    struct lm_weights *weights;
    struct tokenizer *tokenizer;
    struct catalogue catalogue;
    struct tuning tuning;
};

/* cold: items of that name are; NULL: none. */
static void open_tuning(struct opened *o, const char *workspace, const struct tuning_options *options, const char *cold) {
    static uint8_t is_cold[N_ITEMS + 1];
    uint32_t item = 0;
    genair_status st = {0};
    ok(genair_context_create(1, NULL, NULL, &o->ctx, &st), &st);
    ok(lm_weights_open(model_path, &o->weights, &st), &st);
    ok(tokenizer_open(o->weights, &o->tokenizer, &st), &st);
    ok(catalogue_open(workspace, &o->catalogue, &st), &st);
    if (cold) ok(catalogue_item(&o->catalogue, cold, &item, &st), &st);
    memset(is_cold, 0, sizeof is_cold);
    is_cold[item] = cold != NULL;
    o->catalogue.data->cold = is_cold;
    ok(tuning_open(o->ctx, options, o->weights, o->tokenizer, &o->catalogue, &o->tuning, &st), &st);
}

static void close_tuning(struct opened *o) {
    tuning_close(&o->tuning);
    catalogue_close(&o->catalogue);
    tokenizer_free(o->tokenizer);
    lm_weights_close(o->weights);
    genair_context_free(o->ctx);
}

/* Of two epochs: what a cold item's text says makes no difference. */
static void cold_items_are_not_learnt_from(void **state) {
    (void)state;
    double loss[2];
    for (int i = 0; i < 2; i++) {
        char *workspace = make_workspace_of(i ? "other" : "one", i ? "a colour that nobody has" : "green");
        const struct tuning_options options = {.style = {"item", 100, 0, 44}, .adapters = {.rank = 2, .alpha = 8}, .pooling = POOL_MEAN,
                                               .rate = 2e-3, .tau = 3, .steps = 6, .batch = 8, .directory = workspace};
        struct opened o;
        genair_status st = {0};
        open_tuning(&o, workspace, &options, "i23");
        ok(tuning_run(&o.tuning, &st), &st);
        loss[i] = o.tuning.last_loss;
        close_tuning(&o);
        mem_free(workspace);
    }
    assert_true(loss[0] == loss[1]);
}

static void items_move_apart(void **state) {
    (void)state;
    char *workspace = make_workspace("margin");
    for (int form = CONTRAST_SOFT; form <= CONTRAST_INFONCE; form++) {
        struct opened o;
        genair_status st = {0};
        const struct tuning_options options = {
            .style = {"item", 100, 0.4, 44}, .adapters = {.rank = 8, .alpha = 32, .dropout = 0.1}, .pooling = POOL_MEAN,
            .form = (enum contrast_form)form, .rate = 2e-3, .tau = form == CONTRAST_SOFT ? 3 : 0.1, .steps = 120, .batch = 12,
            .directory = workspace};
        open_tuning(&o, workspace, &options, NULL);
        const double before = margin(&o.tuning);
        ok(tuning_run(&o.tuning, &st), &st);
        const double after = margin(&o.tuning);
        print_message("form %d: margin %.4f -> %.4f, loss %.4f -> %.4f, tau %.4f\n", form, before, after, o.tuning.first_loss,
                      o.tuning.last_loss, (double)o.tuning.tau->value[0]);
        assert_true(after > 2 * before);
        close_tuning(&o);
    }
    mem_free(workspace);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_steps_change_nothing), cmocka_unit_test(same_bytes_however_it_is_run),
                                       cmocka_unit_test(vectors_that_are_not_finite_are_refused), cmocka_unit_test(adapters_of_peft),
                                       cmocka_unit_test(items_move_apart), cmocka_unit_test(cold_items_are_not_learnt_from)};
    if (argc < 2) return 2;
    model_path = argv[1];
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
