/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/formats.h"

#include "base/size.h"

#include <stdio.h>
#include <string.h>

#define ANY_USER "userid user uid reviewerid customerid visitorid memberid"
#define ANY_ITEM                                                                                   \
    "itemid parentasin asin item iid businessid movieid productid bookid articleid gameid"
#define ANY_TIME                                                                                   \
    "timestamp timestampms time timems ts tsms unixreviewtime unixtime date datetime eventtime "   \
    "createdat"
#define ANY_RATING "rating ratings overall stars score"

// clang-format off
static const struct format formats[] = {
    {"auto", SHAPE_COMMA | SHAPE_TAB | SHAPE_COLONS | SHAPE_JSON,
     {ANY_USER, ANY_ITEM, ANY_TIME, ANY_RATING}, ANY_ITEM " id", {NULL, NULL}},
    {"tsv", SHAPE_TAB,
     {ANY_USER, ANY_ITEM, ANY_TIME, ANY_RATING}, ANY_ITEM " id", {NULL, NULL}},
    {"csv", SHAPE_COMMA,
     {ANY_USER, ANY_ITEM, ANY_TIME, ANY_RATING}, ANY_ITEM " id", {NULL, NULL}},
    /* The ratings-only files of 2014 and 2018 have no header, and their first two columns differ. */
    {"amazon2014", SHAPE_JSON | SHAPE_COMMA,
     {"reviewerid userid user", "asin item", "unixreviewtime timestamp", "overall rating"},
     "asin", {"user item rating timestamp", NULL}},
    {"amazon2018", SHAPE_JSON | SHAPE_COMMA,
     {"reviewerid userid user", "asin item", "unixreviewtime timestamp", "overall rating"},
     "asin", {"item user rating timestamp", NULL}},
    {"amazon2023", SHAPE_JSON | SHAPE_COMMA,
     {"userid", "parentasin asin", "timestamp", "rating"}, "parentasin asin", {NULL, NULL}},
    {"yelp", SHAPE_JSON | SHAPE_COMMA,
     {"userid", "businessid", "date", "stars"}, "businessid", {NULL, NULL}},
    {"recbole", SHAPE_TAB,
     {ANY_USER, ANY_ITEM, ANY_TIME, ANY_RATING}, ANY_ITEM " id", {NULL, NULL}},
    /* The "::" files have no header, nor has the u.data of MovieLens 100K. */
    {"movielens", SHAPE_COMMA | SHAPE_TAB | SHAPE_COLONS,
     {"userid", "movieid itemid", "timestamp", "rating"}, "movieid itemid",
     {"userId movieId rating timestamp", "movieId title genres"}},
};
// clang-format on

genair_code format_find(const char *name, const struct format **out, genair_status *st) {
    char names[256] = "";
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (strcmp(formats[i].name, name) == 0) {
            *out = &formats[i];
            return GENAIR_OK;
        }
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", formats[i].name);
    }
    return fail(st, GENAIR_USAGE, "no format is called \"%s\"; there are %s", name, names);
}

