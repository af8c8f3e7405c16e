/* SPDX-License-Identifier: Apache-2.0
 *
 * GenAIR: from a catalogue and a click log to a recommender that knows who each item is for.
 *
 * Every stage is one function: it takes a context (threads, messages, stop flag) and options (the names
 * and bounds of `genair COMMAND --help`), works on a workspace directory, and returns its result as one
 * JSON object. The library never prints, never exits and keeps no data of its own outside contexts; two contexts
 * may be used from two threads at once. What a context sets for the whole process: OpenBLAS uses one thread a call, and
 * jansson's allocations are watched (they stay malloc's).
 *
 * What a host of this library should know: a file that a stage writes may be a pipe, so ignore SIGPIPE if one is named; writing
 * then fails with GENAIR_IO. After fork() the child may free what it inherited, and go on to use contexts of one thread and
 * the recommenders opened with them; the threads of others stayed with the parent.
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

/* One line for a person: "file:line: message"; empty for NULL. out: size bytes, always terminated. */
GENAIR_API void genair_status_text(const genair_status *st, char *out, size_t size);
/* sizeof(genair_status) in this library, for bindings that mirror it. */
GENAIR_API size_t genair_status_size(void);

/* ---- context: one thread at a time, except genair_context_stop ---- */
typedef struct genair_context genair_context;

typedef enum genair_log_level { GENAIR_LOG_PROGRESS, GENAIR_LOG_INFO, GENAIR_LOG_WARNING } genair_log_level;
/* A progress line begins with the percentage done where that is known: " 45.2 % reading". */
typedef void (*genair_log)(void *user, genair_log_level level, const char *line);

/* threads: 0 for all processors. log may be NULL. */
GENAIR_CHECKED genair_code genair_context_create(int threads, genair_log log, void *user,
                                                 genair_context **out, genair_status *st);
GENAIR_API void genair_context_free(genair_context *ctx);
/* Asks the running stage to save its state and return GENAIR_INTERRUPTED. Any thread, signal handlers too. The context stays
 * stopped: the next stage needs another. */
GENAIR_API void genair_context_stop(genair_context *ctx);
/* Asks a running genair_serve to open its run again. Any thread, signal handlers too. */
GENAIR_API void genair_context_reload(genair_context *ctx);

/* ---- options: one thread at a time ---- */
typedef struct genair_options genair_options;

/* Options of one command ("prepare", "train", …) with their defaults. */
GENAIR_CHECKED genair_code genair_options_create(const char *command, genair_options **out,
                                                 genair_status *st);
/* Sets one option by its long name; checks name, type and bounds. Lists grow by one value a call;
 * a flag takes "yes" or "no". "threads", "config", "json", "quiet" and "help" are the program's: a stage passes them over. */
GENAIR_CHECKED genair_code genair_options_set(genair_options *o, const char *name, const char *value,
                                              genair_status *st);
/* A matrix in memory in the place of the .npy file that the option would name (embed: "prefill", "decoding"):
 * [rows, columns], one row after the other, in this machine's byte order. Borrowed until the options are freed
 * or the option is set again. */
typedef enum genair_type { GENAIR_F16, GENAIR_F32, GENAIR_F64 } genair_type;
GENAIR_CHECKED genair_code genair_options_set_matrix(genair_options *o, const char *name, const void *values,
                                                     genair_type type, size_t rows, size_t columns, genair_status *st);
GENAIR_API void genair_options_free(genair_options *o);
/* The options of a command as a JSON array of {"name", "type": "flag|int|real|text|choice|list", "help"} with
 * "default", "min" and "max", "choices" (an array), "argument" and "matrix" (true) where there are such. */
GENAIR_CHECKED genair_code genair_options_describe(const char *command, char **json, genair_status *st);

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
GENAIR_CHECKED genair_code genair_add_items(genair_context *, const genair_options *, char **json, genair_status *);
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

/* ---- an opened run: what recommend and similar do, without opening it for each question ----
 * Any number of threads may ask at the same time. */
typedef struct genair_recommender genair_recommender;

/* o: of "recommend"; its workspace and run are opened. The context is the recommender's until it is freed: no stage
 * may run with it meanwhile. */
GENAIR_CHECKED genair_code genair_recommender_open(genair_context *, const genair_options *o, genair_recommender **out,
                                                   genair_status *);
GENAIR_API void genair_recommender_free(genair_recommender *);
/* As genair_recommend and genair_similar with options of those commands, whose workspace and run are passed over;
 * with neither user nor history the popular items, with both GENAIR_USAGE. */
GENAIR_CHECKED genair_code genair_recommender_recommend(genair_recommender *, const genair_options *, char **json,
                                                        genair_status *);
GENAIR_CHECKED genair_code genair_recommender_similar(genair_recommender *, const genair_options *, char **json,
                                                      genair_status *);
/* Items of the catalogue; rows below count from 0. */
GENAIR_API size_t genair_recommender_items(const genair_recommender *);
/* The id of an item in the log, *size bytes of UTF-8, not terminated; NULL behind the last row. Borrowed. */
GENAIR_API const char *genair_recommender_item(const genair_recommender *, size_t row, size_t *size);
/* [items, *columns] float32: the dot product of an item's row with the vector of a history is its score. NULL for a
 * method without vectors (pop, itemknn, ease). Borrowed. */
GENAIR_API const float *genair_recommender_vectors(const genair_recommender *, size_t *columns);
/* The vector of the history, or of the one user, named in options of "recommend"; out: [columns], untouched on failure.
 * GENAIR_USAGE for a method without vectors, and without a history. */
GENAIR_CHECKED genair_code genair_recommender_encode(genair_recommender *, const genair_options *, float *out,
                                                     genair_status *);

GENAIR_API const char *genair_version(void);

#ifdef __cplusplus
}
#endif
#endif
