/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.model of SentencePiece, a protocol buffers message (sentencepiece_model.proto of the
 * project):
 *
 *     ModelProto      1 repeated SentencePiece, 2 TrainerSpec, 3 NormalizerSpec
 *     SentencePiece   1 piece (text), 2 score (float), 3 type (1 normal, 2 unknown, 3 control, 4
 * user defined, 5 unused, 6 byte; normal where it is missing) TrainerSpec     3 model_type (1
 * unigram, 2 BPE), 41 bos_id NormalizerSpec  2 precompiled_charsmap, 3 add_dummy_prefix, 4
 * remove_extra_whitespaces, 5 escape_whitespaces
 *
 * A field is a varint (number << 3 | wire type), then a varint (type 0), 8 bytes (1), a length and
 * bytes (2) or 4 bytes (5). Read: what Llama has, BPE with bytes for unknown characters and a
 * normaliser that changes nothing. */
#include "lm/tokenizer_parts.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_8_BYTES = 1, WIRE_LENGTH = 2, WIRE_4_BYTES = 5 };

struct message {
    struct place place; /* offset: of the current field */
    const unsigned char *begin, *p, *end;
};

struct field {
    uint64_t number, value; /* value: of a varint or of 4 or 8 bytes */
    enum wire wire;
    struct text bytes; /* WIRE_LENGTH */
};

static struct message inner(const struct message *m, struct text bytes) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    return (struct message){m->place, m->begin, p, p + bytes.n};
}

static genair_code cut(const struct message *m, genair_status *st) {
    return fail_place(m->place, st,
                      "the SentencePiece model is cut or damaged here; copy it again");
}

static bool read_varint(struct message *m, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && m->p < m->end; shift += 7) {
        const unsigned char c = *m->p++;
        value |= (uint64_t)(c & 127) << shift;
        if (c < 128) {
            *out = value;
            return true;
        }
    }
    return false;
}

