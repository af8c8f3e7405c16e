/* SPDX-License-Identifier: Apache-2.0 */
#include "fuse/shop.h"

#include "base/rng.h"
#include "base/size.h"
#include "algebra/pca.h"
#include "workspace/dataset.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A workspace with vectors of 4 and 3 columns taken in. */
static struct shop embedded(const char *name) {
    struct shop s = shop_open(name);
    char *prefill = shop_matrix("f1.npy", shop_order, 4, 0),
         *decoding = shop_matrix("f2.npy", shop_order, 3, 1);
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", prefill, "decoding", decoding, NULL),
            &st);
    mem_free(prefill);
    mem_free(decoding);
    return s;
}

static struct npy *open_fused(const struct shop *s) {
    char *path = path_join(s->workspace, "fused.npy");
    struct npy *a = NULL;
    assert_int_equal(npy_open(path, &a, NULL), GENAIR_OK);
    mem_free(path);
    return a;
}

/* Column block of fused.npy against pca_fit and pca_project on the given values. */
static void expect_block(const struct npy *fused, size_t column, size_t width, int part,
                         struct pca_choice choice, bool whiten) {
    double values[SHOP_ITEMS * 8];
    float y[SHOP_ITEMS * 8];
    for (size_t i = 0; i < SHOP_ITEMS; i++)
        for (size_t c = 0; c < width; c++)
            values[i * width + c] = (double)shop_value(shop_order[i], c, part);
    const struct dense d = {values, width};
    const struct rows x = rows_of_dense(&d, SHOP_ITEMS);
    genair_context *ctx = NULL;
    struct pca p;
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(pca_fit(ctx, &x, choice, &p, NULL), GENAIR_OK);
    assert_int_equal(pca_project(ctx, &p, &x, 0, SHOP_ITEMS, whiten, y, p.n_components, NULL),
                     GENAIR_OK);
    for (size_t i = 0; i < SHOP_ITEMS; i++)
        for (size_t k = 0; k < p.n_components; k++)
            assert_true(npy_f64(fused, i * fused->shape[1] + column + k) ==
                        (double)y[i * p.n_components + k]);
    pca_free(&p);
    genair_context_free(ctx);
}

static void parts_stand_side_by_side(void **state) {
    (void)state;
    struct shop s = embedded("parts");
    genair_status st = {0};
    char *json = NULL;
    shop_ok(shop_run(&s, "fuse", 2, &st, &json, "components", "2", NULL), &st);
    struct npy *a = open_fused(&s);
    assert_int_equal(a->shape[0], SHOP_ITEMS);
    assert_int_equal(a->shape[1], 4);
    expect_block(a, 0, 4, 0, (struct pca_choice){.components = 2}, false);
    expect_block(a, 2, 3, 1, (struct pca_choice){.components = 2}, false);
    npy_close(a);
    json_t *result = json_loads(json, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(result, "columns")), 4);
    json_decref(result);
    genair_string_free(json);
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "parts", "decoding", "variance", "0.95", "whiten",
                     "yes", NULL),
            &st);
    a = open_fused(&s);
    expect_block(a, 0, 3, 1, (struct pca_choice){.variance = 0.95}, true);
    npy_close(a);
    shop_close(&s);
}

/* fuse.safetensors when the vector of one item, from 0, is another one. */
static char *components_when(const struct shop *s, size_t changed, size_t *size) {
    float values[SHOP_ITEMS * 4];
    genair_status st = {0};
    char *path = scratch_path("changed.npy");
    for (size_t i = 0; i < COUNT(values); i++)
        values[i] = shop_value(shop_order[i / 4], i % 4, 0) * (i / 4 == changed ? 100.0F : 1.0F);
    assert_int_equal(npy_write_f32(path, SHOP_ITEMS, 4, values, NULL), GENAIR_OK);
    shop_ok(shop_run(s, "embed", 1, &st, NULL, "prefill", path, NULL), &st);
    shop_ok(shop_run(s, "fuse", 1, &st, NULL, "parts", "prefill", "components", "2", NULL), &st);
    mem_free(path);
    return shop_file(s, "fuse.safetensors", size);
}

static void cold_items_do_not_form_components(void **state) {
    (void)state;
    struct shop s = shop_open("cold");
    struct dataset *d;
    genair_status st = {0};
    size_t size, other_size, n_same = 0;
    shop_ok(shop_run(&s, "prepare", 1, &st, NULL, "interactions", s.log, "items", s.items, "user-core", "1", "item-core", "2",
                     "cold-items", "0.2", NULL),
            &st);
    assert_int_equal(dataset_open_sequences(s.workspace, &d, NULL), GENAIR_OK);
    assert_int_equal(d->n_items, SHOP_ITEMS);
    char *as_is = components_when(&s, SHOP_ITEMS, &size);
    for (size_t i = 0; i < SHOP_ITEMS; i++) {
        char *other = components_when(&s, i, &other_size);
        const bool same = size == other_size && memcmp(as_is, other, size) == 0;
        assert_int_equal(same, d->cold[i + 1]);
        n_same += same;
        mem_free(other);
    }
    assert_int_equal(n_same, 1);
    mem_free(as_is);
    dataset_close(d);
    shop_close(&s);
}

