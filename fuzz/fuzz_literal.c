/* SPDX-License-Identifier: Apache-2.0 */
/* JSON and Python literals: the walk without allocation, the tree and jansson must agree. */
#include "fuzz.h"

#include "prepare/literal.h"

#include <string.h>

static bool walk(struct text text, struct literal *l) {
    struct literal_token key, value;
    bool first = true, more = true;
    char out[4096];
    *l = literal_start(text);
    if (!literal_open_object(l)) return false;
    for (;;) {
        if (!literal_key(l, &first, &key, &more)) return false;
        if (!more) return literal_end(l);
        if (!literal_value(l, &value)) return false;
        bool replaced = false;
        must(value.raw.p >= text.p && value.raw.p + value.raw.n <= text.p + text.n);
        if (value.type == LITERAL_STRING && value.raw.n <= sizeof out) {
            const size_t n = literal_unescape(&value, l->dialect, out, &replaced);
            must(n <= value.raw.n && text_utf8_prefix((struct text){out, n}) == n);
        }
    }
}

/* What jansson takes, we take, and the other way round, but for what is known to differ. */
static void compare_with_jansson(struct text text, bool ours, const char *error) {
    json_error_t other;
    json_t *tree = json_loadb(
        text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &other);
    if (tree && !ours && json_is_object(tree)) must(strstr(error, "nested") != NULL);
    if (!tree && ours) {
        const enum json_error_code code = json_error_code(&other);
        must(code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
             strstr(other.text, "Unicode") || strstr(other.text, "NUL"));
    }
    json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct text text = {(const char *)data, size};
    if (text_utf8_prefix(text) < size) return 0; /* checked before the parser by its callers */
    struct literal walked, built = literal_start(text);
    const bool walks = walk(text, &walked);
    json_t *tree = literal_tree(&built);
    must(tree || built.error);
    if (json_is_object(tree)) must(walks);
    if (walks && !tree) must(strstr(built.error, "twice") != NULL);
    /* jansson 2.14 passes over a NUL byte behind a number */
    if (built.dialect == LITERAL_JSON && size && !memchr(text.p, 0, size))
        compare_with_jansson(text, json_is_object(tree) || json_is_array(tree), built.error);
    json_decref(tree);
    return 0;
}
