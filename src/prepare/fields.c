/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/fields.h"

bool text_check_utf8(struct text t, const char *what, genair_status *bad) {
    const size_t valid = text_utf8_prefix(t);
    if (valid == t.n) return true;
    fail(bad, GENAIR_FORMAT, "%s is not UTF-8 (byte %02X at %zu); convert the file to UTF-8", what,
         (unsigned char)t.p[valid], valid + 1);
    return false;
}

/* Nearly all ids are; this is asked of every line. */
static bool printable_ascii(struct text t) {
    size_t i = 0;
    while (i < t.n && (unsigned char)(t.p[i] - 0x20) < 0x7F - 0x20)
        i++;
    return i == t.n;
}

bool id_check(struct text id, const char *noun, genair_status *bad) {
    if (!id.n) {
        fail(bad, GENAIR_FORMAT, "the %s id is empty", noun);
        return false;
    }
    if (id.n <= NAME_CHARACTERS && printable_ascii(id)) return true;
    for (size_t i = 0; i < id.n; i++) {
        const unsigned char c = (unsigned char)id.p[i];
        if (c >= 0x20 && c != 0x7F) continue;
        fail(bad, GENAIR_FORMAT, "the %s id holds a control character (byte %02X)", noun, c);
        return false;
    }
    if (!text_check_utf8(id, noun[0] == 'u' ? "the user id" : "the item id", bad)) return false;
    if (text_is_name(id, NAME_CHARACTERS)) return true;
    fail(bad, GENAIR_FORMAT, "the %s id has more than %d characters", noun, NAME_CHARACTERS);
    return false;
}
