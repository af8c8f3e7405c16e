/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options as manual page, Markdown page and bash completion. */
#include "cli/help.h"

#include "base/options.h"
#include "genair.h"

#include <string.h>

static bool is_common(const struct option_spec *spec) {
    return strcmp(spec->commands, "*") == 0;
}

static const char *value_word(const struct option_spec *spec) {
    return spec->type == OPTION_CHOICE ? spec->choices : spec->argument;
}

/* ---- man(7): a leading dot or quote, backslashes and dashes have meanings of their own ---- */

static void man_text(FILE *out, const char *s) {
    if (*s == '.' || *s == '\'') fputs("\\&", out);
    for (; *s; s++) {
        if (*s == '\\')
            fputs("\\e", out);
        else if (*s == '-')
            fputs("\\-", out);
        else
            fputc(*s, out);
    }
}

static void man_option(FILE *out, const struct option_spec *spec) {
    fputs(".TP\n", out);
    if (spec->positional) {
        fputs(".I ", out);
        man_text(out, value_word(spec));
    } else {
        if (spec->letter) fprintf(out, "\\fB\\-%c\\fR, ", spec->letter);
        fputs("\\fB\\-\\-", out);
        man_text(out, spec->name);
        fputs("\\fR", out);
        if (value_word(spec)) {
            fputs(" \\fI", out);
            man_text(out, value_word(spec));
            fputs("\\fR", out);
        }
    }
    fputc('\n', out);
    man_text(out, spec->help);
    if (spec->type == OPTION_INT || spec->type == OPTION_REAL)
        fprintf(out, " From %.10g to %.16g.", spec->min, spec->max);
    if (spec->fallback && spec->type != OPTION_FLAG) {
        fputs(" Default ", out);
        man_text(out, spec->fallback);
        fputc('.', out);
    }
    fputc('\n', out);
}

static void man_commands(FILE *out) {
    size_t n, n_commands;
    const struct option_spec *table = options_table(&n);
    const struct command_spec *commands = commands_table(&n_commands);
    for (size_t c = 0; c < n_commands; c++) {
        fprintf(out, ".SS genair %s\n", commands[c].name);
        man_text(out, commands[c].help);
        fputs("\n.PP\n.EX\n", out);
        man_text(out, commands[c].example);
        fputs("\n.EE\n", out);
        for (size_t i = 0; i < n; i++)
            if (option_applies(&table[i], commands[c].name) && !is_common(&table[i]))
                man_option(out, &table[i]);
    }
}

void help_man(FILE *out) {
    size_t n;
    const struct option_spec *table = options_table(&n);
    fprintf(out, ".TH GENAIR 1 \"\" \"genair %s\" \"User Commands\"\n", genair_version());
    fputs(".SH NAME\ngenair \\- recommendations from a catalogue and a click log\n"
          ".SH SYNOPSIS\n.B genair\n.I COMMAND\n.RI [ options ]\n"
          ".SH DESCRIPTION\nEvery command reads and writes one workspace directory. A command "
          "whose inputs have not "
          "changed does nothing; outputs are replaced as a whole, so that a command that was "
          "killed can be run again."
          "\n.SH COMMON OPTIONS\n",
          out);
    for (size_t i = 0; i < n; i++)
        if (is_common(&table[i])) man_option(out, &table[i]);
    fputs(".SH COMMANDS\n", out);
    man_commands(out);
    fputs(
        ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 130 interrupted (state saved).\n"
        ".SH FILES\n.TP\n.I manifest.json\nWhat was made from what: hashes, options, seed, "
        "version.\n"
        ".TP\n.I fused.npy\nThe item matrix; NumPy reads it.\n"
        ".TP\n.I runs/NAME/\nConfiguration, metrics.jsonl (a line an epoch), model, checkpoint.\n",
        out);
}

/* ---- Markdown ---- */

static void markdown_option(FILE *out, const struct option_spec *spec) {
    char allowed[256];
    option_allowed(spec, allowed, sizeof allowed);
    fputs("| `", out);
    if (spec->letter) fprintf(out, "-%c, ", spec->letter);
    fprintf(out, spec->positional ? "%s` | " : "--%s` | ", spec->name);
    const bool text = spec->type == OPTION_TEXT || spec->type == OPTION_LIST;
    for (const char *p = text ? spec->argument : allowed; *p; p++) { /* a bar would end the cell */
        if (*p == '|') fputc('\\', out);
        fputc(*p, out);
    }
    fprintf(out, " | %s | %s |\n", spec->fallback ? spec->fallback : "", spec->help);
}

static void markdown_head(FILE *out) {
    fputs("\n| option | value | default | |\n|---|---|---|---|\n", out);
}

