/* SPDX-License-Identifier: Apache-2.0 */
/* Every table that this machine runs against scalar.c, on odd lengths, unaligned starts and extremes. */
#include "kernels/kernels.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 1100 };
static const char *const names[] = {"scalar", "avx2", "avx512", "vnni", "amx", "neon"};
static const size_t lengths[] = {0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 200, 1000};

static void fill(float *x, size_t n, uint64_t stream, double spread) {
    struct rng r = rng_start(1, RNG_TEST, stream);
    for (size_t i = 0; i < n; i++) x[i] = (float)(spread * rng_normal(&r));
}

static void expect_close(const char *kernel, const char *table, const float *want, const float *got, size_t n,
                         double relative, double absolute) {
    for (size_t i = 0; i < n; i++) {
        const double error = fabs((double)want[i] - (double)got[i]);
        if (!(error <= absolute + relative * fabs((double)want[i])))
            fail_msg("%s, %s, length %zu: [%zu] expected %.9g, found %.9g", kernel, table, n, i,
                     (double)want[i], (double)got[i]);
    }
}

typedef void unary(const float *, float *, size_t);

static void check_unary(const char *name, const struct kernels *k, unary *want_f, unary *got_f,
                        double spread, double relative, double absolute) {
    float x[MAX + 1], want[MAX + 1], got[MAX + 1];
    for (size_t l = 0; l < COUNT(lengths); l++) {
        const size_t n = lengths[l];
        fill(x, n + 1, l, spread);
        memset(got, 0x55, sizeof got);
        want_f(x + 1, want + 1, n);
        got_f(x + 1, got + 1, n);
        expect_close(name, k->name, want + 1, got + 1, n, relative, absolute);
        uint32_t after;
        memcpy(&after, got + 1 + n, sizeof after);
        assert_int_equal(after, 0x55555555); /* nothing written past the end */
    }
}

static void check_functions(const struct kernels *k) {
    const struct kernels *s = &kernels_scalar;
    check_unary("exp", k, s->exp, k->exp, 20, 3e-7, 0);
    check_unary("sigmoid", k, s->sigmoid, k->sigmoid, 10, 4e-7, 1e-37);
    check_unary("tanh", k, s->tanh, k->tanh, 2, 1e-6, 0);
    check_unary("gelu", k, s->gelu, k->gelu, 3, 2e-6, 2e-7);
}

static void check_gelu_backward(const struct kernels *k) {
    float x[MAX], dy[MAX], want[MAX], got[MAX];
    for (size_t l = 0; l < COUNT(lengths); l++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            const size_t n = lengths[l];
            fill(x, n, 1, 3);
            fill(dy, n, 2, 1);
            fill(want, n, 3, 1);
            memcpy(got, want, sizeof got);
            kernels_scalar.gelu_backward(x, dy, want, n, accumulate);
            k->gelu_backward(x, dy, got, n, accumulate);
            expect_close("gelu_backward", k->name, want, got, n, 2e-6, 1e-6);
        }
}

static void check_sums(const struct kernels *k) {
    float a[MAX], b[MAX], want[MAX], got[MAX];
    for (size_t l = 0; l < COUNT(lengths); l++) {
        const size_t n = lengths[l];
        fill(a, n, 1, 1);
        fill(b, n, 2, 1);
        const float w = kernels_scalar.dot(a, b, n), g = k->dot(a, b, n);
        expect_close("dot", k->name, &w, &g, 1, 0, 1e-7 * (double)(n + 1));
        memcpy(want, b, sizeof b);
        memcpy(got, b, sizeof b);
        kernels_scalar.axpy(0.3f, a, want, n);
        k->axpy(0.3f, a, got, n);
        expect_close("axpy", k->name, want, got, n, 2e-7, 2e-7);
        for (int c = 0; c < 2; c++) {
            kernels_scalar.scale_add(0.7f, a, (float)c * 0.5f, want, n);
            k->scale_add(0.7f, a, (float)c * 0.5f, got, n);
            expect_close("scale_add", k->name, want, got, n, 2e-7, 4e-7);
        }
        if (n == 0) continue;
        float want_max, got_max;
        memcpy(want, a, sizeof a);
        memcpy(got, a, sizeof a);
        const float want_sum = kernels_scalar.softmax_terms(want, n, &want_max);
        const float got_sum = k->softmax_terms(got, n, &got_max);
        assert_true(want_max == got_max);
        expect_close("softmax_terms", k->name, want, got, n, 4e-7, 0);
        expect_close("softmax_terms sum", k->name, &want_sum, &got_sum, 1, 2e-6, 0);
    }
}

