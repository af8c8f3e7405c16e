/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels over vectors of LANES floats. Compiled once an instruction set: KERNELS_LANES names the
 * header that defines the vector types and the operations that the compilers' vector extension lacks,
 * KERNELS_TABLE the table to export.
 *
 * Every kernel walks whole vectors, then the tail, most through a zero-padded one. Sums keep UNROLL vectors of partial
 * sums, added in fixed order. */
#include "kernels/kernels.h"

#include KERNELS_LANES

#include <math.h>
#include <string.h>

enum { UNROLL = 4 };

static inline vf splat(float x) {
    return x - (vf){0};
}

static inline vf load(const float *p) {
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, vf v) {
    memcpy(p, &v, sizeof v);
}

/* The first n lanes, the others 0; a whole vector without the copy's cost. */
static inline vf load_part(const float *p, size_t n) {
    return n >= LANES ? load(p) : vf_load_part(p, n);
}

static inline void store_part(float *p, vf v, size_t n) {
    if (n >= LANES)
        store(p, v);
    else
        vf_store_part(p, v, n);
}

static inline vf choose(vi mask, vf yes, vf no) {
    return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
}

static inline bool any(vi mask) {
    uint64_t words[sizeof mask / sizeof(uint64_t)], all = 0;
    memcpy(words, &mask, sizeof mask);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) all |= words[i];
    return all != 0;
}

static inline vf magnitude(vf x) {
    return (vf)((vi)x & 0x7FFFFFFF);
}

/* y[i] = f(x[i]) for a whole array, f given by name. */
#define MAP(x, y, n, f)                                                                              \
    do {                                                                                             \
        size_t i_ = 0;                                                                               \
        for (; i_ + LANES <= (n); i_ += LANES) store((y) + i_, f(load((x) + i_)));                   \
        if (i_ < (n)) store_part((y) + i_, f(load_part((x) + i_, (n) - i_)), (n) - i_);              \
    } while (0)

/* e^x: x = k ln 2 + r, |r| <= ln 2 / 2, a degree-7 polynomial in r (Cephes' expf), 2^k by its exponent. */
static inline vf exp_lanes(vf x) {
    const vi tiny = x < splat(-87.0f);
    x = choose(tiny, splat(-87.0f), x);
    x = choose(x > splat(88.0f), splat(88.0f), x);
    const vi k = vf_to_nearest(x * 1.44269504f);
    const vf kf = __builtin_convertvector(k, vf);
    vf r = vf_fma(kf, splat(-0.693145751953125f), x);
    r = vf_fma(kf, splat(-1.42860682030941723e-6f), r);
    vf p = splat(1.9875691500e-4f);
    p = vf_fma(p, r, splat(1.3981999507e-3f));
    p = vf_fma(p, r, splat(8.3334519073e-3f));
    p = vf_fma(p, r, splat(4.1665795894e-2f));
    p = vf_fma(p, r, splat(1.6666665459e-1f));
    p = vf_fma(p, r, splat(5.0000001201e-1f));
    p = vf_fma(p * r, r, r) + 1.0f;
    const vf power = (vf)((k + 127) << 23);
    return choose(tiny, (vf){0}, p * power);
}

static inline vf sigmoid_lanes(vf x) {
    return 1.0f / (1.0f + exp_lanes(-x));
}

/* tanh x = 1 - 2 / (e^2x + 1), and its series near 0 where that cancels. */
static inline vf tanh_lanes(vf x) {
    const vf far = 1.0f - 2.0f / (exp_lanes(2.0f * x) + 1.0f);
    const vf s = x * x;
    vf near = vf_fma(s, splat(-17.0f / 315), splat(2.0f / 15));
    near = vf_fma(near, s, splat(-1.0f / 3));
    near = vf_fma(near * s, x, x);
    return choose(s < splat(0.02f), near, far);
}

/* The standard normal distribution function by erfc's Chebyshev form (Press et al., Numerical Recipes,
 * section 6.2): relative error below 1.2e-7 everywhere. */