static void fewer_components_than_asked_are_told(void **state) {
    (void)state;
    struct shop s = embedded("fewer");
    genair_status st = {0};
    char *json = NULL;
    shop_ok(shop_run(&s, "fuse", 1, &st, &json, NULL), &st); /* 384 each by default */
    assert_non_null(
        strstr(shop_messages,
               "prefill: 384 components asked for, but 5 items with 4 columns have only 4"));
    assert_non_null(
        strstr(shop_messages,
               "decoding: 384 components asked for, but 5 items with 3 columns have only 3"));
    assert_non_null(strstr(json, "\"columns\":7"));
    genair_string_free(json);
    shop_close(&s);
}

static void equal_inputs_are_not_fused_twice(void **state) {
    (void)state;
    struct shop s = embedded("again");
    genair_status st = {0};
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "components", "2", NULL), &st);
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "components", "2", NULL), &st);
    assert_non_null(strstr(shop_messages, "nothing to do"));
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "components", "3", NULL), &st);
    assert_null(strstr(shop_messages, "nothing to do"));
    size_t size, size_after;
    char *fused = shop_file(&s, "fused.npy", &size), *path = path_join(s.workspace, "fused.npy");
    scratch_write(path, "damaged", 7);
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "components", "3", NULL),
            &st); /* the damage is seen and mended */
    char *after = shop_file(&s, "fused.npy", &size_after);
    assert_int_equal(size, size_after);
    assert_memory_equal(fused, after, size);
    mem_free(path);
    mem_free(after);
    mem_free(fused);
    shop_close(&s);
}

static void expect_failure(const struct shop *s, genair_code code, const char *file,
                           const char *message, const char *option, const char *value) {
    genair_status st = {0};
    assert_int_equal(shop_run(s, "fuse", 1, &st, NULL, option, value, NULL), code);
    assert_string_equal(st.message, message);
    char *path = path_join(s->workspace, file);
    assert_string_equal(st.file, file[0] ? path : s->workspace);
    mem_free(path);
}

static void what_is_missing_is_named(void **state) {
    (void)state;
    struct shop s = shop_open("missing");
    char *prefill = shop_matrix("p.npy", shop_order, 4, 0), *flat = scratch_path("flat.npy");
    genair_status st = {0};
    expect_failure(&s, GENAIR_IO, "",
                   "there are no item vectors here; run 'genair archetype' or 'genair embed' first",
                   NULL, NULL);
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", prefill, NULL), &st);
    expect_failure(&s, GENAIR_USAGE, "decoding.npy",
                   "there are no decoding vectors in the workspace; give embed --decoding too, or "
                   "fuse --parts prefill",
                   NULL, NULL);
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "parts", "prefill", NULL), &st);
    shop_prepare(&s, false); /* other items now, as far as the manifest knows */
    expect_failure(
        &s, GENAIR_USAGE, "",
        "the items were prepared anew after their vectors were taken in; run 'genair embed' again",
        "parts", "prefill");
    const float same[SHOP_ITEMS * 2] = {1, 2, 1, 2, 1, 2, 1, 2, 1, 2};
    assert_int_equal(npy_write_f32(flat, SHOP_ITEMS, 2, same, NULL), GENAIR_OK);
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", flat, NULL), &st);
    expect_failure(&s, GENAIR_FORMAT, "",
                   "all 5 items have the same vectors, so there is nothing to tell them apart by",
                   "parts", "prefill");
    st = (genair_status){0};
    assert_int_equal(shop_run(&s, "fuse", 1, &st, NULL, "components", "3", "variance", "0.9", NULL),
                     GENAIR_USAGE);
    assert_string_equal(
        st.message,
        "--components and --variance are two ways to choose the number of components: give one");
    mem_free(flat);
    mem_free(prefill);
    shop_close(&s);
}

