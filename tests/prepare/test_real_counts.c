/* SPDX-License-Identifier: Apache-2.0 */
/* prepare on a real log against counts that another program made (golden set 11_real_counts). */
#include "base/alloc.h"
#include "workspace/dataset.h"

#include "support/scratch.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static const char *log_path, *golden_path;

static json_t *load_scalars(void) {
    json_t *root = json_load_file(golden_path, 0, NULL);
    assert_non_null(root);
    json_t *scalars = json_incref(json_object_get(root, "scalars"));
    assert_non_null(scalars);
    json_decref(root);
    return scalars;
}

static char *run_prepare(const char *workspace) {
    genair_context *ctx;
    genair_options *o;
    genair_status st = {0};
    char *json = NULL;
    assert_int_equal(genair_context_create(2, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create("prepare", &o, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "workspace", workspace, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "interactions", log_path, NULL), GENAIR_OK);
    if (genair_prepare(ctx, o, &json, &st) != GENAIR_OK) fail_msg("%s", st.message);
    genair_options_free(o);
    genair_context_free(ctx);
    return json;
}

static json_int_t number(const json_t *j, const char *key) {
    assert_non_null(json_object_get(j, key));
    return json_integer_value(json_object_get(j, key));
}

static void check_result(const char *text, const json_t *golden) {
    static const char *const pairs[][2] = {
        {"users", "users"},
        {"items", "items"},
        {"interactions", "interactions"},
        {"pairs", "pairs"},
        {"max_cooccurrence", "cooc_max"},
        {"training_interactions", "train_interactions"},
        {"shortest_history", "length_min"},
        {"longest_history", "length_max"},
        {"repeated_interactions", "users_with_repeated_items"},
        {"test_targets_unseen_in_training", "test_targets_unseen_in_training"},
    };
    json_t *j = json_loads(text, 0, NULL);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_int_equal(number(j, pairs[i][0]), number(golden, pairs[i][1]));
    assert_float_equal(json_real_value(json_object_get(j, "mean_length")),
                       json_real_value(json_object_get(golden, "length_mean")), 1e-12);
    assert_float_equal(json_real_value(json_object_get(j, "sparsity")),
                       json_real_value(json_object_get(golden, "sparsity")), 1e-12);
    json_decref(j);
}

/* The golden table numbers "i1", "i2", … from 0. */
static uint32_t item_numbered(const struct dataset *d, uint32_t number) {
    char name[16];
    uint32_t item;
    snprintf(name, sizeof name, "i%u", number + 1);
    assert_true(dataset_item_named(d, text_of(name), &item));
    return item;
}

static uint32_t pair_count(const struct cooccurrence *c, uint32_t a, uint32_t b) {
    for (uint64_t k = c->start[a]; k < c->start[a + 1]; k++)
        if (c->item[k] == b) return c->count[k];
    return 0;
}

static uint64_t fnv1a(uint64_t hash, const char *s) {
    for (; *s; s++)
        hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_pairs(const struct dataset *d) {
    uint32_t *number = mem_zeros((size_t)d->n_items + 1, sizeof *number);
    uint32_t *row = mem_zeros((size_t)d->n_items, sizeof *row);
    for (uint32_t i = 0; i < d->n_items; i++)
        number[item_numbered(d, i)] = i;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t a = 0; a < d->n_items; a++) {
        const struct cooccurrence *c = &d->cooccurrence;
        const uint32_t item = item_numbered(d, a);
        memset(row, 0, d->n_items * sizeof *row);
        for (uint64_t k = c->start[item]; k < c->start[item + 1]; k++)
            row[number[c->item[k]]] = c->count[k];
        for (uint32_t b = a; b < d->n_items; b++) {
            char line[64];
            if (!row[b]) continue;
            snprintf(line, sizeof line, "%u %u %u\n", a, b, row[b]);
            hash = fnv1a(hash, line);
        }
    }
    mem_free(number);
    mem_free(row);
    return hash;
}

static void check_popularity(const struct dataset *d, const json_t *histogram) {
    enum { MOST = 512 };
    uint32_t found[MOST] = {0};
    for (uint32_t i = 1; i <= d->n_items; i++)
        found[d->popularity[i]]++;
    for (uint32_t p = 0; p < MOST; p++) {
        char key[16];
        snprintf(key, sizeof key, "%u", p);
        assert_int_equal(found[p], json_integer_value(json_object_get(histogram, key)));
    }
}

static void test_scientific(void **state) {
    (void)state;
    json_t *golden = load_scalars();
    char *workspace = scratch_path("scientific"), *json = run_prepare(workspace);
    check_result(json, golden);
    struct dataset *d;
    assert_int_equal(dataset_open(workspace, &d, NULL), GENAIR_OK);
    check_popularity(d, json_object_get(golden, "train_popularity_histogram"));
    size_t i;
    json_t *top;
    json_array_foreach(json_object_get(golden, "top_pairs"), i, top) {
        const json_t *pair = json_object_get(top, "pair");
        const uint32_t a = item_numbered(d, (uint32_t)json_integer_value(json_array_get(pair, 0)));
        const uint32_t b = item_numbered(d, (uint32_t)json_integer_value(json_array_get(pair, 1)));
        assert_int_equal(pair_count(&d->cooccurrence, a, b), number(top, "count"));
    }
    char hash[32];
    snprintf(hash, sizeof hash, "%016" PRIx64, hash_pairs(d));
    assert_string_equal(hash, json_string_value(json_object_get(golden, "pair_table_fnv1a64")));
    dataset_close(d);
    genair_string_free(json);
    mem_free(workspace);
    json_decref(golden);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    log_path = argv[1];
    golden_path = argv[2];
    if (!file_exists(log_path) || !file_exists(golden_path)) {
        printf("skipped: %s or %s is not here\n", log_path, golden_path);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scientific)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