static void check_layernorm(const struct kernels *k) {
    float x[MAX], w[MAX], b[MAX], dy[MAX], want[3][MAX], got[3][MAX], want_stat[2], got_stat[2];
    for (size_t l = 1; l < COUNT(lengths); l++) {
        const size_t n = lengths[l];
        fill(x, n, 1, 2);
        fill(w, n, 2, 1);
        fill(b, n, 3, 1);
        fill(dy, n, 4, 1);
        kernels_scalar.layernorm(x, w, b, 1e-5f, n, want[0], &want_stat[0], &want_stat[1]);
        k->layernorm(x, w, b, 1e-5f, n, got[0], &got_stat[0], &got_stat[1]);
        if (n == 1) continue; /* variance 0: 1 / sqrt(eps) magnifies rounding */
        expect_close("layernorm", k->name, want[0], got[0], n, 2e-6, 4e-6);
        expect_close("layernorm statistics", k->name, want_stat, got_stat, 2, 2e-6, 4e-7);
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            for (int i = 0; i < 3; i++) {
                fill(want[i], n, 5 + (uint64_t)i, 1);
                memcpy(got[i], want[i], sizeof got[i]);
            }
            kernels_scalar.layernorm_backward(x, w, dy, want_stat[0], want_stat[1], n, want[0], accumulate,
                                              want[1], want[2]);
            k->layernorm_backward(x, w, dy, want_stat[0], want_stat[1], n, got[0], accumulate, got[1],
                                  got[2]);
            for (int i = 0; i < 3; i++)
                expect_close("layernorm_backward", k->name, want[i], got[i], n, 4e-6, 4e-6);
        }
    }
}

static void check_dropout(const struct kernels *k) {
    float x[MAX], a[MAX], want[MAX], got[MAX];
    uint64_t want_bits[MAX / 64 + 1], got_bits[MAX / 64 + 1];
    const struct dropout d = {.seed = 0x123456789abcdef, .a = 77, .purpose = RNG_DROPOUT,
                              .threshold = 0x6000, .scale = 1.6f};
    for (size_t l = 1; l < COUNT(lengths); l++) {
        const size_t n = lengths[l], words = (n + 63) / 64;
        fill(x, n, 1, 1);
        fill(a, n, 2, 1);
        kernels_scalar.dropout_bits(&d, 640, n, want_bits);
        k->dropout_bits(&d, 640, n, got_bits);
        assert_memory_equal(want_bits, got_bits, words * 8);
        kernels_scalar.dropout(want_bits, d.scale, x, want, n);
        k->dropout(got_bits, d.scale, x, got, n);
        assert_memory_equal(want, got, n * sizeof *want);
        kernels_scalar.dropout_add(want_bits, d.scale, x, a, want, n);
        k->dropout_add(got_bits, d.scale, x, a, got, n);
        assert_memory_equal(want, got, n * sizeof *want);
        kernels_scalar.dropout_relu(want_bits, d.scale, x, want, n);
        k->dropout_relu(got_bits, d.scale, x, got, n);
        assert_memory_equal(want, got, n * sizeof *want);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(want_bits[i / 64] >> (i % 64) & 1, got_bits[i / 64] >> (i % 64) & 1);
    }
}

