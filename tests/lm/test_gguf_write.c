/* SPDX-License-Identifier: Apache-2.0 */
/* Files of gguf_write.h, read back with the reader of gguf.h and the decoders of types.h. */
#include "lm/gguf_write.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"
#include "lm/gguf.h"
#include "support/scratch.h"

#include <math.h>
#include <string.h>

enum { ROWS = 7, COLS = 96, BLOCK = 32 };

/* Rows of very different sizes, one of zeros. */
static void fill(float x[ROWS * COLS]) {
    struct rng r = rng_start(1, RNG_TEST, 0);
    for (size_t i = 0; i < ROWS * COLS; i++)
        x[i] = i / COLS == 3 ? 0 : (float)(rng_normal(&r) * pow(10, (double)(i / COLS) - 5));
}

static struct gguf *write_and_open(struct gguf_writer *w, const char *name) {
    char *path = scratch_path(name);
    genair_status st = {0};
    struct gguf *g = NULL;
    if (gguf_writer_save(w, path, &st) != GENAIR_OK || gguf_open(path, &g, &st) != GENAIR_OK) fail_msg("%s", st.message);
    gguf_writer_free(w);
    mem_free(path);
    return g;
}

static void test_values(void **state) {
    (void)state;
    static const float scores[] = {0, -1.5f, 3e-9f};
    static const int32_t kinds[] = {1, -7, 6};
    const struct text words[] = {text_of("<unk>"), {"", 0}, {"a\0b", 3}};
    struct gguf_writer *w = gguf_writer_create();
    assert_non_null(w);
    gguf_put_text(w, "general.architecture", "llama");
    gguf_put_u32(w, "count", UINT32_MAX);
    gguf_put_f32(w, "epsilon", 1e-5f);
    gguf_put_bool(w, "yes", true);
    gguf_put_texts(w, "words", words, COUNT(words));
    gguf_put_f32s(w, "scores", scores, COUNT(scores));
    gguf_put_i32s(w, "kinds", kinds, COUNT(kinds));
    struct gguf *g = write_and_open(w, "values.gguf");
    uint64_t count = 0;
    double epsilon = 0, *numbers = NULL;
    bool yes = false;
    struct text text = {0}, *texts = NULL;
    size_t n = 0;
    assert_int_equal(g->version, 3);
    assert_int_equal(g->n_values, 7);
    assert_int_equal(g->n_tensors, 0);
    assert_int_equal(gguf_u64(g, "count", true, &count, NULL), GENAIR_OK);
    assert_int_equal(count, UINT32_MAX);
    assert_int_equal(gguf_f64(g, "epsilon", true, &epsilon, NULL), GENAIR_OK);
    assert_true((float)epsilon == 1e-5f);
    assert_int_equal(gguf_bool(g, "yes", true, &yes, NULL), GENAIR_OK);
    assert_true(yes);
    assert_int_equal(gguf_text(g, "general.architecture", true, &text, NULL), GENAIR_OK);
    assert_true(text_equal(text, "llama"));
    assert_int_equal(gguf_texts(g, "words", true, &texts, &n, NULL), GENAIR_OK);
    assert_int_equal(n, COUNT(words));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(texts[i].n, words[i].n);
        assert_memory_equal(texts[i].p, words[i].p, words[i].n);
    }
    mem_free(texts);
    assert_int_equal(gguf_numbers(g, "scores", true, &numbers, &n, NULL), GENAIR_OK);
    for (size_t i = 0; i < n; i++) assert_true((float)numbers[i] == scores[i]);
    mem_free(numbers);
    assert_int_equal(gguf_numbers(g, "kinds", true, &numbers, &n, NULL), GENAIR_OK);
    for (size_t i = 0; i < n; i++) assert_true((int32_t)numbers[i] == kinds[i]);
    mem_free(numbers);
    gguf_close(g);
}

static void read_tensor(const struct gguf *g, const char *name, enum lm_type type, float out[ROWS * COLS]) {
    unsigned char data[ROWS * COLS * sizeof(float)];
    const struct gguf_tensor *t = gguf_tensor(g, name);
    assert_non_null(t);
    assert_int_equal(t->type, type);
    assert_int_equal(t->dims[0], COLS);
    assert_int_equal(t->offset % 32, 0);
    assert_int_equal(gguf_read(g, t->offset, data, t->n_bytes, NULL), GENAIR_OK);
    lm_types[type].decode(data, ROWS * COLS / lm_types[type].block_values, out);
}

