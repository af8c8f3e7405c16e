/* SPDX-License-Identifier: Apache-2.0 */
#include "fuse/shop.h"

#include "base/size.h"
#include "lm/tiny_model.h"
#include "workspace/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static genair_code inspect(const char *path, json_t **out, genair_status *st) {
    genair_context *ctx = NULL;
    genair_options *o = NULL;
    char *text = NULL;
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create("inspect", &o, NULL), GENAIR_OK);
    if (path) assert_int_equal(genair_options_set(o, "path", path, NULL), GENAIR_OK);
    const genair_code code = genair_inspect(ctx, o, &text, st);
    *out = text ? json_loads(text, 0, NULL) : NULL;
    genair_string_free(text);
    genair_options_free(o);
    genair_context_free(ctx);
    return code;
}

static json_t *inspect_ok(const char *path) {
    genair_status st = {0};
    json_t *out = NULL;
    if (inspect(path, &out, &st) != GENAIR_OK) fail_msg("%s: %s", st.file, st.message);
    assert_non_null(out);
    return out;
}

static const char *text_at(const json_t *o, const char *key) {
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static json_int_t number_at(const json_t *o, const char *key) {
    assert_true(json_is_integer(json_object_get(o, key)));
    return json_integer_value(json_object_get(o, key));
}

static void npy_files(void **state) {
    (void)state;
    const float values[] = {1, -5, NAN, 3, INFINITY, 1};
    char *path = scratch_path("x.npy");
    assert_int_equal(npy_write_f32(path, 2, 3, values, NULL), GENAIR_OK);
    json_t *out = inspect_ok(path);
    assert_string_equal(text_at(out, "kind"), "npy");
    assert_string_equal(text_at(out, "type"), "f4");
    assert_string_equal(text_at(out, "byte_order"), "little");
    assert_string_equal(text_at(out, "order"), "C");
    assert_int_equal(json_integer_value(json_array_get(json_object_get(out, "shape"), 1)), 3);
    assert_int_equal(number_at(out, "nan"), 1);
    assert_int_equal(number_at(out, "infinite"), 1);
    assert_true(json_real_value(json_object_get(out, "min")) == -5);
    assert_true(json_real_value(json_object_get(out, "max")) == 3);
    assert_true(fabs(json_real_value(json_object_get(out, "mean"))) < 1e-12);
    json_decref(out);
    mem_free(path);
}

static void safetensors_files(void **state) {
    (void)state;
    static const float values[6];
    static const char *const keys[] = {"epoch"}, *const texts[] = {"7"};
    const struct safetensor tensors[] = {
        {.name = "a", .n_dims = 2, .shape = {2, 3}, .data = (const unsigned char *)values},
        {.name = "b", .n_dims = 1, .shape = {1}, .data = (const unsigned char *)values}};
    char *path = scratch_path("x.safetensors");
    assert_int_equal(safetensors_write(path, 2, tensors, 1, keys, texts, NULL), GENAIR_OK);
    json_t *out = inspect_ok(path);
    assert_string_equal(text_at(out, "kind"), "safetensors");
    assert_int_equal(number_at(out, "values"), 7);
    assert_string_equal(text_at(json_object_get(out, "metadata"), "epoch"), "7");
    assert_string_equal(text_at(json_array_get(json_object_get(out, "tensors"), 0), "shape"),
                        "2 x 3");
    json_decref(out);
    mem_free(path);
}

/* The entry of out's list whose key has the given text. */
static const json_t *entry(const json_t *out, const char *list, const char *key, const char *text) {
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(out, list), i,
                       e) if (strcmp(text_at(e, key), text) == 0) return e;
    fail_msg("%s has no %s", list, text);
    return NULL;
}

