/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of integers as files hold them to panels as kernels read them. The codes of a block are what its decoder gives
 * when all its scales are 1 and its offsets 0, so the formats are known in types.c alone. */
#include "lm/matrix.h"

#include "base/bytes.h"
#include "base/size.h"

#include <string.h>

enum { SUPER = 256, MAX_BLOCK_BYTES = 256, BLOCK_CODES = INT8_BLOCK * PANEL };

static const struct packing plain8 = {.bits = 8, .group = 32};
static const struct packing plain4 = {.bits = 4, .lowest = -8, .group = 32};
static const struct packing q4_k = {4, 0, 32, true, true, 4, 12, 1};
static const struct packing q5_k = {8, 0, 32, true, true, 4, 12, 1};
static const struct packing q6_k = {8, 0, 16, true, false, 192, 16, 1};

const struct packing *const lm_packings[N_LM_TYPES] = {
    [LM_Q8_0] = &plain8, [LM_Q4_0] = &plain4, [LM_Q5_0] = &plain8, [LM_IQ4_NL] = &plain8,
    [LM_Q4_K] = &q4_k,   [LM_Q5_K] = &q5_k,   [LM_Q6_K] = &q6_k,
};

static size_t next_line(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

struct panel_layout packing_layout(const struct packing *p, size_t cols) {
    struct panel_layout l = {0};
    const size_t blocks = cols / INT8_BLOCK, supers = p->super ? cols / SUPER : 0;
    l.scales = next_line((p->super ? supers : blocks) * PANEL * 2);
    l.min_halfs = next_line(l.scales + (p->super ? cols / p->group * PANEL : 0));
    l.mins = next_line(l.min_halfs + (p->mins ? supers * PANEL * 2 : 0));
    l.codes = next_line(l.mins + (p->mins ? blocks * PANEL : 0));
    l.bytes = next_line(l.codes + cols * PANEL * p->bits / 8);
    return l;
}

/* Scales 1, offsets 0. In Q4_K's and Q5_K's 12 bytes, scales and offsets of six bits, that is 1 in the first four and the
 * last four. */
static void strip(const struct lm_type_traits *t, const struct packing *p, unsigned char *block) {
    const unsigned char one[2] = {0, 0x3C};
    memcpy(block + t->scales[0], one, 2);
    if (t->scales[1] >= 0) memset(block + t->scales[1], 0, 2);
    if (p->super) memset(block + p->scales_at, p->one, p->n_scale_bytes);
    if (p->mins) memset(block + p->scales_at + 4, 0, 4);
}

static void put_u16(unsigned char *array, size_t i, const unsigned char *half) {
    const uint16_t bits = bytes_u16(half);
    memcpy(array + 2 * i, &bits, sizeof bits);
}

static void put_super_scales(const struct packing *p, const struct panel_layout *l, const unsigned char *block, size_t super,
                             size_t j, unsigned char *panel) {
    const size_t groups = SUPER / p->group, first = super * groups;
    for (size_t i = 0; i < groups; i++) {
        unsigned char *scale = panel + l->scales + (first + i) * PANEL + j;
        if (!p->mins) {
            *scale = block[p->scales_at + i];
            continue;
        }
        float s, m;
        lm_scales_of_group(block + p->scales_at, i, &s, &m);
        *scale = (unsigned char)s;
        panel[l->mins + (first + i) * PANEL + j] = (unsigned char)m;
    }
}

void packing_put_row(enum lm_type type, size_t cols, const unsigned char *row, size_t j, unsigned char *panel, int8_t *codes) {
    const struct lm_type_traits *t = &lm_types[type];
    const struct packing *p = lm_packings[type];
    const struct panel_layout l = packing_layout(p, cols);
    for (size_t b = 0; b < cols / t->block_values; b++, row += t->block_bytes) {
        unsigned char block[MAX_BLOCK_BYTES];
        float values[SUPER];
        memcpy(block, row, t->block_bytes);
        strip(t, p, block);
        t->decode(block, 1, values);
        for (size_t i = 0; i < t->block_values; i++) {
            const size_t k = b * t->block_values + i;
            codes[(k / 4 * PANEL + j) * 4 + k % 4] = (int8_t)values[i];
        }
        put_u16(panel + l.halfs, b * PANEL + j, row + t->scales[0]);
        if (p->mins) put_u16(panel + l.min_halfs, b * PANEL + j, row + t->scales[1]);
        if (p->super) put_super_scales(p, &l, row, b, j, panel);
    }
}

void packing_finish(enum lm_type type, size_t cols, const int8_t *codes, unsigned char *panel) {
    const struct packing *p = lm_packings[type];
    panel += packing_layout(p, cols).codes;
    if (p->bits == 8) {
        memcpy(panel, codes, cols * PANEL);
        return;
    }
    for (size_t b = 0; b < cols / INT8_BLOCK; b++, codes += BLOCK_CODES)
        for (size_t i = 0; i < BLOCK_CODES / 2; i++)
            *panel++ = (unsigned char)((codes[i] - p->lowest) | (codes[BLOCK_CODES / 2 + i] - p->lowest) << 4);
}

/* halfs[j] times the whole numbers of n groups */
static void scale_groups(const float halfs[PANEL], const unsigned char *numbers, bool with_sign, size_t n, float *out) {
    for (size_t i = 0; i < n * PANEL; i++) {
        const int number = with_sign ? (signed char)numbers[i] : numbers[i];
        out[i] = halfs[i % PANEL] * (float)number;
    }
}

void packing_scales(const struct packing *p, const struct kernels *k, size_t cols, const unsigned char *panel, size_t first,
                    size_t n_blocks, float *scales, float *mins) {
    const struct panel_layout l = packing_layout(p, cols);
    if (!p->super) {
        k->half_to_float((const uint16_t *)(const void *)(panel + l.halfs) + first * PANEL, n_blocks * PANEL, scales);
        return;
    }
    const size_t blocks = SUPER / INT8_BLOCK, groups = SUPER / p->group;
    for (size_t s = first / blocks; s < (first + n_blocks) / blocks; s++) {
        float halfs[PANEL];
        k->half_to_float((const uint16_t *)(const void *)(panel + l.halfs) + s * PANEL, PANEL, halfs);
        scale_groups(halfs, panel + l.scales + s * groups * PANEL, true, groups, scales);
        scales += groups * PANEL;
        if (!p->mins) continue;
        k->half_to_float((const uint16_t *)(const void *)(panel + l.min_halfs) + s * PANEL, PANEL, halfs);
        scale_groups(halfs, panel + l.mins + s * blocks * PANEL, false, blocks, mins);
        mins += blocks * PANEL;
    }
}
