/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/npy.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "base/text.h"
#include "support/scratch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* An .npy file of the given version, header text and values. */
static void write_npy(const char *path, unsigned version, const char *header, const void *values,
                      size_t n_bytes) {
    unsigned char start[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0};
    const size_t n = strlen(header);
    for (int i = 0; i < 4; i++)
        start[8 + i] = (unsigned char)(n >> 8 * i);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(start, 1, version == 1 ? 10 : 12, f), version == 1 ? 10 : 12);
    assert_int_equal(fwrite(header, 1, n, f), n);
    if (n_bytes) assert_int_equal(fwrite(values, 1, n_bytes, f), n_bytes);
    assert_int_equal(fclose(f), 0);
}

static struct npy *open_ok(const char *path) {
    struct npy *a = NULL;
    genair_status st = {0};
    if (npy_open(path, &a, &st) != GENAIR_OK) fail_msg("%s: %s", path, st.message);
    return a;
}

static void every_type_order_and_version(void **state) {
    (void)state;
    /* 2 × 3 values 1, -2, 3, 4, 5, 6 as each type wants them in the file */
    static const unsigned char f2[] = {0, 0x3c, 0, 0xc0, 0, 0x42, 0, 0x44, 0, 0x45, 0, 0x46};
    static const float f4[] = {1, -2, 3, 4, 5, 6};
    static const double f8[] = {1, -2, 3, 4, 5, 6};
    static const int32_t i4[] = {1, -2, 3, 4, 5, 6};
    static const int64_t i8[] = {1, -2, 3, 4, 5, 6};
    static const struct {
        const char *type;
        size_t width;
        const void *values;
    } kinds[] = {{"f2", 2, f2}, {"f4", 4, f4}, {"f8", 8, f8}, {"i4", 4, i4}, {"i8", 8, i8}};
    static const double c_order[] = {1, -2, 3, 4, 5, 6}, fortran[] = {1, 3, 5, -2, 4, 6};
    char *path = scratch_path("a.npy");
    for (size_t k = 0; k < COUNT(kinds); k++)
        for (unsigned mode = 0; mode < 12; mode++) {
            const bool big = mode & 1, column_major = mode & 2;
            unsigned char bytes[48];
            for (size_t i = 0; i < 6; i++)
                for (size_t b = 0; b < kinds[k].width; b++)
                    bytes[i * kinds[k].width + b] =
                        ((const unsigned char *)kinds[k]
                             .values)[i * kinds[k].width + (big ? kinds[k].width - 1 - b : b)];
            char header[128];
            snprintf(header, sizeof header,
                     "{'descr': '%c%s', 'fortran_order': %s, 'shape': (2, 3), }   \n",
                     big ? '>' : '<', kinds[k].type, column_major ? "True" : "False");
            write_npy(path, 1 + mode / 4, header, bytes, 6 * kinds[k].width);
            struct npy *a = open_ok(path);
            assert_int_equal(a->n_values, 6);
            assert_int_equal(a->shape[1], 3);
            assert_string_equal(npy_type_name(a->type), kinds[k].type);
            for (size_t i = 0; i < 6; i++) {
                assert_true(npy_f64(a, i) == (column_major ? fortran : c_order)[i]);
                assert_true(npy_i64(a, i) == (int64_t)(column_major ? fortran : c_order)[i]);
                double row64[3];
                float row32[3];
                npy_row_f64(a, i / 3, row64);
                npy_row_f32(a, i / 3, row32);
                assert_true(row64[i % 3] == npy_f64(a, i));
                assert_true((double)row32[i % 3] == npy_f64(a, i));
            }
            npy_close(a);
        }
    mem_free(path);
}

static void half_precision_values(void **state) {
    (void)state;
    static const uint16_t bits[] = {0x0000, 0x8000, 0x0001, 0x03ff, 0x0400,
                                    0x3555, 0x7bff, 0x7c00, 0xfc00, 0x7e00};
    static const double values[] = {0,       -0.0,           0x1p-24, 1023 * 0x1p-24,
                                    0x1p-14, 0.333251953125, 65504};
    char *path = scratch_path("half.npy");
    write_npy(path, 1, "{'descr': '<f2', 'fortran_order': False, 'shape': (10,)}\n", bits,
              sizeof bits);
    struct npy *a = open_ok(path);
    for (size_t i = 0; i < COUNT(values); i++) {
        assert_true(npy_f64(a, i) == values[i]);
        assert_int_equal(!!signbit(npy_f64(a, i)), !!signbit(values[i]));
    }
    assert_true(isinf(npy_f64(a, 7)) && npy_f64(a, 7) > 0);
    assert_true(isinf(npy_f64(a, 8)) && npy_f64(a, 8) < 0);
    assert_true(isnan(npy_f64(a, 9)));
    npy_close(a);
    mem_free(path);
}

