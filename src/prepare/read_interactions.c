/* SPDX-License-Identifier: Apache-2.0 */
/* Interactions: from records to user, item, time, rating. 100 million lines must be a matter of
 * minutes, so nothing is allocated per line, and the columns or keys are looked up by name once a
 * file. */
#include "prepare/read.h"

#include "base/alloc.h"
#include "prepare/fields.h"
#include "prepare/literal.h"
#include "prepare/source.h"
#include "prepare/times.h"

#include <math.h>
#include <string.h>

/* Where a role is found in the records of the open file. */
struct place {
    bool known;
    size_t column; /* delimited */
    char *key;     /* JSON: as it stands in the file */
    size_t key_n, key_capacity;
};

struct interaction_reader {
    struct source *source;
    struct place places[N_ROLES];
    enum time_unit unit;
    unsigned magnitudes; /* of the open file's times */
    bool warned;         /* that they differ */
    char item_name[FORMAT_WORD]; /* of the first file */
    char *scratch; /* user and item of a JSON line without their escapes */
    size_t scratch_capacity;
    genair_status bad;
};

/* The texts that fill the roles; p is NULL where there is none. */
struct values {
    struct text of[N_ROLES];
};

genair_code interactions_open(const char *const *paths, size_t n_paths,
                              const struct read_options *options, struct interaction_reader **out,
                              genair_status *st) {
    struct interaction_reader *r = mem_zeros(1, sizeof *r);
    if (!r) return fail_memory(st);
    const genair_code code =
        source_open(paths, n_paths, options, KIND_INTERACTIONS, &r->source, st);
    if (code) {
        interactions_close(r);
        return code;
    }
    *out = r;
    return GENAIR_OK;
}

void interactions_close(struct interaction_reader *r) {
    if (!r) return;
    source_close(r->source);
    for (int role = 0; role < N_ROLES; role++)
        mem_free(r->places[role].key);
    mem_free(r->scratch);
    mem_free(r);
}

uint64_t interactions_skipped(const struct interaction_reader *r) {
    return source_skipped(r->source);
}

uint64_t interactions_bytes_read(const struct interaction_reader *r) {
    return source_bytes_read(r->source);
}

uint64_t interactions_bytes_total(const struct interaction_reader *r) {
    return source_bytes_total(r->source);
}

const char *interactions_item_name(const struct interaction_reader *r) {
    return r->item_name;
}

/* ---- which column, which key ---- */

static const char *role_names(const struct interaction_reader *r, enum role role) {
    return source_format(r->source)->roles[role];
}

static void note_unit(struct interaction_reader *r, struct text time_name) {
    r->unit = format_rank("timestampms timems tsms", time_name) >= 0 ? TIME_MILLISECONDS
              : format_rank("date datetime", time_name) >= 0         ? TIME_DATES
                                                                     : TIME_BY_MAGNITUDE;
}

static void note_item(struct interaction_reader *r, struct text name) {
    if (!r->item_name[0]) format_word(role_names(r, ROLE_ITEM), name, r->item_name);
}

static bool find_column(struct interaction_reader *r, const struct record *record, enum role role) {
    struct place *place = &r->places[role];
    int best = -1;
    place->known = false;
    for (size_t i = 0; i < record->n_columns; i++) {
        const int rank = format_rank(role_names(r, role), record->columns[i]);
        if (rank < 0) continue;
        if (rank == best) {
            fail(&r->bad, GENAIR_FORMAT, "two columns are the %s: \"%.*s\" and \"%.*s\"",
                 role_noun(role), (int)record->columns[place->column].n,
                 record->columns[place->column].p, (int)record->columns[i].n, record->columns[i].p);
            return false;
        }
        if (best >= 0 && rank > best) continue;
        best = rank;
        *place = (struct place){
            .known = true, .column = i, .key = place->key, .key_capacity = place->key_capacity};
    }
    if (best >= 0 || role == ROLE_RATING) return true;
    missing_role(role_noun(role), role_names(r, role), record->columns, record->n_columns, &r->bad);
    return false;
}

static bool find_columns(struct interaction_reader *r, const struct record *record) {
    for (int role = 0; role < N_ROLES; role++)
        if (!find_column(r, record, (enum role)role)) return false;
    note_unit(r, record->columns[r->places[ROLE_TIME].column]);
    note_item(r, record->columns[r->places[ROLE_ITEM].column]);
    return true;
}

static void forget_keys(struct interaction_reader *r) {
    for (int role = 0; role < N_ROLES; role++)
        r->places[role].known = false;
}

