/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of every kernel, written for reading. */
#include "kernels/kernels.h"

#include "base/bytes.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

static float dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return (float)sum;
}

static void axpy(float s, const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += s * x[i];
}

static void scale_add(float s, const float *x, float c, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = c == 0 ? s * x[i] : s * x[i] + c * y[i];
}

static void add(const float *a, const float *b, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

static void exp_(const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] < -87 ? 0 : expf(x[i]);
}

static void sigmoid(const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (float)(1 / (1 + exp(-(double)x[i])));
}

static void tanh_(const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = tanhf(x[i]);
}

static double normal_cdf(double x) {
    return 0.5 * erfc(-x * 0.70710678118654752);
}

static void gelu(const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (float)((double)x[i] * normal_cdf((double)x[i]));
}

static void gelu_backward(const float *x, const float *dy, float *dx, size_t n, bool accumulate) {
    for (size_t i = 0; i < n; i++) {
        const double t = (double)x[i];
        const double density = 0.39894228040143268 * exp(-0.5 * t * t);
        const float d = (float)((double)dy[i] * (normal_cdf(t) + t * density));
        dx[i] = accumulate ? dx[i] + d : d;
    }
}

static float softmax_terms(float *x, size_t n, float *max) {
    float m = x[0];
    for (size_t i = 1; i < n; i++)
        if (x[i] > m) m = x[i];
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] - m < -87 ? 0 : expf(x[i] - m);
        sum += (double)x[i];
    }
    *max = m;
    return (float)sum;
}

static void scale(float s, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] *= s;
}

static void layernorm(const float *x, const float *w, const float *b, float eps, size_t n, float *y,
                      float *mean, float *rstd) {
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    const double centre = sum / (double)n;
    for (size_t i = 0; i < n; i++) square += ((double)x[i] - centre) * ((double)x[i] - centre);
    const double r = 1 / sqrt(square / (double)n + (double)eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(((double)x[i] - centre) * r) * w[i] + b[i];
    *mean = (float)centre;
    *rstd = (float)r;
}

/* With g = dy w: dx = rstd (g - mean(g) - xhat mean(g xhat)). */
static void layernorm_backward(const float *x, const float *w, const float *dy, float mean, float rstd,
                               size_t n, float *dx, bool accumulate, float *dw, float *db) {
    double sum = 0, sum_hat = 0;
    for (size_t i = 0; i < n; i++) {
        const double g = (double)dy[i] * (double)w[i];
        sum += g;
        sum_hat += g * (double)((x[i] - mean) * rstd);
    }
    for (size_t i = 0; i < n; i++) {
        const float hat = (x[i] - mean) * rstd;
        const double d = (double)rstd * ((double)(dy[i] * w[i]) - sum / (double)n -
                                         (double)hat * sum_hat / (double)n);
        dw[i] += dy[i] * hat;
        db[i] += dy[i];
        dx[i] = accumulate ? dx[i] + (float)d : (float)d;
    }
}

static void dropout_bits(const struct dropout *d, uint64_t first, size_t n, uint64_t *bits) {
    for (size_t i = 0; i < n; i += 64) {
        uint64_t word = 0;
        for (unsigned block = 0; block < 8; block++) {
            const uint32_t b = (uint32_t)((first + i) / 8 + block);
            const struct rng4 r = rng_at(d->seed, (enum rng_purpose)d->purpose, d->a, b);
            for (unsigned j = 0; j < 8; j++) {
                const uint32_t number = j & 1 ? r.v[j / 2] >> 16 : r.v[j / 2] & 0xFFFF;
                word |= (uint64_t)(number >= d->threshold) << (8 * block + j);
            }
        }
        bits[i / 64] = word;
    }
}

static bool kept(const uint64_t *bits, size_t i) {
    return bits[i / 64] >> (i % 64) & 1;
}

static void dropout(const uint64_t *bits, float s, const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = kept(bits, i) ? s * x[i] : 0;
}

static void dropout_add(const uint64_t *bits, float s, const float *x, const float *a, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = a[i] + (kept(bits, i) ? s * x[i] : 0);
}

static void dropout_relu(uint64_t *bits, float s, const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const bool open = kept(bits, i) && x[i] > 0;
        y[i] = open ? s * x[i] : 0;
        if (!open) bits[i / 64] &= ~((uint64_t)1 << (i % 64));
    }
}

static float without_dust(float x) {
    return fabsf(x) < ADAM_DUST ? 0 : x;
}