void help_markdown(FILE *out) {
    size_t n, n_commands;
    const struct option_spec *table = options_table(&n);
    const struct command_spec *commands = commands_table(&n_commands);
    fputs("# The command line\n\nWritten by `genair help --markdown` from the table of options; a "
          "test compares.\n\n"
          "An option is given as `--name value` or `--name=value`; a list takes several words or "
          "is repeated; a flag "
          "stands alone. `--config FILE` reads lines `name = value`; the command line wins over "
          "the file, and options "
          "of other commands in it are passed over, so one file may serve all.\n\n"
          "Results go to standard output, as tables or with `--json` as one JSON object; messages "
          "and progress go to "
          "standard error. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted (state "
          "saved).\n\n"
          "## Options of every command\n",
          out);
    markdown_head(out);
    for (size_t i = 0; i < n; i++)
        if (is_common(&table[i])) markdown_option(out, &table[i]);
    for (size_t c = 0; c < n_commands; c++) {
        fprintf(out, "\n## genair %s\n\n%s\n\n    %s\n", commands[c].name, commands[c].help,
                commands[c].example);
        markdown_head(out);
        for (size_t i = 0; i < n; i++)
            if (option_applies(&table[i], commands[c].name) && !is_common(&table[i]))
                markdown_option(out, &table[i]);
    }
}

/* ---- bash ---- */

/* As a word list: "a|b" is a b. */
static void bash_words(FILE *out, const char *name, const char *choices) {
    fprintf(out, "%s='", name);
    for (const char *p = choices; *p; p++)
        fputc(*p == '|' ? ' ' : *p, out);
    fputc('\'', out);
}

static bool takes_number(const struct option_spec *spec) {
    return spec->type == OPTION_INT || spec->type == OPTION_REAL || spec->rule == RULE_COUNT;
}

/* What may follow the option before the cursor: its choices; of a number nothing is known. */
static void bash_values(FILE *out, const char *command) {
    size_t n;
    const struct option_spec *table = options_table(&n);
    fputs("        case $previous in\n", out);
    for (size_t i = 0; i < n; i++) {
        if (!option_applies(&table[i], command) || table[i].positional) continue;
        if (table[i].type == OPTION_CHOICE) {
            fprintf(out, "        --%s) ", table[i].name);
            bash_words(out, "values", table[i].choices);
            fputs(" ;;\n", out);
        } else if (takes_number(&table[i])) {
            fprintf(out, "        --%s) return ;;\n", table[i].name);
        }
    }
    fputs("        esac\n", out);
}

static void bash_command(FILE *out, const char *command) {
    size_t n;
    const struct option_spec *table = options_table(&n);
    fprintf(out, "    %s)\n        options='", command);
    for (size_t i = 0; i < n; i++)
        if (option_applies(&table[i], command) && !table[i].positional) fprintf(out, "--%s ", table[i].name);
    fputs("'\n", out);
    for (size_t i = 0; i < n; i++) {
        if (!option_applies(&table[i], command) || !table[i].positional || table[i].type != OPTION_CHOICE) continue;
        fputs("        ", out);
        bash_words(out, "words", table[i].choices);
        fputc('\n', out);
    }
    bash_values(out, command);
    fputs("        ;;\n", out);
}

/* Bash has --name=value as three words. */
void help_bash(FILE *out) {
    size_t n;
    const struct command_spec *commands = commands_table(&n);
    fputs("# bash completion for genair; written by 'genair help --bash' from the table of options\n"
          "_genair() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} options='' words='' values=''\n"
          "    local commands='", out);
    for (size_t c = 0; c < n; c++)
        fprintf(out, "%s ", commands[c].name);
    fputs("'\n"
          "    COMPREPLY=()\n"
          "    if [ \"$word\" = = ]; then\n"
          "        word=''\n"
          "    elif [ \"$previous\" = = ] && [ \"$COMP_CWORD\" -gt 2 ]; then\n"
          "        previous=${COMP_WORDS[COMP_CWORD-2]}\n"
          "    fi\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        values=\"help version --help --version $commands\"\n"
          "    fi\n"
          "    case ${COMP_WORDS[1]} in\n"
          "    help)\n"
          "        options='--man --markdown --bash'\n"
          "        words=$commands\n"
          "        ;;\n", out);
    for (size_t c = 0; c < n; c++)
        bash_command(out, commands[c].name);
    fputs("    esac\n"
          "    if [ -z \"$values\" ]; then\n"
          "        case $word in\n"
          "        -*) values=$options ;;\n"
          "        *) if [ \"$COMP_CWORD\" -eq 2 ]; then values=$words; fi ;;\n"
          "        esac\n"
          "    fi\n"
          "    if [ -n \"$values\" ]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$word\")\n"
          "    else\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
          "    fi\n"
          "}\n"
          "complete -F _genair genair\n", out);
}
