/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/alloc.h"
#include "lm/tokenizer_parts.h"

#include <string.h>

void look_at_tokenizer(const struct tokenizer *t) {
    static const char text[] = " the quick <s> 12\n\nna\xC3\xAFve \xE4\xBD\xA0 it's";
    struct tokens ids = {0};
    char *back = NULL;
    size_t n;
    must(tokenizer_encode(t, text_of(text), &ids, NULL) == GENAIR_OK);
    for (size_t i = 0; i < ids.n; i++)
        must(ids.ids[i] < tokenizer_size(t));
    must(tokenizer_decode(t, ids.ids, ids.n, true, &back, &n, NULL) == GENAIR_OK);
    must(n == strlen(text) && memcmp(back, text, n) == 0);
    mem_free(back);
    ids.n = 0;
    must(tokenizer_encode_special(t, text_of(text), &ids, NULL) == GENAIR_OK);
    genair_status st = {0};
    must(chat_encode(t, tokenizer_chat_format(t), text_of("s"), text_of("u"), &ids, &st) ==
             GENAIR_OK ||
         st.message[0]);
    tokens_free(&ids);
}
