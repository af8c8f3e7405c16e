/* SPDX-License-Identifier: Apache-2.0 */
/* What the case directories cannot show: several files, limits, counting, memory, the format table.
 */
#include "failing_alloc.h"
#include "base/alloc.h"
#include "base/size.h"
#include "prepare/formats.h"
#include "prepare/read.h"
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_FILES = 4 };
static char files[N_FILES][32];

static int make_files(void **state) {
    (void)state;
    for (int i = 0; i < N_FILES; i++) {
        snprintf(files[i], sizeof files[i], "test-read-XXXXXX");
        close(mkstemp(files[i]));
    }
    return 0;
}

static int remove_files(void **state) {
    (void)state;
    for (int i = 0; i < N_FILES; i++)
        remove(files[i]);
    return 0;
}

static void put(int i, const char *text) {
    spill(files[i], text, strlen(text));
}

static void expect_message(const struct reading *r, const char *expected) {
    char found[2048];
    genair_status_text(&r->st, found, sizeof found);
    assert_string_equal(found, expected);
}

/* Each file has its own columns, delimiter and packing. */
static void several_files_of_any_form(void **state) {
    (void)state;
    put(0, "user_id\titem_id\ttimestamp\nu1\ti1\t1\n");
    const char packed[] = "timestamp,rating,item,user\n2,5,i2,u2\n";
    spill_gzip(files[1], packed, sizeof packed - 1, 1);
    put(2, "{\"reviewerID\":\"u3\",\"asin\":\"i3\",\"unixReviewTime\":3}");
    put(3, "4::i4::1::4\n");
    const char *const paths[] = {files[0], files[1], files[2], files[3], files[2]};
    struct reading r = read_all(false, "auto", false, paths, 5);
    expect_message(&r, "");
    assert_string_equal(r.text,
                        "u1|i1|1000|-\nu2|i2|2000|5\nu3|i3|3000|-\n4|i4|4000|1\nu3|i3|3000|-\n");
    reading_free(&r);
}

/* The first good line of each file settles its keys: a line may not change what the item is. */
static void keys_hold_for_their_file(void **state) {
    (void)state;
    put(0, "{\"user_id\":\"u\",\"asin\":\"a\",\"timestamp\":1}\n"
           "{\"user_id\":\"u\",\"parent_asin\":\"p\",\"asin\":\"b\",\"timestamp\":2}\n"
           "{\"user_id\":\"u\",\"parent_asin\":\"p\",\"timestamp\":3}\n");
    put(1,
        "{\"user_id\":\"u\",\"parent_asin\":\"p\",\"asin\":\"b\",\"timestamp\":4,\"rating\":null}\n"
        "{\"user_id\":\"u\",\"parent_asin\":\"q\",\"asin\":\"b\",\"timestamp\":5,\"rating\":2}\n");
    const char *const paths[] = {files[0], files[1]};
    struct reading r = read_all(false, "auto", true, paths, 2);
    expect_message(&r, "");
    assert_string_equal(r.text, "u|a|1000|-\nu|b|2000|-\nu|p|4000|-\nu|q|5000|2\n");
    assert_int_equal(r.n_skipped, 1);
    reading_free(&r);
}

static void skipping_counts_every_bad_line(void **state) {
    (void)state;
    put(0, "user_id,item_id,timestamp\n"
           ",i,1\n"
           "u1,i1,1\n"
           "\n"
           "u,i\n"
           "u,i,soon\n"
           "u,\"i,5\n" /* not closed: the lines behind it are read */
           "u2,i2,2\n"
           "u,\"i\"x,5\n"
           "u3,i3,3\n");
    struct reading r = read_one(false, "auto", true, files[0]);
    expect_message(&r, "");
    assert_string_equal(r.text, "u1|i1|1000|-\nu2|i2|2000|-\nu3|i3|3000|-\n");
    assert_int_equal(r.n_skipped, 5);
    reading_free(&r);
    put(1, "{\"asin\":\"a\"}\n[]\n{\"asin\":}\n{\"asin\":\"b\"}\n");
    r = read_one(true, "auto", true, files[1]);
    expect_message(&r, "");
    assert_string_equal(r.text, "{\"item_id\": \"a\"}\n{\"item_id\": \"b\"}\n");
    assert_int_equal(r.n_skipped, 2);
    reading_free(&r);
}

