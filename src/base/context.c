/* SPDX-License-Identifier: Apache-2.0 */
#include "base/context.h"

#include "base/alloc.h"
#include "base/blas.h"
#include "base/group.h"
#include "base/json_text.h"
#include "base/limits.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { MOST_THREADS = 256 }; /* unless more are asked for */

struct genair_context {
    struct parallel *parallel;
    struct group *group;
    genair_log log;
    void *user;
    atomic_bool stopped, reload;
    double last_progress; /* when the last progress line went out */
    const char *what;     /* what the running measurement is of; compared, never read */
    double began, began_done, last_done;
};

genair_code genair_context_create(int threads, genair_log log, void *user, genair_context **out,
                                  genair_status *st) {
    if (threads < 0) return fail(st, GENAIR_USAGE, "%d threads: 0 for all processors, or a count", threads);
    if (threads == 0) {
        const long n = limit_threads();
        threads = n < MOST_THREADS ? (int)n : MOST_THREADS;
    }
    if (threads > 1 && !blas_bears_threads())
        return fail(st, GENAIR_USAGE, "the loaded BLAS (%s) is wrong when several threads call it; install "
                    "libopenblas0-pthread, or use --threads 1", blas_description());
    genair_context *ctx = mem_zeros(1, sizeof *ctx);
    if (!ctx) return fail_memory(st);
    ctx->log = log;
    ctx->user = user;
    blas_use_one_thread();
    json_watch();
    const genair_code code = parallel_create(threads, &ctx->parallel, st);
    if (code != GENAIR_OK) {
        mem_free(ctx);
        return code;
    }
    *out = ctx;
    return GENAIR_OK;
}

void genair_context_free(genair_context *ctx) {
    if (!ctx) return;
    parallel_free(ctx->parallel);
    mem_free(ctx);
}

void genair_context_stop(genair_context *ctx) {
    atomic_store(&ctx->stopped, true);
}

void genair_context_reload(genair_context *ctx) {
    atomic_store(&ctx->reload, true);
}

bool context_take_reload(genair_context *ctx) {
    return atomic_exchange(&ctx->reload, false);
}

void context_set_group(genair_context *ctx, struct group *group) {
    ctx->group = group;
}

struct group *context_group(const genair_context *ctx) {
    return ctx->group;
}

struct parallel *context_parallel(const genair_context *ctx) {
    return ctx->parallel;
}

bool context_stopped(const genair_context *ctx) {
    return atomic_load(&ctx->stopped);
}

genair_code context_interrupted(genair_status *st) {
    return fail(st, GENAIR_INTERRUPTED, "interrupted");
}

PRINTF(3, 0)
static void log_line(const genair_context *ctx, genair_log_level level, const char *format, va_list args) {
    if (!ctx->log || (level != GENAIR_LOG_WARNING && group_rank(ctx->group))) return;
    char line[2048];
    vsnprintf(line, sizeof line, format, args);
    ctx->log(ctx->user, level, line);
}

void context_info(const genair_context *ctx, const char *format, ...) {
    va_list args;
    va_start(args, format);
    log_line(ctx, GENAIR_LOG_INFO, format, args);
    va_end(args);
}

void context_warn(const genair_context *ctx, const char *format, ...) {
    va_list args;
    va_start(args, format);
    log_line(ctx, GENAIR_LOG_WARNING, format, args);
    va_end(args);
}

/* "74.3M/s" */
static void rate_text(double rate, char out[32]) {
    static const char units[] = {' ', 'k', 'M', 'G', 'T'};
    size_t unit = 0;
    for (; rate >= 1000 && unit + 1 < sizeof units; unit++) rate /= 1000;
    if (unit == 0)
        snprintf(out, 32, "%.3g/s", rate);
    else
        snprintf(out, 32, "%.3g%c/s", rate, units[unit]);
}

static void left_text(double seconds, char out[32]) {
    const int left = (int)fmin(seconds, 359999); /* 99 hours and more are all the same */
    if (left >= 3600)
        snprintf(out, 32, "%d:%02d:%02d left", left / 3600, left / 60 % 60, left % 60);
    else
        snprintf(out, 32, "%d:%02d left", left / 60, left % 60);
}

static void log_progress(genair_context *ctx, const char *what, double done, double total, double rate,
                         const char *note) {
    char line[256], speed[32], left[32];
    if (total > 0 && done > total) done = total; /* totals may be estimates */
    rate_text(rate, speed);
    left_text(rate > 0 ? (total - done) / rate : 0, left);
    if (total > 0 && rate > 0)
        snprintf(line, sizeof line, "%5.1f %% %s, %s, %s", 100 * done / total, what, speed, left);
    else if (total > 0)
        snprintf(line, sizeof line, "%5.1f %% %s", 100 * done / total, what);
    else if (rate > 0)
        snprintf(line, sizeof line, "%s %.0f, %s", what, done, speed);
    else
        snprintf(line, sizeof line, "%s", what);
    const size_t n = strlen(line);
    if (note) snprintf(line + n, sizeof line - n, "; %s", note);
    ctx->log(ctx->user, GENAIR_LOG_PROGRESS, line);
}

void context_progress(genair_context *ctx, const char *what, double done, double total) {
    context_progress_note(ctx, what, done, total, NULL);
}

void context_progress_note(genair_context *ctx, const char *what, double done, double total, const char *note) {
    if (!ctx->log || group_rank(ctx->group)) return;
    const double now = context_seconds();
    if (what != ctx->what || done < ctx->last_done) {
        ctx->what = what;
        ctx->began = now;
        ctx->began_done = done;
    }
    ctx->last_done = done;
    if (now - ctx->last_progress < 0.1) return;
    ctx->last_progress = now;
    const double elapsed = now - ctx->began;
    log_progress(ctx, what, done, total, elapsed > 0.05 ? (done - ctx->began_done) / elapsed : 0, note);
}

static double seconds_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double context_seconds(void) {
    return seconds_of(CLOCK_MONOTONIC);
}

double context_processor_seconds(void) {
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

double context_peak_rss_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}