static inline vf normal_cdf_lanes(vf x) {
    const vf z = x * -0.70710678118f;
    const vf a = magnitude(z);
    const vf t = 1.0f / vf_fma(a, splat(0.5f), splat(1.0f));
    vf p = splat(0.17087277f);
    p = vf_fma(p, t, splat(-0.82215223f));
    p = vf_fma(p, t, splat(1.48851587f));
    p = vf_fma(p, t, splat(-1.13520398f));
    p = vf_fma(p, t, splat(0.27886807f));
    p = vf_fma(p, t, splat(-0.18628806f));
    p = vf_fma(p, t, splat(0.09678418f));
    p = vf_fma(p, t, splat(0.37409196f));
    p = vf_fma(p, t, splat(1.00002368f));
    p = vf_fma(p, t, splat(-1.26551223f));
    const vf tail = 0.5f * t * exp_lanes(vf_fma(-a, a, p));
    return choose(z < (vf){0}, 1.0f - tail, tail);
}

static inline vf gelu_lanes(vf x) {
    return x * normal_cdf_lanes(x);
}

static inline vf gelu_slope_lanes(vf x) {
    const vf density = 0.398942280f * exp_lanes(-0.5f * x * x);
    return vf_fma(x, density, normal_cdf_lanes(x));
}

static float dot(const float *a, const float *b, size_t n) {
    vf sum[UNROLL] = {{0}};
    size_t i = 0;
    for (; i + UNROLL * LANES <= n; i += UNROLL * LANES)
        for (size_t u = 0; u < UNROLL; u++)
            sum[u] = vf_fma(load(a + i + u * LANES), load(b + i + u * LANES), sum[u]);
    for (; i + LANES <= n; i += LANES) sum[0] = vf_fma(load(a + i), load(b + i), sum[0]);
    if (i < n) sum[1] = vf_fma(load_part(a + i, n - i), load_part(b + i, n - i), sum[1]);
    return vf_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

static void axpy(float s, const float *x, float *y, size_t n) {
    const vf factor = splat(s);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, vf_fma(factor, load(x + i), load(y + i)));
    if (i < n)
        store_part(y + i, vf_fma(factor, load_part(x + i, n - i), load_part(y + i, n - i)), n - i);
}

static void scale_add(float s, const float *x, float c, float *y, size_t n) {
    if (c == 0) {
        MAP(x, y, n, s *);
        return;
    }
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, vf_fma(splat(s), load(x + i), c * load(y + i)));
    if (i < n)
        store_part(y + i, vf_fma(splat(s), load_part(x + i, n - i), c * load_part(y + i, n - i)), n - i);
}

static void add(const float *a, const float *b, float *y, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, load(a + i) + load(b + i));
    if (i < n) store_part(y + i, load_part(a + i, n - i) + load_part(b + i, n - i), n - i);
}

static void exp_(const float *x, float *y, size_t n) {
    MAP(x, y, n, exp_lanes);
}

static void sigmoid(const float *x, float *y, size_t n) {
    MAP(x, y, n, sigmoid_lanes);
}

static void tanh_(const float *x, float *y, size_t n) {
    MAP(x, y, n, tanh_lanes);
}

static void gelu(const float *x, float *y, size_t n) {
    MAP(x, y, n, gelu_lanes);
}

static void gelu_backward(const float *x, const float *dy, float *dx, size_t n, bool accumulate) {
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        vf d = load_part(dy + i, k) * gelu_slope_lanes(load_part(x + i, k));
        if (accumulate) d += load_part(dx + i, k);
        store_part(dx + i, d, k);
    }
}

static float max_of(const float *x, size_t n) {
    float m = x[0];
    size_t i = 0;
    if (n >= LANES) {
        vf v = load(x);
        for (i = LANES; i + LANES <= n; i += LANES) {
            const vf a = load(x + i);
            v = choose(a > v, a, v);
        }
        m = vf_largest(v);
    }
    for (; i < n; i++)
        if (x[i] > m) m = x[i];
    return m;
}

static float softmax_terms(float *x, size_t n, float *max) {
    const float m = max_of(x, n);
    vf sum[2] = {{0}};
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (size_t u = 0; u < 2; u++) {
            const vf e = exp_lanes(load(x + i + u * LANES) - m);
            store(x + i + u * LANES, e);
            sum[u] += e;
        }
    float rest = 0;
    for (; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        const vf e = exp_lanes(load_part(x + i, k) - m);
        store_part(x + i, e, k);
        for (size_t j = 0; j < k; j++) rest += e[j];
    }
    *max = m;
    return vf_sum(sum[0] + sum[1]) + rest;
}