/* What is wrong with a whole file must not look like a few bad lines of it. */
static void a_file_without_good_lines_is_not_skipped(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
        bool items;
    } bad[] = {
        {"user_id,item_id,timestamp\nu,i\nu,i\n", "2: has 2 fields instead of 3; none of the 2 lines could be read", false},
        {"{\"user\":1}\n\n{\"user\":2}\n{}\n", "1: no key is the item; expected is one of these names, in any case and with "
         "any punctuation: itemid parentasin asin item iid businessid movieid productid bookid articleid gameid; "
         "none of the 3 lines could be read", false},
        {"{\"asin\":}\n", "1: broken JSON: something that is no value, at byte 9; none of the 1 lines could be read", true},
        {"sep=,\nuser_id,item_id,timestamp\nu,i,1\n", "1: none of the columns \"sep=, column_2\" is the user; expected is one "
         "of these names, in any case and with any punctuation: userid user uid reviewerid customerid visitorid memberid", false},
        {"Report of 2021-06-01, by Ann\nitem_id,name\ni,x\n", "1: none of the columns \"Report of 2021-06-01, by Ann\" is the "
         "item; expected is one of these names, in any case and with any punctuation: itemid parentasin asin item iid "
         "businessid movieid productid bookid articleid gameid id", true},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        put(0, bad[i].items ? "item_id\tname\ni\tx\n" : "user_id\titem_id\ttimestamp\nu\ti\t1\n");
        put(1, bad[i].text);
        const char *const paths[] = {files[0], files[1]};
        char expected[700];
        snprintf(expected, sizeof expected, "%s:%s", files[1], bad[i].message);
        struct reading r = read_all(bad[i].items, "auto", true, paths, 2);
        expect_message(&r, expected);
        assert_int_equal(r.n_records, 1);
        reading_free(&r);
    }
}

/* The columns of a file whose first lines are bad are found all the same. */
static void first_line_of_second_file_is_bad(void **state) {
    (void)state;
    put(0, "user_id,item_id,timestamp\nu1,i1,1\n");
    put(1, "timestamp,user_id,item_id\n1,2\n2,u2,i2\n");
    const char *const paths[] = {files[0], files[1]};
    struct reading r = read_all(false, "auto", true, paths, 2);
    expect_message(&r, "");
    assert_string_equal(r.text, "u1|i1|1000|-\nu2|i2|2000|-\n");
    reading_free(&r);
}

static void a_line_above_the_limit(void **state) {
    (void)state;
    const char before[] = "user_id,item_id,timestamp\nu,i,1\n", after[] = "\nv,j,2\n";
    const size_t n = sizeof before - 1 + LINE_MAX_BYTES + 1 + sizeof after - 1;
    char *data = malloc(n), expected[200];
    if (!data) abort(); /* gcc does not see that an assertion ends the test */
    memset(data, 'x', n);
    memcpy(data, before, sizeof before - 1);
    memcpy(data + n - (sizeof after - 1), after, sizeof after - 1);
    spill(files[0], data, n);
    struct reading r = read_one(false, "auto", false, files[0]);
    snprintf(
        expected, sizeof expected,
        "%s:3: the line is longer than %d bytes; use --on-bad-line=skip to leave such lines out",
        files[0], LINE_MAX_BYTES);
    expect_message(&r, expected);
    reading_free(&r);
    r = read_one(false, "auto", true, files[0]);
    expect_message(&r, "");
    assert_string_equal(r.text, "u|i|1000|-\nv|j|2000|-\n");
    assert_int_equal(r.n_skipped, 1);
    reading_free(&r);
    free(data);
}

