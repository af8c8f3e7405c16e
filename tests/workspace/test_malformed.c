/* SPDX-License-Identifier: Apache-2.0 */
/* test_malformed DIR: a collection of damaged .npy and safetensors files that another program made,
 * with an index.json of {path, kind, valid, what}. Every damage that is in the file itself must be
 * refused with a message; skipped where there is no such collection. */
#include "workspace/npy.h"
#include "workspace/safetensors.h"

#include "support/scratch.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static const char *directory;

/* Damage in what the tensors mean to a model, or in other files: this reader sees a sound file, or
 * none at all. */
static const char *const beyond_the_file[] = {
    "hf/shape-swapped",      "hf/tensor-missing", "hf/weight-nan",     "hf/shard-missing",
    "hf/shard-lacks-tensor", "hf/index-not-json", "hf/weights-missing"};

static bool is_beyond_the_file(const char *path) {
    for (size_t i = 0; i < sizeof beyond_the_file / sizeof beyond_the_file[0]; i++)
        if (strcmp(path, beyond_the_file[i]) == 0) return true;
    return false;
}

/* Opens and reads every value. */
static genair_code read_npy(const char *path, bool *finite, genair_status *st) {
    struct npy *a = NULL;
    const genair_code code = npy_open(path, &a, st);
    *finite = true;
    for (size_t i = 0; code == GENAIR_OK && i < a->n_values; i++)
        *finite = *finite && isfinite(npy_f64(a, i));
    npy_close(a);
    return code;
}

static genair_code read_safetensors(const char *path, genair_status *st) {
    struct safetensors *f = NULL;
    const genair_code code = safetensors_open(path, &f, st);
    volatile unsigned char sum = 0;
    for (size_t i = 0; code == GENAIR_OK && i < f->n; i++)
        for (size_t k = 0; k < f->tensors[i].n_values; k++)
            sum = (unsigned char)(sum + f->tensors[i].data[k]);
    safetensors_close(f);
    return code;
}

static void check_entry(const json_t *e, size_t *n) {
    const char *name = json_string_value(json_object_get(e, "path")),
               *kind = json_string_value(json_object_get(e, "kind"));
    const bool valid = json_is_true(json_object_get(e, "valid")), npy = strcmp(kind, "npy") == 0;
    genair_status st = {0};
    bool finite = true;
    char path[1024];
    if (!npy && (strcmp(kind, "safetensors") != 0 || is_beyond_the_file(name))) return;
    snprintf(path, sizeof path, npy ? "%s/%s" : "%s/%s/model.safetensors", directory, name);
    const genair_code code = npy ? read_npy(path, &finite, &st) : read_safetensors(path, &st);
    if ((code == GENAIR_OK && finite) != valid)
        fail_msg("%s: %s", path, valid ? st.message : "accepted");
    if (code != GENAIR_OK) {
        assert_int_equal(code, GENAIR_FORMAT);
        assert_true(st.message[0] && st.file[0]);
    }
    ++*n;
}

static void each_is_judged(void **state) {
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s/index.json", directory);
    json_t *index = json_load_file(path, 0, NULL), *e;
    assert_non_null(index);
    size_t i, n = 0;
    json_array_foreach(index, i, e) check_entry(e, &n);
    assert_true(n > 20);
    json_decref(index);
}

int main(int argc, char **argv) {
    directory = argc > 1 ? argv[1] : "";
    char path[1024];
    snprintf(path, sizeof path, "%s/index.json", directory);
    if (!file_exists(path)) {
        printf("skipped: no collection of damaged files at %s\n", directory);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_judged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