static void fortran_order_in_three_dimensions(void **state) {
    (void)state;
    unsigned char values[24];
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 3; j++)
            for (size_t k = 0; k < 4; k++)
                values[i + 2 * j + 6 * k] = (unsigned char)(100 * i + 10 * j + k);
    char *path = scratch_path("f.npy");
    write_npy(path, 2, "{\"shape\": (2, 3L, 4), 'fortran_order': True, 'descr': '|u1'}", values,
              sizeof values);
    struct npy *a = open_ok(path);
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(npy_i64(a, i), 100 * (i / 12) + 10 * (i / 4 % 3) + i % 4);
    npy_close(a);
    mem_free(path);
}

static void scalars_and_empty_arrays(void **state) {
    (void)state;
    char *path = scratch_path("e.npy");
    write_npy(path, 1, "{'descr': '<f8', 'fortran_order': False, 'shape': ()}",
              (const double[]){2.5}, 8);
    struct npy *a = open_ok(path);
    assert_int_equal(a->n_dims, 0);
    assert_true(npy_f64(a, 0) == 2.5);
    npy_close(a);
    write_npy(path, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (4611686018427387904, 0)}",
              NULL, 0);
    a = open_ok(path);
    assert_int_equal(a->n_values, 0);
    npy_close(a);
    mem_free(path);
}

static void written_files_read_back(void **state) {
    (void)state;
    static const float values[] = {1.5F, -0.0F, 3e38F, 1e-40F, 7, 8};
    char *path = scratch_path("w.npy");
    genair_status st = {0};
    assert_int_equal(npy_write_f32(path, 3, 2, values, &st), GENAIR_OK);
    struct npy *a = open_ok(path);
    assert_int_equal(a->shape[0], 3);
    assert_int_equal(a->shape[1], 2);
    assert_memory_equal(a->data, values, sizeof values);
    npy_close(a);
    assert_int_equal(npy_write_f32(path, 0, 7, values, &st), GENAIR_OK);
    a = open_ok(path);
    assert_int_equal(a->shape[1], 7);
    npy_close(a);
    assert_int_equal(npy_write_f32("/nowhere/at/all.npy", 3, 2, values, &st), GENAIR_IO);
    mem_free(path);
}

#define NOT_DICTIONARY "the .npy header is not the dictionary that NumPy writes: expected "
#define KEYS NOT_DICTIONARY "the keys descr, fortran_order and shape"
#define TYPES                                                                                      \
    ", expected f2, f4, f8, i4, i8 or u1; save the array as float32: numpy.save(path, "            \
    "array.astype('float32'))"
#define CUT " values of 4 bytes; the file is cut or damaged: write it again"

static const struct {
    const char *header, *message;
    int64_t offset;
} bad_headers[] = {
    {"", NOT_DICTIONARY "'{'", 10},
    {"['<f4', False, (2,)]", NOT_DICTIONARY "'{'", 10},
    {"{}", KEYS, 12},
    {"{'descr': '<f4', 'shape': (2,)}", KEYS, 41},
    {"{'fortran_order': False, 'shape': (2,)}", KEYS, 49},
    {"{'descr': '<f4', 'fortran_order': False}", KEYS, 50},
    {"{'descr': '<f4', 'descr': '<f4'}", NOT_DICTIONARY "each key once", 34},
    {"{'descr': '<f4', 'color': 3}", KEYS, 34},
    {"{'descr' '<f4'}", NOT_DICTIONARY "':' after a key", 19},
    {"{'descr': '<f4' 'shape': (2,)}", NOT_DICTIONARY "a comma or '}'", 26},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} + 1",
     NOT_DICTIONARY "nothing after '}'", 66},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), ", NOT_DICTIONARY "a quoted word",
     66},
    {"{'descr': '<f4", NOT_DICTIONARY "a closing quote", 24},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", NOT_DICTIONARY "True or False", 44},
    {"{'descr': '<f4', 'fortran_order': Falsely, 'shape': (2,)}", NOT_DICTIONARY "True or False",
     51},
    {"{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (2,)}", "values of type ('<f4', (2,)" TYPES, 20},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", "values of type '|O'" TYPES, 20},
    {"{'descr': '<U8', 'fortran_order': False, 'shape': (2,)}", "values of type '<U8'" TYPES, 20},
    {"{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}", "values of type '|f4'" TYPES, 20},
    {"{'descr': '<f16', 'fortran_order': False, 'shape': (2,)}", "values of type '<f16'" TYPES, 20},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "values of type [('a', '<f4')]" TYPES, 20},
    {"{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (2,)}",
     NOT_DICTIONARY "a quoted word", 20},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
     NOT_DICTIONARY "a dimension of 0 or more", 61},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
     NOT_DICTIONARY "a comma after the only dimension", 63},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
     NOT_DICTIONARY "a shape such as (100, 768)", 60},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 1)}",
     NOT_DICTIONARY "a comma or ')' in the shape", 63},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", NOT_DICTIONARY "a dimension", 61},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 2)}",
     NOT_DICTIONARY "at most 8 dimensions", 85},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
     NOT_DICTIONARY "a dimension below 2^64", 80},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967298)}",
     "the shape's product does not fit in 64 bits", 6},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387906,)}",
     "8 bytes of values, but the header's shape needs 4611686018427387906" CUT, 83},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
     "8 bytes of values, but the header's shape needs 3" CUT, 65},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
     "8 bytes of values, but the header's shape needs 1" CUT, 65},
};

