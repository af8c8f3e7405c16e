/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

size_t terminal_control(const char *s) {
    const unsigned char c = (unsigned char)s[0], next = (unsigned char)(c ? s[1] : 0);
    if (c == 0xC2 && next >= 0x80 && next < 0xA0) return 2;
    return c && (c < 0x20 || c == 0x7F);
}

int terminal_columns(const char *s) {
    int n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

void terminal_text(const char *s, char *out, size_t size) {
    size_t n = 0;
    while (*s && n + 1 < size) {
        const size_t control = *s == '\n' ? 0 : terminal_control(s);
        out[n++] = control ? ' ' : *s;
        s += control ? control : 1;
    }
    out[n] = '\0';
}