static void check_adam(const struct kernels *k) {
    float g[MAX], want[3][MAX], got[3][MAX];
    const struct adam_step s = {.beta1 = 0.9f, .beta2 = 0.999f, .gain1 = 0.1f, .gain2 = 0.001f,
                                .rate = 0.01f, .root_bias = 0.0316f, .epsilon = 1e-8f, .decay = 0.01f};
    for (size_t l = 0; l < COUNT(lengths); l++) {
        const size_t n = lengths[l];
        fill(g, n, 1, 1);
        for (int i = 0; i < 3; i++) {
            fill(want[i], n, 5 + (uint64_t)i, 1);
            for (size_t j = 0; j < n; j++) want[i][j] = fabsf(want[i][j]);
            memcpy(got[i], want[i], sizeof got[i]);
        }
        kernels_scalar.adam(&s, g, want[0], want[1], want[2], n);
        k->adam(&s, g, got[0], got[1], got[2], n);
        for (int i = 0; i < 3; i++) expect_close("adam", k->name, want[i], got[i], n, 1e-6, 1e-6);
    }
}

static struct adam_step step_constants(int step, double rate) {
    return (struct adam_step){.beta1 = 0.9f, .beta2 = 0.999f, .gain1 = 0.1f, .gain2 = 0.001f,
                              .rate = (float)(rate / (1 - pow(0.9, step))), .root_bias = (float)sqrt(1 - pow(0.999, step)),
                              .epsilon = 1e-8f};
}

/* The steps without a gradient at once are those steps one by one, whatever size values and moments have. */
static void check_adam_rest(const struct kernels *k) {
    enum { STEPS = 3000 };
    static struct adam_step steps[STEPS + 1];
    static const size_t counts[] = {1, 7, 8, 9, 160, 700, 2900};
    static const float zeros[MAX];
    for (int s = 1; s <= STEPS; s++) {
        steps[s] = step_constants(s, 1e-2);
        if (s > 1) assert_true(adam_shrinks(&steps[s - 1], &steps[s]));
    }
    float want[3][MAX], got[3][MAX], sizes[MAX];
    for (size_t l = 0; l < COUNT(lengths); l++)
        for (size_t c = 0; c < COUNT(counts); c++)
            for (size_t first = 1; first < 100; first += 49) {
                const size_t n = lengths[l];
                fill(sizes, n, l + c, 1);
                for (int i = 0; i < 3; i++) {
                    fill(want[i], n, 5 + (uint64_t)i, 1);
                    for (size_t j = 0; j < n; j++) {
                        want[i][j] *= powf(10, -12 + 12 * sizes[(j + (size_t)i) % n]);
                        if (i == 2) want[i][j] = fabsf(want[i][j]);
                        if ((j + c) % 5 == 0) want[i][j] = 0;
                    }
                    memcpy(got[i], want[i], sizeof got[i]);
                }
                for (size_t s = 0; s < counts[c]; s++) k->adam(&steps[first + s], zeros, want[0], want[1], want[2], n);
                k->adam_rest(&steps[first], counts[c], got[0], got[1], got[2], n);
                for (int i = 0; i < 3; i++) assert_memory_equal(want[i], got[i], n * sizeof(float));
            }
    struct adam_step faster = step_constants(11, 2e-2), other = step_constants(11, 1e-2), decaying = other;
    assert_false(adam_shrinks(&steps[10], &faster));
    other.beta2 = 0.99f;
    decaying.decay = 1e-3f;
    assert_false(adam_shrinks(&steps[10], &other));
    assert_false(adam_shrinks(&steps[10], &decaying));
}

