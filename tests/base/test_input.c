/* SPDX-License-Identifier: Apache-2.0 */
/* Lines as the naive splitting of the whole content gives them, whatever the buffer, the packing,
 * the ends. */
#include "base/input.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static char path[64];

static int make_path(void **state) {
    (void)state;
    snprintf(path, sizeof path, "test-input-XXXXXX");
    close(mkstemp(path));
    return 0;
}

static int remove_path(void **state) {
    (void)state;
    remove(path);
    return 0;
}

static void write_file(const char *data, size_t size, bool packed) {
    if (packed) {
        const size_t half = size / 2;
        remove(path);
        for (int member = 0; member < 2; member++) {
            gzFile f = gzopen(path, "ab1");
            const unsigned n = (unsigned)(member ? size - half : half);
            assert_int_equal(gzwrite(f, data + (member ? half : 0), n), (int)n);
            assert_int_equal(gzclose(f), Z_OK);
        }
        return;
    }
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static struct input *open_input(size_t line_max) {
    struct input *in = NULL;
    genair_status st = {0};
    assert_int_equal(input_open(path, line_max, &in, &st), GENAIR_OK);
    return in;
}

static void expect_line(struct input *in, const char *text, size_t n, int64_t number) {
    struct text line;
    bool more = false;
    genair_status st = {0};
    assert_int_equal(input_line(in, &line, &more, &st), GENAIR_OK);
    assert_true(more);
    assert_int_equal(line.n, n);
    assert_int_equal(n ? memcmp(line.p, text, n) : 0, 0);
    assert_int_equal(input_line_number(in), number);
}

static void expect_end(struct input *in) {
    struct text line;
    bool more = true;
    assert_int_equal(input_line(in, &line, &more, NULL), GENAIR_OK);
    assert_false(more);
}

/* Checks every line of data (without byte order mark) against a naive walk. */
static void check_lines(const char *data, size_t size) {
    struct input *in = open_input(size + 1);
    int64_t number = 0;
    for (size_t i = 0; i < size;) {
        const char *end = memchr(data + i, '\n', size - i);
        const size_t stop = end ? (size_t)(end - data) : size;
        size_t n = stop - i;
        if (n && data[i + n - 1] == '\r') n--;
        expect_line(in, data + i, n, ++number);
        i = stop + 1;
    }
    expect_end(in);
    expect_end(in);
    if (input_bytes_total(in)) assert_int_equal(input_bytes_read(in), input_bytes_total(in));
    input_close(in);
}

static void small_contents(void **state) {
    (void)state;
    static const struct {
        const char *data;
        size_t n;
    } cases[] = {{"", 0},       {"\n", 1},         {"a", 1},        {"a\n", 2},
                 {"\r\n", 2},   {"a\r\nb\r\n", 6}, {"a\rb\n", 4},   {"a\r", 2},
                 {"\n\n\n", 3}, {"a\0b\n\0", 5},   {"\xEF\xBB", 2}, {"\x1F\n\x1F", 3},
                 {"\x1F", 1},   {"x\r\r\ny", 5},   {"\xFF\xFE", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int packed = 0; packed < 2; packed++) {
            write_file(cases[i].data, cases[i].n, packed);
            check_lines(cases[i].data, cases[i].n);
        }
    }
}

/* Line lengths from 0 to beyond the buffer, so that lines end on each side of every boundary. */
static void random_contents(void **state) {
    (void)state;
    for (uint64_t round = 0; round < 12; round++) {
        struct rng r = rng_start(7, RNG_TEST, round);
        const size_t size = rng_below(&r, 1500000) + 1;
        const uint64_t typical = UINT64_C(1) << rng_below(&r, 20);
        char *data = malloc(size);
        if (!data) abort(); /* gcc does not see that an assertion ends the test */
        size_t next = 0;
        for (size_t i = 0; i < size; i++) {
            data[i] = (char)(rng_u32(&r) & 0x7F);
            if (data[i] == '\n') data[i] = 'n';
            if (i == next) {
                data[i] = '\n';
                if (i && rng_below(&r, 2)) data[i - 1] = '\r';
                next = i + 1 + rng_below(&r, typical);
            }
        }
        write_file(data, size, round % 2);
        check_lines(data, size);
        free(data);
    }
}

static void byte_order_mark_only_at_the_start(void **state) {
    (void)state;
    write_file("\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo", 13, false);
    struct input *in = open_input(100);
    expect_line(in, "one", 3, 1);
    expect_line(in, "\xEF\xBB\xBFtwo", 6, 2);
    expect_end(in);
    input_close(in);
}

static void long_lines_are_passed_over(void **state) {
    (void)state;
    enum { LONG = 700000, MAX = 1000 };
    char *data = malloc(2 * LONG + 64);
    if (!data) abort(); /* gcc does not see that an assertion ends the test */
    size_t n = (size_t)sprintf(data, "short\n");
    memset(data + n, 'x', LONG);
    n += LONG;
    n += (size_t)sprintf(data + n, "\nagain\n");
    memset(data + n, 'y', LONG);
    n += LONG;
    write_file(data, n, false);
    struct input *in = open_input(MAX);
    struct text line;
    bool more;
    genair_status st = {0};
    expect_line(in, "short", 5, 1);
    assert_int_equal(input_line(in, &line, &more, &st), GENAIR_FORMAT);
    assert_int_equal(st.line, 2);
    assert_string_equal(st.message, "the line is longer than 1000 bytes");
    expect_line(in, "again", 5, 3);
    assert_int_equal(input_line(in, &line, &more, NULL), GENAIR_FORMAT);
    expect_end(in);
    input_close(in);
    free(data);
    /* exactly the limit */
    write_file("1234\n12345\n1234", 15, false);
    in = open_input(4);
    expect_line(in, "1234", 4, 1);
    assert_int_equal(input_line(in, &line, &more, NULL), GENAIR_FORMAT);
    expect_line(in, "1234", 4, 3);
    input_close(in);
}

static void records_of_several_lines(void **state) {
    (void)state;
    write_file("a\r\nb\nc\nd", 8, false);
    struct input *in = open_input(100);
    struct text line;
    bool more;
    expect_line(in, "a", 1, 1);
    assert_int_equal(input_extend(in, &line, &more, NULL), GENAIR_OK);
    assert_true(more);
    assert_int_equal(line.n, 4);
    assert_memory_equal(line.p, "a\r\nb", 4);
    assert_int_equal(input_line_number(in), 1);
    expect_line(in, "c", 1, 3);
    assert_int_equal(input_extend(in, &line, &more, NULL), GENAIR_OK);
    assert_int_equal(input_extend(in, &line, &more, NULL), GENAIR_OK);
    assert_false(more);
    assert_int_equal(line.n, 3);
    assert_memory_equal(line.p, "c\nd", 3);
    input_retract(in);
    expect_line(in, "d", 1, 4);
    expect_end(in);
    input_close(in);
}

/* A record that grows over many buffers, then given up: its second line comes next, undamaged. */
static void retracting_a_long_record(void **state) {
    (void)state;
    enum { LINES = 60000, WIDTH = 12 };
    char *data = malloc(LINES * WIDTH + 1);
    if (!data) abort(); /* gcc does not see that an assertion ends the test */
    for (size_t i = 0; i < LINES; i++)
        sprintf(data + i * WIDTH, "line %06zu\n", i);
    write_file(data, LINES * WIDTH, true);
    struct input *in = open_input(400000);
    struct text line;
    bool more = true;
    genair_status st = {0};
    expect_line(in, data, WIDTH - 1, 1);
    genair_code code;
    while (!(code = input_extend(in, &line, &more, &st)) && more)
        assert_memory_equal(line.p, data, line.n < 64 ? line.n : 64);
    assert_int_equal(code, GENAIR_FORMAT);
    assert_int_equal(st.line, 1);
    input_retract(in);
    for (size_t i = 1; i < LINES; i++)
        expect_line(in, data + i * WIDTH, WIDTH - 1, (int64_t)i + 1);
    expect_end(in);
    input_close(in);
    free(data);
}

static void gzip_padding_is_no_junk(void **state) {
    (void)state;
    write_file("one\ntwo\n", 8, true);
    FILE *f = fopen(path, "ab");
    for (int i = 0; i < 70000; i++)
        fputc(0, f);
    fclose(f);
    struct input *in = open_input(100);
    expect_line(in, "one", 3, 1);
    expect_line(in, "two", 3, 2);
    expect_end(in);
    input_close(in);
}

/* Cut after any number of bytes, a gzip file never reads as complete. */
static void every_truncation_is_seen(void **state) {
    (void)state;
    const char text[] = "user\titem\n1\t2\n3\t4\n5\t6\n";
    char packed[200];
    write_file(text, sizeof text - 1, true);
    FILE *f = fopen(path, "rb");
    const size_t size = fread(packed, 1, sizeof packed, f);
    fclose(f);
    size_t complete = 0;
    for (size_t cut = 2; cut < size; cut++) {
        write_file(packed, cut, false);
        struct input *in = open_input(100);
        struct text line;
        bool more = true;
        genair_status st = {0};
        genair_code code;
        while (!(code = input_line(in, &line, &more, &st)) && more)
            continue;
        complete += code == GENAIR_OK; /* only the end of the first member looks complete */
        if (code) assert_int_equal(st.offset, cut);
        input_close(in);
    }
    assert_int_equal(complete, 1);
}

static void what_cannot_be_opened(void **state) {
    (void)state;
    struct input *in = NULL;
    genair_status st = {0};
    char text[600];
    assert_int_equal(input_open("no/such/file", 10, &in, &st), GENAIR_IO);
    genair_status_text(&st, text, sizeof text);
    assert_string_equal(text, "no/such/file: cannot open: No such file or directory");
    st = (genair_status){0};
    assert_int_equal(input_open("/", 10, &in, &st), GENAIR_IO);
    genair_status_text(&st, text, sizeof text);
    assert_string_equal(text, "/: is a directory; name the files in it");
    assert_null(in);
    input_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_contents),
                                       cmocka_unit_test(random_contents),
                                       cmocka_unit_test(long_lines_are_passed_over),
                                       cmocka_unit_test(byte_order_mark_only_at_the_start),
                                       cmocka_unit_test(records_of_several_lines),
                                       cmocka_unit_test(retracting_a_long_record),
                                       cmocka_unit_test(gzip_padding_is_no_junk),
                                       cmocka_unit_test(every_truncation_is_seen),
                                       cmocka_unit_test(what_cannot_be_opened)};
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