/* Ids of the longest length pass; a quoted field may hold almost 1000 lines. */
static void limits_are_reached(void **state) {
    (void)state;
    size_t size;
    char *text;
    FILE *f = open_memstream(&text, &size);
    fprintf(f, "user_id,item_id,timestamp,note\nu,");
    for (int i = 0; i < NAME_CHARACTERS; i++)
        fputs("\xc3\xa4", f);
    fprintf(f, ",5,\"");
    for (int i = 0; i < 999; i++)
        fprintf(f, "line\n");
    fprintf(f, "\"\nu2,i2,6,\"");
    for (int i = 0; i < 1000; i++)
        fprintf(f, "line\n");
    fprintf(f, "\"\n");
    fclose(f);
    spill(files[0], text, size);
    struct reading r = read_one(false, "auto", false, files[0]);
    char expected[200];
    snprintf(expected, sizeof expected,
             "%s:1002: a quoted field that starts here is not closed within 1000 lines; "
             "use --on-bad-line=skip to leave such lines out",
             files[0]);
    expect_message(&r, expected);
    assert_int_equal(r.n_records, 1);
    assert_int_equal(strlen(r.text), 2 * NAME_CHARACTERS + strlen("u||5000|-\n"));
    reading_free(&r);
    free(text);
}

static void what_cannot_be_read(void **state) {
    (void)state;
    struct reading r = read_one(false, "auto", false, "no/such/file.tsv");
    expect_message(&r, "no/such/file.tsv: cannot open: No such file or directory");
    assert_int_equal(r.st.code, GENAIR_IO);
    reading_free(&r);
    r = read_one(true, "auto", true, "/");
    expect_message(&r, "/: is a directory; name the files in it");
    reading_free(&r);
    r = read_all(false, "auto", false, NULL, 0);
    expect_message(&r, "no file to read; name at least one");
    assert_int_equal(r.st.code, GENAIR_USAGE);
    reading_free(&r);
    put(0, "user_id,item_id,timestamp\nu1,i1,1\n"); /* the second file fails, after the first was
                                                       read */
    const char *const paths[] = {files[0], "missing"};
    r = read_all(false, "auto", true, paths, 2);
    expect_message(&r, "missing: cannot open: No such file or directory");
    assert_int_equal(r.n_records, 1);
    reading_free(&r);
}

static void progress_ends_at_the_total(void **state) {
    (void)state;
    const char text[] = "user_id,item_id,timestamp\nu1,i1,1\nu2,i2,2\n";
    put(0, text);
    spill_gzip(files[1], text, sizeof text - 1, 2);
    const char *const paths[] = {files[0], files[1]};
    const struct read_options options = {.format = "csv"};
    struct interaction_reader *r;
    struct interaction x;
    bool more = true;
    assert_int_equal(interactions_open(paths, 2, &options, &r, NULL), GENAIR_OK);
    const uint64_t total = interactions_bytes_total(r);
    assert_true(total > sizeof text);
    uint64_t before = 0;
    while (more) {
        assert_int_equal(interactions_next(r, &x, &more, NULL), GENAIR_OK);
        assert_true(interactions_bytes_read(r) >= before);
        before = interactions_bytes_read(r);
    }
    assert_int_equal(before, total);
    interactions_close(r);
}

/* Of lines that are passed over nobody outside hears. */
static void stopping_is_heard_among_bad_lines(void **state) {
    (void)state;
    static const char *const texts[] = {"user_id,item_id,timestamp\nu,i\nu,i\n", "item_id,name\n\n\n\n"};
    for (int items = 0; items < 2; items++) {
        put(0, texts[items]);
        const char *const paths[] = {files[0]};
        struct read_options options = {.format = "auto", .skip_bad_lines = true};
        assert_int_equal(genair_context_create(1, NULL, NULL, &options.context, NULL), GENAIR_OK);
        genair_context_stop(options.context);
        struct interaction_reader *log = NULL;
        struct item_reader *records = NULL;
        struct interaction x;
        json_t *record;
        bool more;
        if (items) {
            assert_int_equal(items_open(paths, 1, &options, &records, NULL), GENAIR_OK);
            assert_int_equal(items_next(records, &record, NULL), GENAIR_INTERRUPTED);
        } else {
            assert_int_equal(interactions_open(paths, 1, &options, &log, NULL), GENAIR_OK);
            assert_int_equal(interactions_next(log, &x, &more, NULL), GENAIR_INTERRUPTED);
        }
        items_close(records);
        interactions_close(log);
        genair_context_free(options.context);
    }
}