static void adam(const struct adam_step *s, const float *g, float *p, float *m, float *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float slope = g[i] + s->decay * p[i];
        m[i] = without_dust(s->beta1 * m[i] + s->gain1 * slope);
        v[i] = without_dust(s->beta2 * v[i] + s->gain2 * (slope * slope));
        p[i] -= s->rate * m[i] / (sqrtf(v[i]) / s->root_bias + s->epsilon);
    }
}

static void adam_rest(const struct adam_step *steps, size_t n_steps, float *p, float *m, float *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float step = INFINITY;
        for (size_t s = 0; s < n_steps && (m[i] != 0 || v[i] != 0); s++) {
            m[i] = without_dust(steps->beta1 * m[i]);
            v[i] = without_dust(steps->beta2 * v[i]);
            if (fabsf(step) <= fabsf(p[i]) * ADAM_STILL) continue;
            step = steps[s].rate * m[i] / (sqrtf(v[i]) / steps[s].root_bias + steps[s].epsilon);
            p[i] -= step;
        }
    }
}

static size_t count_at_least(const float *x, size_t n, float threshold, size_t *ties, size_t *nans) {
    size_t count = 0;
    *ties = *nans = 0;
    for (size_t i = 0; i < n; i++) {
        count += x[i] >= threshold;
        *ties += x[i] == threshold;
        *nans += isnan(x[i]) != 0;
    }
    return count;
}

static double sum_at_least(const float *x, size_t n, float threshold) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (x[i] >= threshold) sum += (double)x[i];
    return sum;
}

static size_t keep_between(const float *x, size_t n, float low, float high, float *out) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const float value = x[i];
        out[kept] = value;
        kept += (value >= low) & (value < high); /* without a branch */
    }
    return kept;
}

static size_t first_above(const float *x, size_t n, float threshold) {
    for (size_t i = 0; i < n; i++)
        if (x[i] > threshold) return i;
    return n;
}

static void panel_product(const float *rows, size_t n_rows, size_t row_stride, const float *panel, size_t width,
                          const float *start, size_t start_stride, float *out, size_t out_stride) {
    for (size_t r = 0; r < n_rows; r++) {
        double sums[PANEL] = {0};
        for (size_t k = 0; k < width; k++)
            for (size_t j = 0; j < PANEL; j++)
                sums[j] += (double)rows[r * row_stride + k] * (double)panel[k * PANEL + j];
        float *to = out + r * out_stride;
        const float *from = start ? start + r * start_stride : NULL;
        for (size_t j = 0; j < PANEL; j++) to[j] = from ? from[j] + (float)sums[j] : (float)sums[j];
    }
}

static void int8_quantise(const float *x, size_t n, const struct int8_rows *rows, size_t r) {
    for (size_t b = 0; b < n / INT8_BLOCK; b++, x += INT8_BLOCK) {
        const size_t t = r / INT8_ROWS * rows->n_blocks + b, j = r % INT8_ROWS;
        int8_t *codes = rows->codes + (t * INT8_ROWS + j) * INT8_BLOCK;
        int32_t *sums = rows->sums + 2 * t * INT8_ROWS + j;
        float largest = 0;
        for (size_t i = 0; i < INT8_BLOCK; i++) largest = fmaxf(largest, fabsf(x[i]));
        const float inverse = largest < 1e-30f ? 0 : 127 / largest;
        rows->scales[t * INT8_ROWS + j] = largest < 1e-30f ? 0 : largest / 127;
        sums[0] = sums[INT8_ROWS] = 0;
        for (size_t i = 0; i < INT8_BLOCK; i++) {
            const int8_t code = (int8_t)lrintf(x[i] * inverse);
            codes[i] = code;
            sums[i / 16 * INT8_ROWS] += code;
        }
        rows->starts[t * INT8_ROWS + j] = INT8_START * (sums[0] + sums[INT8_ROWS]);
    }
}

