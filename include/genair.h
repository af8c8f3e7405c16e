/* SPDX-License-Identifier: Apache-2.0
 *
 * GenAIR: from a catalogue and a click log to a recommender that knows who each item is for.
 *
 * Every stage is one function: it takes a context (threads, messages, stop flag) and options (the names
 * and bounds of `genair COMMAND --help`), works on a workspace directory, and returns its result as one
 * JSON object. The library never prints, never exits and keeps no global state; two contexts may be used
 * from two threads at once.
 */
#ifndef GENAIR_H
#define GENAIR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GENAIR_API __attribute__((visibility("default")))
#define GENAIR_CHECKED __attribute__((visibility("default"), warn_unused_result))
#else
#define GENAIR_API
#define GENAIR_CHECKED
#endif

typedef enum genair_code {
    GENAIR_OK = 0,
    GENAIR_USAGE,       /* an option, id or call that cannot be: the caller mends it */
    GENAIR_IO,          /* the operating system refused: disk, permission, lock */
    GENAIR_FORMAT,      /* a file's content is wrong: file, line or offset say where */
    GENAIR_MEMORY,      /* an allocation failed */
    GENAIR_INTERRUPTED, /* genair_context_stop was called; state is saved */
    GENAIR_INTERNAL     /* a defect of this library */
} genair_code;

/* What went wrong, filled by the first failure. The caller owns it and starts it with {0}; every function
 * takes NULL instead. line and offset are -1 or 0 where they do not apply. */
typedef struct genair_status {
    genair_code code;
    int64_t line;
    int64_t offset;
    char file[512];
    char message[1024];
} genair_status;

/* One line for a person: "file:line: message". out: size bytes, always terminated. */
GENAIR_API void genair_status_text(const genair_status *st, char *out, size_t size);

/* ---- context: one thread at a time, except genair_context_stop ---- */
typedef struct genair_context genair_context;

typedef enum genair_log_level { GENAIR_LOG_PROGRESS, GENAIR_LOG_INFO, GENAIR_LOG_WARNING } genair_log_level;
/* A progress line begins with the percentage done where that is known: " 45.2 % reading". */
typedef void (*genair_log)(void *user, genair_log_level level, const char *line);

/* threads: 0 for all processors. log may be NULL. */
GENAIR_CHECKED genair_code genair_context_create(int threads, genair_log log, void *user,
                                                 genair_context **out, genair_status *st);
GENAIR_API void genair_context_free(genair_context *ctx);
/* Asks the running stage to save its state and return GENAIR_INTERRUPTED. Any thread, signal handlers too. */
GENAIR_API void genair_context_stop(genair_context *ctx);
/* Asks a running genair_serve to open its run again. Any thread, signal handlers too. */
GENAIR_API void genair_context_reload(genair_context *ctx);

/* ---- options: one thread at a time ---- */
typedef struct genair_options genair_options;

/* Options of one command ("prepare", "train", …) with their defaults. */
GENAIR_CHECKED genair_code genair_options_create(const char *command, genair_options **out,
                                                 genair_status *st);
/* Sets one option by its long name; checks name, type and bounds. Lists grow by one value a call;
 * a flag takes "yes" or "no". */
GENAIR_CHECKED genair_code genair_options_set(genair_options *o, const char *name, const char *value,
                                              genair_status *st);
GENAIR_API void genair_options_free(genair_options *o);

/* ---- stages ----
 * json: one object, the caller's, released with genair_string_free; untouched on failure; may be NULL. */
GENAIR_CHECKED genair_code genair_prepare(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_archetype(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_embed(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_fuse(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_train(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_evaluate(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_compare(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_recommend(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_similar(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_sweep(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_reproduce(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_export(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_analyze(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_report(genair_context *, const genair_options *, char **json, genair_status *);
/* Serves until genair_context_stop, and returns GENAIR_OK then. */
GENAIR_CHECKED genair_code genair_serve(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_inspect(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_bench(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_CHECKED genair_code genair_doctor(genair_context *, const genair_options *, char **json, genair_status *);
GENAIR_API void genair_string_free(char *s);

GENAIR_API const char *genair_version(void);

#ifdef __cplusplus
}
#endif
#endif
