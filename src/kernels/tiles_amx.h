/* SPDX-License-Identifier: Apache-2.0 */
/* Products of 8-bit vectors in AMX's tiles: 16 vectors by a panel, a group of components at a time, as 32-bit sums; vector
 * instructions scale and add them, in the order of the other kernels, so the bytes are the same. Included by vector_lm.h
 * only. Formats: Intel's Architectures Software Developer's Manual, volume 1, chapter 18. */
#include <immintrin.h>

/* As many vectors as a tile has rows; fewer than TILE_ROWS_LEAST are left to vector instructions. */
enum { TILE_ROWS = 16, TILE_ROWS_LEAST = 6, TILE_LINE = 64 };
_Static_assert((int)TILE_ROWS == (int)INT8_ROWS && PANEL == 16 && LANES == 16, "tiles are the rows' own, and a row of sums a vector");

/* What LDTILECFG reads. Tiles 0, 1: sums, 4, 5: a group of the panel, 6, 7: of the vectors. */
static void int8_begin(size_t group) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (size_t i = 0; i < 8; i++) {
        config.rows[i] = i == 4 || i == 5 ? (uint8_t)(group / 4) : TILE_ROWS;
        config.row_bytes[i] = i < 6 ? TILE_LINE : (uint16_t)group;
    }
    _tile_loadconfig(&config);
}

/* Tiles back to nothing: a thread that holds none is quicker to switch from. */
static void int8_end(void) {
    _tile_release();
}

/* Sums of group g to products[TILE_ROWS][PANEL]. A macro, since tiles are named by constants. */
#define TILE_PRODUCTS(t, g, group, c, b, a, products)                                                                       \
    do {                                                                                                                    \
        const size_t first_ = (g) * (group);                                                                                \
        _tile_loadd(a, (t)->rows->codes + first_ / INT8_BLOCK * INT8_BLOCK * INT8_ROWS + first_ % INT8_BLOCK, INT8_BLOCK);  \
        _tile_loadd(b, (t)->panel->codes + first_ * PANEL, TILE_LINE);                                                      \
        _tile_zero(c);                                                                                                      \
        _tile_dpbssd(c, a, b);                                                                                              \
        _tile_stored(c, products, TILE_LINE);                                                                               \
    } while (0)

/* Also fetches ahead lines of the group's place in panels to come, one every few rows: in a burst they wait for each other. */
static inline __attribute__((always_inline)) void add_scaled(const struct int8_tile *t, size_t g, size_t group, bool mins,
                                                            size_t lines, const int32_t *products,
                                                            vf sums[TILE_ROWS][1]) {
    const vf scales = load(t->panel->scales + g * PANEL);
    const float *x_scales = t->rows->scales + g * group / INT8_BLOCK * INT8_ROWS;
    const int8_t *ahead = t->panel->codes + INT8_AHEAD + g * group * PANEL + t->turn * lines * TILE_LINE;
#pragma GCC unroll 16
    for (size_t r = 0; r < TILE_ROWS; r++) {
        if (lines && r % (TILE_ROWS / lines) == 0) __builtin_prefetch(ahead + r / (TILE_ROWS / lines) * TILE_LINE, 0, 2);
        const vi p = load_codes((const int8_t *)(products + r * PANEL));
        sums[r][0] = vf_fma(__builtin_convertvector(p, vf), scales * x_scales[r], sums[r][0]);
    }
    if (mins) subtract_mins(TILE_ROWS, t, g, sums); /* where there are any, a group is a block */
}

/* Two groups are under way: while vector instructions add one's sums, the tiles are at the next. */
static inline __attribute__((always_inline)) void tiles_of_form(size_t group, bool mins, size_t lines,
                                                               const struct int8_tile *tile, size_t n) {
    _Alignas(64) int32_t products[2][TILE_ROWS * PANEL];
    const struct int8_rows rows = *tile->rows;
    const struct int8_panel panel = *tile->panel;
    const struct int8_tile copy = {&rows, &panel, NULL, tile->out, tile->out_stride, tile->accumulate, tile->turn,
                                   tile->n_turns}, *t = &copy;
    const size_t n_groups = panel.n_blocks * (INT8_BLOCK / group);
    vf sums[TILE_ROWS][1];
#pragma GCC unroll 16
    for (size_t r = 0; r < TILE_ROWS; r++) sums[r][0] = t->accumulate && r < n ? load(t->out + r * t->out_stride) : (vf){0};
    prefetch_out(n, t);
    for (size_t g = 0; g < n_groups; g += 2) {
        TILE_PRODUCTS(t, g, group, 0, 4, 6, products[0]);
        if (g) add_scaled(t, g - 1, group, mins, lines, products[1], sums);
        if (g + 1 < n_groups) TILE_PRODUCTS(t, g + 1, group, 1, 5, 7, products[1]);
        add_scaled(t, g, group, mins, lines, products[0], sums);
    }
    if (n_groups && n_groups % 2 == 0) add_scaled(t, n_groups - 1, group, mins, lines, products[1], sums);
#pragma GCC unroll 16
    for (size_t r = 0; r < TILE_ROWS; r++)
        if (r < n) store(t->out + r * t->out_stride, sums[r][0]);
}

/* lines: of a group that are fetched ahead; all, or half each by two tiles. */
static inline __attribute__((always_inline)) void tiles_in_turn(size_t group, bool mins, const struct int8_tile *t, size_t n) {
    const size_t all = group * PANEL / TILE_LINE;
    if (t->n_turns == 1)
        tiles_of_form(group, mins, all, t, n);
    else if (t->turn < 2)
        tiles_of_form(group, mins, all / 2, t, n);
    else
        tiles_of_form(group, mins, 0, t, n);
}

/* The first of n vectors, of which the rest of a tile is computed and dropped. Returns how many. */
static __attribute__((noinline)) size_t product_in_tiles(const struct int8_tile *t, size_t n) {
    const size_t taken = n < TILE_ROWS ? n : TILE_ROWS;
    if (t->panel->group == 16)
        tiles_in_turn(16, false, t, taken);
    else if (t->panel->mins)
        tiles_in_turn(32, true, t, taken);
    else
        tiles_in_turn(32, false, t, taken);
    return taken;
}
