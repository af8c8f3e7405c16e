/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/safetensors.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/size.h"
#include "support/scratch.h"

#include <stdio.h>
#include <string.h>

/* Header length, header text, n_data zero bytes. */
static void write_raw(const char *path, uint64_t length, const char *header, size_t n_data) {
    unsigned char bytes[4096] = {0};
    const size_t n = strlen(header);
    assert_true(8 + n + n_data <= sizeof bytes);
    bytes_put_u64(bytes, length);
    memcpy(bytes + 8, header, n);
    scratch_write(path, bytes, 8 + n + n_data);
}

static void written_files_read_back(void **state) {
    (void)state;
    static const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {7.5F};
    const struct safetensor tensors[] = {
        {.name = "z.weight", .n_dims = 2, .shape = {2, 3}, .data = (const unsigned char *)a},
        {.name = "empty", .n_dims = 2, .shape = {0, 3}, .data = (const unsigned char *)a},
        {.name = "a \"quoted\" \xc3\xa9", .n_dims = 0, .data = (const unsigned char *)b}};
    static const char *const keys[] = {"made by", "step"}, *const values[] = {"genair", "17"};
    char *path = scratch_path("m.safetensors");
    genair_status st = {0};
    assert_int_equal(safetensors_write(path, 3, tensors, 2, keys, values, &st), GENAIR_OK);
    struct safetensors *f = NULL;
    if (safetensors_open(path, &f, &st) != GENAIR_OK) fail_msg("%s", st.message);
    assert_int_equal(f->n, 3);
    assert_string_equal(f->tensors[0].name, "z.weight");
    const struct safetensor *t = safetensors_find(f, "z.weight");
    assert_string_equal(t->type, "F32");
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->shape[1], 3);
    assert_int_equal(t->n_values, 6);
    assert_memory_equal(t->data, a, sizeof a);
    assert_int_equal((t->data - (const unsigned char *)f->tensors[0].data) % 8, 0);
    assert_memory_equal(safetensors_find(f, "a \"quoted\" \xc3\xa9")->data, b, sizeof b);
    assert_int_equal(safetensors_find(f, "empty")->n_values, 0);
    assert_null(safetensors_find(f, "other"));
    assert_int_equal(f->n_metadata, 2);
    assert_string_equal(f->metadata_keys[1], "step");
    assert_string_equal(f->metadata_values[1], "17");
    safetensors_close(f);
    safetensors_close(NULL);
    mem_free(path);
}

static void doubles_are_written_as_they_are(void **state) {
    (void)state;
    static const double a[] = {0.1, -1e-300};
    const struct safetensor t = {.name = "x", .type = "F64", .n_dims = 1, .shape = {2}, .data = (const unsigned char *)a};
    char *path = scratch_path("d.safetensors");
    assert_int_equal(safetensors_write(path, 1, &t, 0, NULL, NULL, NULL), GENAIR_OK);
    struct safetensors *f;
    assert_int_equal(safetensors_open(path, &f, NULL), GENAIR_OK);
    assert_string_equal(f->tensors[0].type, "F64");
    assert_memory_equal(f->tensors[0].data, a, sizeof a);
    safetensors_close(f);
    mem_free(path);
}

static void same_name_twice_is_not_written(void **state) {
    (void)state;
    static const float a[] = {1};
    const struct safetensor twice[] = {
        {.name = "x", .n_dims = 1, .shape = {1}, .data = (const unsigned char *)a},
        {.name = "x", .n_dims = 1, .shape = {1}, .data = (const unsigned char *)a}};
    char *path = scratch_path("t.safetensors");
    genair_status st = {0};
    assert_int_equal(safetensors_write(path, 2, twice, 0, NULL, NULL, &st), GENAIR_INTERNAL);
    assert_string_equal(st.message, "two tensors are named \"x\"");
    assert_false(file_exists(path));
    mem_free(path);
}

#define DAMAGED "; the file is damaged: make it again"

