/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/source.h"

#include "base/alloc.h"
#include "base/input.h"
#include "base/size.h"
#include "prepare/delimited.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LINES_TO_PROGRESS = 1 << 10 }; /* between looks at the clock */

struct source {
    char **paths;
    size_t n_paths, n_opened;
    const struct format *format;
    enum record_kind kind;
    genair_context *ctx; /* NULL: none */
    bool skip, may_skip;
    uint64_t n_lines, skipped, bytes_done, bytes_total;

    /* the open file */
    struct input *in; /* NULL between files */
    struct layout layout;
    uint64_t n_records, n_bad; /* bad ones included; of these */
    genair_status first_bad;
    int64_t header_line;
    bool waiting;   /* first_line was read to recognise the format, and is a record */
    struct text first_line;

    /* its columns; the names lie in header */
    char *header;
    size_t header_capacity;
    struct text *columns, *fields;
    size_t n_columns, columns_capacity, fields_capacity;

    char *scratch; /* for fields with doubled quotes */
    size_t scratch_capacity;
    genair_status bad;
};

/* ---- opening and closing ---- */

static genair_code copy_paths(struct source *s, const char *const *paths, size_t n,
                              genair_status *st) {
    s->paths = mem_zeros(n, sizeof *s->paths);
    if (!s->paths) return fail_memory(st);
    s->n_paths = n;
    for (size_t i = 0; i < n; i++) {
        s->paths[i] = mem_text(paths[i], strlen(paths[i]));
        if (!s->paths[i]) return fail_memory(st);
        struct stat info; /* a file that is missing is reported when its turn comes */
        if (stat(paths[i], &info) == 0 && S_ISREG(info.st_mode))
            s->bytes_total += (uint64_t)info.st_size;
    }
    return GENAIR_OK;
}

genair_code source_open(const char *const *paths, size_t n_paths,
                        const struct read_options *options, enum record_kind kind,
                        struct source **out, genair_status *st) {
    const struct format *format;
    genair_code code = format_find(options->format, &format, st);
    if (code) return code;
    if (!n_paths) return fail(st, GENAIR_USAGE, "no file to read; name at least one");
    struct source *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    s->format = format;
    s->kind = kind;
    s->ctx = options->context;
    s->skip = options->skip_bad_lines;
    s->may_skip = options->may_skip;
    code = copy_paths(s, paths, n_paths, st);
    if (code) {
        source_close(s);
        return code;
    }
    *out = s;
    return GENAIR_OK;
}

void source_close(struct source *s) {
    if (!s) return;
    input_close(s->in);
    for (size_t i = 0; i < s->n_paths; i++)
        mem_free(s->paths[i]);
    mem_free(s->paths);
    mem_free(s->header);
    mem_free(s->columns);
    mem_free(s->fields);
    mem_free(s->scratch);
    mem_free(s);
}

/* ---- bad lines ---- */

/* Broken gzip data has an offset; it, a read error and want of memory are no fault of one line. */
static bool fault_of_line(const genair_status *bad) {
    return bad->code == GENAIR_FORMAT && bad->offset < 0;
}

genair_code source_bad(struct source *s, const genair_status *bad, genair_status *st) {
    if (!fault_of_line(bad)) return fail_like(st, bad);
    if (s->skip) {
        if (s->n_bad++ == 0) {
            s->first_bad = *bad;
            s->first_bad.line = input_line_number(s->in);
        }
        s->skipped++;
        return GENAIR_OK;
    }
    return fail_line(st, GENAIR_FORMAT, input_path(s->in), input_line_number(s->in),
                     "%s%s", bad->message, s->may_skip ? "; use --on-bad-line=skip to leave such lines out" : "");
}

genair_code source_bad_header(const struct source *s, const genair_status *bad, genair_status *st) {
    if (!fault_of_line(bad)) return fail_like(st, bad);
    return fail_line(st, GENAIR_FORMAT, input_path(s->in), s->header_line, "%s", bad->message);
}