static bool is_key(const struct place *place, struct text key) {
    return place->known && place->key_n == key.n && memcmp(place->key, key.p, key.n) == 0;
}

/* ---- JSON ---- */

static bool broken_line(struct interaction_reader *r, const struct literal *l) {
    fail(&r->bad, GENAIR_FORMAT, "broken %s: %s, at byte %zu",
         l->dialect == LITERAL_JSON ? "JSON" : "Python literal", l->error, l->at + 1);
    return false;
}

/* One walk over the line. With learn, the best key of each role still without one is noted. */
static bool walk_line(struct interaction_reader *r, struct literal *l, bool learn,
                      struct literal_token found[N_ROLES], struct text keys[N_ROLES]) {
    int ranks[N_ROLES] = {-1, -1, -1, -1};
    bool first = true, more;
    if (!literal_open_object(l)) return broken_line(r, l);
    for (;;) {
        struct literal_token key, value;
        if (!literal_key(l, &first, &key, &more)) return broken_line(r, l);
        if (!more) break;
        if (!literal_value(l, &value)) return broken_line(r, l);
        for (int role = 0; role < N_ROLES; role++) {
            const struct place *place = &r->places[role];
            int rank = is_key(place, key.raw) ? 0 : -1;
            if (learn && !place->known) rank = format_rank(role_names(r, (enum role)role), key.raw);
            if (rank < 0 || (ranks[role] >= 0 && rank > ranks[role])) continue;
            if (rank == ranks[role]) {
                fail(&r->bad, GENAIR_FORMAT, "two keys are the %s: \"%.*s\" and \"%.*s\"",
                     role_noun((enum role)role), (int)keys[role].n, keys[role].p, (int)key.raw.n,
                     key.raw.p);
                return false;
            }
            ranks[role] = rank;
            found[role] = value;
            keys[role] = key.raw;
        }
    }
    return literal_end(l) || broken_line(r, l);
}

/* The keys of the first good line hold for its file: a line may not change what the item is. */
static bool learn_keys(struct interaction_reader *r, const struct text keys[N_ROLES]) {
    for (int role = 0; role < N_ROLES; role++) {
        struct place *place = &r->places[role];
        if (place->known || !keys[role].p) continue;
        if (!mem_grow(&place->key, &place->key_capacity, keys[role].n, 1))
            return fail_memory(&r->bad) == GENAIR_OK;
        memcpy(place->key, keys[role].p, keys[role].n);
        place->key_n = keys[role].n;
        place->known = true;
        if (role == ROLE_TIME) note_unit(r, keys[role]);
        if (role == ROLE_ITEM) note_item(r, keys[role]);
    }
    return true;
}

static bool missing_key(struct interaction_reader *r, enum role role) {
    const struct place *place = &r->places[role];
    if (place->known)
        fail(&r->bad, GENAIR_FORMAT, "no \"%.*s\"", (int)place->key_n, place->key);
    else
        missing_role(role_noun(role), role_names(r, role), NULL, 0, &r->bad);
    return false;
}

/* The text of a string or number; null counts as missing. */
static bool token_text(struct interaction_reader *r, enum literal_dialect dialect, struct text key,
                       const struct literal_token *token, char **scratch, struct text *out) {
    bool replaced = false;
    if (token->type == LITERAL_NUMBER || (token->type == LITERAL_STRING && !token->escaped)) {
        *out = token->raw;
        return true;
    }
    if (token->type == LITERAL_STRING) {
        *out = (struct text){*scratch, literal_unescape(token, dialect, *scratch, &replaced)};
        *scratch += out->n;
        if (!replaced) return true;
        fail(&r->bad, GENAIR_FORMAT, "\"%.*s\" holds half of a surrogate pair", (int)key.n, key.p);
        return false;
    }
    if (token->type == LITERAL_NULL)
        fail(&r->bad, GENAIR_FORMAT, "\"%.*s\" is empty", (int)key.n, key.p);
    else
        fail(&r->bad, GENAIR_FORMAT, "\"%.*s\" is neither text nor a number", (int)key.n, key.p);
    return false;
}

