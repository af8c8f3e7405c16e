/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24, PLAIN_SECONDS = 5, LINE = 512, MESSAGE = 2048 };

void progress_init(struct progress *p, bool quiet) {
    *p = (struct progress){.terminal = isatty(STDERR_FILENO) == 1, .quiet = quiet};
}

void progress_clear(struct progress *p) {
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = false;
}

static int terminal_width(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
    return size.ws_col < LINE ? size.ws_col : LINE;
}

/* A progress line begins with the percentage where it is known (genair.h). */
static void draw(struct progress *p, const char *line) {
    char bar[BAR + 4] = "", *end;
    const double percent = strtod(line, &end);
    if (end != line && percent >= 0 && percent <= 100) {
        const int full = (int)(percent / 100 * BAR);
        bar[0] = '[';
        for (int i = 0; i < BAR; i++)
            bar[1 + i] = i < full ? '#' : '.';
        bar[1 + BAR] = ']';
        bar[2 + BAR] = ' ';
        bar[3 + BAR] = '\0';
    }
    char text[BAR + 4 + MESSAGE];
    snprintf(text, sizeof text, "%s%s", bar, line);
    fprintf(stderr, "\r\033[K%.*s", terminal_width() - 1, text);
    fflush(stderr);
    p->drawn = true;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void show_progress(struct progress *p, const char *line) {
    if (p->terminal) {
        draw(p, line);
        return;
    }
    const double now = seconds();
    if (p->last > 0 && now - p->last < PLAIN_SECONDS) return;
    if (p->last > 0) fprintf(stderr, "%s\n", line);
    p->last = now; /* what ends within the first seconds needs no line */
}

void progress_log(void *user, genair_log_level level, const char *line) {
    struct progress *p = user;
    char shown[MESSAGE];
    terminal_text(line, shown, sizeof shown);
    switch (level) {
    case GENAIR_LOG_PROGRESS:
        if (!p->quiet) show_progress(p, shown);
        return;
    case GENAIR_LOG_INFO:
        if (p->quiet) return;
        progress_clear(p);
        fprintf(stderr, "%s\n", shown);
        return;
    case GENAIR_LOG_WARNING:
        progress_clear(p);
        fprintf(stderr, "warning: %s\n", shown);
        return;
    }
}
