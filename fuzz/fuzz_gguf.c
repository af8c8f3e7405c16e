/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a GGUF file: refused with a message, or every value and tensor lies inside the file.
 */
#include "fuzz.h"

#include "base/alloc.h"
#include "lm/weights.h"

#include <string.h>

static void look_at_value(const struct gguf *g, const struct gguf_value *v) {
    char key[64] = "";
    if (v->key.n >= sizeof key || memchr(v->key.p, 0, v->key.n)) return;
    memcpy(key, v->key.p, v->key.n);
    must(gguf_find(g, key) == v);
    uint64_t integer;
    double number, *numbers = NULL;
    bool flag;
    struct text text = {"", 0}, *texts = NULL;
    size_t n;
    const int n_scalar = (gguf_u64(g, key, true, &integer, NULL) == GENAIR_OK) +
                         (gguf_text(g, key, true, &text, NULL) == GENAIR_OK) +
                         (gguf_bool(g, key, true, &flag, NULL) == GENAIR_OK);
    must(n_scalar <= 1 && !(n_scalar && v->is_array));
    if (gguf_f64(g, key, true, &number, NULL) == GENAIR_OK) must(!v->is_array);
    volatile unsigned char sum = 0;
    for (size_t i = 0; i < text.n; i++)
        sum = (unsigned char)(sum + (unsigned char)text.p[i]);
    if (gguf_texts(g, key, true, &texts, &n, NULL) == GENAIR_OK)
        for (size_t i = 0; i < n; i++)
            if (texts[i].n) sum = (unsigned char)(sum + (unsigned char)texts[i].p[texts[i].n - 1]);
    if (gguf_numbers(g, key, true, &numbers, &n, NULL) == GENAIR_OK) must(n == v->n);
    mem_free(texts);
    mem_free(numbers);
}

static void look_at_tensor(const struct gguf *g, const struct gguf_tensor *t) {
    unsigned char byte;
    must(t->n_bytes && t->offset < g->file_bytes && t->n_bytes <= g->file_bytes - t->offset);
    must(gguf_read(g, t->offset + t->n_bytes - 1, &byte, 1, NULL) == GENAIR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct memory_file file = memory_file_open(data, size);
    struct gguf *g = NULL;
    genair_status st = {0};
    if (gguf_open(file.path, &g, &st) == GENAIR_OK) {
        for (size_t i = 0; i < g->n_values; i++)
            look_at_value(g, &g->values[i]);
        for (size_t i = 0; i < g->n_tensors; i++)
            look_at_tensor(g, &g->tensors[i]);
    } else {
        must(st.code != GENAIR_OK && st.message[0] && !g);
    }
    gguf_close(g);
    look_at_weights(file.path, size);
    memory_file_close(&file);
    return 0;
}