/* One element: vector r of rows by vector j of the panel. */
static float int8_dot(const struct int8_rows *rows, size_t r, const struct int8_panel *panel, size_t j, float sum) {
    const size_t groups = INT8_BLOCK / panel->group, tile = r / INT8_ROWS * rows->n_blocks, i = r % INT8_ROWS;
    const int8_t *x = rows->codes + (tile * INT8_ROWS + i) * INT8_BLOCK;
    for (size_t b = 0; b < panel->n_blocks; b++) {
        const float x_scale = rows->scales[(tile + b) * INT8_ROWS + i];
        const int32_t *x_sums = rows->sums + 2 * (tile + b) * INT8_ROWS + i;
        for (size_t g = b * groups; g < (b + 1) * groups; g++) {
            int32_t products = 0;
            for (size_t k = g * panel->group; k < (g + 1) * panel->group; k++)
                products += x[k / INT8_BLOCK * INT8_ROWS * INT8_BLOCK + k % INT8_BLOCK] * panel->codes[(k / 4 * PANEL + j) * 4 + k % 4];
            sum = fmaf((float)products, panel->scales[g * PANEL + j] * x_scale, sum);
        }
        if (panel->mins) sum = fmaf(panel->mins[b * PANEL + j], -(x_scale * (float)(x_sums[0] + x_sums[INT8_ROWS])), sum);
    }
    return sum;
}

static void int8_begin(size_t group) {
    (void)group;
}

static void int8_end(void) {
}

static void int8_product(const struct int8_rows *rows, size_t n_rows, const struct int8_panel *panel, float *out,
                         size_t out_stride, bool accumulate) {
    for (size_t r = 0; r < n_rows; r++)
        for (size_t j = 0; j < PANEL; j++) {
            float *to = out + r * out_stride + j;
            *to = int8_dot(rows, r, panel, j, accumulate ? *to : 0);
        }
}

static void int4_unpack(const uint8_t *in, size_t n, int offset, int8_t *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (int8_t)(in[i] % 16 + offset);
        out[n + i] = (int8_t)(in[i] / 16 + offset);
    }
}

static void half_to_float(const uint16_t *in, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) out[i] = float_of_half(in[i]);
}

static void bfloat_to_float(const uint16_t *in, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)in[i] << 16;
        memcpy(out + i, &bits, sizeof bits);
    }
}

static void rmsnorm(const float *x, const float *w, float eps, size_t n, float *y) {
    double square = 0;
    for (size_t i = 0; i < n; i++) square += (double)x[i] * (double)x[i];
    const float r = (float)(1 / sqrt(square / (double)n + (double)eps));
    for (size_t i = 0; i < n; i++) y[i] = x[i] * r * w[i];
}

static void silu_product(const float *a, const float *b, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (float)((double)a[i] / (1 + exp(-(double)a[i])) * (double)b[i]);
}

static void rotate(float *x, const float *c, const float *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float a = x[i], b = x[n + i];
        x[i] = a * c[i] - b * s[i];
        x[n + i] = b * c[i] + a * s[i];
    }
}

static double int8_peak(size_t rounds, int32_t *sink) {
    int8_t a[16], b[16];
    int32_t sum = *sink;
    for (int i = 0; i < 16; i++) a[i] = (int8_t)(i + sum), b[i] = (int8_t)(i - sum);
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < 16; i++) sum = (int32_t)((uint32_t)sum + (uint32_t)(a[i] * b[(i + r) % 16]));
    *sink = sum;
    return 16 * (double)rounds;
}

static void transpose(const float *in, size_t n_rows, size_t in_stride, size_t width, float *out,
                      size_t out_stride) {
    for (size_t k = 0; k < width; k++)
        for (size_t j = 0; j < n_rows; j++) out[k * out_stride + j] = in[j * in_stride + k];
}

const struct kernels kernels_scalar = {
    .name = "scalar",
    .dot = dot,
    .axpy = axpy,
    .scale_add = scale_add,
    .add = add,
    .exp = exp_,
    .sigmoid = sigmoid,
    .tanh = tanh_,
    .gelu = gelu,
    .gelu_backward = gelu_backward,
    .softmax_terms = softmax_terms,
    .scale = scale,
    .layernorm = layernorm,
    .layernorm_backward = layernorm_backward,
    .dropout_bits = dropout_bits,
    .dropout = dropout,
    .dropout_add = dropout_add,
    .dropout_relu = dropout_relu,
    .adam = adam,
    .adam_rest = adam_rest,
    .count_at_least = count_at_least,
    .sum_at_least = sum_at_least,
    .keep_between = keep_between,
    .first_above = first_above,
    .panel_product = panel_product,
    .int8_quantise = int8_quantise,
    .int8_begin = int8_begin,
    .int8_product = int8_product,
    .int8_end = int8_end,
    .int4_unpack = int4_unpack,
    .half_to_float = half_to_float,
    .bfloat_to_float = bfloat_to_float,
    .rmsnorm = rmsnorm,
    .silu_product = silu_product,
    .rotate = rotate,
    .int8_peak = int8_peak,
    .transpose = transpose,
};