void source_warn(const struct source *s, const char *message) {
    if (s->ctx) context_warn(s->ctx, "%s:%" PRId64 ": %s", input_path(s->in), input_line_number(s->in), message);
}

/* Whatever becomes of the lines: of a file full of bad ones nobody else hears for long. */
static genair_code look_up(struct source *s, genair_status *st) {
    static const char *const doing[] = {[KIND_INTERACTIONS] = "reading interactions", [KIND_ITEMS] = "reading items"};
    if (!s->ctx) return GENAIR_OK;
    if (context_stopped(s->ctx)) return context_interrupted(st);
    if (s->n_lines++ % LINES_TO_PROGRESS == 0)
        context_progress(s->ctx, doing[s->kind], (double)source_bytes_read(s), (double)s->bytes_total);
    return GENAIR_OK;
}

/* As input_line, but a line that is too long is a bad line. */
static genair_code read_line(struct source *s, struct text *line, bool *more, genair_status *st) {
    for (;;) {
        const genair_code stopped = look_up(s, st);
        if (stopped) return stopped;
        s->bad.code = GENAIR_OK;
        genair_code code = input_line(s->in, line, more, &s->bad);
        if (!code) return GENAIR_OK;
        s->n_records++;
        code = source_bad(s, &s->bad, st);
        if (code) return code;
    }
}

/* ---- splitting ---- */

/* Splits the current record, drawing in further lines while a quote is open. False: s->bad says
 * why, and the next record starts in the line after the first one. */
static bool split_record(struct source *s, struct text *record, size_t *n) {
    for (size_t n_lines = 1;; n_lines++) {
        size_t at = 0;
        if (!mem_grow(&s->scratch, &s->scratch_capacity, s->layout.quoted ? record->n : 0, 1))
            return fail_memory(&s->bad) == GENAIR_OK;
        const enum split_result result =
            delimited_split(*record, s->layout.delimiter, s->layout.quoted, s->fields, s->n_columns,
                            s->scratch, n, &at);
        if (result == SPLIT_DONE) return true;
        if (result == SPLIT_WRONG) {
            fail(&s->bad, GENAIR_FORMAT, "a closing quote at byte %zu is not followed by a comma",
                 at);
            break;
        }
        bool more = n_lines < RECORD_MAX_LINES;
        if (more && input_extend(s->in, record, &more, &s->bad)) break;
        if (!more) {
            fail(&s->bad, GENAIR_FORMAT, "a quoted field that starts here is not closed within %s",
                 n_lines < RECORD_MAX_LINES ? "the file" : "1000 lines");
            break;
        }
    }
    if (fault_of_line(&s->bad)) input_retract(s->in);
    return false;
}

/* ---- the header ---- */

/* "price:float" is the column price of a RecBole file. */
static struct text without_type(struct text name) {
    static const char *const types[] = {":token", ":token_seq", ":float", ":float_seq"};
    for (size_t i = 0; i < COUNT(types); i++) {
        const size_t n = strlen(types[i]);
        if (name.n > n && memcmp(name.p + name.n - n, types[i], n) == 0)
            return (struct text){name.p, name.n - n};
    }
    return name;
}

/* Keeps the names, which lie in the input's buffer. Their bytes go to s->header, which does not
 * move while the names are added: room is made for all before. */
static bool keep_columns(struct source *s, const struct text *names, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += names[i].n + sizeof "column_1000";
    if (!mem_grow(&s->header, &s->header_capacity, total, 1) ||
        !mem_grow(&s->columns, &s->columns_capacity, n, sizeof *s->columns))
        return fail_memory(&s->bad) == GENAIR_OK;
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        struct text name = text_trim(without_type(text_trim(names[i])));
        char *p = s->header + used;
        if (name.n)
            memcpy(p, name.p, name.n);
        else /* the index that pandas writes has no name */
            name.n = (size_t)sprintf(p, "column_%zu", i + 1);
        s->columns[i] = (struct text){p, name.n};
        used += name.n;
    }
    s->n_columns = n;
    return true;
}

