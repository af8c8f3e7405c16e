/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json of Hugging Face, and the older pair of vocab.json with merges.txt.
 *
 * Read: models of type BPE, byte-level with a known expression (Llama 3, Qwen 2), or with
 * byte_fallback and U+2581 for spaces (Llama 2). What a file asks for beyond that is refused rather
 * than left out. */
#include "lm/tokenizer_parts.h"

#include "base/alloc.h"
#include "base/input.h"

#include <string.h>

static struct text text_of_json(const json_t *v) {
    return (struct text){json_string_value(v), json_string_length(v)};
}

static bool is_type(const json_t *object, const char *type) {
    const char *name = json_string_value(json_object_get(object, "type"));
    return name && strcmp(name, type) == 0;
}

static bool is_absent(const json_t *v) {
    return !v || json_is_null(v) || json_is_false(v) ||
           (json_is_string(v) && json_string_length(v) == 0);
}

/* Element i of a sequence, under key; of what is no sequence, element 0 is the object itself. */
static const json_t *element(const json_t *object, const char *key, size_t i) {
    if (is_type(object, "Sequence")) return json_array_get(json_object_get(object, key), i);
    return i == 0 && json_is_object(object) ? object : NULL;
}

/* ---- tokens and merges ---- */

static genair_code put_tokens(struct tokenizer *t, json_t *vocabulary, struct place place,
                              genair_status *st) {
    const char *key;
    json_t *id;
    json_object_foreach(vocabulary, key, id) {
        const struct text text = text_of(key);
        char excerpt[TEXT_EXCERPT];
        if (!json_is_integer(id) || json_integer_value(id) < 0) {
            text_excerpt(text, excerpt);
            return fail_place(place, st, "the number of token \"%s\" is none; the file is damaged",
                              excerpt);
        }
        const bool byte =
            t->alphabet == ALPHABET_SENTENCEPIECE && text.n == 6 && memcmp(text.p, "<0x", 3) == 0;
        const uint64_t number = (uint64_t)json_integer_value(id);
        const genair_code code = byte ? alphabet_put_byte(t, number, text, place, st)
                                      : alphabet_put(t, number, text, 0, place, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

/* "left right", or since 2024 ["left", "right"]. */
static genair_code put_merges(struct tokenizer *t, const json_t *merges, struct place place,
                              genair_status *st) {
    size_t i;
    json_t *merge;
    if (!json_is_array(merges)) return fail_place(place, st, "it has no list of \"merges\"");
    genair_code code = bpe_pairs_create(&t->rules, json_array_size(merges), st);
    json_array_foreach(merges, i, merge) {
        const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
        if (code != GENAIR_OK) break;
        if (json_is_string(merge))
            code = alphabet_put_merge_line(t, (uint32_t)i, text_of_json(merge), place, st);
        else if (json_array_size(merge) == 2 && json_is_string(left) && json_is_string(right))
            code = alphabet_put_merge(t, (uint32_t)i, text_of_json(left), text_of_json(right),
                                      place, st);
        else
            code = fail_place(place, st, "merge %zu is not two texts; the file is damaged", i);
    }
    return code;
}

/* ---- what is done to text before ---- */

static genair_code byte_steps(struct tokenizer *t, const json_t *root, struct place place,
                              genair_status *st) {
    const json_t *normalizer = json_object_get(root, "normalizer"),
                 *steps = json_object_get(root, "pre_tokenizer"), *step;
    bool found = false, known = true;
    enum expression e = EXPRESSION_LLAMA3;
    for (size_t i = 0; (step = element(steps, "pretokenizers", i)); i++) {
        const struct text regex =
            text_of_json(json_object_get(json_object_get(step, "pattern"), "Regex"));
        if (is_type(step, "Split"))
            found = known = known && !found && regex.p && expression_of_json(regex, &e) &&
                            is_absent(json_object_get(step, "invert"));
        else
            known = known && is_type(step, "ByteLevel") &&
                    is_absent(json_object_get(step, "add_prefix_space")) &&
                    is_absent(json_object_get(step, "use_regex"));
    }
    if (!found || !known)
        return fail_place(place, st,
                          "its \"pre_tokenizer\" is not supported: only the expressions of Llama 3 "
                          "and Qwen 2 are");
    const json_t *form = element(normalizer, "normalizers", 0);
    if (form &&
        (!is_type(form, "NFC") || (form != normalizer && element(normalizer, "normalizers", 1))))
        return fail_place(place, st, "its \"normalizer\" is not supported: only NFC is");
    const genair_code code = tokenizer_set_expression(t, e, st);
    t->nfc = form != NULL;
    return code;
}

/* Llama 2: a space before the text, spaces as U+2581, by two normalisers or by the pre-tokenizer
 * Metaspace. */
static genair_code sentencepiece_steps(struct tokenizer *t, const json_t *root, struct place place,
                                       genair_status *st) {
    const json_t *normalizer = json_object_get(root, "normalizer"), *step;
    bool known = true, spaces = false;
    for (size_t i = 0; (step = element(normalizer, "normalizers", i)); i++) {
        const struct text what =
            text_of_json(json_object_get(json_object_get(step, "pattern"), "String"));
        if (is_type(step, "Prepend"))
            t->leading_space = true;
        else
            known = known && is_type(step, "Replace") && what.p && text_equal(what, " ");
        spaces = spaces || is_type(step, "Replace");
    }
    const json_t *mark = json_object_get(root, "pre_tokenizer");
    if (is_type(mark, "Metaspace")) {
        const json_t *scheme = json_object_get(mark, "prepend_scheme");
        t->leading_space = scheme ? !text_equal(text_of_json(scheme), "never")
                                  : !is_absent(json_object_get(mark, "add_prefix_space"));
        t->one_space = t->leading_space;
        spaces = known = known && !spaces && is_absent(json_object_get(mark, "split"));
    } else {
        known = known && is_absent(mark);
    }
    t->begins = vocabulary_added(&t->vocabulary, text_of("<s>"), &t->begin);
    return known && spaces ? GENAIR_OK
                           : fail_place(place, st,
                                        "its \"normalizer\" and \"pre_tokenizer\" are not those of "
                                        "Llama 2: not supported");
}

/* ---- files ---- */

static genair_code check_model(const json_t *model, struct place place, genair_status *st) {
    if (!json_is_object(model))
        return fail_place(place, st,
                          "it has no \"model\"; the file is damaged, or not a tokenizer");
    if (!is_type(model, "BPE"))
        return fail_place(place, st, "its model is \"%.40s\"; only BPE is supported",
                          json_is_string(json_object_get(model, "type"))
                              ? json_string_value(json_object_get(model, "type"))
                              : "");
    if (!json_is_object(json_object_get(model, "vocab")))
        return fail_place(place, st, "its \"vocab\" is not an object of tokens and numbers");
    if (!is_absent(json_object_get(model, "continuing_subword_prefix")) ||
        !is_absent(json_object_get(model, "end_of_word_suffix")))
        return fail_place(place, st, "tokens with prefixes or suffixes are not supported");
    return GENAIR_OK;
}

static genair_code add_tokens(struct tokenizer *t, const json_t *tokens, struct place place,
                              genair_status *st) {
    size_t i;
    json_t *entry;
    json_array_foreach(tokens, i, entry) {
        const genair_code code = json_add_token(t, entry, json_object_get(entry, "id"), place, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static genair_code read_root(struct tokenizer *t, const json_t *root, struct place place,
                             const json_t *config, const char *config_path, genair_status *st) {
    const json_t *model = json_object_get(root, "model");
    genair_code code = check_model(model, place, st);
    if (code != GENAIR_OK) return code;
    t->alphabet = is_absent(json_object_get(model, "byte_fallback")) ? ALPHABET_BYTES
                                                                     : ALPHABET_SENTENCEPIECE;
    t->whole_words = !is_absent(json_object_get(model, "ignore_merges"));
    code = put_tokens(t, json_object_get(model, "vocab"), place, st);
    if (code == GENAIR_OK) code = add_tokens(t, json_object_get(root, "added_tokens"), place, st);
    if (code == GENAIR_OK) code = config_add_tokens(t, config, config_path, st);
    if (code == GENAIR_OK) code = tokenizer_finish(t, place, st);
    if (code == GENAIR_OK) code = put_merges(t, json_object_get(model, "merges"), place, st);
    if (code != GENAIR_OK) return code;
    return t->alphabet == ALPHABET_BYTES ? byte_steps(t, root, place, st)
                                         : sentencepiece_steps(t, root, place, st);
}

genair_code tokenizer_json_read(struct tokenizer *t, const char *path, const json_t *config,
                                const char *config_path, genair_status *st) {
    json_t *root = NULL;
    genair_code code = json_object_read(path, &root, st);
    if (code == GENAIR_OK)
        code = read_root(t, root, (struct place){path, 0, -1}, config, config_path, st);
    json_decref(root);
    return code;
}

/* ---- vocab.json and merges.txt ---- */

enum { LINE_MAX_BYTES = 1 << 20 };

/* Lines that are merges: all but the first where it says "#version". */
static genair_code count_merges(const char *path, size_t *n, genair_status *st) {
    struct input *in = NULL;
    struct text line;
    bool more = true;
    *n = 0;
    genair_code code = input_open(path, LINE_MAX_BYTES, &in, st);
    while (code == GENAIR_OK && (code = input_line(in, &line, &more, st)) == GENAIR_OK && more)
        ++*n;
    input_close(in);
    return code;
}

static genair_code read_merges(struct tokenizer *t, const char *path, genair_status *st) {
    static const char version[] = "#version";
    struct input *in = NULL;
    struct text line;
    bool more = true;
    size_t n;
    uint32_t rank = 0;
    genair_code code = count_merges(path, &n, st);
    if (code == GENAIR_OK) code = bpe_pairs_create(&t->rules, n, st);
    if (code == GENAIR_OK) code = input_open(path, LINE_MAX_BYTES, &in, st);
    while (code == GENAIR_OK && (code = input_line(in, &line, &more, st)) == GENAIR_OK && more) {
        const struct place place = {path, input_line_number(in), -1};
        const bool head = place.line == 1 && line.n >= strlen(version) &&
                          memcmp(line.p, version, strlen(version)) == 0;
        if (line.n && !head) code = alphabet_put_merge_line(t, rank++, line, place, st);
    }
    input_close(in);
    return code;
}

genair_code vocab_merges_read(struct tokenizer *t, const char *vocab_path, const char *merges_path,
                              const json_t *config, const char *config_path, genair_status *st) {
    const struct place place = {vocab_path, 0, -1};
    const char *maker = json_string_value(json_object_get(config, "tokenizer_class"));
    json_t *vocabulary = NULL;
    if (maker && strncmp(maker, "Qwen2Tokenizer", strlen("Qwen2Tokenizer")) != 0)
        return fail_offset(st, GENAIR_FORMAT, config_path, -1,
                           "a vocab.json of \"%.40s\"; without a tokenizer.json only that of "
                           "Qwen2Tokenizer is supported",
                           maker);
    t->alphabet = ALPHABET_BYTES;
    genair_code code = json_object_read(vocab_path, &vocabulary, st);
    if (code == GENAIR_OK) code = put_tokens(t, vocabulary, place, st);
    json_decref(vocabulary);
    if (code == GENAIR_OK) code = config_add_tokens(t, config, config_path, st);
    if (code == GENAIR_OK) code = tokenizer_finish(t, place, st);
    if (code == GENAIR_OK) code = read_merges(t, merges_path, st);
    return code == GENAIR_OK ? tokenizer_set_expression(t, EXPRESSION_QWEN2, st) : code;
}
