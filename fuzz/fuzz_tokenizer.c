/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a tokenizer's file, of the form that the first byte chooses: refused with a message,
 * or text goes in and comes out. */
#include "fuzz.h"

#include "base/alloc.h"
#include "base/files.h"
#include "lm/tokenizer_parts.h"

#include <string.h>

enum { SENTENCEPIECE, RANKS, JSON, CONFIG, N_FORMS };

/* A tokenizer that a configuration can be applied to. */
static genair_code bytes_and_config(struct tokenizer *t, const char *path, genair_status *st) {
    const struct place nowhere = {"fuzz", 0, -1};
    json_t *config = NULL;
    t->alphabet = ALPHABET_BYTES;
    for (unsigned b = 0; b < 256; b++) {
        const char byte = (char)b;
        must(vocabulary_put(&t->vocabulary, b, (struct text){&byte, 1}, TOKEN_NORMAL, 0, nowhere,
                            NULL) == GENAIR_OK);
    }
    genair_code code = json_object_read(path, &config, st);
    if (code == GENAIR_OK) code = config_add_tokens(t, config, path, st);
    if (code == GENAIR_OK) code = tokenizer_finish(t, nowhere, st);
    if (code == GENAIR_OK) code = tokenizer_set_expression(t, EXPRESSION_LLAMA3, st);
    if (code == GENAIR_OK) code = tokenizer_config_apply(t, config, path, st);
    json_decref(config);
    return code;
}

static genair_code read_form(struct tokenizer *t, int form, const char *path, genair_status *st) {
    char *file = NULL;
    size_t n;
    if (form == CONFIG) return bytes_and_config(t, path, st);
    if (form == RANKS) return tiktoken_read(t, path, NULL, path, st);
    if (form == JSON) return tokenizer_json_read(t, path, NULL, path, st);
    genair_code code = file_read(path, TOKENIZER_FILE_MAX, &file, &n, st);
    if (code == GENAIR_OK)
        code = sentencepiece_read(t, path, (struct text){file, n}, NULL, path, st);
    mem_free(file);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    struct memory_file f = memory_file_open(data + 1, size - 1);
    struct tokenizer *t = NULL;
    genair_status st = {0};
    must(tokenizer_create(1 << 16, &t, &st) == GENAIR_OK);
    if (read_form(t, data[0] % N_FORMS, f.path, &st) == GENAIR_OK)
        look_at_tokenizer(t);
    else
        must(st.code != GENAIR_OK && st.code != GENAIR_INTERNAL && st.message[0]);
    tokenizer_free(t);
    memory_file_close(&f);
    return 0;
}
