/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of the language-model engine over vectors of LANES. Included by vector.c only; KERNELS_INT8 names the header
 * with the sums of 8-bit products. */

/* Four codes in every lane. */
static inline vi splat_codes(const int8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return four - (vi){0};
}

#include KERNELS_INT8

static inline vf larger(vf a, vf b) {
    return choose(a > b, a, b);
}

static float largest_magnitude(const float *x) {
    vf m = magnitude(load(x));
    for (size_t i = LANES; i < INT8_BLOCK; i += LANES) m = larger(m, magnitude(load(x + i)));
    return vf_largest(m);
}

static void int8_quantise(const float *x, size_t n, const struct int8_rows *rows, size_t r) {
    for (size_t b = 0; b < n / INT8_BLOCK; b++, x += INT8_BLOCK) {
        const size_t t = r / INT8_ROWS * rows->n_blocks + b, at = t * INT8_ROWS + r % INT8_ROWS;
        int8_t *codes = rows->codes + at * INT8_BLOCK;
        int32_t sums[2];
        const float largest = largest_magnitude(x);
        const float inverse = largest < 1e-30f ? 0 : 127 / largest;
        rows->scales[at] = largest < 1e-30f ? 0 : largest / 127;
        for (size_t half = 0; half < 2; half++) {
            vi sum = {0};
            for (size_t i = half * 16; i < half * 16 + 16; i += LANES) {
                const vi code = vf_to_nearest(load(x + i) * inverse);
                const vb narrow = __builtin_convertvector(code, vb);
                memcpy(codes + i, &narrow, sizeof narrow);
                sum += code;
            }
            sums[half] = rows->sums[(2 * t + half) * INT8_ROWS + r % INT8_ROWS] = vi_sum(sum);
        }
        /* without sign: of a value that is not finite the code is whatever the machine makes of it */
        rows->starts[at] = (int32_t)((uint32_t)INT8_START * ((uint32_t)sums[0] + (uint32_t)sums[1]));
    }
}

