/* SPDX-License-Identifier: Apache-2.0 */
/* genair COMMAND [options]: parse, run the stage, print its result. */
#include "base/options.h"
#include "cli/arguments.h"
#include "cli/help.h"
#include "cli/lost_file.h"
#include "cli/progress.h"
#include "cli/render.h"
#include "cli/terminal.h"
#include "genair.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef genair_code stage(genair_context *, const genair_options *, char **json, genair_status *);

struct command {
    const char *name;
    stage *run;
};

static const struct command commands[] = {
    {"prepare", genair_prepare},     {"archetype", genair_archetype}, {"embed", genair_embed},
    {"fuse", genair_fuse},           {"train", genair_train},         {"evaluate", genair_evaluate},
    {"compare", genair_compare},     {"recommend", genair_recommend}, {"similar", genair_similar},
    {"sweep", genair_sweep},         {"reproduce", genair_reproduce}, {"export", genair_export},
    {"analyze", genair_analyze},     {"report", genair_report},       {"inspect", genair_inspect},
    {"bench", genair_bench},         {"doctor", genair_doctor},
    {"serve", genair_serve},         {"add-items", genair_add_items},
};

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

static int exit_status(genair_code code) {
    switch (code) {
    case GENAIR_OK:
        return EXIT_DONE;
    case GENAIR_USAGE:
        return EXIT_USAGE;
    case GENAIR_INTERRUPTED:
        return EXIT_INTERRUPTED;
    case GENAIR_IO:
    case GENAIR_FORMAT:
    case GENAIR_MEMORY:
    case GENAIR_INTERNAL:
        return EXIT_FAILED;
    }
    return EXIT_FAILED;
}

/* Not all stages keep what they have begun. */
static const char *after_interruption(const char *command) {
    static const char *const keep[] = {"archetype", "sweep", "reproduce"};
    for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++)
        if (strcmp(keep[i], command) == 0) return "the same command goes on where this one stopped";
    return strcmp(command, "train") == 0 ? "with --resume the same command goes on where this one stopped"
                                         : "the same command starts again";
}

static int report_interruption(const char *command) {
    fprintf(stderr, "genair: interrupted; %s\n", after_interruption(command));
    return EXIT_INTERRUPTED;
}

static int report(const genair_status *st) {
    char text[2048], shown[sizeof text];
    genair_status_text(st, text, sizeof text);
    terminal_text(text, shown, sizeof shown);
    fprintf(stderr, "genair: %s\n", shown);
    return exit_status(st->code);
}

/* A full disk or a reader that went away must not look like success. */
static int finish_output(int status) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    fprintf(stderr, "genair: cannot write to standard output: %s\n", strerror(errno));
    return status == EXIT_DONE ? EXIT_FAILED : status;
}

/* ---- signals: the one variable outside a function, since a handler has no argument ---- */

static genair_context *volatile running;

static void on_signal(int number) {
    (void)number;
    if (running) genair_context_stop(running);
}

static void on_hangup(int number) {
    (void)number;
    if (running) genair_context_reload(running);
}

/* The first signal asks to stop and save; the second one ends the process: nothing is lost by that
 * either, outputs are replaced as a whole. */
static void catch_signals(genair_context *ctx, bool lives_on) {
    running = ctx;
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    if (lives_on) sigaction(SIGHUP, &(struct sigaction){.sa_handler = on_hangup, .sa_flags = SA_RESTART}, NULL);
}

static void release_signals(void) {
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    running = NULL;
}

/* ---- commands ---- */

/* What is printed is made of JSON in small pieces: without memory for one of them there is nothing to print. */
static void *allocate_or_end(size_t size) {
    void *p = malloc(size);
    if (p) return p;
    fputs("genair: out of memory while printing the result\n", stderr);
    exit(EXIT_FAILED);
}

static int print_result(const char *text, const genair_options *o) {
    if (!text) return EXIT_DONE; /* of several processes another one tells */
    if (option_flag(o, "json")) {
        puts(text);
        return EXIT_DONE;
    }
    json_set_alloc_funcs(allocate_or_end, free);
    json_t *result = json_loads(text, 0, NULL);
    if (!result) {
        fprintf(stderr, "genair: the result is not JSON: %s\n", text);
        return EXIT_FAILED;
    }
    render(stdout, options_command(o), result);
    json_decref(result);
    return EXIT_DONE;
}

