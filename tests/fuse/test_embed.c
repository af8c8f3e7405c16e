/* SPDX-License-Identifier: Apache-2.0 */
#include "fuse/shop.h"

#include "base/size.h"

#include <jansson.h>
#include <math.h>

/* prefill.npy or decoding.npy holds each item's own vector, in the items' order. */
static void expect_vectors(const struct shop *s, const char *file, size_t width, int part) {
    char *path = path_join(s->workspace, file);
    struct npy *a = NULL;
    assert_int_equal(npy_open(path, &a, NULL), GENAIR_OK);
    assert_int_equal(a->shape[0], SHOP_ITEMS);
    assert_int_equal(a->shape[1], width);
    assert_int_equal(a->type, NPY_F4);
    for (size_t i = 0; i < SHOP_ITEMS; i++)
        for (size_t c = 0; c < width; c++)
            assert_true(npy_f64(a, i * width + c) == (double)shop_value(shop_order[i], c, part));
    npy_close(a);
    mem_free(path);
}

static void expect_result(const char *json, const char *order, json_int_t unused) {
    json_t *result = json_loads(json, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(result, "items")), SHOP_ITEMS);
    assert_string_equal(json_string_value(json_object_get(result, "row_order")), order);
    assert_int_equal(json_integer_value(json_object_get(result, "unused_rows")), unused);
    assert_true(json_is_number(json_object_get(result, "seconds")));
    json_decref(result);
}

static void rows_follow_the_metadata(void **state) {
    (void)state;
    struct shop s = shop_open("metadata");
    char *prefill = shop_matrix("m1.npy", shop_records, 4, 0),
         *decoding = shop_matrix("m2.npy", shop_records, 3, 1);
    char *json = NULL;
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, &json, "prefill", prefill, "decoding", decoding, NULL),
            &st);
    expect_result(json, "metadata", 2);
    expect_vectors(&s, "prefill.npy", 4, 0);
    expect_vectors(&s, "decoding.npy", 3, 1);
    assert_non_null(
        strstr(shop_messages, "rows matched by the records of the item metadata given to prepare"));
    assert_non_null(strstr(shop_messages,
                           "2 rows belong to items that prepare did not keep and were left out"));
    genair_string_free(json);
    mem_free(prefill);
    mem_free(decoding);
    shop_close(&s);
}

static void rows_follow_the_items(void **state) {
    (void)state;
    struct shop s = shop_open("items");
    char *prefill = shop_matrix("i1.npy", shop_order, 4, 0), *json = NULL;
    genair_status st = {0};
    for (int with_items = 0; with_items < 2; with_items++) {
        shop_prepare(&s, with_items);
        shop_ok(shop_run(&s, "embed", 1, &st, &json, "prefill", prefill, NULL), &st);
        expect_result(json, "items", 0);
        expect_vectors(&s, "prefill.npy", 4, 0);
        genair_string_free(json);
    }
    mem_free(prefill);
    shop_close(&s);
}

static void rows_are_found_by_name(void **state) {
    (void)state;
    static const char *const texts[] = {"e\na\nunheard\nx\nd\nb\nc\n",
                                        "e\r\na\r\nunheard\r\nx\r\nd\r\nb\r\nc",
                                        "\357\273\277e\na\nunheard\nx\nd\nb\nc"};
    struct shop s = shop_open("named");
    char *prefill = shop_matrix("n1.npy", "ea?xdbc", 4, 0), *ids = scratch_path("ids.txt"),
         *json = NULL;
    genair_status st = {0};
    for (size_t i = 0; i < COUNT(texts); i++) {
        scratch_write(ids, texts[i], strlen(texts[i]));
        shop_ok(shop_run(&s, "embed", 1, &st, &json, "prefill", prefill, "ids", ids, NULL), &st);
        expect_result(json, "ids", 2);
        expect_vectors(&s, "prefill.npy", 4, 0);
        genair_string_free(json);
    }
    mem_free(ids);
    mem_free(prefill);
    shop_close(&s);
}