static void check_count(const struct kernels *k) {
    float x[MAX];
    for (size_t l = 0; l < COUNT(lengths); l++) {
        const size_t n = lengths[l];
        fill(x, n, l, 1);
        for (size_t i = 0; i < n; i += 3) x[i] = 0.25f;
        if (n > 5) x[5] = NAN;
        size_t want_ties, want_nans, got_ties, got_nans;
        const size_t want = kernels_scalar.count_at_least(x, n, 0.25f, &want_ties, &want_nans);
        assert_int_equal(want, k->count_at_least(x, n, 0.25f, &got_ties, &got_nans));
        assert_int_equal(want_ties, got_ties);
        assert_int_equal(want_nans, got_nans);
        const double want_sum = kernels_scalar.sum_at_least(x, n, 0.25f), got_sum = k->sum_at_least(x, n, 0.25f);
        assert_true(fabs(want_sum - got_sum) <= 1e-6 * want_sum);
        float want_kept[COUNT(x)], got_kept[COUNT(x)];
        const size_t n_kept = kernels_scalar.keep_between(x, n, -0.5f, 0.25f, want_kept);
        assert_int_equal(n_kept, k->keep_between(x, n, -0.5f, 0.25f, got_kept));
        assert_memory_equal(want_kept, got_kept, n_kept * sizeof *x);
        memcpy(got_kept, x, n * sizeof *x);
        assert_int_equal(n_kept, k->keep_between(got_kept, n, -0.5f, 0.25f, got_kept)); /* in place */
        assert_memory_equal(want_kept, got_kept, n_kept * sizeof *x);
        for (size_t at = 0; at <= n; at++) { /* NaN at 5 is above nothing */
            if (at < n) x[at] = 2e30f;
            assert_int_equal(k->first_above(x, n, 1e30f), at);
            if (at < n) x[at] = -1;
        }
    }
}

/* Against the definition, and equal vectors in all places: one value. */
static void check_panel_product(const struct kernels *k) {
    enum { ROWS = 29, WIDTH = 130, STRIDE = PANEL + 3 };
    static float rows[ROWS * WIDTH], panel[WIDTH * PANEL], want[ROWS * STRIDE], got[ROWS * STRIDE], one_row[PANEL];
    for (size_t j = 0; j < PANEL; j++) one_row[j] = 1.5f;
    for (size_t width = 0; width <= WIDTH; width += 13) {
        for (int equal = 0; equal < 2; equal++) {
            fill(rows, ROWS * width, 1, 1);
            fill(panel, width * PANEL, 2, 1);
            for (size_t i = 0; equal && i < ROWS * width; i++) rows[i] = rows[i % width];
            for (size_t i = 0; equal && i < width * PANEL; i++) panel[i] = panel[i / PANEL * PANEL];
            for (int from = 0; from < 3; from++) { /* zeros, what is there, one row for all */
                const float *start[] = {NULL, want, one_row}, *start_got[] = {NULL, got, one_row};
                for (size_t i = 0; i < COUNT(want); i++) want[i] = got[i] = 0.5f;
                kernels_scalar.panel_product(rows, ROWS, width, panel, width, start[from], from == 2 ? 0 : STRIDE, want, STRIDE);
                k->panel_product(rows, ROWS, width, panel, width, start_got[from], from == 2 ? 0 : STRIDE, got, STRIDE);
                expect_close("panel_product", k->name, want, got, COUNT(got), 0, 4e-7 * (double)(width + 2));
                for (size_t r = 0; equal && r < ROWS; r++)
                    for (size_t j = 0; j < PANEL; j++) assert_true(got[r * STRIDE + j] == got[0]);
            }
        }
    }
}

static void check_transpose(const struct kernels *k) {
    enum { ROWS = 37, STRIDE = 41 };
    float in[ROWS * STRIDE], want[STRIDE * ROWS], got[STRIDE * ROWS];
    fill(in, COUNT(in), 1, 1);
    for (size_t rows = 0; rows <= ROWS; rows++)
        for (size_t width = 0; width <= STRIDE; width++) {
            memset(want, 0, sizeof want);
            memset(got, 0, sizeof got);
            kernels_scalar.transpose(in, rows, STRIDE, width, want, ROWS);
            k->transpose(in, rows, STRIDE, width, got, ROWS);
            assert_memory_equal(want, got, sizeof want);
        }
}