static void bad_headers_are_refused(void **state) {
    (void)state;
    char *path = scratch_path("b.npy");
    for (size_t i = 0; i < COUNT(bad_headers); i++) {
        write_npy(path, 1, bad_headers[i].header, (const float[]){1, 2}, 8);
        struct npy *a = NULL;
        genair_status st = {0};
        if (npy_open(path, &a, &st) != GENAIR_FORMAT)
            fail_msg("accepted: %s", bad_headers[i].header);
        assert_null(a);
        assert_string_equal(st.message, bad_headers[i].message);
        assert_int_equal(st.offset, bad_headers[i].offset);
        assert_string_equal(st.file, path);
    }
    mem_free(path);
}

static void bad_beginnings_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *message;
    } cases[] = {
        {"", 0, "not a NumPy .npy file: it does not begin with \\x93NUMPY"},
        {"\x93NUMPX\x01\x00\x10\x00xxxx", 14,
         "not a NumPy .npy file: it does not begin with \\x93NUMPY"},
        {"\x93NUMPY\x01\x00\x10", 9, "the .npy header is cut"},
        {"\x93NUMPY\x09\x00\x02\x00{}", 12, ".npy format version 9, expected 1, 2 or 3"},
        {"\x93NUMPY\x00\x00\x02\x00{}", 12, ".npy format version 0, expected 1, 2 or 3"},
        {"\x93NUMPY\x01\x00\xff\xff{}", 12,
         "a .npy header of 65535 bytes, but the file has 2 left; it is cut or damaged"},
        {"\x93NUMPY\x02\x00\xff\xff\xff\xff", 12,
         "a .npy header of 4294967295 bytes, but the file has 0 left; it is cut or damaged"}};
    char *path = scratch_path("c.npy");
    for (size_t i = 0; i < COUNT(cases); i++) {
        genair_status st = {0};
        scratch_write(path, cases[i].bytes, cases[i].n);
        struct npy *a = NULL;
        assert_int_equal(npy_open(path, &a, &st), GENAIR_FORMAT);
        assert_null(a);
        assert_string_equal(st.message, cases[i].message);
    }
    genair_status st = {0};
    struct npy *a = NULL;
    assert_int_equal(npy_open("/nowhere/at/all.npy", &a, &st), GENAIR_IO);
    mem_free(path);
}

/* Any prefix of a good file is refused, and any changed byte of its header is refused or read
 * within bounds. */
static void cuts_and_flips_stay_in_bounds(void **state) {
    (void)state;
    char good[128 + 24], bad[sizeof good];
    char *path = scratch_path("d.npy");
    genair_status st = {0};
    assert_int_equal(npy_write_f32(path, 3, 2, (const float[]){1, 2, 3, 4, 5, 6}, &st), GENAIR_OK);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(good, 1, sizeof good, f), sizeof good);
    fclose(f);
    struct npy *a = NULL;
    for (size_t n = 0; n < sizeof good; n++) {
        scratch_write(path, good, n);
        assert_int_equal(npy_open(path, &a, NULL), GENAIR_FORMAT);
    }
    size_t accepted = 0;
    for (size_t i = 0; i < 128; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bad, good, sizeof bad);
            bad[i] = (char)(bad[i] ^ 1 << bit);
            scratch_write(path, bad, sizeof bad);
            if (npy_open(path, &a, NULL) != GENAIR_OK) continue;
            for (size_t k = 0; k < a->n_values; k++)
                (void)npy_f64(a, k);
            npy_close(a);
            accepted++;
        }
    assert_true(accepted <
                400); /* mostly spaces turned into other white space; byte order, version */
    mem_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_order_and_version),
        cmocka_unit_test(half_precision_values),
        cmocka_unit_test(fortran_order_in_three_dimensions),
        cmocka_unit_test(scalars_and_empty_arrays),
        cmocka_unit_test(written_files_read_back),
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(bad_beginnings_are_refused),
        cmocka_unit_test(cuts_and_flips_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