static void scale(float s, float *x, size_t n) {
    MAP(x, x, n, s *);
}

static float sum_of(const float *x, size_t n) {
    vf sum[2] = {{0}};
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        sum[0] += load(x + i);
        sum[1] += load(x + i + LANES);
    }
    float rest = 0;
    for (; i < n; i++) rest += x[i];
    return vf_sum(sum[0] + sum[1]) + rest;
}

static void layernorm(const float *x, const float *w, const float *b, float eps, size_t n, float *y,
                      float *mean, float *rstd) {
    const float centre = sum_of(x, n) / (float)n;
    vf square = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf c = load(x + i) - centre;
        square = vf_fma(c, c, square);
    }
    float rest = 0;
    for (size_t j = i; j < n; j++) rest += (x[j] - centre) * (x[j] - centre);
    const float r = 1 / sqrtf((vf_sum(square) + rest) / (float)n + eps);
    for (i = 0; i + LANES <= n; i += LANES)
        store(y + i, vf_fma((load(x + i) - centre) * r, load(w + i), load(b + i)));
    for (; i < n; i++) y[i] = (x[i] - centre) * r * w[i] + b[i];
    *mean = centre;
    *rstd = r;
}

static void layernorm_backward(const float *x, const float *w, const float *dy, float mean, float rstd,
                               size_t n, float *dx, bool accumulate, float *dw, float *db) {
    vf sum = {0}, sum_hat = {0};
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        const vf d = load_part(dy + i, k), g = d * load_part(w + i, k);
        const vf hat = (load_part(x + i, k) - mean) * rstd;
        sum += g;
        sum_hat = vf_fma(g, hat, sum_hat);
        store_part(dw + i, vf_fma(d, hat, load_part(dw + i, k)), k);
        store_part(db + i, d + load_part(db + i, k), k);
    }
    const float a = vf_sum(sum) / (float)n, c = vf_sum(sum_hat) / (float)n;
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        const vf g = load_part(dy + i, k) * load_part(w + i, k);
        const vf hat = (load_part(x + i, k) - mean) * rstd;
        vf d = rstd * (g - a - hat * c);
        if (accumulate) d += load_part(dx + i, k);
        store_part(dx + i, d, k);
    }
}

/* Philox4x32-10 (Salmon et al., 2011) on LANES counters at once; tested against Random123's. */
static inline void philox_lanes(const struct dropout *d, uint32_t b, vu out[4]) {
    vu lane;
    for (uint32_t i = 0; i < LANES; i++) lane[i] = i;
    vu c0 = (vu){0} + (uint32_t)d->a, c1 = (vu){0} + (uint32_t)(d->a >> 32), c2 = lane + b;
    vu c3 = (vu){0} + d->purpose;
    uint32_t k0 = (uint32_t)d->seed, k1 = (uint32_t)(d->seed >> 32);
    for (int round = 0; round < 10; round++) {
        vu low0, high0, low1, high1;
        vu_multiply(c0, 0xD2511F53u, &low0, &high0);
        vu_multiply(c2, 0xCD9E8D57u, &low1, &high1);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static void dropout_bits(const struct dropout *d, uint64_t first, size_t n, uint64_t *bits) {
    const size_t n_bytes = (n + 63) / 64 * 8; /* a byte is one counter's eight numbers */
    unsigned char *out = (unsigned char *)bits;
    for (size_t at = 0; at < n_bytes; at += LANES) {
        vu r[4], byte = {0};
        philox_lanes(d, (uint32_t)(first / 8 + at), r);
        for (unsigned k = 0; k < 4; k++) {
            const vi low = (vi)(r[k] & 0xFFFF) >= (vi)((vu){0} + d->threshold);
            const vi high = (vi)(r[k] >> 16) >= (vi)((vu){0} + d->threshold);
            byte |= ((vu)low & (1u << (2 * k))) | ((vu)high & (2u << (2 * k)));
        }
        const vb narrow = __builtin_convertvector(byte, vb);
        memcpy(out + at, &narrow, n_bytes - at < LANES ? n_bytes - at : LANES);
    }
}

/* All ones in the lanes of elements i, i + 1, … that are kept; i a multiple of LANES. */
static inline vi kept_lanes(const uint64_t *bits, size_t i) {
    vu select_bit;
    for (unsigned j = 0; j < LANES; j++) select_bit[j] = 1u << j;
    const uint32_t word = (uint32_t)(bits[i / 64] >> (i % 64));
    return (vi)((((vu){0} + word) & select_bit) != 0);
}

static void dropout(const uint64_t *bits, float s, const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        store_part(y + i, (vf)((vi)(s * load_part(x + i, k)) & kept_lanes(bits, i)), k);
    }
}

static void dropout_add(const uint64_t *bits, float s, const float *x, const float *a, float *y, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        const vf kept = (vf)((vi)(s * load_part(x + i, k)) & kept_lanes(bits, i));
        store_part(y + i, load_part(a + i, k) + kept, k);
    }
}