enum { CODES = 256, N_CODED = 59, N_PLACES = (N_CODED + INT8_ROWS - 1) / INT8_ROWS * INT8_ROWS };
struct int8_memory {
    int8_t codes[N_PLACES * CODES];
    float scales[N_PLACES * CODES / INT8_BLOCK];
    int32_t sums[N_PLACES * CODES / 16], starts[N_PLACES * CODES / INT8_BLOCK];
};

static struct int8_rows int8_rows_in(struct int8_memory *m) {
    return (struct int8_rows){m->codes, m->scales, m->sums, m->starts, CODES / INT8_BLOCK};
}

/* Blocks of zeros, of tiny numbers, of exact integers, and any. */
static void check_int8_quantise(const struct kernels *k, struct int8_memory *got) {
    static float x[N_CODED * CODES];
    static struct int8_memory want;
    fill(x, N_CODED * CODES, 1, 3);
    for (size_t i = 0; i < INT8_BLOCK; i++) {
        x[i] = 0;
        x[INT8_BLOCK + i] = 1e-39f;
        x[2 * INT8_BLOCK + i] = 8 * (float)i - 127;
        x[3 * INT8_BLOCK + i] = (float)i - 0.5f; /* ties, once divided */
    }
    const struct int8_rows a = int8_rows_in(&want), b = int8_rows_in(got);
    for (size_t r = 0; r < N_CODED; r++) {
        kernels_scalar.int8_quantise(x + r * CODES, CODES, &a, r);
        k->int8_quantise(x + r * CODES, CODES, &b, r);
    }
    assert_memory_equal(&want, got, sizeof want);
    const int8_t *codes = got->codes + 2 * INT8_BLOCK * INT8_ROWS;
    assert_true(got->scales[2 * INT8_ROWS] == 1);
    for (int i = 0; i < INT8_BLOCK; i++) assert_int_equal(codes[i], 8 * i - 127);
}

/* The same bytes as the definition's, with the largest codes that there are too. */
static void check_int8_product(const struct kernels *k) {
    enum { STRIDE = PANEL + 5 };
    static struct int8_memory rows;
    static float extreme[CODES];
    static int8_t codes[CODES * PANEL];
    static float scales[CODES / 16 * PANEL], mins[CODES / INT8_BLOCK * PANEL];
    static float want[N_CODED * STRIDE], got[N_CODED * STRIDE];
    check_int8_quantise(k, &rows);
    const struct int8_rows all = int8_rows_in(&rows);
    for (size_t i = 0; i < CODES; i++) extreme[i] = i % 3 ? 1 : -1;
    k->int8_quantise(extreme, CODES, &all, 1);
    struct rng r = rng_start(1, RNG_TEST, 9);
    for (size_t i = 0; i < sizeof codes; i++) codes[i] = (int8_t)rng_u32(&r);
    for (size_t i = 0; i < CODES * 4; i++) codes[i] = i % 3 ? -128 : 127;
    fill(scales, COUNT(scales), 3, 1);
    fill(mins, COUNT(mins), 4, 1);
    const struct int8_panel panels[] = {{codes, scales, NULL, 8, 32}, {codes, scales, mins, 8, 32},
                                        {codes, scales, NULL, 7, 16}, {codes, scales, NULL, 0, 32}};
    for (size_t p = 0; p < COUNT(panels); p++) {
        k->int8_begin(panels[p].group);
        for (size_t n = 1; n <= N_CODED; n++) {
            const struct int8_rows x = int8_rows_from(&all, 8 - panels[p].n_blocks);
            for (size_t i = 0; i < COUNT(want); i++) want[i] = got[i] = 0.5f;
            for (int accumulate = 0; accumulate < 2; accumulate++) {
                kernels_scalar.int8_product(&x, n, &panels[p], want, STRIDE, accumulate);
                k->int8_product(&x, n, &panels[p], got, STRIDE, accumulate);
            }
            assert_memory_equal(want, got, sizeof want);
        }
        k->int8_end();
    }
}

