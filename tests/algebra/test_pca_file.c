/* SPDX-License-Identifier: Apache-2.0 */
#include "algebra/pca_file.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "workspace/npy.h"

#include "support/scratch.h"

#include <string.h>

enum { N = 40 };
static const size_t widths[N_PARTS] = {7, 60}; /* more and fewer rows than columns */

static void read_row(const void *source, size_t r, double *out) {
    const struct npy *a = source;
    npy_row_f64(a, r, out);
}

struct part {
    float *values;
    char *path;
    struct npy *matrix;
    struct rows rows;
};

static void make_part(struct part *p, size_t part, uint64_t seed) {
    char name[32];
    snprintf(name, sizeof name, "part-%zu.npy", part);
    p->values = mem_array(N * widths[part], sizeof *p->values);
    p->path = scratch_path(name);
    struct rng r = rng_start(seed, RNG_TEST, part);
    for (size_t i = 0; i < N * widths[part]; i++) p->values[i] = (float)rng_normal(&r);
    assert_int_equal(npy_write_f32(p->path, N, widths[part], p->values, NULL), GENAIR_OK);
    assert_int_equal(npy_open(p->path, &p->matrix, NULL), GENAIR_OK);
    p->rows = (struct rows){N, widths[part], read_row, p->matrix};
}

static void free_part(struct part *p) {
    npy_close(p->matrix);
    mem_free(p->values);
    mem_free(p->path);
}

/* What comes back gives the rows that the components themselves gave, bit for bit. */
static void check(bool whiten, bool both) {
    struct part parts[N_PARTS];
    struct pca pca[N_PARTS] = {0};
    struct fused_components c;
    genair_context *ctx = NULL;
    const size_t k = 5, columns = both ? 2 * k : k;
    char *path = scratch_path("c.safetensors");
    assert_int_equal(genair_context_create(2, NULL, NULL, &ctx, NULL), GENAIR_OK);
    float *expected = mem_zeros(N * columns, sizeof *expected), *found = mem_zeros(N * columns, sizeof *found);
    const float *values[N_PARTS] = {0};
    for (size_t i = 0; i < N_PARTS; i++) {
        make_part(&parts[i], i, 5);
        values[i] = parts[i].values;
        if (i == PREFILL && !both) continue;
        assert_int_equal(pca_fit(ctx, &parts[i].rows, (struct pca_choice){.components = k}, &pca[i], NULL), GENAIR_OK);
        assert_int_equal(pca_project(ctx, &pca[i], &parts[i].rows, 0, N, whiten, expected + (both ? i * k : 0), columns, NULL),
                         GENAIR_OK);
    }
    assert_int_equal(pca_file_write(path, pca, whiten, NULL), GENAIR_OK);
    assert_int_equal(pca_file_read(path, &c, NULL), GENAIR_OK);
    assert_int_equal(c.width, columns);
    assert_int_equal(c.part[DECODING].width, widths[DECODING]);
    assert_int_equal(c.part[PREFILL].width, both ? widths[PREFILL] : 0);
    assert_int_equal(pca_file_project(ctx, &c, N, values, found, NULL), GENAIR_OK);
    assert_memory_equal(expected, found, N * columns * sizeof *found);
    for (size_t i = 0; i < N_PARTS; i++) {
        free_part(&parts[i]);
        pca_free(&pca[i]);
    }
    pca_file_free(&c);
    mem_free(expected);
    mem_free(found);
    mem_free(path);
    genair_context_free(ctx);
}

static void rows_are_those_of_fuse(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) check(i & 1, i & 2);
}

static void what_is_not_ours_is_refused(void **state) {
    (void)state;
    static const char header[] = "{\"decoding.mean\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    unsigned char bytes[8 + sizeof header - 1 + 4] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    char *path = scratch_path("wrong.safetensors");
    scratch_write(path, bytes, sizeof bytes);
    struct fused_components c;
    genair_status st = {0};
    assert_int_equal(pca_file_read(path, &c, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "decoding.mean"));
    pca_file_free(&c);
    scratch_write(path, "\2\0\0\0\0\0\0\0{}", 10);
    assert_int_equal(pca_file_read(path, &c, NULL), GENAIR_FORMAT);
    pca_file_free(&c);
    mem_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_fuse),
        cmocka_unit_test(what_is_not_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