static inline vi load_codes(const int8_t *p) {
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* How far before its use a panel is fetched into the second cache; tiles take turns at it. Panels follow each other. */
enum { INT8_AHEAD = 32768 };
/* Blocks at a time: their starts fit a first cache beside their codes. */
enum { INT8_SLICE = 32 };
/* Vectors whose sums stay in registers. */
enum { VECTOR_ROWS = 8 };

/* Vectors of rows, all of one tile, rows' pointers at the first of them. */
struct int8_tile {
    const struct int8_rows *rows;
    const struct int8_panel *panel;
    const int32_t *starts; /* of sums: [groups][PANEL] */
    float *out;
    size_t out_stride;
    bool accumulate;
    size_t turn, n_turns; /* fetches ahead at block turn, turn + n_turns, … */
};

/* Adds one group's products of LANES vectors of the panel to sums[n]. first: its first component. */
static inline __attribute__((always_inline)) void add_group(size_t n, size_t group, const struct int8_tile *t,
                                                           size_t first, size_t v, vf sums[VECTOR_ROWS][PANEL_VECTORS]) {
    const struct int8_rows *x = t->rows;
    const int32_t *x_sums = x->sums + first / 16 * INT8_ROWS, *x_starts = x->starts + first / INT8_BLOCK * INT8_ROWS;
    const float *x_scales = x->scales + first / INT8_BLOCK * INT8_ROWS;
    vi products[VECTOR_ROWS];
#pragma GCC unroll 8
    for (size_t r = 0; r < n; r++) {
        products[r] = (vi){0};
        if (INT8_STARTS) products[r] = load_codes((const int8_t *)(t->starts + first / group * PANEL + v * LANES));
        if (INT8_OFFSET)
            products[r] += group == 16 ? -INT8_OFFSET * x_sums[r] : x_starts[r];
    }
    const int8_t *codes = t->panel->codes + (first * PANEL / 4 + v * LANES) * 4;
    const int8_t *x_codes = x->codes + first / INT8_BLOCK * INT8_BLOCK * INT8_ROWS + first % INT8_BLOCK;
#pragma GCC unroll 8
    for (size_t k = 0; k < group / 4; k++, codes += PANEL * 4) {
        const struct int8_left w = int8_left(load_codes(codes));
#pragma GCC unroll 8
        for (size_t r = 0; r < n; r++) products[r] = int8_dot4_of(products[r], w, x_codes + r * INT8_BLOCK + k * 4);
    }
    const vf scales = load(t->panel->scales + first / group * PANEL + v * LANES);
#pragma GCC unroll 8
    for (size_t r = 0; r < n; r++)
        sums[r][v] = vf_fma(__builtin_convertvector(products[r], vf), scales * x_scales[r], sums[r][v]);
}

static inline void fetch_ahead(const int8_t *codes) {
    enum { LINE = 64 };
#pragma GCC unroll 8
    for (size_t i = 0; i < INT8_BLOCK * PANEL; i += LINE) __builtin_prefetch(codes + INT8_AHEAD + i, 0, 2);
}

/* Rows of out are far apart: each line would be waited for. */
static inline __attribute__((always_inline)) void prefetch_out(size_t n, const struct int8_tile *t) {
#pragma GCC unroll 16
    for (size_t r = 0; r < n; r++) __builtin_prefetch(t->out + r * t->out_stride, 1);
}

static inline __attribute__((always_inline)) void subtract_mins(size_t n, const struct int8_tile *t, size_t b,
                                                               vf sums[][PANEL_VECTORS]) {
    const int32_t *x_sums = t->rows->sums + 2 * b * INT8_ROWS;
#pragma GCC unroll 16
    for (size_t r = 0; r < n; r++) {
        /* without sign: a tile's rows that are not there hold anything */
        const int32_t sum = (int32_t)((uint32_t)x_sums[r] + (uint32_t)x_sums[INT8_ROWS + r]);
        const float factor = -(t->rows->scales[b * INT8_ROWS + r] * (float)sum);
#pragma GCC unroll 4
        for (size_t v = 0; v < PANEL_VECTORS; v++)
            sums[r][v] = vf_fma(load(t->panel->mins + b * PANEL + v * LANES), splat(factor), sums[r][v]);
    }
}

static inline __attribute__((always_inline)) void product_of_tile(size_t n, size_t group, bool mins,
                                                                 const struct int8_tile *tile) {
    /* copies, whose pointers the compiler keeps in registers */
    const struct int8_rows rows = *tile->rows;
    const struct int8_panel panel = *tile->panel;
    const struct int8_tile copy = {&rows, &panel, tile->starts, tile->out, tile->out_stride, tile->accumulate, tile->turn,
                                   tile->n_turns}, *t = &copy;
    vf sums[VECTOR_ROWS][PANEL_VECTORS];
#pragma GCC unroll 8
    for (size_t r = 0; r < n; r++)
#pragma GCC unroll 4
        for (size_t v = 0; v < PANEL_VECTORS; v++)
            sums[r][v] = t->accumulate ? load(t->out + r * t->out_stride + v * LANES) : (vf){0};
    prefetch_out(n, t);
    size_t turn = t->turn;
    for (size_t b = 0; b < t->panel->n_blocks; b++) {
        if (b == turn) {
            fetch_ahead(t->panel->codes + b * INT8_BLOCK * PANEL);
            turn += t->n_turns;
        }
#pragma GCC unroll 4
        for (size_t v = 0; v < PANEL_VECTORS; v++)
            for (size_t g = 0; g < INT8_BLOCK / group; g++) add_group(n, group, t, b * INT8_BLOCK + g * group, v, sums);
        if (mins) subtract_mins(n, t, b, sums);
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < n; r++)
#pragma GCC unroll 4
        for (size_t v = 0; v < PANEL_VECTORS; v++) store(t->out + r * t->out_stride + v * LANES, sums[r][v]);
}

static inline __attribute__((always_inline)) void product_of_form(size_t n, const struct int8_tile *t) {
    if (t->panel->group == 16)
        product_of_tile(n, 16, false, t);
    else if (t->panel->mins)
        product_of_tile(n, 32, true, t);
    else
        product_of_tile(n, 32, false, t);
}

/* Each count of rows is code of its own, its sums in registers. */
static __attribute__((noinline)) void product_of_many(const struct int8_tile *t) {
    product_of_form(VECTOR_ROWS, t);
}

static __attribute__((noinline)) void product_of_four(const struct int8_tile *t) {
    product_of_form(4, t);
}

static __attribute__((noinline)) void product_of_two(const struct int8_tile *t) {
    product_of_form(2, t);
}

static __attribute__((noinline)) void product_of_one(const struct int8_tile *t) {
    product_of_form(1, t);
}

#ifdef KERNELS_TILES
#include KERNELS_TILES
#else
enum { TILE_ROWS = 0, TILE_ROWS_LEAST = INT32_MAX };

static void int8_begin(size_t group) {
    (void)group;
}

static void int8_end(void) {
}

static inline size_t product_in_tiles(const struct int8_tile *t, size_t n) {
    (void)t;
    return n;
}
#endif

/* [n_blocks * 32 / group][PANEL] */
static void starts_of(const struct int8_panel *panel, int32_t *starts) {
    for (size_t g = 0; g < panel->n_blocks * INT8_BLOCK / panel->group; g++)
        for (size_t v = 0; v < PANEL_VECTORS; v++) {
            vi sum = {0};
            for (size_t k = g * panel->group; k < (g + 1) * panel->group; k += 4)
                sum = int8_start(sum, int8_left(load_codes(panel->codes + (k / 4 * PANEL + v * LANES) * 4)));
            memcpy(starts + g * PANEL + v * LANES, &sum, sizeof sum);
        }
}

/* The same vectors from r on, those of r's tile. */
static inline struct int8_rows rows_from(const struct int8_rows *rows, size_t r) {
    const size_t tile = r / INT8_ROWS * INT8_ROWS * rows->n_blocks, i = tile + r % INT8_ROWS;
    return (struct int8_rows){rows->codes + i * INT8_BLOCK, rows->scales + i, rows->sums + tile + i, rows->starts + i,
                              rows->n_blocks};
}

/* The first of at most n vectors. Returns how many. */
static size_t product_of_some(const struct int8_tile *t, size_t n) {
    if (n >= TILE_ROWS_LEAST) return product_in_tiles(t, n);
    if (n >= VECTOR_ROWS) return product_of_many(t), VECTOR_ROWS;
    if (n >= 4) return product_of_four(t), 4;
    if (n >= 2) return product_of_two(t), 2;
    return product_of_one(t), 1;
}

static void product_of_slice(const struct int8_rows *rows, size_t n_rows, const struct int8_panel *panel, float *out,
                             size_t out_stride, bool accumulate) {
    struct int8_rows x;
    int32_t starts[INT8_SLICE * INT8_BLOCK / 16 * PANEL];
    enum { AT_ONCE = TILE_ROWS ? TILE_ROWS : VECTOR_ROWS };
    struct int8_tile t = {&x, panel, starts, out, out_stride, accumulate, 0, (n_rows + AT_ONCE - 1) / AT_ONCE};
    if (INT8_STARTS) starts_of(panel, starts);
    for (size_t r = 0; r < n_rows;) {
        x = rows_from(rows, r);
        t.out = out + r * out_stride;
        r += product_of_some(&t, n_rows - r);
        t.turn++;
    }
}

static void int8_product(const struct int8_rows *rows, size_t n_rows, const struct int8_panel *panel, float *out,
                         size_t out_stride, bool accumulate) {
    size_t b = 0;
    do {
        const size_t n = panel->n_blocks - b < INT8_SLICE ? panel->n_blocks - b : INT8_SLICE;
        const struct int8_panel slice = {panel->codes + b * INT8_BLOCK * PANEL,
                                         panel->scales + b * INT8_BLOCK / panel->group * PANEL,
                                         panel->mins ? panel->mins + b * PANEL : NULL, n, panel->group};
        const struct int8_rows x = int8_rows_from(rows, b);
        product_of_slice(&x, n_rows, &slice, out, out_stride, accumulate || b > 0);
        b += n;
    } while (b < panel->n_blocks);
}

static void int4_unpack(const uint8_t *in, size_t n, int offset, int8_t *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (int8_t)((in[i] & 15) + offset);
        out[n + i] = (int8_t)((in[i] >> 4) + offset);
    }
}