const char *role_noun(enum role role) {
    static const char *const nouns[N_ROLES] = {
        [ROLE_USER] = "user", [ROLE_ITEM] = "item", [ROLE_TIME] = "time", [ROLE_RATING] = "rating"};
    return nouns[role];
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool counts_in_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* "User ID", "user_id" and "userId" are the word "userid". */
static bool is_word(struct text column, const char *word, size_t n) {
    size_t matched = 0;
    for (size_t i = 0; i < column.n; i++) {
        const char c = lower(column.p[i]);
        if (!counts_in_name(c)) continue;
        if (matched == n || word[matched] != c) return false;
        matched++;
    }
    return matched == n;
}

int format_rank(const char *names, struct text column) {
    int rank = 0;
    for (const char *word = names; *word; rank++) {
        const size_t n = strcspn(word, " ");
        if (is_word(column, word, n)) return rank;
        word += n;
        word += strspn(word, " ");
    }
    return -1;
}

void format_word(const char *names, struct text column, char out[FORMAT_WORD]) {
    const int rank = format_rank(names, column);
    out[0] = '\0';
    if (rank < 0) return;
    for (int i = 0; i < rank; i++) names = strchr(names, ' ') + 1;
    snprintf(out, FORMAT_WORD, "%.*s", (int)strcspn(names, " "), names);
}

void missing_role(const char *noun, const char *names, const struct text *columns, size_t n_columns,
                  genair_status *bad) {
    static const char advice[] =
        "expected is one of these names, in any case and with any punctuation";
    char header[300] = "", column[TEXT_EXCERPT];
    for (size_t i = 0; i < n_columns; i++) {
        const size_t used = strlen(header);
        text_excerpt(columns[i], column);
        if (used + strlen(column) + sizeof ", …" > sizeof header) {
            snprintf(header + used, sizeof header - used, "…");
            break;
        }
        snprintf(header + used, sizeof header - used, "%s%s", i ? ", " : "", column);
    }
    if (columns)
        fail(bad, GENAIR_FORMAT, "none of the columns \"%s\" is the %s; %s: %s", header, noun,
             advice, names);
    else
        fail(bad, GENAIR_FORMAT, "no key is the %s; %s: %s", noun, advice, names);
}

/* ---- recognising ---- */

struct other_kind {
    const char *start;
    size_t n;
    const char *what;
};

static const char *foreign(struct text first) {
    static const struct other_kind kinds[] = {{"PK\x03\x04", 4, "a zip archive"},
                                              {"\x28\xB5\x2F\xFD", 4, "packed with zstd"},
                                              {"\xFD"
                                               "7zXZ",
                                               5, "packed with xz"},
                                              {"BZh", 3, "packed with bzip2"},
                                              {"7z\xBC\xAF", 4, "a 7-zip archive"},
                                              {"PAR1", 4, "a Parquet file"},
                                              {"\xFF\xFE", 2, "UTF-16 text"},
                                              {"\xFE\xFF", 2, "UTF-16 text"}};
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (first.n >= kinds[i].n && memcmp(first.p, kinds[i].start, kinds[i].n) == 0)
            return kinds[i].what;
    for (size_t i = 0; i < first.n; i++)
        if (first.p[i] == '\0') return "no text: it holds NUL bytes";
    return NULL;
}

static bool holds(struct text t, const char *needle) {
    return t.p && memmem(t.p, t.n, needle, strlen(needle)) != NULL;
}

/* The shape by content; 0 when there is no sign of any. */
static unsigned shape_of(struct text first) {
    const struct text trimmed = text_trim(first);
    if (trimmed.n && trimmed.p[0] == '{') return SHAPE_JSON;
    if (holds(first, "\t")) return SHAPE_TAB;
    if (holds(first, "::")) return SHAPE_COLONS;
    return holds(first, ",") ? SHAPE_COMMA : 0;
}

static const char *shape_noun(unsigned shape) {
    switch (shape) {
    case SHAPE_COMMA:
        return "fields between commas";
    case SHAPE_TAB:
        return "fields between tabs";
    case SHAPE_COLONS:
        return "fields between \"::\"";
    case SHAPE_JSON:
        return "JSON lines";
    }
    return "neither JSON nor fields between tabs, commas or \"::\"";
}

static genair_code wrong_shape(const struct format *format, unsigned found, const char *path,
                               int64_t line, genair_status *st) {
    char expected[128] = "";
    for (unsigned shape = SHAPE_COMMA; shape <= SHAPE_JSON; shape *= 2) {
        if (!(format->shapes & shape)) continue;
        const size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s%s", used ? " or " : "",
                 shape_noun(shape));
    }
    return fail_line(st, GENAIR_FORMAT, path, line,
                     "format %s has %s, but the file has %s; use --format=auto or another format",
                     format->name, expected, shape_noun(found));
}

genair_code layout_recognise(const struct format *format, struct text first, const char *path,
                             int64_t line, struct layout *out, genair_status *st) {
    static const char delimiters[] = {
        [SHAPE_COMMA] = ',', [SHAPE_TAB] = '\t', [SHAPE_COLONS] = ':', [SHAPE_JSON] = 0};
    const char *what = foreign(first);
    if (what)
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "is %s; give plain text in UTF-8, or that packed with gzip", what);
    const struct text trimmed = text_trim(first);
    if (trimmed.n && trimmed.p[0] == '[')
        return fail_line(st, GENAIR_FORMAT, path, line,
                         "starts with '[': a JSON array; write one JSON object on each line");
    unsigned shape = shape_of(first);
    /* A format with one shape settles what a line may leave open: a tab in a comma-delimited
     * header. */
    if (shape && !(format->shapes & shape) && format->shapes == SHAPE_COMMA && holds(first, ","))
        shape = SHAPE_COMMA;
    if (!shape && format->shapes == SHAPE_TAB) shape = SHAPE_TAB; /* a single column */
    if (!shape && format->shapes == SHAPE_COMMA) shape = SHAPE_COMMA;
    if (!shape) {
        char excerpt[TEXT_EXCERPT];
        text_excerpt(first, excerpt);
        return fail_line(st, GENAIR_FORMAT, path, line,
                         "\"%s\" is %s; docs/formats.md lists the formats", excerpt, shape_noun(0));
    }
    if (!(format->shapes & shape)) return wrong_shape(format, shape, path, line, st);
    *out = (struct layout){
        .shape = (enum shape)shape, .delimiter = delimiters[shape], .quoted = shape == SHAPE_COMMA};
    return GENAIR_OK;
}
