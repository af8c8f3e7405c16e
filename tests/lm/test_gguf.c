/* SPDX-License-Identifier: Apache-2.0 */
#include "lm/gguf.h"

#include "base/alloc.h"
#include "base/size.h"
#include "lm/gguf_bytes.h"

#include <unistd.h>

/* Every type of value once, two tensors. */
static void put_all(struct gguf_bytes *b, uint32_t version) {
    static const unsigned char u8 = 200, i8 = 0x80, yes = 1;
    static const unsigned char f64[8] = {0, 0, 0, 0, 0, 0, 0xf8, 0x3f}; /* 1.5 */
    put_head(b, version, 2, 15);
    put_key(b, "u8", GGUF_U8), put(b, &u8, 1);
    put_key(b, "i8", GGUF_I8), put(b, &i8, 1);
    put_key(b, "u16", GGUF_U16), put(b, "\xff\xff", 2);
    put_key(b, "i16", GGUF_I16), put(b, "\xff\xff", 2);
    put_key(b, "u32", GGUF_U32), put_u32(b, UINT32_MAX);
    put_key(b, "i32", GGUF_I32), put_u32(b, UINT32_MAX);
    put_key(b, "u64", GGUF_U64), put_u64(b, UINT64_MAX);
    put_key(b, "i64", GGUF_I64), put_u64(b, 7);
    put_key(b, "f32", GGUF_F32), put_f32(b, 0.5F);
    put_key(b, "f64", GGUF_F64), put(b, f64, 8);
    put_key(b, "bool", GGUF_BOOL), put(b, &yes, 1);
    put_key(b, "text", GGUF_STRING), put_text(b, "hello");
    put_array(b, "texts", GGUF_STRING, 3), put_text(b, "a"), put_text(b, ""), put_text(b, "bc");
    put_array(b, "numbers", GGUF_I16, 2), put(b, "\x01\x00\xfe\xff", 4);
    put_key(b, "general.alignment", GGUF_U32), put_u32(b, 64);
    put_tensor(b, "w", 2, 64, LM_Q8_0, 64); /* 136 bytes */
    put_tensor(b, "v", 3, 0, LM_F32, 0);
    put_padding(b, 64);
    put_f32(b, 1), put_f32(b, 2), put_f32(b, 3);
    put_padding(b, 64);
    for (unsigned i = 0; i < 136; i++)
        put(b, &(unsigned char){(unsigned char)i}, 1);
}

static struct gguf *open_bytes(const struct gguf_bytes *b) {
    char *path = scratch_path("x.gguf");
    struct gguf *g = NULL;
    genair_status st = {0};
    scratch_write(path, b->p, b->n);
    if (gguf_open(path, &g, &st) != GENAIR_OK) fail_msg("%s", st.message);
    assert_string_equal(g->path, path);
    mem_free(path);
    return g;
}

static void values_of_every_type(void **state) {
    (void)state;
    static const struct {
        const char *key;
        uint64_t value;
    } whole[] = {{"u8", 200}, {"u16", 65535}, {"u32", UINT32_MAX}, {"u64", UINT64_MAX}, {"i64", 7}};
    static const struct {
        const char *key;
        double value;
    } numbers[] = {{"u8", 200}, {"i8", -128}, {"i16", -1}, {"i32", -1}, {"f32", 0.5}, {"f64", 1.5}};
    for (uint32_t version = 2; version <= 3; version++) {
        struct gguf_bytes b = {.n = 0};
        put_all(&b, version);
        struct gguf *g = open_bytes(&b);
        assert_int_equal(g->version, version);
        assert_int_equal(g->n_values, 15);
        for (size_t i = 0; i < COUNT(whole); i++) {
            uint64_t n;
            assert_int_equal(gguf_u64(g, whole[i].key, true, &n, NULL), GENAIR_OK);
            assert_true(n == whole[i].value);
        }
        for (size_t i = 0; i < COUNT(numbers); i++) {
            double x;
            assert_int_equal(gguf_f64(g, numbers[i].key, true, &x, NULL), GENAIR_OK);
            assert_true(x == numbers[i].value);
        }
        bool flag = false;
        struct text text = {NULL, 0};
        assert_int_equal(gguf_bool(g, "bool", true, &flag, NULL), GENAIR_OK);
        assert_true(flag);
        assert_int_equal(gguf_text(g, "text", true, &text, NULL), GENAIR_OK);
        assert_true(text_equal(text, "hello"));
        gguf_close(g);
    }
    gguf_close(NULL);
}