static void workspaces(void **state) {
    (void)state;
    struct shop s = shop_open("workspace");
    char *matrix = shop_matrix("m.npy", shop_order, 4, 0),
         *fused = path_join(s.workspace, "fused.npy");
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", matrix, "decoding", matrix, NULL), &st);
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, NULL), &st);
    json_t *out = inspect_ok(s.workspace);
    assert_string_equal(text_at(out, "kind"), "workspace");
    assert_int_equal(json_array_size(json_object_get(out, "stages")), 3);
    assert_string_equal(text_at(entry(out, "stages", "stage", "fuse"), "state"), "current");
    assert_string_equal(text_at(entry(out, "files", "file", "prefill.npy"), "stage"), "embed");
    assert_int_equal(
        number_at(json_object_get(json_object_get(out, "results"), "prepare"), "items"),
        SHOP_ITEMS);
    json_decref(out);
    /* prepared anew: what was made from it is outdated, by one step each */
    shop_prepare(&s, false);
    out = inspect_ok(s.workspace);
    assert_string_equal(text_at(entry(out, "stages", "stage", "prepare"), "state"), "current");
    assert_string_equal(text_at(entry(out, "stages", "stage", "embed"), "state"), "outdated");
    assert_string_equal(text_at(entry(out, "stages", "stage", "embed"), "why"),
                        "made from an earlier 'prepare'");
    json_decref(out);
    assert_int_equal(unlink(fused), 0);
    out = inspect_ok(s.workspace);
    assert_string_equal(text_at(entry(out, "stages", "stage", "fuse"), "state"), "damaged");
    assert_non_null(strstr(text_at(entry(out, "stages", "stage", "fuse"), "why"),
                           "the file is missing; run 'genair fuse"));
    assert_non_null(strstr(text_at(entry(out, "stages", "stage", "fuse"), "why"),
                           "again (options: inputs of \"fuse\" in "));
    json_decref(out);
    mem_free(fused);
    mem_free(matrix);
    shop_close(&s);
}

static void workspace_files(void **state) {
    (void)state;
    struct shop s = shop_open("bin");
    char *path = path_join(s.workspace, "metadata.bin");
    json_t *out = inspect_ok(path);
    assert_string_equal(text_at(out, "kind"), "workspace file");
    assert_string_equal(text_at(out, "content"), "META");
    assert_int_equal(number_at(entry(out, "arrays", "name", "row"), "elements"), SHOP_ITEMS + 1);
    assert_int_equal(number_at(entry(out, "arrays", "name", "row"), "element_bytes"), 8);
    json_decref(out);
    size_t size;
    char *bytes = shop_file(&s, "metadata.bin", &size);
    bytes[70] = (char)(bytes[70] ^ 4);
    scratch_write(path, bytes, size);
    genair_status st = {0};
    assert_int_equal(inspect(path, &out, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "run 'genair prepare' again"));
    mem_free(bytes);
    mem_free(path);
    shop_close(&s);
}

static void runs(void **state) {
    (void)state;
    static const float values[3];
    const struct safetensor t = {
        .name = "w", .n_dims = 1, .shape = {3}, .data = (const unsigned char *)values};
    static const char config[] = "{\"method\": \"base\", \"backbone\": \"gru4rec\"}";
    static const char metrics[] = "{\"epoch\": 1}\n{\"epoch\": 2}\n{\"epo";
    char *run = scratch_path("run"), *a = scratch_path("run/config.json"),
         *b = scratch_path("run/metrics.jsonl"), *c = scratch_path("run/model.safetensors");
    assert_int_equal(mkdir(run, 0700), 0);
    scratch_write(a, config, strlen(config));
    scratch_write(b, metrics, strlen(metrics));
    assert_int_equal(safetensors_write(c, 1, &t, 0, NULL, NULL, NULL), GENAIR_OK);
    json_t *out = inspect_ok(run);
    assert_string_equal(text_at(out, "kind"), "run");
    assert_int_equal(number_at(out, "epochs"), 2);
    assert_int_equal(number_at(json_object_get(out, "last_epoch"), "epoch"), 2);
    assert_int_equal(number_at(out, "model_values"), 3);
    assert_string_equal(text_at(json_object_get(out, "options"), "backbone"), "gru4rec");
    json_decref(out);
    mem_free(run);
    mem_free(a);
    mem_free(b);
    mem_free(c);
}

/* What both forms of a model say. */
static void check_model(const json_t *model) {
    assert_string_equal(text_at(model, "architecture"), "llama");
    assert_int_equal(number_at(model, "layers"), 1);
    assert_int_equal(number_at(model, "head_dim"), TINY_HEAD);
    assert_int_equal(number_at(model, "vocabulary"), TINY_VOCABULARY);
    assert_int_equal(number_at(model, "parameters"), 2 * 48 + 3 * 8 + 2 * 64 + 2 * 32 + 3 * 32);
    assert_int_equal(number_at(model, "weight_bytes"), 4 * number_at(model, "parameters"));
    assert_string_equal(text_at(model, "types"), "F32 100 %");
    assert_int_equal(json_integer_value(json_array_get(json_object_get(model, "end_tokens"), 0)),
                     2);
}

static void list_key(struct gguf_bytes *b) {
    put_array(b, "some.list", GGUF_STRING, 5);
    for (int i = 0; i < 5; i++)
        put_text(b, i == 1 ? "\xff" : "x");
}