static void dropout_relu(uint64_t *bits, float s, const float *x, float *y, size_t n) {
    vu select_bit;
    for (unsigned j = 0; j < LANES; j++) select_bit[j] = 1u << j;
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        const vf v = load_part(x + i, k);
        const vi open = kept_lanes(bits, i) & (v > (vf){0});
        store_part(y + i, (vf)((vi)(s * v) & open), k);
        const vu chosen = (vu)open & select_bit;
        uint32_t word = 0;
        for (unsigned j = 0; j < LANES; j++) word |= chosen[j];
        const uint64_t all = (((uint64_t)1 << LANES) - 1) << (i % 64);
        bits[i / 64] = (bits[i / 64] & ~all) | (uint64_t)word << (i % 64);
    }
}

static inline vf without_dust(vf x) {
    return choose(magnitude(x) < splat(ADAM_DUST), (vf){0}, x);
}

static void adam(const struct adam_step *s, const float *g, float *p, float *m, float *v, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        const vf slope = vf_fma(splat(s->decay), load_part(p + i, k), load_part(g + i, k));
        const vf first = without_dust(vf_fma(splat(s->gain1), slope, s->beta1 * load_part(m + i, k)));
        const vf second = without_dust(vf_fma(s->gain2 * slope, slope, s->beta2 * load_part(v + i, k)));
        store_part(m + i, first, k);
        store_part(v + i, second, k);
        const vf step = s->rate * first / (vf_sqrt(second) / s->root_bias + s->epsilon);
        store_part(p + i, load_part(p + i, k) - step, k);
    }
}

/* UNROLL vectors of a row without a gradient. */
struct resting {
    vf value[UNROLL], first[UNROLL], second[UNROLL];
};

/* Steps until p stands still or all are done; returns how many. */
static inline size_t rest_moving(struct resting *r, const struct adam_step *steps, size_t n_steps) {
    enum { AT_ONCE = 8 };
    size_t s = 0;
    for (vi moving = (vi){0} == (vi){0}; s < n_steps && any(moving);) {
        vf step[UNROLL] = {{0}};
        for (const size_t end = n_steps - s < AT_ONCE ? n_steps : s + AT_ONCE; s < end; s++)
            for (size_t u = 0; u < UNROLL; u++) {
                r->first[u] = without_dust(steps[s].beta1 * r->first[u]);
                r->second[u] = without_dust(steps[s].beta2 * r->second[u]);
                step[u] = steps[s].rate * r->first[u] / (vf_sqrt(r->second[u]) / steps[s].root_bias + steps[s].epsilon);
                r->value[u] -= step[u];
            }
        moving = (vi){0};
        for (size_t u = 0; u < UNROLL; u++) moving |= magnitude(step[u]) > magnitude(r->value[u]) * ADAM_STILL;
    }
    return s;
}

/* Dust is taken away now and then: what is below stays below, and far above subnormal numbers. */
static inline void rest_still(struct resting *r, const struct adam_step *steps, size_t n_steps) {
    enum { AT_ONCE = 16 };
    vi left = (vi){0} == (vi){0};
    for (size_t s = 0; s < n_steps && any(left);) {
        for (const size_t end = n_steps - s < AT_ONCE ? n_steps : s + AT_ONCE; s < end; s++)
            for (size_t u = 0; u < UNROLL; u++) {
                r->first[u] *= steps->beta1;
                r->second[u] *= steps->beta2;
            }
        left = (vi){0};
        for (size_t u = 0; u < UNROLL; u++) {
            r->first[u] = without_dust(r->first[u]);
            r->second[u] = without_dust(r->second[u]);
            left |= (vi)r->first[u] | (vi)r->second[u];
        }
    }
}