static genair_code read_field(struct message *m, struct field *f, genair_status *st) {
    uint64_t key, length;
    m->place.offset = m->p - m->begin;
    if (!read_varint(m, &key)) return cut(m, st);
    *f = (struct field){.number = key >> 3, .wire = (enum wire)(key & 7)};
    const size_t left = (size_t)(m->end - m->p);
    switch (f->wire) {
    case WIRE_VARINT:
        return read_varint(m, &f->value) ? GENAIR_OK : cut(m, st);
    case WIRE_8_BYTES:
        if (left < 8) return cut(m, st);
        f->value = bytes_u64(m->p);
        m->p += 8;
        return GENAIR_OK;
    case WIRE_LENGTH:
        if (!read_varint(m, &length) || length > (size_t)(m->end - m->p)) return cut(m, st);
        f->bytes = (struct text){(const char *)m->p, (size_t)length};
        m->p += length;
        return GENAIR_OK;
    case WIRE_4_BYTES:
        if (left < 4) return cut(m, st);
        f->value = bytes_u32(m->p);
        m->p += 4;
        return GENAIR_OK;
    }
    return cut(m, st);
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

struct piece {
    struct text text;
    float score;
    uint64_t type;
};

genair_code sentencepiece_put(struct tokenizer *t, uint64_t id, struct text text, float score,
                              uint64_t type, struct place place, genair_status *st) {
    if (text_utf8_prefix(text) != text.n)
        return fail_place(place, st, "token %llu is not UTF-8; the file is damaged",
                          (unsigned long long)id);
    switch (type) {
    case PIECE_NORMAL:
        if (!isfinite(score))
            return fail_place(place, st,
                              "token %llu has a score that is no number; the file is damaged",
                              (unsigned long long)id);
        return alphabet_put(t, id, text, score, place, st);
    case PIECE_UNKNOWN:
    case PIECE_CONTROL:
        return vocabulary_add(&t->vocabulary, id, text, true, place, st);
    case PIECE_USER_DEFINED:
        return vocabulary_add(&t->vocabulary, id, text, false, place, st);
    case PIECE_UNUSED:
        return vocabulary_put(&t->vocabulary, id, text, TOKEN_UNUSED, 0, place, st);
    case PIECE_BYTE:
        return alphabet_put_byte(t, id, text, place, st);
    default:
        return fail_place(place, st, "token %llu is of the unknown type %llu",
                          (unsigned long long)id, (unsigned long long)type);
    }
}

static genair_code read_piece(struct tokenizer *t, struct message m, uint64_t id,
                              genair_status *st) {
    struct piece piece = {.type = PIECE_NORMAL};
    const struct place place = m.place;
    while (m.p < m.end) {
        struct field f;
        const genair_code code = read_field(&m, &f, st);
        if (code != GENAIR_OK) return code;
        if (f.number == 1 && f.wire == WIRE_LENGTH) piece.text = f.bytes;
        if (f.number == 2 && f.wire == WIRE_4_BYTES) piece.score = float_of((uint32_t)f.value);
        if (f.number == 3 && f.wire == WIRE_VARINT) piece.type = f.value;
    }
    return sentencepiece_put(t, id, piece.text, piece.score, piece.type, place, st);
}

static genair_code read_trainer(struct tokenizer *t, struct message m, genair_status *st) {
    uint64_t model = 1, begin = 1;
    while (m.p < m.end) {
        struct field f;
        const genair_code code = read_field(&m, &f, st);
        if (code != GENAIR_OK) return code;
        if (f.number == 3 && f.wire == WIRE_VARINT) model = f.value;
        if (f.number == 41 && f.wire == WIRE_VARINT) begin = f.value;
    }
    if (model != 2)
        return fail_place(m.place, st,
                          "a SentencePiece model of type %llu; only BPE (2) is supported",
                          (unsigned long long)model);
    t->begins = begin < NO_TOKEN; /* -1 for none */
    t->begin = (uint32_t)begin;
    return GENAIR_OK;
}

static genair_code read_normalizer(struct tokenizer *t, struct message m, genair_status *st) {
    uint64_t prefix = 1, squeeze = 1, escape = 1;
    size_t n_map = 0;
    while (m.p < m.end) {
        struct field f;
        const genair_code code = read_field(&m, &f, st);
        if (code != GENAIR_OK) return code;
        if (f.number == 2 && f.wire == WIRE_LENGTH) n_map = f.bytes.n;
        if (f.wire != WIRE_VARINT) continue;
        if (f.number == 3) prefix = f.value;
        if (f.number == 4) squeeze = f.value;
        if (f.number == 5) escape = f.value;
    }
    if (n_map || squeeze || !escape)
        return fail_place(
            m.place, st,
            "the SentencePiece model changes text before it is cut; only models that keep it, "
            "as Llama's do, are supported");
    t->leading_space = prefix != 0;
    return GENAIR_OK;
}

static genair_code read_model(struct tokenizer *t, struct message m, genair_status *st) {
    bool trainer = false, normalizer = false;
    genair_code code = GENAIR_OK;
    uint64_t n = 0;
    while (m.p < m.end && code == GENAIR_OK) {
        struct field f;
        code = read_field(&m, &f, st);
        if (code != GENAIR_OK) break;
        if (f.number >= 1 && f.number <= 3 && f.wire != WIRE_LENGTH) return cut(&m, st);
        if (f.number == 1) code = read_piece(t, inner(&m, f.bytes), n++, st);
        if (f.number == 2) code = read_trainer(t, inner(&m, f.bytes), st);
        if (f.number == 3) code = read_normalizer(t, inner(&m, f.bytes), st);
        trainer |= f.number == 2;
        normalizer |= f.number == 3;
    }
    if (code == GENAIR_OK && !(trainer && normalizer)) {
        m.place.offset = m.end - m.begin;
        code =
            fail_place(m.place, st,
                       "not a SentencePiece model, or cut: the settings of its making are missing");
    }
    return code;
}

struct scored {
    float score;
    uint32_t id;
};

static int by_score(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

genair_code sentencepiece_rank(struct tokenizer *t, genair_status *st) {
    const struct vocabulary *v = &t->vocabulary;
    struct scored *order = mem_array(v->n, sizeof *order);
    t->rank = mem_array(v->n, sizeof *t->rank);
    if (!order || !t->rank) {
        mem_free(order);
        return fail_memory(st);
    }
    for (uint32_t id = 0; id < v->n; id++)
        order[id] = (struct scored){v->entries[id].score, id};
    qsort(order, v->n, sizeof *order, by_score);
    uint32_t rank = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (i && order[i].score < order[i - 1].score)
            rank++; /* equal scores: the leftmost goes first */
        t->rank[order[i].id] = rank;
    }
    t->rules.rank = t->rank;
    mem_free(order);
    return GENAIR_OK;
}

genair_code sentencepiece_read(struct tokenizer *t, const char *path, struct text file,
                               const json_t *config, const char *config_path, genair_status *st) {
    const unsigned char *p = (const unsigned char *)file.p;
    const struct place place = {path, 0, -1};
    t->alphabet = ALPHABET_SENTENCEPIECE;
    genair_code code = read_model(t, (struct message){{path, 0, 0}, p, p, p + file.n}, st);
    if (code == GENAIR_OK) code = config_add_tokens(t, config, config_path, st);
    if (code == GENAIR_OK) code = tokenizer_finish(t, place, st);
    if (code == GENAIR_OK) code = sentencepiece_rank(t, st);
    if (code == GENAIR_OK && t->begins && t->begin >= t->vocabulary.n)
        code = fail_place(place, st, "the begin token has number %u, but there are %zu tokens",
                          (unsigned)t->begin, t->vocabulary.n);
    return code;
}