/* A quantised value is off by half a step of its block, plus what 10 binary digits of the step leave. */
static void test_tensors(void **state) {
    (void)state;
    float x[ROWS * COLS], y[ROWS * COLS];
    fill(x);
    struct gguf_writer *w = gguf_writer_create();
    assert_non_null(w);
    gguf_put_text(w, "general.architecture", "llama");
    gguf_put_tensor(w, "gain", LM_F32, 1, 5, x);
    gguf_put_tensor(w, "exact", LM_F32, ROWS, COLS, x);
    gguf_put_tensor(w, "blocks", LM_Q8_0, ROWS, COLS, x);
    struct gguf *g = write_and_open(w, "tensors.gguf");
    assert_int_equal(gguf_tensor(g, "gain")->n_dims, 1);
    read_tensor(g, "exact", LM_F32, y);
    assert_memory_equal(x, y, sizeof x);
    read_tensor(g, "blocks", LM_Q8_0, y);
    for (size_t b = 0; b < ROWS * COLS / BLOCK; b++) {
        float largest = 0;
        for (size_t i = 0; i < BLOCK; i++) largest = fmaxf(largest, fabsf(x[b * BLOCK + i]));
        /* below 2^-14 the step is a whole number of 2^-24 */
        const float allowed = 0.5f * (largest / 127) + largest * 0x1p-11f + 127 * 0x1p-25f;
        for (size_t i = b * BLOCK; i < (b + 1) * BLOCK; i++)
            if (!(fabsf(x[i] - y[i]) <= allowed))
                fail_msg("[%zu] expected %g, found %g (allowed %g)", i, (double)x[i], (double)y[i], (double)allowed);
    }
    gguf_close(g);
}

/* Rows as they stand in a file, byte i of row r being r + i; source says at which row reading fails. */
static genair_code read_rows(const void *source, const struct lm_tensor *t, size_t first, size_t n_rows, void *out,
                             genair_status *st) {
    const size_t *bad = source;
    unsigned char *to = out;
    for (size_t r = first; r < first + n_rows; r++)
        for (size_t i = 0; i < t->row_bytes; i++) *to++ = (unsigned char)(r + i);
    return *bad < first || *bad >= first + n_rows ? GENAIR_OK : (fail)(st, GENAIR_IO, "row %zu cannot be read", *bad);
}

static void test_rows(void **state) {
    (void)state;
    struct lm_tensor t = {.type = LM_Q8_0, .rows = ROWS, .cols = COLS};
    unsigned char data[ROWS * COLS * 2];
    size_t bad = ROWS;
    assert_int_equal(lm_row_bytes(t.type, t.cols, &t.row_bytes), true);
    struct gguf_writer *w = gguf_writer_create();
    assert_non_null(w);
    gguf_put_text(w, "general.architecture", "llama");
    gguf_put_rows(w, "rows", &t, read_rows, &bad);
    struct gguf *g = write_and_open(w, "rows.gguf");
    const struct gguf_tensor *found = gguf_tensor(g, "rows");
    assert_int_equal(found->n_bytes, ROWS * t.row_bytes);
    assert_int_equal(gguf_read(g, found->offset, data, found->n_bytes, NULL), GENAIR_OK);
    for (size_t i = 0; i < found->n_bytes; i++) assert_int_equal(data[i], (unsigned char)(i / t.row_bytes + i % t.row_bytes));
    gguf_close(g);

    genair_status st = {0};
    char *path = scratch_path("bad.gguf");
    w = gguf_writer_create();
    assert_non_null(w);
    bad = 3;
    gguf_put_rows(w, "rows", &t, read_rows, &bad);
    assert_int_equal(gguf_writer_save(w, path, &st), GENAIR_IO);
    assert_string_equal(st.message, "row 3 cannot be read");
    assert_null(fopen(path, "rb"));
    gguf_writer_free(w);
    mem_free(path);
}

static void test_path_that_cannot_be(void **state) {
    (void)state;
    genair_status st = {0};
    struct gguf_writer *w = gguf_writer_create();
    assert_non_null(w);
    gguf_put_text(w, "general.architecture", "llama");
    assert_int_equal(gguf_writer_save(w, "/no/such/directory/x.gguf", &st), GENAIR_IO);
    assert_non_null(strstr(st.message, "No such file"));
    gguf_writer_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_path_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
