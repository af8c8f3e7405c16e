/* SPDX-License-Identifier: Apache-2.0 */
/* What a signal handler may call is all that is called here, but for the start. */
#include "cli/lost_file.h"

#include "cli/terminal.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { MAPS_LINE = PATH_MAX + 128 };

static uintptr_t hexadecimal(const char **p) {
    uintptr_t n = 0;
    for (;; (*p)++) {
        const char c = **p;
        if (c >= '0' && c <= '9')
            n = n << 4 | (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | (uintptr_t)(c - 'a' + 10);
        else
            return n;
    }
}

/* The file of a line "from-to rights offset device number path", if the address lies there; no file, no path. */
static const char *file_at(const char *p, uintptr_t address) {
    const uintptr_t from = hexadecimal(&p);
    if (*p++ != '-') return NULL;
    const uintptr_t to = hexadecimal(&p);
    return address >= from && address < to ? strchr(p, '/') : NULL;
}

static const char *find_file(uintptr_t address) {
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    const char *file = NULL;
    static char line[MAPS_LINE]; /* of the one thread that tells: its stack may be small */
    char piece[1024];
    size_t n = 0;
    for (ssize_t got; fd >= 0 && !file && (got = read(fd, piece, sizeof piece)) > 0;)
        for (ssize_t i = 0; i < got && !file; i++) {
            if (piece[i] != '\n') {
                if (n + 1 < sizeof line) line[n++] = piece[i];
                continue;
            }
            line[n] = '\0';
            n = 0;
            file = file_at(line, address);
        }
    if (fd >= 0) close(fd);
    return file;
}

static void say(const char *text) {
    const ssize_t n = write(STDERR_FILENO, text, strlen(text));
    (void)n; /* nowhere to complain */
}

static void tell(const char *file) {
    static char shown[MAPS_LINE];
    struct termios unused;
    terminal_text(file, shown, sizeof shown);
    if (tcgetattr(STDERR_FILENO, &unused) == 0) say("\r\033[K"); /* over a progress line */
    say("genair: ");
    say(shown);
    say(": the file became shorter while it was read, or its disk failed; run the command again\n");
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
    static atomic_flag taken = ATOMIC_FLAG_INIT;
    (void)context;
    while (atomic_flag_test_and_set(&taken)) pause(); /* another thread tells */
    const char *file = info->si_code > 0 ? find_file((uintptr_t)info->si_addr) : NULL;
    if (file) {
        tell(file);
        _exit(1);
    }
    signal(number, SIG_DFL);
    raise(number);
    atomic_flag_clear(&taken);
}

void lost_file_watch(void) {
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
}
