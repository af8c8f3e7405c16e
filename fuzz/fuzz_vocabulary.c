/* SPDX-License-Identifier: Apache-2.0 */
/* A model's tokenizer with all that belongs to it, the first byte chooses: from the metadata of a GGUF file; from a directory
 * (tokenizer_config.json, tokenizer.json, vocab.json, merges.txt, chat_template.jinja, each ended by a byte that no text has, then
 * tokenizer.model; empty ones are not there). Refused with a message, or text goes in and comes out. */
#include "fuzz.h"

#include "lm/tokenizer.h"

enum { MARK = 0xFF, MOST_TOKENS = 1 << 16 };

static genair_code open_gguf(struct bytes file, struct tokenizer **t, genair_status *st) {
    struct memory_file f = memory_file_open(file.p, file.n);
    struct gguf *g = NULL;
    uint64_t declared = 0;
    genair_code code = gguf_open(f.path, &g, st);
    if (code == GENAIR_OK) code = gguf_u64(g, "declared", false, &declared, st);
    if (code == GENAIR_OK) code = tokenizer_open_gguf(g, declared % MOST_TOKENS, t, st);
    gguf_close(g);
    memory_file_close(&f);
    return code;
}

static genair_code open_directory(struct bytes rest, struct tokenizer **t, genair_status *st) {
    static const char *const texts[] = {"tokenizer_config.json", "tokenizer.json", "vocab.json", "merges.txt", "chat_template.jinja"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct bytes part = bytes_until(&rest, MARK);
        scratch_put(texts[i], part.p, part.n);
    }
    scratch_put("tokenizer.model", rest.p, rest.n);
    return tokenizer_open_directory(scratch_directory(), MOST_TOKENS, t, st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    const struct bytes rest = {data + 1, size - 1};
    struct tokenizer *t = NULL;
    genair_status st = {0};
    const genair_code code = data[0] % 2 ? open_gguf(rest, &t, &st) : open_directory(rest, &t, &st);
    if (code == GENAIR_OK)
        look_at_tokenizer(t);
    else
        must(code != GENAIR_INTERNAL && st.message[0] && !t);
    tokenizer_free(t);
    return 0;
}
