/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/paragraph.h"

#include "cli/terminal.h"

enum { PARAGRAPH = 96 /* columns */, PARAGRAPH_INDENT = 2 };

/* One word from *s on, copied to word; its bytes, 0 at the text's end. *n_breaks: line ends before
 * it. A word that is too long is cut in two between characters. */
static size_t next_word(const char **s, char *word, size_t size, int *n_breaks) {
    *n_breaks = 0;
    for (size_t n = 0; **s == ' ' || (n = terminal_control(*s)) > 0; *s += **s == ' ' ? 1 : n)
        *n_breaks += **s == '\n';
    size_t n = 0;
    while (**s && **s != ' ' && !terminal_control(*s) &&
           (n + 4 < size || ((unsigned char)**s & 0xC0) == 0x80) && n + 1 < size)
        word[n++] = *(*s)++;
    word[n] = '\0';
    return n;
}

void paragraph_print(FILE *out, const char *s) {
    char word[4 * PARAGRAPH];
    int column = 0, n_breaks;
    while (next_word(&s, word, sizeof word, &n_breaks)) {
        const int width = terminal_columns(word);
        if (column && (n_breaks || column + 1 + width > PARAGRAPH)) {
            fputs(n_breaks > 1 ? "\n\n" : "\n", out);
            column = 0;
        }
        fprintf(out, "%*s%s", column ? 1 : PARAGRAPH_INDENT, "", word);
        column += (column ? 1 : PARAGRAPH_INDENT) + width;
    }
    fputc('\n', out);
}