static void adam_rest(const struct adam_step *steps, size_t n_steps, float *p, float *m, float *v, size_t n) {
    for (size_t i = 0; i < n; i += UNROLL * LANES) {
        struct resting r;
        size_t at[UNROLL];
        for (size_t u = 0; u < UNROLL; u++) {
            at[u] = i + u * LANES < n ? i + u * LANES : n;
            r.value[u] = load_part(p + at[u], n - at[u]);
            r.first[u] = load_part(m + at[u], n - at[u]);
            r.second[u] = load_part(v + at[u], n - at[u]);
        }
        const size_t moved = rest_moving(&r, steps, n_steps);
        rest_still(&r, steps, n_steps - moved);
        for (size_t u = 0; u < UNROLL; u++) {
            store_part(p + at[u], r.value[u], n - at[u]);
            store_part(m + at[u], r.first[u], n - at[u]);
            store_part(v + at[u], r.second[u], n - at[u]);
        }
    }
}

static size_t count_at_least(const float *x, size_t n, float threshold, size_t *ties, size_t *nans) {
    vi at_least = {0}, equal = {0}, nan = {0}; /* comparisons are -1: below 2^31 elements a call */
    size_t i = 0, count = 0, tied = 0, bad = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf v = load(x + i);
        at_least -= v >= splat(threshold);
        equal -= v == splat(threshold);
        nan -= v != v;
    }
    for (int j = 0; j < LANES; j++) {
        count += (size_t)at_least[j];
        tied += (size_t)equal[j];
        bad += (size_t)nan[j];
    }
    for (; i < n; i++) {
        count += x[i] >= threshold;
        tied += x[i] == threshold;
        bad += isnan(x[i]) != 0;
    }
    *ties = tied;
    *nans = bad;
    return count;
}

/* Sums of lanes are float32 over a piece, and pieces' are added in float64. */
static double sum_at_least(const float *x, size_t n, float threshold) {
    enum { STEP = UNROLL * LANES, PIECE = 16 * STEP };
    double total = 0;
    size_t i = 0;
    while (i + STEP <= n) {
        vf sum[UNROLL] = {{0}};
        for (const size_t end = n - i < PIECE ? n : i + PIECE; i + STEP <= end; i += STEP)
            for (size_t u = 0; u < UNROLL; u++) {
                const vf v = load(x + i + u * LANES);
                sum[u] += choose(v >= splat(threshold), v, (vf){0});
            }
        total += (double)vf_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
    for (; i < n; i++)
        if (x[i] >= threshold) total += (double)x[i];
    return total;
}

/* Lanes where mask is set, to the front of out, whose LANES values may all be written. Returns how many. */
static inline size_t keep_lanes(vf v, vi mask, float *out) {
#if defined(__AVX512F__)
    const __mmask16 kept = _mm512_movepi32_mask((__m512i)mask);
    store(out, (vf)_mm512_maskz_compress_ps(kept, (__m512)v));
    return (size_t)__builtin_popcount(kept);
#else
    size_t kept = 0;
    if (!any(mask)) return 0;
    for (size_t i = 0; i < LANES; i++) {
        out[kept] = v[i];
        kept += mask[i] != 0;
    }
    return kept;
#endif
}

/* out never overtakes x, which is read a vector at a time. */
static size_t keep_between(const float *x, size_t n, float low, float high, float *out) {
    size_t kept = 0, i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf v = load(x + i);
        kept += keep_lanes(v, (v >= splat(low)) & (v < splat(high)), out + kept);
    }
    for (; i < n; i++) {
        const float value = x[i];
        out[kept] = value;
        kept += (value >= low) & (value < high);
    }
    return kept;
}

static size_t first_above(const float *x, size_t n, float threshold) {
    enum { GROUP = 4 * LANES };
    const vf bound = splat(threshold);
    size_t i = 0;
    for (; i + GROUP <= n; i += GROUP) {
        vi above = {0};
        for (size_t j = 0; j < GROUP; j += LANES) above |= load(x + i + j) > bound;
        if (any(above)) break;
    }
    while (i < n && !(x[i] > threshold)) i++;
    return i;
}