static void arrays(void **state) {
    (void)state;
    struct gguf_bytes b = {.n = 0};
    put_all(&b, 3);
    struct gguf *g = open_bytes(&b);
    struct text *texts;
    double *numbers;
    size_t n;
    assert_int_equal(gguf_texts(g, "texts", true, &texts, &n, NULL), GENAIR_OK);
    assert_int_equal(n, 3);
    assert_true(text_equal(texts[0], "a") && text_equal(texts[1], "") &&
                text_equal(texts[2], "bc"));
    mem_free(texts);
    assert_int_equal(gguf_numbers(g, "numbers", true, &numbers, &n, NULL), GENAIR_OK);
    assert_int_equal(n, 2);
    assert_true(numbers[0] == 1 && numbers[1] == -2);
    mem_free(numbers);
    assert_int_equal(gguf_texts(g, "none", false, &texts, &n, NULL), GENAIR_OK);
    assert_true(!texts && !n);
    gguf_close(g);
}

static void wrong_kinds_are_refused(void **state) {
    (void)state;
    struct gguf_bytes b = {.n = 0};
    put_all(&b, 3);
    struct gguf *g = open_bytes(&b);
    uint64_t u = 5;
    double x;
    bool flag;
    struct text text, *texts;
    size_t n;
    genair_status st = {0};
    assert_int_equal(gguf_u64(g, "text", true, &u, &st), GENAIR_FORMAT);
    assert_string_equal(st.message, "\"text\" is of type string, expected an integer");
    assert_true(st.offset == gguf_find(g, "text")->offset);
    st = (genair_status){0};
    assert_int_equal(gguf_u64(g, "i8", true, &u, &st), GENAIR_FORMAT);
    assert_string_equal(st.message, "\"i8\" is -128, expected a number that is not negative");
    st = (genair_status){0};
    assert_int_equal(gguf_u64(g, "numbers", true, &u, &st), GENAIR_FORMAT);
    assert_string_equal(st.message, "\"numbers\" is an array of i16, expected an integer");
    st = (genair_status){0};
    assert_int_equal(gguf_u64(g, "none", true, &u, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "the header has no \"none\""));
    assert_int_equal(gguf_u64(g, "none", false, &u, NULL), GENAIR_OK);
    assert_int_equal(u, 5);
    assert_int_equal(gguf_u64(g, "f32", true, &u, NULL), GENAIR_FORMAT);
    assert_int_equal(gguf_f64(g, "text", true, &x, NULL), GENAIR_FORMAT);
    assert_int_equal(gguf_bool(g, "u8", true, &flag, NULL), GENAIR_FORMAT);
    assert_int_equal(gguf_text(g, "texts", true, &text, NULL), GENAIR_FORMAT);
    assert_int_equal(gguf_texts(g, "numbers", true, &texts, &n, NULL), GENAIR_FORMAT);
    gguf_close(g);
}

static void tensors(void **state) {
    (void)state;
    struct gguf_bytes b = {.n = 0};
    put_all(&b, 3);
    struct gguf *g = open_bytes(&b);
    const struct gguf_tensor *w = gguf_tensor(g, "w"), *v = gguf_tensor(g, "v");
    assert_true(w == &g->tensors[0] && v == &g->tensors[1] && !gguf_tensor(g, "u"));
    assert_int_equal(w->type, LM_Q8_0);
    assert_int_equal(w->n_dims, 2);
    assert_int_equal(w->dims[0], 64);
    assert_int_equal(w->dims[1], 2);
    assert_int_equal(w->n_bytes, 136);
    assert_int_equal(v->n_dims, 1);
    assert_int_equal(v->n_bytes, 12);
    assert_int_equal(w->offset - v->offset, 64);
    unsigned char bytes[136];
    assert_int_equal(gguf_read(g, w->offset, bytes, sizeof bytes, NULL), GENAIR_OK);
    assert_memory_equal(bytes, b.p + b.n - 136, 136);
    gguf_close(g);
}

