/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_config.json of Hugging Face: added tokens, begin token, chat template. */
#include "lm/tokenizer_parts.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"

#include <string.h>

genair_code json_object_read(const char *path, json_t **out, genair_status *st) {
    json_t *root;
    const genair_code code = json_file_read(path, TOKENIZER_FILE_MAX, &root, st);
    if (code != GENAIR_OK) return code;
    if (!json_is_object(root)) {
        json_decref(root);
        return fail_offset(st, GENAIR_FORMAT, path, 0, "not a JSON object");
    }
    *out = root;
    return GENAIR_OK;
}

genair_code json_add_token(struct tokenizer *t, const json_t *entry, const json_t *id,
                           struct place place, genair_status *st) {
    const json_t *content = json_object_get(entry, "content");
    if (!json_is_string(content) || !json_is_integer(id) || json_integer_value(id) < 0)
        return fail_place(place, st, "an added token lacks its number or its \"content\"");
    return vocabulary_add(&t->vocabulary, (uint64_t)json_integer_value(id),
                          (struct text){json_string_value(content), json_string_length(content)},
                          json_is_true(json_object_get(entry, "special")), place, st);
}

genair_code config_add_tokens(struct tokenizer *t, const json_t *config, const char *path,
                              genair_status *st) {
    const struct place place = {path, 0, -1};
    const char *key;
    json_t *entry, *tokens = json_object_get(config, "added_tokens_decoder");
    json_object_foreach(tokens, key, entry) {
        int64_t number;
        json_t *id = text_i64(text_of(key), &number) ? json_integer(number) : NULL;
        const genair_code code = json_add_token(t, entry, id, place, st);
        json_decref(id);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

/* The text of a token, which stands there as text or as an object; p NULL when there is none. */
static struct text token_text(const json_t *value) {
    if (json_is_object(value)) value = json_object_get(value, "content");
    return (struct text){json_string_value(value), json_string_length(value)};
}

static genair_code apply_begin(struct tokenizer *t, const json_t *config, struct place place,
                               genair_status *st) {
    static const char llama3_begin[] = "<|begin_of_text|>";
    const struct text begin = token_text(json_object_get(config, "bos_token"));
    const json_t *wanted = json_object_get(config, "add_bos_token");
    const bool known = t->alphabet == ALPHABET_SENTENCEPIECE && t->begins; /* by the model itself */
    if (json_is_boolean(wanted)) t->begins = json_is_true(wanted);
    if (!t->begins || (known && !begin.p)) return GENAIR_OK;
    if (begin.p) return tokenizer_set_begin(t, begin, place, st);
    t->begins = vocabulary_added(&t->vocabulary, text_of(llama3_begin), &t->begin);
    return GENAIR_OK;
}

/* "chat_template" is a text, or a list of named ones. */
static struct text template_text(const json_t *config) {
    const json_t *template = json_object_get(config, "chat_template"), *entry;
    size_t i;
    if (json_is_array(template)) {
        const json_t *list = template;
        template = NULL;
        json_array_foreach(list, i, entry) {
            const char *name = json_string_value(json_object_get(entry, "name"));
            if (name && strcmp(name, "default") == 0) template = json_object_get(entry, "template");
        }
    }
    return (struct text){json_string_value(template), json_string_length(template)};
}

genair_code tokenizer_config_apply(struct tokenizer *t, const json_t *config, const char *path,
                         genair_status *st) {
    const genair_code code = apply_begin(t, config, (struct place){path, 0, -1}, st);
    return code == GENAIR_OK ? chat_recognise(t, template_text(config), st) : code;
}