static void gguf_files(void **state) {
    (void)state;
    char *path = scratch_path("tiny.gguf");
    tiny_gguf(&(struct tiny){.n_keys = 1, .keys = list_key}, path);
    json_t *out = inspect_ok(path);
    assert_string_equal(text_at(out, "kind"), "GGUF");
    assert_int_equal(number_at(out, "version"), 3);
    check_model(json_object_get(out, "model"));
    assert_non_null(strstr(text_at(out, "not_usable"), "has no \"tokenizer.ggml.model\""));
    const json_t *metadata = json_object_get(out, "metadata"),
                 *list = json_object_get(metadata, "some.list");
    assert_string_equal(text_at(metadata, "general.architecture"), "llama");
    assert_int_equal(number_at(metadata, "llama.block_count"), 1);
    assert_string_equal(text_at(list, "array_of"), "string");
    assert_int_equal(number_at(list, "elements"), 5);
    assert_int_equal(json_array_size(json_object_get(list, "first")), 4);
    assert_string_equal(json_string_value(json_array_get(json_object_get(list, "first"), 1)),
                        "\\xFF");
    const json_t *embedding = entry(out, "tensors", "name", "token_embd.weight");
    assert_string_equal(text_at(embedding, "type"), "F32");
    assert_string_equal(text_at(embedding, "shape"), "6 x 8");
    assert_int_equal(number_at(embedding, "bytes"), 192);
    json_decref(out);
    tiny_gguf(&(struct tiny){.skip = "output_norm.weight"}, path); /* no model, but a file */
    out = inspect_ok(path);
    assert_null(json_object_get(out, "model"));
    assert_non_null(strstr(text_at(out, "not_usable"), "\"output_norm.weight\" is missing"));
    json_decref(out);
    mem_free(path);
}

static void model_directories(void **state) {
    (void)state;
    char *path = scratch_path("tiny");
    tiny_directory(&(struct tiny){.qwen2 = false}, path);
    json_t *out = inspect_ok(path);
    assert_string_equal(text_at(out, "kind"), "Hugging Face model");
    check_model(json_object_get(out, "model"));
    assert_non_null(text_at(out, "not_usable")); /* no tokenizer */
    assert_string_equal(text_at(entry(out, "tensors", "name", "model.norm.weight"), "shape"), "8");
    assert_string_equal(
        text_at(entry(out, "tensors", "name", "model.layers.0.mlp.down_proj.weight"), "shape"),
        "8 x 4");
    json_decref(out);
    mem_free(path);
}

static void others_are_refused_in_words(void **state) {
    (void)state;
    static const char known[] = "; known are NumPy's .npy, safetensors, GGUF, a workspace's .bin "
                                "files, workspaces, runs and "
                                "directories of language models";
    static const struct {
        const char *name, *bytes, *message;
        genair_code code;
    } cases[] = {
        {"text", "hello\n",
         "not a file that inspect knows (it begins with 68 65 6c 6c 6f 0a, \"hello.\")",
         GENAIR_FORMAT},
        {"empty", "", "not a file that inspect knows (it begins with nothing, \"\")",
         GENAIR_FORMAT},
        {"cut.npy", "\x93NUMPY\x01", "the .npy header is cut", GENAIR_FORMAT},
        {"cut.safetensors", "\x01", "not a safetensors file: it has 1 bytes", GENAIR_FORMAT}};
    json_t *out;
    genair_status st;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *path = scratch_path(cases[i].name), expected[512];
        scratch_write(path, cases[i].bytes, strlen(cases[i].bytes));
        st = (genair_status){0};
        assert_int_equal(inspect(path, &out, &st), cases[i].code);
        snprintf(expected, sizeof expected, "%s%s", cases[i].message, i < 2 ? known : "");
        assert_string_equal(st.message, expected);
        assert_string_equal(st.file, path);
        mem_free(path);
    }
    st = (genair_status){0};
    assert_int_equal(inspect(scratch_directory, &out, &st), GENAIR_USAGE);
    assert_string_equal(st.message, "neither a workspace (it has no manifest.json: did prepare "
                                    "finish?) nor a run or a language "
                                    "model (no config.json)");
    st = (genair_status){0};
    assert_int_equal(inspect(NULL, &out, &st), GENAIR_USAGE);
    assert_string_equal(st.message, "inspect what? 'genair inspect FILE' or 'genair inspect DIR'");
    assert_int_equal(inspect("/nowhere/at/all", &out, NULL), GENAIR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_files),
        cmocka_unit_test(safetensors_files),
        cmocka_unit_test(workspaces),
        cmocka_unit_test(workspace_files),
        cmocka_unit_test(runs),
        cmocka_unit_test(gguf_files),
        cmocka_unit_test(model_directories),
        cmocka_unit_test(others_are_refused_in_words),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