static int run_stage(stage *run, const genair_options *o) {
    genair_status st = {0};
    struct progress progress;
    genair_context *ctx = NULL;
    char *json = NULL;
    progress_init(&progress, option_flag(o, "quiet"));
    genair_code code =
        genair_context_create((int)option_int(o, "threads"), progress_log, &progress, &ctx, &st);
    if (code != GENAIR_OK) return report(&st);
    catch_signals(ctx, run == genair_serve);
    code = run(ctx, o, &json, &st);
    release_signals();
    progress_clear(&progress);
    const int status = code == GENAIR_OK            ? print_result(json, o)
                       : code == GENAIR_INTERRUPTED ? report_interruption(options_command(o))
                                                    : report(&st);
    genair_string_free(json);
    genair_context_free(ctx);
    return status;
}

static stage *find_stage(const char *name) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0) return commands[i].run;
    return NULL;
}

static genair_code read_options(const struct arguments *a, genair_options *o, genair_status *st) {
    const char *config = arguments_get(a, "config");
    if (config && *config) {
        const genair_code code = config_apply(config, a, o, st);
        if (code != GENAIR_OK) return code;
    }
    return arguments_apply(a, o, st);
}

static int run_command(const char *name, int n_words, char *const *words) {
    genair_status st = {0};
    genair_options *o = NULL;
    if (genair_options_create(name, &o, &st) != GENAIR_OK) return report(&st);
    struct arguments a = {0};
    int status;
    const genair_code parsed = arguments_parse(name, n_words, words, &a, &st);
    if (arguments_get(&a, "help"))
        status = help_command(stdout, name) ? EXIT_DONE : EXIT_FAILED;
    else if (parsed != GENAIR_OK || read_options(&a, o, &st) != GENAIR_OK)
        status = report(&st);
    else
        status = run_stage(find_stage(name), o);
    arguments_free(&a);
    genair_options_free(o);
    return status;
}

/* genair help [COMMAND | --man | --markdown | --bash] */
static int run_help(int n_words, char *const *words) {
    static const struct {
        const char *word;
        void (*write)(FILE *);
    } pages[] = {{"--man", help_man}, {"--markdown", help_markdown}, {"--bash", help_bash}};
    if (n_words == 0) {
        help_overview(stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        if (strcmp(words[0], pages[i].word) == 0) {
            pages[i].write(stdout);
            return EXIT_DONE;
        }
    if (help_command(stdout, words[0])) return EXIT_DONE;
    genair_status st = {0};
    genair_options *o = NULL;
    if (genair_options_create(words[0], &o, &st) == GENAIR_OK) genair_options_free(o);
    return report(&st);
}

static bool is_word(const char *word, const char *a, const char *b, const char *c) {
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

/* OpenBLAS has a thread for each processor as soon as it is loaded; we use none of them, but each asks for 128 MiB until it has
 * them: under a limit on address space the program would never end. Where starting again fails, all goes on. */
static void start_without_blas_threads(char **argv) {
    char path[4096];
    struct rlimit limit;
    if (getenv("OPENBLAS_NUM_THREADS") || getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n <= 0 || n == sizeof path || setenv("OPENBLAS_NUM_THREADS", "1", 1) != 0) return;
    path[n] = '\0';
    execv(path, argv);
}

int main(int argc, char **argv) {
    start_without_blas_threads(argv);
    signal(SIGPIPE, SIG_IGN); /* writing fails with EPIPE instead, and is reported */
    lost_file_watch();
    int status = EXIT_DONE;
    if (argc < 2) {
        help_overview(stderr);
        return EXIT_USAGE;
    }
    if (is_word(argv[1], "help", "--help", "-h"))
        status = run_help(argc - 2, argv + 2);
    else if (is_word(argv[1], "version", "--version", "-V"))
        printf("genair %s\n", genair_version());
    else
        status = run_command(argv[1], argc - 2, argv + 2);
    return finish_output(status);
}