static void check_small_floats(const struct kernels *k) {
    static uint16_t bits[65536];
    static float want[65536], got[65536];
    for (size_t i = 0; i < COUNT(bits); i++) bits[i] = (uint16_t)i;
    kernels_scalar.bfloat_to_float(bits, COUNT(bits), want);
    k->bfloat_to_float(bits, COUNT(bits), got);
    assert_memory_equal(want, got, sizeof want);
    for (size_t n = COUNT(bits); n > 65530; n--) { /* not whole vectors too */
        kernels_scalar.half_to_float(bits, n, want);
        k->half_to_float(bits, n, got);
        for (size_t i = 0; i < n; i++)
            assert_true(memcmp(want + i, got + i, 4) == 0 || (isnan(want[i]) && isnan(got[i])));
    }
}

static void check_nibbles(const struct kernels *k) {
    uint8_t in[67];
    int8_t want[134], got[134];
    for (size_t i = 0; i < COUNT(in); i++) in[i] = (uint8_t)(i * 37);
    kernels_scalar.int4_unpack(in, COUNT(in), -8, want);
    k->int4_unpack(in, COUNT(in), -8, got);
    assert_memory_equal(want, got, sizeof want);
}

static void check_rows_of_models(const struct kernels *k) {
    float x[MAX], w[MAX], want[MAX], got[MAX];
    for (size_t l = 1; l < COUNT(lengths); l++) {
        const size_t n = lengths[l];
        fill(x, n, 1, 2);
        fill(w, n, 2, 1);
        kernels_scalar.rmsnorm(x, w, 1e-5f, n, want);
        k->rmsnorm(x, w, 1e-5f, n, got);
        expect_close("rmsnorm", k->name, want, got, n, 1e-6, 1e-7);
        kernels_scalar.silu_product(x, w, want, n);
        k->silu_product(x, w, got, n);
        expect_close("silu_product", k->name, want, got, n, 1e-6, 1e-7);
        fill(want, 2 * (n / 2), 3, 1);
        memcpy(got, want, sizeof got);
        kernels_scalar.rotate(want, x, w, n / 2);
        k->rotate(got, x, w, n / 2);
        expect_close("rotate", k->name, want, got, 2 * (n / 2), 0, 4e-6);
    }
}

static void check_extremes(const struct kernels *k) {
    const float x[] = {-INFINITY, -1000, -88, -87.5f, 0, -0.0f, 1e-30f, -1e-40f, 87, 88};
    float y[COUNT(x)];
    k->exp(x, y, COUNT(x));
    assert_true(y[0] == 0 && y[1] == 0 && y[4] == 1 && isfinite(y[9]) && y[9] > 1e38f);
    const float wide[] = {-INFINITY, -1e4f, 1e4f, INFINITY};
    k->sigmoid(wide, y, 4);
    assert_true(y[0] <= 1e-37f && y[1] <= 1e-37f && y[2] == 1 && y[3] == 1);
    k->tanh(wide, y, 4);
    assert_true(y[0] == -1 && y[1] == -1 && y[2] == 1 && y[3] == 1);
}

static void all_tables(void **state) {
    (void)state;
    size_t ran = 0;
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct kernels *k = kernels_select(names[i]);
        if (!k) continue;
        check_functions(k);
        check_gelu_backward(k);
        check_sums(k);
        check_layernorm(k);
        check_dropout(k);
        check_adam(k);
        check_adam_rest(k);
        check_count(k);
        check_panel_product(k);
        check_transpose(k);
        check_int8_product(k);
        check_small_floats(k);
        check_nibbles(k);
        check_rows_of_models(k);
        check_extremes(k);
        print_message("%s agrees with the definition\n", k->name);
        ran++;
    }
    assert_true(ran >= 1);
    assert_null(kernels_select("no such set"));
    assert_non_null(kernels_select(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
