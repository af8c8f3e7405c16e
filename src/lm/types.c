/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of weights as GGUF files hold them (ggml's formats). A value is a small integer q of its
 * own times a scale of its block, some types with an offset: d q, d (q - zero) or d q - m. In the
 * drawings a letter is a bit, low nibble right; "n:" is a byte offset; d and m are halfs. */
#include "lm/types.h"

#include "base/bytes.h"
#include "base/size.h"

enum { SMALL = 32, SUPER = 256 }; /* values in a block */

/* ---- plain floats ---- */

static void decode_f32(const unsigned char *p, size_t n, float *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = bytes_f32(p + 4 * i);
}

static void decode_f16(const unsigned char *p, size_t n, float *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = bytes_f16(p + 2 * i);
}

static void decode_bf16(const unsigned char *p, size_t n, float *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = bytes_bf16(p + 2 * i);
}

/* ---- blocks of 32 ---- */

/* 0: d  2: 32 signed bytes */
static void decode_q8_0(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 34, out += SMALL) {
        const float d = bytes_f16(p);
        for (size_t i = 0; i < SMALL; i++)
            out[i] = d * (float)(signed char)p[2 + i];
    }
}

/* The low nibbles of 16 bytes are values 0-15, the high ones 16-31. */
static unsigned nibble(const unsigned char *p, size_t i) {
    return p[i % 16] >> (i < 16 ? 0 : 4) & 15U;
}

/* 0: d  2: nibbles; zero is 8 */
static void decode_q4_0(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 18, out += SMALL) {
        const float d = bytes_f16(p);
        for (size_t i = 0; i < SMALL; i++)
            out[i] = d * (float)((int)nibble(p + 2, i) - 8);
    }
}

/* 0: d  2: offset  4: nibbles */
static void decode_q4_1(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 20, out += SMALL) {
        const float d = bytes_f16(p), offset = bytes_f16(p + 2);
        for (size_t i = 0; i < SMALL; i++)
            out[i] = d * (float)nibble(p + 4, i) + offset;
    }
}

/* 0: d  2: fifth bits, value i's is bit i of a u32  6: nibbles; zero is 16 */
static void decode_q5_0(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 22, out += SMALL) {
        const float d = bytes_f16(p);
        const uint32_t fifth = bytes_u32(p + 2);
        for (size_t i = 0; i < SMALL; i++)
            out[i] = d * (float)((int)(nibble(p + 6, i) | (fifth >> i & 1) << 4) - 16);
    }
}

/* 0: d  2: offset  4: fifth bits  8: nibbles */
static void decode_q5_1(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 24, out += SMALL) {
        const float d = bytes_f16(p), offset = bytes_f16(p + 2);
        const uint32_t fifth = bytes_u32(p + 4);
        for (size_t i = 0; i < SMALL; i++)
            out[i] = d * (float)(nibble(p + 8, i) | (fifth >> i & 1) << 4) + offset;
    }
}

/* 0: d  2: nibbles, each the number of a level */
static void decode_iq4_nl(const unsigned char *p, size_t n, float *out) {
    static const signed char levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                           1,    13,   25,  38,  53,  69,  89,  113};
    for (; n; n--, p += 18, out += SMALL) {
        const float d = bytes_f16(p);
        for (size_t i = 0; i < SMALL; i++)
            out[i] = d * (float)levels[nibble(p + 2, i)];
    }
}

/* ---- blocks of 256: groups of 16 or 32 values with scales of their own ---- */

/* Two bits of value i: four values share a byte, 32 apart; 128 values lie in 32 bytes. */
static unsigned two_bits(const unsigned char *p, size_t i) {
    return p[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3U;
}

/* 0: 16 bytes mmmmssss  16: two_bits  80: d  82: m;  value: d s q - m mm */
static void decode_q2_k(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 84, out += SUPER) {
        const float d = bytes_f16(p + 80), m = bytes_f16(p + 82);
        for (size_t i = 0; i < SUPER; i++) {
            const unsigned scales = p[i / 16];
            out[i] =
                d * (float)(scales & 15) * (float)two_bits(p + 16, i) - m * (float)(scales >> 4);
        }
    }
}

/* Scale i of 16, six bits with zero 32, in 12 bytes: the low four as nibbles of bytes 0-7, the high
 * two in bytes 8-11, four to a byte, 4 scales apart. */
static int scale_of_q3_k(const unsigned char *p, size_t i) {
    const unsigned low = p[i % 8] >> (i < 8 ? 0 : 4) & 15U, high = p[8 + i % 4] >> i / 4 * 2 & 3U;
    return (int)(low | high << 4) - 32;
}

/* 0: third bits, value i's is bit i / 32 of byte i % 32  32: two_bits  96: scales  108: d;  q is
 * -4..3 */
static void decode_q3_k(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 110, out += SUPER) {
        const float d = bytes_f16(p + 108);
        for (size_t i = 0; i < SUPER; i++) {
            const unsigned q = two_bits(p + 32, i) | (p[i % 32] >> i / 32 & 1U) << 2;
            out[i] = d * (float)scale_of_q3_k(p + 96, i / 16) * (float)((int)q - 4);
        }
    }
}

/* Scale s and offset m of group i of 8, six bits each, in 12 bytes:
 *     0-3: bbssssss, s of group 0-3; bb: high bits of s of group 4-7
 *     4-7: bbmmmmmm, m of group 0-3; bb: high bits of m of group 4-7
 *     8-11: mmmmssss, low bits of group 4-7 */
void lm_scales_of_group(const unsigned char *p, size_t i, float *s, float *m) {
    if (i < 4) {
        *s = (float)(p[i] & 63);
        *m = (float)(p[4 + i] & 63);
    } else {
        *s = (float)((p[4 + i] & 15) | p[i - 4] >> 6 << 4);
        *m = (float)(p[4 + i] >> 4 | p[i] >> 6 << 4);
    }
}

