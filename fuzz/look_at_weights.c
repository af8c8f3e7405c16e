/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "lm/weights.h"

void look_at_weights(const char *path, size_t size) {
    struct lm_weights *w = NULL;
    genair_status st = {0};
    const struct lm_tensor *t;
    char hash[33];
    uint64_t bytes = 0;
    if (lm_weights_open(path, &w, &st) == GENAIR_OK) {
        for (size_t i = 0; (t = lm_weights_tensor(w, i)); i++)
            bytes += (uint64_t)t->rows * t->row_bytes;
        must(bytes && bytes < size);
        must(w->config.n_heads % w->config.n_kv_heads == 0 && w->config.head_dim % 2 == 0);
        for (size_t i = 0; i < w->config.head_dim / 2; i++)
            must(w->config.rope_divisors[i] > 0);
        const genair_code code = lm_weights_hash(NULL, w, hash, &st);
        must(code == GENAIR_OK || (code == GENAIR_FORMAT && st.message[0])); /* an infinity */
    } else {
        must(st.code != GENAIR_OK && st.message[0] && !w);
    }
    lm_weights_close(w);
}