/* The reader's file grows shorter under it. */
static void cut_while_open(void **state) {
    (void)state;
    struct gguf_bytes b = {.n = 0};
    put_all(&b, 3);
    struct gguf *g = open_bytes(&b);
    unsigned char bytes[136];
    const uint64_t offset = gguf_tensor(g, "w")->offset;
    assert_int_equal(truncate(g->path, (off_t)b.n - 1), 0);
    genair_status st = {0};
    assert_int_equal(gguf_read(g, offset, bytes, sizeof bytes, &st), GENAIR_FORMAT);
    assert_string_equal(st.file, g->path);
    assert_true(st.offset == (int64_t)b.n - 1);
    gguf_close(g);
}

static void every_prefix_is_refused(void **state) {
    (void)state;
    struct gguf_bytes b = {.n = 0};
    put_all(&b, 3);
    char *path = scratch_path("p.gguf");
    struct gguf *g = NULL;
    for (size_t n = 0; n < b.n; n++) {
        genair_status st = {0};
        scratch_write(path, b.p, n);
        if (gguf_open(path, &g, &st) != GENAIR_FORMAT) fail_msg("%zu bytes: accepted", n);
        assert_true(st.message[0] && !g);
    }
    put(&b, "x", 1);
    put_padding(&b, 64); /* as writers leave it */
    gguf_close(open_bytes(&b));
    put(&b, "x", 1);
    scratch_write(path, b.p, b.n);
    genair_status st = {0};
    assert_int_equal(gguf_open(path, &g, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "1 bytes after the last tensor"));
    mem_free(path);
}

/* A header larger than what is read at first: texts and names move with it. */
static void large_header(void **state) {
    (void)state;
    enum { N = 300000 };
    struct gguf_bytes b = {.n = 0};
    put_head(&b, 3, 0, 3);
    put_key(&b, "first", GGUF_STRING), put_text(&b, "one");
    put_array(&b, "many", GGUF_STRING, N);
    char *path = scratch_path("large.gguf");
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    for (int i = 0; i < N; i++) {
        b.n = 0;
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        put_text(&b, text);
        assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    }
    b.n = 0;
    put_key(&b, "last", GGUF_U32), put_u32(&b, 9);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    assert_int_equal(fclose(f), 0);
    struct gguf *g = NULL;
    genair_status st = {0};
    if (gguf_open(path, &g, &st) != GENAIR_OK) fail_msg("%s", st.message);
    struct text one, *texts = NULL;
    size_t n;
    uint64_t nine;
    assert_true(text_equal(g->values[0].key, "first") && text_equal(g->values[2].key, "last"));
    assert_int_equal(gguf_text(g, "first", true, &one, NULL), GENAIR_OK);
    assert_true(text_equal(one, "one"));
    assert_int_equal(gguf_texts(g, "many", true, &texts, &n, NULL), GENAIR_OK);
    assert_int_equal(n, N);
    assert_true(text_equal(texts[0], "0") && text_equal(texts[N - 1], "299999"));
    assert_int_equal(gguf_u64(g, "last", true, &nine, NULL), GENAIR_OK);
    assert_int_equal(nine, 9);
    mem_free(texts);
    gguf_close(g);
    mem_free(path);
}

static void what_is_no_file_is_refused(void **state) {
    (void)state;
    struct gguf *g = NULL;
    genair_status st = {0};
    assert_int_equal(gguf_open("/nowhere/x.gguf", &g, &st), GENAIR_IO);
    assert_string_equal(st.message, "cannot open: No such file or directory");
    st = (genair_status){0};
    assert_int_equal(gguf_open(scratch_directory, &g, &st), GENAIR_IO);
    assert_string_equal(st.message, "not a regular file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type),
        cmocka_unit_test(arrays),
        cmocka_unit_test(wrong_kinds_are_refused),
        cmocka_unit_test(tensors),
        cmocka_unit_test(cut_while_open),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(large_header),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