static void same_files_are_not_taken_twice(void **state) {
    (void)state;
    struct shop s = shop_open("twice");
    char *prefill = shop_matrix("t1.npy", shop_order, 4, 0),
         *decoding = shop_matrix("t2.npy", shop_order, 2, 1);
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", prefill, "decoding", decoding, NULL),
            &st);
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", prefill, "decoding", decoding, NULL),
            &st);
    assert_non_null(strstr(shop_messages, "nothing to do"));
    /* a part that is not given any more is not left behind */
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", prefill, NULL), &st);
    assert_null(strstr(shop_messages, "nothing to do"));
    assert_false(shop_has(&s, "decoding.npy"));
    mem_free(prefill);
    mem_free(decoding);
    shop_close(&s);
}

static void a_file_written_meanwhile_is_told(void **state) {
    (void)state;
    struct shop s = shop_open("meanwhile");
    char *earlier = shop_matrix("w1.npy", shop_order, 4, 0), *prefill = shop_matrix("w2.npy", shop_order, 3, 0);
    genair_context *ctx = NULL;
    genair_options *o = NULL;
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", earlier, NULL), &st);
    assert_int_equal(genair_context_create(1, scratch_add_line, prefill, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create("embed", &o, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "workspace", s.workspace, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "prefill", prefill, NULL), GENAIR_OK);
    assert_int_equal(genair_embed(ctx, o, NULL, &st), GENAIR_IO);
    assert_string_equal(st.file, prefill);
    expect_vectors(&s, "prefill.npy", 4, 0);
    genair_options_free(o);
    genair_context_free(ctx);
    mem_free(earlier);
    mem_free(prefill);
    shop_close(&s);
}

static void other_types_and_orders_are_converted(void **state) {
    (void)state;
    struct shop s = shop_open("types");
    char *path = scratch_path("f8.npy");
    char header[256];
    double values[4 * SHOP_ITEMS]; /* column-major */
    for (size_t c = 0; c < 4; c++)
        for (size_t i = 0; i < SHOP_ITEMS; i++)
            values[c * SHOP_ITEMS + i] = (double)shop_value(shop_order[i], c, 0);
    const int n = snprintf(
        header, sizeof header,
        "\x93NUMPY%c%c%c%c{'descr': '<f8', 'fortran_order': True, 'shape': (5, 4), }", 1, 0, 60, 0);
    memset(header + n, ' ', (size_t)(70 - n));
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(header, 1, 70, f), 70);
    assert_int_equal(fwrite(values, 1, sizeof values, f), sizeof values);
    fclose(f);
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", path, NULL), &st);
    expect_vectors(&s, "prefill.npy", 4, 0);
    mem_free(path);
    shop_close(&s);
}