/* ROWS x PANEL sums stay in registers: 12 of AVX2's 16 or AVX-512's 32, 24 of NEON's 32. A step of k is
 * PANEL_VECTORS loads and ROWS broadcasts for ROWS * PANEL_VECTORS multiply-adds. */
enum { PANEL_VECTORS = PANEL / LANES, ROWS = LANES == 16 ? 12 : 6 };

static inline __attribute__((always_inline)) void product_of_rows(size_t n, const float *rows, size_t row_stride,
                                                                 const float *panel, size_t width, const float *start,
                                                                 size_t start_stride, float *out, size_t out_stride) {
    vf sums[ROWS][PANEL_VECTORS] = {0};
    for (size_t k = 0; k < width; k++) {
        vf columns[PANEL_VECTORS];
        for (size_t v = 0; v < PANEL_VECTORS; v++) columns[v] = load(panel + k * PANEL + v * LANES);
        for (size_t r = 0; r < n; r++)
            for (size_t v = 0; v < PANEL_VECTORS; v++)
                sums[r][v] = vf_fma(splat(rows[r * row_stride + k]), columns[v], sums[r][v]);
    }
    for (size_t r = 0; r < n; r++)
        for (size_t v = 0; v < PANEL_VECTORS; v++) {
            const vf sum = start ? load(start + r * start_stride + v * LANES) + sums[r][v] : sums[r][v];
            store(out + r * out_stride + v * LANES, sum);
        }
}

static void panel_product(const float *rows, size_t n_rows, size_t row_stride, const float *panel, size_t width,
                          const float *start, size_t start_stride, float *out, size_t out_stride) {
    for (; n_rows >= ROWS; n_rows -= ROWS, rows += ROWS * row_stride, out += ROWS * out_stride) {
        product_of_rows(ROWS, rows, row_stride, panel, width, start, start_stride, out, out_stride);
        if (start) start += ROWS * start_stride;
    }
    /* Each count of rows is code of its own, its sums in registers. */
#define REST(n)                                                                                                             \
    case n:                                                                                                                 \
        if (n < ROWS) product_of_rows(n, rows, row_stride, panel, width, start, start_stride, out, out_stride);             \
        break
    switch (n_rows) {
        REST(1);
        REST(2);
        REST(3);
        REST(4);
        REST(5);
        REST(6);
        REST(7);
        REST(8);
        REST(9);
        REST(10);
        REST(11);
    }
#undef REST
}

typedef float quad __attribute__((vector_size(16)));

static inline quad load_quad(const float *p) {
    quad q;
    memcpy(&q, p, sizeof q);
    return q;
}

static inline void transpose_quads(const float *in, size_t in_stride, float *out, size_t out_stride) {
    const quad a = load_quad(in), b = load_quad(in + in_stride);
    const quad c = load_quad(in + 2 * in_stride), d = load_quad(in + 3 * in_stride);
    const quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    const quad rows[4] = {__builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5),
                          __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7),
                          __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5),
                          __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)};
    for (size_t k = 0; k < 4; k++) memcpy(out + k * out_stride, &rows[k], sizeof rows[k]);
}

static void transpose(const float *in, size_t n_rows, size_t in_stride, size_t width, float *out,
                      size_t out_stride) {
    const size_t whole_rows = n_rows / 4 * 4, whole_width = width / 4 * 4;
    for (size_t j0 = 0; j0 < whole_rows; j0 += 16) { /* 16 columns of out: a cache line */
        const size_t end = j0 + 16 < whole_rows ? j0 + 16 : whole_rows;
        for (size_t k = 0; k < whole_width; k += 4)
            for (size_t j = j0; j < end; j += 4)
                transpose_quads(in + j * in_stride + k, in_stride, out + k * out_stride + j, out_stride);
    }
    for (size_t j = 0; j < n_rows; j++)
        for (size_t k = j < whole_rows ? whole_width : 0; k < width; k++)
            out[k * out_stride + j] = in[j * in_stride + k];
}

#include "kernels/vector_lm.h"

extern const struct kernels KERNELS_TABLE;
const struct kernels KERNELS_TABLE = {
    .name = KERNELS_NAME,
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