static bool values_of_line(struct interaction_reader *r, struct text line, struct values *out) {
    struct literal_token found[N_ROLES] = {0};
    struct text keys[N_ROLES] = {0};
    if (!text_check_utf8(line, "the line", &r->bad)) return false;
    bool learn = false;
    for (int role = 0; role < N_ROLES; role++)
        learn = learn || !r->places[role].known;
    struct literal l = literal_start(line);
    if (!walk_line(r, &l, learn, found, keys)) return false;
    for (int role = 0; role < ROLE_RATING; role++)
        if (!keys[role].p) return missing_key(r, (enum role)role);
    if (learn && !learn_keys(r, keys)) return false;
    if (!mem_grow(&r->scratch, &r->scratch_capacity, line.n, 1))
        return fail_memory(&r->bad) == GENAIR_OK;
    char *scratch = r->scratch;
    for (int role = 0; role < N_ROLES; role++) {
        if (!keys[role].p || (role == ROLE_RATING && found[role].type == LITERAL_NULL)) continue;
        if (!token_text(r, l.dialect, keys[role], &found[role], &scratch, &out->of[role]))
            return false;
    }
    return true;
}

/* ---- what both have in common ---- */

static void values_of_fields(const struct interaction_reader *r, const struct record *record,
                             struct values *out) {
    for (int role = 0; role < N_ROLES; role++)
        if (r->places[role].known) out->of[role] = record->fields[r->places[role].column];
}

/* A column of small milliseconds that grow beyond the limit would be in no order at all. */
static void warn_of_magnitudes(struct interaction_reader *r) {
    if (r->magnitudes != (TIME_SECONDS_MET | TIME_MILLISECONDS_MET) || r->warned) return;
    r->warned = true;
    source_warn(r->source, "times below 10^11 are read as seconds and others as milliseconds, and this file has both; "
                           "if all are milliseconds, call them timestamp_ms");
}

static void refuse_time(struct interaction_reader *r, enum time_result result, struct text t) {
    static const char *const reasons[] = {
        [TIME_UNREADABLE] = "is neither a number (seconds or milliseconds since 1970) nor a date",
        [TIME_OUT_OF_RANGE] = "is not within the years 1 to 9999",
        [TIME_MICROSECONDS] = "looks like microseconds; divide by 1000",
        [TIME_NANOSECONDS] = "looks like nanoseconds; divide by 1000000",
        [TIME_WITHOUT_DASHES] = "is a date without dashes; write YYYY-MM-DD or YYYY-MM-DD hh:mm:ss, or call the column "
                                "timestamp if it is seconds or milliseconds",
    };
    char excerpt[TEXT_EXCERPT];
    text_excerpt(result == TIME_WITHOUT_DASHES ? text_trim(t) : t, excerpt);
    if (!t.n)
        fail(&r->bad, GENAIR_FORMAT, "the time is empty");
    else
        fail(&r->bad, GENAIR_FORMAT, "the time \"%s\" %s", excerpt, reasons[result]);
}

static bool convert_time(struct interaction_reader *r, struct text t, int64_t *out) {
    const enum time_result result = time_parse(t, r->unit, &r->magnitudes, out);
    if (result != TIME_OK)
        refuse_time(r, result, t);
    else
        warn_of_magnitudes(r);
    return result == TIME_OK;
}

static bool convert_rating(struct interaction_reader *r, struct text t, double *out) {
    *out = (double)NAN;
    t = text_trim(t);
    if (!t.n || (text_f64(t, out) && isfinite(*out))) return true;
    char excerpt[TEXT_EXCERPT];
    text_excerpt(t, excerpt);
    fail(&r->bad, GENAIR_FORMAT, "the rating \"%s\" is not a number", excerpt);
    return false;
}

static bool convert(struct interaction_reader *r, const struct values *v, struct interaction *out) {
    struct interaction x = {.user = v->of[ROLE_USER], .item = v->of[ROLE_ITEM]};
    if (!id_check(x.user, "user", &r->bad) || !id_check(x.item, "item", &r->bad) ||
        !convert_time(r, v->of[ROLE_TIME], &x.time) ||
        !convert_rating(r, v->of[ROLE_RATING], &x.rating))
        return false;
    *out = x;
    return true;
}

genair_code interactions_next(struct interaction_reader *r, struct interaction *out, bool *more,
                              genair_status *st) {
    for (;;) {
        struct record record;
        struct values values = {0};
        genair_code code = source_next(r->source, &record, more, st);
        if (code || !*more) return code;
        r->bad.code = GENAIR_OK;
        const bool json = record.layout.shape == SHAPE_JSON;
        if (record.header) {
            r->magnitudes = 0;
            if (json) forget_keys(r);
            if (!json && !find_columns(r, &record)) return source_bad_header(r->source, &r->bad, st);
            continue;
        }
        if (!json) values_of_fields(r, &record, &values);
        if ((!json || values_of_line(r, record.line, &values)) && convert(r, &values, out)) return GENAIR_OK;
        code = source_bad(r->source, &r->bad, st);
        if (code) return code;
    }
}