static void half_to_float(const uint16_t *in, size_t n, float *out) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store(out + i, half_lanes(in + i));
    if (i < n) {
        uint16_t part[LANES] = {0};
        memcpy(part, in + i, (n - i) * sizeof *in);
        store_part(out + i, half_lanes(part), n - i);
    }
}

static void bfloat_to_float(const uint16_t *in, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)in[i] << 16;
        memcpy(out + i, &bits, sizeof bits);
    }
}

static void rmsnorm(const float *x, const float *w, float eps, size_t n, float *y) {
    const float r = 1 / sqrtf(dot(x, x, n) / (float)n + eps);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        store_part(y + i, load_part(x + i, k) * r * load_part(w + i, k), k);
    }
}

static void silu_product(const float *a, const float *b, float *y, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        const vf x = load_part(a + i, k);
        store_part(y + i, x / (1.0f + exp_lanes(-x)) * load_part(b + i, k), k);
    }
}

static void rotate(float *x, const float *c, const float *s, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i < LANES ? n - i : LANES;
        const vf a = load_part(x + i, k), b = load_part(x + n + i, k);
        const vf cos = load_part(c + i, k), sin = load_part(s + i, k);
        store_part(x + i, a * cos - b * sin, k);
        store_part(x + n + i, b * cos + a * sin, k);
    }
}

static double int8_peak(size_t rounds, int32_t *sink) {
    enum { SUMS = LANES == 16 ? 16 : 8 }; /* enough to hide a multiplication's latency */
    vi sums[SUMS], a = (vi){0} + *sink;
    const struct int8_left w = int8_left(a);
    for (int r = 0; r < SUMS; r++) sums[r] = a + r;
    for (size_t i = 0; i < rounds; i++)
        for (int r = 0; r < SUMS; r++) {
            __asm__ volatile("" : "+" INT8_REGISTER(a)); /* a new operand, else products are done once */
            sums[r] = int8_dot4(sums[r], w, a);
        }
    for (int r = 0; r < SUMS; r++) *sink ^= vi_sum(sums[r]);
    return 4.0 * LANES * SUMS * (double)rounds;
}