static void a_damaged_matrix_is_named(void **state) {
    (void)state;
    struct shop s = embedded("damaged");
    size_t size;
    char *bytes = shop_file(&s, "prefill.npy", &size),
         *path = path_join(s.workspace, "prefill.npy"), expected[1024];
    bytes[size - 1] = (char)(bytes[size - 1] ^ 1);
    scratch_write(path, bytes, size);
    snprintf(expected, sizeof expected,
             "its content is not what 'genair embed -w %s' wrote; run that again", s.workspace);
    expect_failure(&s, GENAIR_FORMAT, "prefill.npy", expected, NULL, NULL);
    scratch_write(path, bytes, size - 3);
    snprintf(expected, sizeof expected,
             "%zu bytes long instead of %zu; run 'genair embed -w %s' again", size - 3, size,
             s.workspace);
    expect_failure(&s, GENAIR_FORMAT, "prefill.npy", expected, NULL, NULL);
    mem_free(bytes);
    mem_free(path);
    shop_close(&s);
}

/* ---- larger matrices over the same items cannot be; so one item a user and line ---- */

enum { BIG_ITEMS = 700, BIG_WIDTH = 96 };

static struct shop big_shop(const char *name) {
    char file[64];
    struct shop s = {.workspace = scratch_path(name)};
    snprintf(file, sizeof file, "%s.tsv", name);
    s.log = scratch_path(file);
    FILE *f = fopen(s.log, "w");
    assert_non_null(f);
    fputs("user_id\titem_id\ttimestamp\n", f);
    for (int i = 0; i < BIG_ITEMS; i++)
        for (int k = 0; k < 3; k++)
            fprintf(f, "u%d\titem%d\t%d\n", i, (i + k) % BIG_ITEMS, k);
    assert_int_equal(fclose(f), 0);
    shop_prepare(&s, false);
    float *values = mem_array(BIG_ITEMS * BIG_WIDTH, sizeof *values);
    struct rng r = rng_start(3, RNG_TEST, 1);
    for (size_t i = 0; i < BIG_ITEMS * BIG_WIDTH; i++)
        values[i] = (float)rng_normal(&r);
    char *matrix = scratch_path("big.npy");
    assert_int_equal(npy_write_f32(matrix, BIG_ITEMS, BIG_WIDTH, values, NULL), GENAIR_OK);
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", matrix, "decoding", matrix, NULL), &st);
    mem_free(values);
    mem_free(matrix);
    return s;
}

static void threads_do_not_change_a_byte(void **state) {
    (void)state;
    struct shop s = big_shop("threads");
    char *first = NULL, *path = path_join(s.workspace, "fused.npy");
    size_t size = 0, size_now;
    for (int threads = 1; threads <= 4; threads++) {
        genair_status st = {0};
        shop_ok(shop_run(&s, "fuse", threads, &st, NULL, "components", "40", NULL), &st);
        char *now = shop_file(&s, "fused.npy", &size_now);
        if (first) {
            assert_int_equal(size, size_now);
            assert_memory_equal(first, now, size);
            mem_free(now);
        } else {
            first = now;
            size = size_now;
        }
        assert_int_equal(unlink(path), 0);
    }
    mem_free(path);
    mem_free(first);
    shop_close(&s);
}

/* A child fuses and is killed after a while; whatever it left, the next run ends with the same
 * bytes, and before that the old result is whole or the new one is. */
static void killed_at_any_moment_it_recovers(void **state) {
    (void)state;
    struct shop s = big_shop("killed");
    genair_status st = {0};
    size_t size, size_now;
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "components", "31", NULL), &st);
    char *other = shop_file(&s, "fused.npy", &size_now);
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "components", "30", NULL), &st);
    char *expected = shop_file(&s, "fused.npy", &size),
         *json = shop_file(&s, "fuse.json", &size_now);
    for (unsigned i = 0; i < 12; i++) {
        shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "components", "31", NULL), &st);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(shop_run(&s, "fuse", 1, NULL, NULL, "components", "30", NULL) == GENAIR_OK ? 0
                                                                                             : 1);
        usleep(500 + i * 1500);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        char *now = shop_file(&s, "fused.npy", &size_now);
        if (size_now == size)
            assert_memory_equal(now, expected, size);
        else
            assert_memory_equal(now, other, size_now);
        mem_free(now);
        shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "components", "30", NULL), &st);
        now = shop_file(&s, "fused.npy", &size_now);
        assert_int_equal(size_now, size);
        assert_memory_equal(now, expected, size);
        mem_free(now);
        now = shop_file(&s, "fuse.json", &size_now);
        assert_string_equal(now, json);
        mem_free(now);
    }
    mem_free(other);
    mem_free(json);
    mem_free(expected);
    shop_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_stand_side_by_side),
        cmocka_unit_test(cold_items_do_not_form_components),
        cmocka_unit_test(fewer_components_than_asked_are_told),
        cmocka_unit_test(equal_inputs_are_not_fused_twice),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_damaged_matrix_is_named),
        cmocka_unit_test(threads_do_not_change_a_byte),
        cmocka_unit_test(killed_at_any_moment_it_recovers),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