static bool check_columns(struct source *s) {
    for (size_t i = 0; i < s->n_columns; i++) {
        const struct text a = s->columns[i];
        char excerpt[TEXT_EXCERPT];
        text_excerpt(a, excerpt);
        if (text_utf8_prefix(a) < a.n) {
            fail(&s->bad, GENAIR_FORMAT, "the column \"%s\" is not UTF-8", excerpt);
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (s->columns[j].n != a.n || memcmp(s->columns[j].p, a.p, a.n) != 0) continue;
            fail(&s->bad, GENAIR_FORMAT, "the column \"%s\" occurs twice in the header", excerpt);
            return false;
        }
    }
    return true;
}

/* Splits the first line with room for any header. */
static bool split_header(struct source *s, struct text *line) {
    size_t n;
    if (!mem_grow(&s->fields, &s->fields_capacity, COLUMNS_MAX, sizeof *s->fields))
        return fail_memory(&s->bad) == GENAIR_OK;
    s->n_columns = COLUMNS_MAX;
    if (!split_record(s, line, &n)) return false;
    if (n > COLUMNS_MAX) {
        fail(&s->bad, GENAIR_FORMAT, "the header has %zu columns; at most %d are read", n,
             COLUMNS_MAX);
        return false;
    }
    return keep_columns(s, s->fields, n);
}

static const char *item_names(const struct source *s) {
    return s->kind == KIND_ITEMS ? s->format->item_record : s->format->roles[ROLE_ITEM];
}

static bool names_item_or_user(const struct source *s) {
    for (size_t i = 0; i < s->n_columns; i++)
        if (format_rank(item_names(s), s->columns[i]) >= 0 ||
            format_rank(s->format->roles[ROLE_USER], s->columns[i]) >= 0)
            return true;
    return false;
}

/* The columns of files without header. */
static bool take_positions(struct source *s, const char *positions) {
    struct text names[8];
    size_t n = 0;
    for (const char *p = positions; *p; p += strspn(p, " ")) {
        names[n++] = (struct text){p, strcspn(p, " ")};
        p += strcspn(p, " ");
    }
    return keep_columns(s, names, n);
}

static const char *positions_of(const struct source *s) {
    const struct format *format = s->format;
    if (s->layout.shape == SHAPE_COLONS && !format->positions[s->kind]) {
        genair_status unused = {0};
        if (format_find("movielens", &format, &unused)) return NULL;
    }
    return format->positions[s->kind];
}

/* Finds out what the file holds from its first line that is not empty. */
static genair_code read_header(struct source *s, struct text line, genair_status *st) {
    s->header_line = input_line_number(s->in);
    genair_code code =
        layout_recognise(s->format, line, input_path(s->in), s->header_line, &s->layout, st);
    if (code) return code;
    s->first_line = line;
    s->waiting = s->layout.shape == SHAPE_JSON;
    s->n_columns = 0;
    if (s->waiting) return GENAIR_OK;
    s->bad.code = GENAIR_OK;
    if (!split_header(s, &s->first_line)) return source_bad_header(s, &s->bad, st);
    const char *positions = positions_of(s);
    s->waiting = positions && !names_item_or_user(s); /* data from the first line on */
    const bool done = s->waiting ? take_positions(s, positions) : check_columns(s);
    return done ? GENAIR_OK : source_bad_header(s, &s->bad, st);
}

/* "\r\r\n" is no end of a line in its midst. */
static bool holds_line_end(struct text line) {
    while (line.n && line.p[line.n - 1] == '\r') line.n--;
    return line.n && memchr(line.p, '\r', line.n);
}

/* Whether the file has nothing but its first line, which holds line ends of another kind. */
static genair_code check_line_ends(struct source *s, struct text *line, genair_status *st) {
    const size_t n = line->n;
    bool more;
    if (!holds_line_end(*line)) return GENAIR_OK;
    const bool alone = input_extend(s->in, line, &more, NULL) == GENAIR_OK && !more; /* a failure is told when it is read */
    input_retract(s->in);
    line->n = n; /* it may have moved */
    if (!alone) return GENAIR_OK;
    return fail_line(st, GENAIR_FORMAT, input_path(s->in), 0, "lines end in CR alone; convert them to LF");
}

