/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/picture.h"

#include "base/alloc.h"
#include "base/size.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_COMPLAINT = 1 << 16 };

/* Text is taken as it is: names may hold what gnuplot would read as markup. */
static const char preamble[] = "set border 3 lc rgb '#555555'\n"
                               "set grid lc rgb '#dddddd' lt 1\n"
                               "set tics nomirror\n"
                               "set key noopaque\n"
                               "set style line 1 lc rgb '#8a8f98' lw 2.5 pt 7 ps 0.35\n"
                               "set style line 2 lc rgb '#c2410c' lw 2.5 pt 7 ps 0.35\n"
                               "set style line 3 lc rgb '#2563a8' lw 2.5 pt 7 ps 0.35\n"
                               "set style line 4 lc rgb '#3f8f5b' lw 2.5 pt 7 ps 0.35\n";

static const struct {
    const char *suffix, *terminal, *end; /* end: of a file that is whole */
} forms[] = {
    {"png", "pngcairo", "IEND\xAE\x42\x60\x82"},
    {"svg", "svg dynamic", "</svg>"},
};

/* Standard input is empty, output and errors go to files; NULL: nowhere. The exit status, -1 when it did not run. */
static int run_program(char *const *arguments, const char *output, const char *errors) {
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;
    if (posix_spawn_file_actions_init(&actions) != 0) return -1;
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    if (posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) == 0 &&
        posix_spawn_file_actions_addopen(&actions, 1, output ? output : "/dev/null", flags, 0666) == 0 &&
        posix_spawn_file_actions_addopen(&actions, 2, errors ? errors : "/dev/null", flags, 0666) == 0 &&
        posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ) == 0) {
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
        status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

bool pictures_possible(void) {
    char program[] = "gnuplot", version[] = "--version";
    return run_program((char *[]){program, version, NULL}, NULL, NULL) == 0;
}

static char *path_of(const struct picture *p, const char *suffix) {
    char name[256];
    snprintf(name, sizeof name, "%s.%s", p->name, suffix);
    return path_join(p->directory, name);
}

genair_code picture_open(const char *directory, const char *name, struct picture *out, genair_status *st) {
    *out = (struct picture){.directory = mem_text(directory, strlen(directory)), .name = mem_text(name, strlen(name))};
    if (out->directory && out->name) out->script_path = path_of(out, "gp");
    genair_code code = out->script_path ? writer_open(out->script_path, &out->script, st) : fail_memory(st);
    if (code == GENAIR_OK) code = writer_put(out->script, preamble, strlen(preamble), st);
    if (code != GENAIR_OK) picture_abandon(out);
    return code;
}

static void deinit(struct picture *p) {
    mem_free(p->directory);
    mem_free(p->name);
    mem_free(p->script_path);
    *p = (struct picture){0};
}

void picture_abandon(struct picture *p) {
    writer_abandon(p->script);
    deinit(p);
}

/* gnuplot complains with the line, a caret, and then the reason: its last line. */
static void tell_failure(const genair_context *ctx, const char *name, const char *log) {
    char *text = NULL;
    size_t size;
    if (file_read(log, MAX_COMPLAINT, &text, &size, NULL) != GENAIR_OK) text = NULL;
    while (text && size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
        text[--size] = '\0';
    const char *line = text ? strrchr(text, '\n') : NULL;
    line = line ? line + 1 : text;
    context_warn(ctx, "gnuplot could not draw %s%s%.200s", name, line && *line ? ": " : "", line ? line : "");
    mem_free(text);
}

/* gnuplot does not say when the disk is full. */
static bool ends_with(const char *path, const char *end) {
    enum { LAST = 16 };
    char last[LAST];
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    const off_t size = lseek(file, 0, SEEK_END);
    const ssize_t n = size < LAST ? -1 : pread(file, last, LAST, size - LAST);
    close(file);
    return n == LAST && memmem(last, LAST, end, strlen(end));
}

static genair_code draw_form(const genair_context *ctx, const struct picture *p, size_t form, int width, int height,
                             bool *drawn, genair_status *st) {
    char program[] = "gnuplot", no_settings[] = "-d", execute[] = "-e", terminal[160]; /* -d: not those of ~/.gnuplot */
    snprintf(terminal, sizeof terminal, "set terminal %s noenhanced size %d,%d font 'sans,11' background rgb 'white'",
             forms[form].terminal, width, height);
    char *output = path_of(p, forms[form].suffix), *log = path_of(p, "log");
    const genair_code code = output && log ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) {
        *drawn = run_program((char *[]){program, no_settings, execute, terminal, p->script_path, NULL}, output, log) == 0 &&
                 ends_with(output, forms[form].end);
        if (!*drawn) tell_failure(ctx, p->name, log);
        unlink(log);
    }
    mem_free(output);
    mem_free(log);
    return code;
}

genair_code picture_draw(genair_context *ctx, struct picture *p, int width, int height, bool *drawn,
                         genair_status *st) {
    genair_code code = writer_commit(p->script, st);
    p->script = NULL;
    *drawn = true;
    for (size_t f = 0; f < COUNT(forms) && *drawn && code == GENAIR_OK; f++)
        code = draw_form(ctx, p, f, width, height, drawn, st);
    unlink(p->script_path);
    deinit(p);
    return code;
}
