/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include "base/options.h"

#include <string.h>

enum { WIDTH = 100, COLUMN = 30, SIGNATURE = 128 };

static bool is_common(const struct option_spec *spec) {
    return strcmp(spec->commands, "*") == 0;
}

/* "-w, --workspace DIR" */
static void signature(const struct option_spec *spec, char out[SIGNATURE]) {
    char letter[8] = "";
    if (spec->letter) snprintf(letter, sizeof letter, "-%c, ", spec->letter);
    const char *value = spec->type == OPTION_CHOICE ? "WORD" : spec->argument;
    if (spec->positional)
        snprintf(out, SIGNATURE, "%s",
                 spec->type == OPTION_CHOICE ? spec->choices : spec->argument);
    else
        snprintf(out, SIGNATURE, "%s--%s%s%s", letter, spec->name, value ? " " : "",
                 value ? value : "");
}

/* Help, choices, bounds and default in one paragraph. */
static void paragraph(const struct option_spec *spec, char *out, size_t size) {
    char bounds[320] = "", fallback[128] = "";
    if (spec->type == OPTION_CHOICE && !spec->positional)
        snprintf(bounds, sizeof bounds, " One of %s.", spec->choices);
    else if (spec->type == OPTION_INT || spec->type == OPTION_REAL)
        snprintf(bounds, sizeof bounds, " From %.10g to %.16g.", spec->min, spec->max);
    if (spec->fallback && spec->type != OPTION_FLAG)
        snprintf(fallback, sizeof fallback, " Default %s.", spec->fallback);
    snprintf(out, size, "%s%s%s", spec->help, bounds, fallback);
}

/* Words of text from `column` on, broken before WIDTH, continued under `column`. */
static void wrap(FILE *out, const char *text, int column) {
    int at = column;
    for (const char *p = text; *p;) {
        const int n = (int)strcspn(p, " ");
        if (at > column && at + 1 + n > WIDTH) {
            fprintf(out, "\n%*s", column, "");
            at = column;
        }
        at += fprintf(out, "%s%.*s", at > column ? " " : "", n, p);
        p += n;
        p += strspn(p, " ");
    }
    fputc('\n', out);
}

static void help_option(FILE *out, const struct option_spec *spec) {
    char name[SIGNATURE], text[1024];
    signature(spec, name);
    paragraph(spec, text, sizeof text);
    if (fprintf(out, "  %-*s", COLUMN - 3, name) >= COLUMN)
        fprintf(out, "\n%*s", COLUMN, "");
    else
        fputc(' ', out);
    wrap(out, text, COLUMN);
}

static const struct command_spec *find_command(const char *name) {
    size_t n;
    const struct command_spec *table = commands_table(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

bool help_command(FILE *out, const char *name) {
    const struct command_spec *command = find_command(name);
    if (!command) return false;
    size_t n;
    const struct option_spec *table = options_table(&n);
    fprintf(out, "%s\n\nUsage: genair %s", command->help, name);
    for (size_t i = 0; i < n; i++)
        if (option_applies(&table[i], name) && table[i].positional)
            fprintf(out, " %s", table[i].argument ? table[i].argument : table[i].choices);
    fprintf(out, " [options]\n\nExample:\n  %s\n\nOptions:\n", command->example);
    for (size_t i = 0; i < n; i++)
        if (option_applies(&table[i], name) && !is_common(&table[i])) help_option(out, &table[i]);
    fputs("\nOptions of every command:\n", out);
    for (size_t i = 0; i < n; i++)
        if (is_common(&table[i])) help_option(out, &table[i]);
    return true;
}

void help_overview(FILE *out) {
    size_t n;
    const struct command_spec *table = commands_table(&n);
    fputs("genair: from a catalogue and a click log to a recommender that knows who each item is "
          "for.\n\n"
          "Usage: genair COMMAND [options]\n\nCommands, in the order of the data's way:\n",
          out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "  %-12s", table[i].name);
        wrap(out, table[i].help, 14);
    }
    fputs("\n'genair help COMMAND' explains one of them; 'genair --version' tells the version.\n"
          "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted (state saved).\n",
          out);
}