static genair_code open_next(struct source *s, genair_status *st) {
    genair_code code = input_open(s->paths[s->n_opened], LINE_MAX_BYTES, &s->in, st);
    if (code) return code;
    s->n_opened++;
    s->n_records = s->n_bad = 0;
    struct text line;
    bool more;
    do {
        code = read_line(s, &line, &more, st);
        if (code) return code;
    } while (more && !line.n);
    if (!more) return fail_line(st, GENAIR_FORMAT, input_path(s->in), 0, "is empty");
    code = check_line_ends(s, &line, st);
    return code == GENAIR_OK ? read_header(s, line, st) : code;
}

static genair_code close_file(struct source *s, genair_status *st) {
    static const char *const nouns[] = {
        [KIND_INTERACTIONS] = "interactions", [KIND_ITEMS] = "items"};
    if (!s->n_records)
        return fail_line(st, GENAIR_FORMAT, input_path(s->in), 0,
                         "holds no %s: nothing follows the header", nouns[s->kind]);
    if (s->n_bad == s->n_records)
        return fail_line(st, GENAIR_FORMAT, input_path(s->in), s->first_bad.line,
                         "%s; none of the %" PRIu64 " lines could be read", s->first_bad.message, s->n_bad);
    s->bytes_done += input_bytes_read(s->in);
    input_close(s->in);
    s->in = NULL;
    return GENAIR_OK;
}

/* ---- records ---- */

/* Fills fields of a delimited record; false: s->bad says why. */
static bool read_fields(struct source *s, struct text *line) {
    size_t n;
    if (!split_record(s, line, &n)) return false;
    if (n == s->n_columns) return true;
    fail(&s->bad, GENAIR_FORMAT, "has %zu field%s instead of %zu", n, n == 1 ? "" : "s",
         s->n_columns);
    return false;
}

static genair_code read_record(struct source *s, struct record *out, bool *more,
                               genair_status *st) {
    struct text line = s->first_line;
    *more = true;
    if (!s->waiting) {
        const genair_code code = read_line(s, &line, more, st);
        if (code || !*more) return code;
    }
    s->waiting = false;
    *out = (struct record){.layout = s->layout, .line = line};
    if (!line.n) return GENAIR_OK;
    s->n_records++;
    if (s->layout.shape == SHAPE_JSON) return GENAIR_OK;
    s->bad.code = GENAIR_OK;
    if (!read_fields(s, &line)) {
        out->line.n = 0;
        return source_bad(s, &s->bad, st);
    }
    out->line = line;
    out->columns = s->columns;
    out->fields = s->fields;
    out->n_columns = s->n_columns;
    return GENAIR_OK;
}

genair_code source_next(struct source *s, struct record *out, bool *more, genair_status *st) {
    for (;;) {
        if (!s->in) {
            *more = s->n_opened < s->n_paths;
            if (!*more) return GENAIR_OK;
            const genair_code code = open_next(s, st);
            *out = (struct record){
                .header = true, .layout = s->layout, .columns = s->columns, .n_columns = s->n_columns};
            return code;
        }
        genair_code code = read_record(s, out, more, st);
        if (code) return code;
        if (!*more) {
            code = close_file(s, st);
            if (code) return code;
            continue;
        }
        if (out->line.n) return GENAIR_OK; /* else blank, or bad and counted */
    }
}

const struct format *source_format(const struct source *s) {
    return s->format;
}

uint64_t source_skipped(const struct source *s) {
    return s->skipped;
}

uint64_t source_bytes_read(const struct source *s) {
    return s->bytes_done + (s->in ? input_bytes_read(s->in) : 0);
}

uint64_t source_bytes_total(const struct source *s) {
    return s->bytes_total;
}