/* Nibble of value i: 64 values lie in 32 bytes, the first half in the low nibbles. */
static unsigned nibble_k(const unsigned char *p, size_t i) {
    return p[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15U;
}

/* 0: d  2: m  4: lm_scales_of_group  16: nibble_k */
static void decode_q4_k(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 144, out += SUPER) {
        const float d = bytes_f16(p), m = bytes_f16(p + 2);
        for (size_t i = 0; i < SUPER; i++) {
            float group_s, group_m;
            lm_scales_of_group(p + 4, i / 32, &group_s, &group_m);
            out[i] = d * group_s * (float)nibble_k(p + 16, i) - m * group_m;
        }
    }
}

/* 0: d  2: m  4: lm_scales_of_group  16: fifth bits, value i's is bit i / 32 of byte i % 32  48:
 * nibble_k */
static void decode_q5_k(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 176, out += SUPER) {
        const float d = bytes_f16(p), m = bytes_f16(p + 2);
        for (size_t i = 0; i < SUPER; i++) {
            const unsigned q = nibble_k(p + 48, i) | (p[16 + i % 32] >> i / 32 & 1U) << 4;
            float group_s, group_m;
            lm_scales_of_group(p + 4, i / 32, &group_s, &group_m);
            out[i] = d * group_s * (float)q - m * group_m;
        }
    }
}

/* 0: low four bits: of 128 values in 64 bytes, the first half in the low nibbles  128: two_bits,
 * the high ones 192: 16 signed scales  208: d;  zero is 32 */
static void decode_q6_k(const unsigned char *p, size_t n, float *out) {
    for (; n; n--, p += 210, out += SUPER) {
        const float d = bytes_f16(p + 208);
        for (size_t i = 0; i < SUPER; i++) {
            const unsigned low = p[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15U;
            const int q = (int)(low | two_bits(p + 128, i) << 4) - 32;
            out[i] = d * (float)(signed char)p[192 + i / 16] * (float)q;
        }
    }
}

/* ---- the table ---- */

const struct lm_type_traits lm_types[N_LM_TYPES] = {
    [LM_F32] = {"F32", 0, 1, 4, {-1, -1}, decode_f32},
    [LM_F16] = {"F16", 1, 1, 2, {-1, -1}, decode_f16},
    [LM_BF16] = {"BF16", 30, 1, 2, {-1, -1}, decode_bf16},
    [LM_Q8_0] = {"Q8_0", 8, SMALL, 34, {0, -1}, decode_q8_0},
    [LM_Q4_0] = {"Q4_0", 2, SMALL, 18, {0, -1}, decode_q4_0},
    [LM_Q4_1] = {"Q4_1", 3, SMALL, 20, {0, 2}, decode_q4_1},
    [LM_Q5_0] = {"Q5_0", 6, SMALL, 22, {0, -1}, decode_q5_0},
    [LM_Q5_1] = {"Q5_1", 7, SMALL, 24, {0, 2}, decode_q5_1},
    [LM_Q2_K] = {"Q2_K", 10, SUPER, 84, {80, 82}, decode_q2_k},
    [LM_Q3_K] = {"Q3_K", 11, SUPER, 110, {108, -1}, decode_q3_k},
    [LM_Q4_K] = {"Q4_K", 12, SUPER, 144, {0, 2}, decode_q4_k},
    [LM_Q5_K] = {"Q5_K", 13, SUPER, 176, {0, 2}, decode_q5_k},
    [LM_Q6_K] = {"Q6_K", 14, SUPER, 210, {208, -1}, decode_q6_k},
    [LM_IQ4_NL] = {"IQ4_NL", 20, SMALL, 18, {0, -1}, decode_iq4_nl},
};

bool lm_type_of_gguf(uint32_t number, enum lm_type *out) {
    for (size_t i = 0; i < N_LM_TYPES; i++) {
        if (lm_types[i].gguf != number) continue;
        *out = (enum lm_type)i;
        return true;
    }
    return false;
}

bool lm_row_bytes(enum lm_type type, size_t n, size_t *bytes) {
    const struct lm_type_traits *t = &lm_types[type];
    return n % t->block_values == 0 && mul_size(n / t->block_values, t->block_bytes, bytes);
}

/* An exponent of all ones, in the upper bits of a number, is an infinity or NaN. Summed without
 * branches: files are large. */
static bool finite_f32(const unsigned char *p, size_t n) {
    size_t n_wrong = 0;
    for (size_t i = 0; i < n; i++)
        n_wrong += (bytes_u32(p + 4 * i) & 0x7f800000) == 0x7f800000;
    return n_wrong == 0;
}

/* stride: bytes from one to the next */
static bool finite_u16(const unsigned char *p, size_t n, size_t stride, uint32_t exponent) {
    size_t n_wrong = 0;
    for (size_t i = 0; i < n; i++)
        n_wrong += (bytes_u16(p + stride * i) & exponent) == exponent;
    return n_wrong == 0;
}

bool lm_finite(enum lm_type type, const unsigned char *blocks, size_t n_blocks) {
    const uint32_t half = 0x7c00;
    const struct lm_type_traits *t = &lm_types[type];
    if (type == LM_F32) return finite_f32(blocks, n_blocks);
    if (type == LM_F16) return finite_u16(blocks, n_blocks, 2, half);
    if (type == LM_BF16) return finite_u16(blocks, n_blocks, 2, 0x7f80);
    for (size_t i = 0; i < COUNT(t->scales); i++)
        if (t->scales[i] >= 0 && !finite_u16(blocks + t->scales[i], n_blocks, t->block_bytes, half))
            return false;
    return true;
}
