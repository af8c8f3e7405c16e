/* SPDX-License-Identifier: Apache-2.0 */
/* A template, and behind the first zero byte the attributes of an item as JSON. */
#include "fuzz.h"

#include "archetype/template.h"

#include <string.h>

static void render(const struct template *t, json_t *record) {
    const struct prompt_style style = {"item", 7};
    struct prompt p = {0};
    size_t n;
    template_attributes(t, &n);
    must(n || template_takes_others(t));
    if (template_render(t, record, &style, &p, NULL) == GENAIR_OK) {
        must(p.n_system <= p.user_at && p.user_at <= p.n);
        must(text_utf8_prefix((struct text){p.text ? p.text : "", p.n}) == p.n);
        must(text_utf8_prefix((struct text){p.text ? p.text : "", p.n_system}) == p.n_system);
        must(p.n || !p.n_attributes || n); /* others that the item has are said */
    }
    prompt_deinit(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    const size_t n = zero ? (size_t)(zero - data) : size;
    struct template *t = NULL;
    genair_status st = {0};
    const genair_code code =
        template_parse((struct text){(const char *)data, n}, "template", &t, &st);
    must((code == GENAIR_OK) == (t != NULL));
    must(code == GENAIR_OK || st.message[0]);
    if (!t) return 0;
    json_t *record =
        zero ? json_loadb((const char *)zero + 1, size - n - 1, 0, NULL) : json_object();
    if (json_is_object(record)) render(t, record);
    json_decref(record);
    template_free(t);
    return 0;
}