static genair_code embed_matrix(const struct shop *s, const void *values, genair_type type, size_t rows, genair_status *st) {
    genair_context *ctx = NULL;
    genair_options *o = NULL;
    shop_messages[0] = '\0';
    assert_int_equal(genair_context_create(1, shop_log, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create("embed", &o, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "workspace", s->workspace, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set_matrix(o, "prefill", values, type, rows, 3, st), GENAIR_OK);
    const genair_code code = genair_embed(ctx, o, NULL, st);
    genair_options_free(o);
    genair_context_free(ctx);
    return code;
}

static void a_matrix_in_memory_is_taken(void **state) {
    (void)state;
    struct shop s = shop_open("memory");
    genair_status st = {0};
    float single[SHOP_ITEMS * 3];
    double twice[SHOP_ITEMS * 3];
    for (size_t i = 0; i < SHOP_ITEMS * 3; i++)
        twice[i] = (double)(single[i] = shop_value(shop_order[i / 3], i % 3, 0));
    shop_ok(embed_matrix(&s, single, GENAIR_F32, SHOP_ITEMS, &st), &st);
    expect_vectors(&s, "prefill.npy", 3, 0);
    shop_ok(embed_matrix(&s, single, GENAIR_F32, SHOP_ITEMS, &st), &st);
    assert_non_null(strstr(shop_messages, "nothing to do"));
    shop_ok(embed_matrix(&s, twice, GENAIR_F64, SHOP_ITEMS, &st), &st);
    assert_null(strstr(shop_messages, "nothing to do"));
    expect_vectors(&s, "prefill.npy", 3, 0);
    assert_int_equal(embed_matrix(&s, single, GENAIR_F32, 4, &st), GENAIR_FORMAT);
    assert_string_equal(st.file, "the matrix for --prefill");
    shop_close(&s);
}

/* ---- wrong input: message, code, and what was there before is still there ---- */

struct wrong {
    const char *order; /* of the matrix' rows */
    const char *ids;   /* or NULL */
    const char *message;
};

static const struct wrong wrongs[] = {
    {"abcd", NULL,
     "4 rows, expected 7 (a row for each record of the item metadata) or 5 (a row for each item, "
     "in the order of the "
     "workspace's items.jsonl); make the matrix again, or name its rows with --ids"},
    {"abcde", "a\nb\nc\nd\n", "4 lines, but w.npy has 5 rows; --ids needs one line for each row"},
    {"abcde", "a\nb\nc\nd\na\n", "item 'a' stands in line 1 already; each item has one row"},
    {"abcde", "a\nb\n\nd\ne\n", "an empty line, expected the id of the item in row 2"},
    {"abxxe", "a\nb\nx\nz\ne\n",
     "2 of 5 items have no row, the first is 'c'; make vectors for every item that prepare kept "
     "(items.jsonl in the "
     "workspace lists them)"},
};

static void wrong_rows_are_refused(void **state) {
    (void)state;
    struct shop s = shop_open("wrong");
    char *good = shop_matrix("good.npy", shop_order, 4, 0), *ids = scratch_path("wrong.txt");
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", good, NULL), &st);
    for (size_t i = 0; i < COUNT(wrongs); i++) {
        char *path = shop_matrix("w.npy", wrongs[i].order, 4, 0), expected[1024] = "";
        st = (genair_status){0};
        genair_code code;
        if (wrongs[i].ids) {
            scratch_write(ids, wrongs[i].ids, strlen(wrongs[i].ids));
            code = shop_run(&s, "embed", 1, &st, NULL, "prefill", path, "ids", ids, NULL);
        } else {
            code = shop_run(&s, "embed", 1, &st, NULL, "prefill", path, NULL);
        }
        assert_int_equal(code, GENAIR_FORMAT);
        const char *name = strstr(wrongs[i].message, "w.npy"); /* stands for the whole path */
        if (name)
            snprintf(expected, sizeof expected, "%.*s%s%s", (int)(name - wrongs[i].message),
                     wrongs[i].message, path, name + 5);
        else
            snprintf(expected, sizeof expected, "%s", wrongs[i].message);
        assert_string_equal(st.message, expected);
        expect_vectors(&s, "prefill.npy", 4, 0);
        mem_free(path);
    }
    mem_free(ids);
    mem_free(good);
    shop_close(&s);
}

static void values_that_are_no_numbers_are_located(void **state) {
    (void)state;
    static const struct {
        float value;
        const char *word;
    } cases[] = {{NAN, "NaN"}, {INFINITY, "infinite"}, {-INFINITY, "infinite"}};
    struct shop s = shop_open("nan");
    char *good = shop_matrix("g.npy", shop_order, 4, 0), *path = scratch_path("nan.npy"),
         expected[512];
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", good, "decoding", good, NULL), &st);
    for (size_t i = 0; i < COUNT(cases); i++) {
        float values[SHOP_ITEMS * 4] = {0};
        values[3 * 4 + 2] = cases[i].value;
        assert_int_equal(npy_write_f32(path, SHOP_ITEMS, 4, values, NULL), GENAIR_OK);
        st = (genair_status){0};
        assert_int_equal(
            shop_run(&s, "embed", 1, &st, NULL, "prefill", good, "decoding", path, NULL),
            GENAIR_FORMAT);
        snprintf(expected, sizeof expected,
                 "row 3, column 2 (from 0), item 'd': the value is %s as float32, expected a "
                 "finite number; make that "
                 "vector again",
                 cases[i].word);
        assert_string_equal(st.message, expected);
        assert_string_equal(st.file, path);
        expect_vectors(&s, "decoding.npy", 4, 0);
    }
    mem_free(path);
    mem_free(good);
    shop_close(&s);
}

static void expect_failure(const struct shop *s, genair_code code, const char *message,
                           const char *prefill, const char *decoding) {
    genair_status st = {0};
    const genair_code found =
        decoding
            ? shop_run(s, "embed", 1, &st, NULL, "prefill", prefill, "decoding", decoding, NULL)
        : prefill ? shop_run(s, "embed", 1, &st, NULL, "prefill", prefill, NULL)
                  : shop_run(s, "embed", 1, &st, NULL, NULL);
    assert_string_equal(st.message, message);
    assert_int_equal(found, code);
}

/* An .npy file without values. */
static void write_empty(const char *path, const char *type, const char *shape) {
    char bytes[256];
    const int n = snprintf(bytes + 10, sizeof bytes - 10,
                           "{'descr': %s, 'fortran_order': False, 'shape': %s}", type, shape);
    memcpy(bytes, "\x93NUMPY\x01", 8);
    bytes[8] = (char)n;
    bytes[9] = 0;
    scratch_write(path, bytes, (size_t)n + 10);
}

static void matrices_that_are_none_are_refused(void **state) {
    (void)state;
    struct shop s = shop_open("none"), empty = {.workspace = scratch_path("nowhere")};
    char *good = shop_matrix("g2.npy", shop_order, 4, 0),
         *more = shop_matrix("g3.npy", shop_records, 4, 0);
    char *path = scratch_path("odd.npy"), expected[1024];
    expect_failure(&s, GENAIR_USAGE,
                   "nothing to take in: give --prefill FILE.npy, --decoding FILE.npy or both", NULL,
                   NULL);
    snprintf(expected, sizeof expected, "7 rows, but %s has 5; row r of both must be the same item",
             good);
    expect_failure(&s, GENAIR_FORMAT, expected, good, more);
    write_empty(path, "'<f4'", "(0,)");
    expect_failure(&s, GENAIR_FORMAT, "an array of 1 dimensions, expected 2: a row an item", path,
                   NULL);
    write_empty(path, "'<i8'", "(0, 4)");
    expect_failure(&s, GENAIR_FORMAT, "values of type i8, expected f2, f4 or f8", path, NULL);
    write_empty(path, "'<f4'", "(5, 0)");
    expect_failure(&s, GENAIR_FORMAT, "rows of 0 columns, expected at least one", path, NULL);
    scratch_write(path, "text", 4);
    expect_failure(&s, GENAIR_FORMAT, "not a NumPy .npy file: it does not begin with \\x93NUMPY",
                   path, NULL);
    snprintf(expected, sizeof expected,
             "there is no such workspace; 'genair prepare -w %s' makes one", empty.workspace);
    expect_failure(&empty, GENAIR_IO, expected, good, NULL);
    mem_free(path);
    mem_free(good);
    mem_free(more);
    mem_free(empty.workspace);
    shop_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_follow_the_metadata),
        cmocka_unit_test(rows_follow_the_items),
        cmocka_unit_test(rows_are_found_by_name),
        cmocka_unit_test(same_files_are_not_taken_twice),
        cmocka_unit_test(a_file_written_meanwhile_is_told),
        cmocka_unit_test(other_types_and_orders_are_converted),
        cmocka_unit_test(a_matrix_in_memory_is_taken),
        cmocka_unit_test(wrong_rows_are_refused),
        cmocka_unit_test(values_that_are_no_numbers_are_located),
        cmocka_unit_test(matrices_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