static const struct {
    const char *header;
    size_t n_data;
    const char *message;
} bad[] = {
    {"[]", 0, "not a safetensors file: its header is no JSON object"},
    {"", 8, "not a safetensors file: its header is no JSON object"},
    {"{\"a\":3}", 0, "tensor \"a\": its entry is no JSON object" DAMAGED},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "tensor \"a\": it has no \"dtype\"" DAMAGED},
    {"{\"a\":{\"dtype\":\"F5\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "tensor \"a\": its \"dtype\" is none of the format's" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4,
     "tensor \"a\": its \"shape\" is not a list of at most 8 sizes" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
     "tensor \"a\": its \"shape\" is not a list of at most 8 sizes" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4,
     "tensor \"a\": its \"shape\" has an entry that is no size, or is too large" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967298],\"data_offsets\":[0,4]}}", 4,
     "tensor \"a\": its \"shape\" has an entry that is no size, or is too large" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4,
     "tensor \"a\": its \"shape\" and \"data_offsets\" disagree on the number of bytes" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4,
     "tensor \"a\": its \"shape\" has an entry that is no size, or is too large" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4,
     "tensor \"a\": its \"data_offsets\" are not a begin and an end" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4,
     "tensor \"a\": its \"data_offsets\" are not a begin and an end" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\"0\",\"4\"]}}", 4,
     "tensor \"a\": its \"data_offsets\" are not a begin and an end" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4,
     "tensor \"a\": its \"data_offsets\" reach past the end of the file" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\","
     "\"shape\":[1],\"data_offsets\":[0,4]}}",
     4, "tensor \"b\": it shares bytes with another" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
     "tensor \"a\": unused bytes stand before it" DAMAGED},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 12,
     "8 bytes after the last tensor" DAMAGED},
    {"{\"__metadata__\":{\"a\":1}}", 0,
     "\"__metadata__\" holds something else than text under \"a\""},
    {"{\"__metadata__\":[]}", 0, "tensor \"__metadata__\": its entry is no JSON object" DAMAGED},
    {"{\"a\":{},\"a\":{}}", 0,
     "the safetensors header is wrong: duplicate object key near '\"a\"'"},
    {"{\"a\":\"\xff\"}", 0,
     "the safetensors header is wrong: unable to decode byte 0xff near '\"'"},
};

static void bad_headers_are_refused(void **state) {
    (void)state;
    char *path = scratch_path("b.safetensors");
    for (size_t i = 0; i < COUNT(bad); i++) {
        write_raw(path, strlen(bad[i].header), bad[i].header, bad[i].n_data);
        struct safetensors *f = NULL;
        genair_status st = {0};
        if (safetensors_open(path, &f, &st) != GENAIR_FORMAT)
            fail_msg("accepted: %s", bad[i].header);
        assert_null(f);
        assert_string_equal(st.message, bad[i].message);
        assert_string_equal(st.file, path);
    }
    mem_free(path);
}

static void bad_lengths_are_refused(void **state) {
    (void)state;
    static const struct {
        uint64_t length;
        const char *message;
    } cases[] = {
        {UINT64_MAX,
         "not a safetensors file, or cut: a header of 18446744073709551615 bytes, but 2 follow"},
        {3, "not a safetensors file, or cut: a header of 3 bytes, but 2 follow"}};
    char *path = scratch_path("l.safetensors");
    struct safetensors *f = NULL;
    genair_status st = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_raw(path, cases[i].length, "{}", 0);
        st = (genair_status){0};
        assert_int_equal(safetensors_open(path, &f, &st), GENAIR_FORMAT);
        assert_string_equal(st.message, cases[i].message);
    }
    write_raw(path, 2, "{}", 0); /* no tensors at all is a file */
    assert_int_equal(safetensors_open(path, &f, NULL), GENAIR_OK);
    assert_int_equal(f->n, 0);
    safetensors_close(f);
    f = NULL;
    scratch_write(path, "1234567", 7);
    st = (genair_status){0};
    assert_int_equal(safetensors_open(path, &f, &st), GENAIR_FORMAT);
    assert_string_equal(st.message, "not a safetensors file: it has 7 bytes");
    mem_free(path);
}

/* 100,000 nested arrays must not exhaust the stack. */
static void deep_nesting_is_refused(void **state) {
    (void)state;
    enum { DEPTH = 100000 };
    char *bytes = mem_array(8 + 5 + DEPTH, 1), *path = scratch_path("deep.safetensors");
    assert_non_null(bytes);
    bytes_put_u64((unsigned char *)bytes, 5 + DEPTH);
    memcpy(bytes + 8, "{\"a\":", 5);
    memset(bytes + 13, '[', DEPTH);
    scratch_write(path, bytes, 13 + DEPTH);
    struct safetensors *f = NULL;
    genair_status st = {0};
    assert_int_equal(safetensors_open(path, &f, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "maximum parsing depth reached"));
    mem_free(bytes);
    mem_free(path);
}

static void every_prefix_is_refused(void **state) {
    (void)state;
    static const float a[] = {1, 2, 3};
    const struct safetensor t = {
        .name = "x", .n_dims = 1, .shape = {3}, .data = (const unsigned char *)a};
    char *path = scratch_path("p.safetensors"), *bytes = NULL;
    size_t size;
    assert_int_equal(safetensors_write(path, 1, &t, 0, NULL, NULL, NULL), GENAIR_OK);
    assert_int_equal(file_read(path, 4096, &bytes, &size, NULL), GENAIR_OK);
    struct safetensors *f = NULL;
    for (size_t n = 0; n < size; n++) {
        scratch_write(path, bytes, n);
        assert_int_equal(safetensors_open(path, &f, NULL), GENAIR_FORMAT);
    }
    mem_free(bytes);
    mem_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_are_written_as_they_are),
        cmocka_unit_test(written_files_read_back), cmocka_unit_test(same_name_twice_is_not_written),
        cmocka_unit_test(bad_headers_are_refused), cmocka_unit_test(bad_lengths_are_refused),
        cmocka_unit_test(deep_nesting_is_refused), cmocka_unit_test(every_prefix_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