/* jansson's memory is refused with ours. */
static void *json_memory(size_t size) {
    return mem_array(size, 1);
}

static const char log_text[] = "user_id,item_id,timestamp,note\nu,\"i\"\"j\",1,\"x\ny\"\nu,k,2,\n";
static const char log_json[] = "{\"user_id\":\"\\u00e9\",\"item_id\":\"i\",\"timestamp\":1}\n";
static const char items_python[] = "{'asin': 'B1', 'title': u'\\xe9 &amp; x', 'categories': [['A', "
                                   "'B'], ['A']], 'z': {'k': [1, (2,)]}}\n";
static const char items_csv[] = "item_id,title,genres\n1,\"a\"\"b\",A|B\n";

/* Every request refused in turn: reported, nothing leaked (under a sanitizer), never a wrong
 * record. */
static void memory_runs_out_anywhere(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool items;
    } inputs[] = {{log_text, false}, {log_json, false}, {items_python, true}, {items_csv, true}};
    json_set_alloc_funcs(json_memory, mem_free);
    for (size_t i = 0; i < COUNT(inputs); i++) {
        for (int packed = 0; packed < 2; packed++) {
            if (packed)
                spill_gzip(files[0], inputs[i].text, strlen(inputs[i].text), 1);
            else
                put(0, inputs[i].text);
            struct reading whole = read_one(inputs[i].items, "auto", false, files[0]);
            expect_message(&whole, "");
            long n = 1;
            for (;; n++) {
                failing_alloc_start(n);
                struct reading r = read_one(inputs[i].items, "auto", true, files[0]);
                const bool refused = failing_alloc_stop();
                if (refused && r.st.code != GENAIR_MEMORY)
                    fail_msg("input %zu, request %ld: code %d, \"%s\"", i, n, (int)r.st.code,
                             r.text);
                if (!refused) assert_string_equal(r.text, whole.text);
                reading_free(&r);
                if (!refused) break;
            }
            assert_true(n > 8);
            reading_free(&whole);
        }
    }
}

static void no_hole_in_the_format_table(void **state) {
    (void)state;
    static const char *const names[] = {"auto",       "tsv",  "csv",     "amazon2014", "amazon2018",
                                        "amazon2023", "yelp", "recbole", "movielens"};
    const struct format *f;
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(format_find(names[i], &f, NULL), GENAIR_OK);
        assert_string_equal(f->name, names[i]);
        assert_true(f->shapes != 0 && f->shapes < 16);
        assert_non_null(f->item_record);
        for (int role = 0; role < N_ROLES; role++)
            assert_non_null(f->roles[role]);
    }
    assert_int_equal(format_find("AUTO", &f, NULL), GENAIR_USAGE);
    assert_int_equal(format_rank("userid user", text_of("User-ID")), 0);
    assert_int_equal(format_rank("userid user", text_of("USER")), 1);
    assert_int_equal(format_rank("userid user", text_of("use")), -1);
    assert_int_equal(format_rank("userid user", text_of("")), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(several_files_of_any_form),
                                       cmocka_unit_test(keys_hold_for_their_file),
                                       cmocka_unit_test(skipping_counts_every_bad_line),
                                       cmocka_unit_test(a_file_without_good_lines_is_not_skipped),
                                       cmocka_unit_test(first_line_of_second_file_is_bad),
                                       cmocka_unit_test(a_line_above_the_limit),
                                       cmocka_unit_test(limits_are_reached),
                                       cmocka_unit_test(what_cannot_be_read),
                                       cmocka_unit_test(progress_ends_at_the_total),
                                       cmocka_unit_test(stopping_is_heard_among_bad_lines),
                                       cmocka_unit_test(no_hole_in_the_format_table),
                                       cmocka_unit_test(memory_runs_out_anywhere)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
