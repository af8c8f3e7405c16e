/* SPDX-License-Identifier: Apache-2.0 */
/* Results as a person sees them. */
#include "cli/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_of(const char *command, const char *json, const char *expected) {
    json_error_t error;
    json_t *result = json_loads(json, 0, &error);
    if (!result) fail_msg("the test's JSON: %s", error.text);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    render(out, command, result);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    json_decref(result);
}

static void expect(const char *json, const char *expected) {
    expect_of("inspect", json, expected);
}

static void statistics_come_first(void **state) {
    (void)state;
    expect_of("prepare",
              "{\"seconds\": 1.5, \"users\": 8317, \"items\": 4344, \"sparsity\": 0.99838}",
              "users  items  sparsity\n"
              " 8317   4344    0.9984\n"
              "\n"
              "seconds  1.5000\n");
    expect_of("prepare", "{\"items\": 1}", "items\n    1\n");
    expect_of("prepare", "{\"split\": \"last\"}", "split  last\n");
}

static void single_values(void **state) {
    (void)state;
    expect("{\"users\": 8317, \"mean_length\": 7.0328, \"sparsity\": 0.99838, \"done\": true, "
           "\"x\": null, "
           "\"small\": 0.0000123, \"large\": 123456.78}",
           "users        8317\n"
           "mean_length  7.0328\n"
           "sparsity     0.9984\n"
           "done         yes\n"
           "x            -\n"
           "small        1.23e-05\n"
           "large        1.2346e+05\n");
    expect("{}", "");
}

static void metrics_have_a_column_for_each_protocol(void **state) {
    (void)state;
    expect("{\"run\": \"g1\", \"test\": {\"sampled\": {\"HR@10\": 0.5, \"NDCG@10\": 0.25}, "
           "\"full\": {\"HR@10\": 0.125, \"NDCG@10\": 0.0625, \"coverage@10\": 1}}}",
           "run  g1\n"
           "\n"
           "test\n"
           "               sampled    full\n"
           "  HR@10         0.5000  0.1250\n"
           "  NDCG@10       0.2500  0.0625\n"
           "  coverage@10        -       1\n");
}

static void objects_in_an_array_are_rows(void **state) {
    (void)state;
    expect("{\"items\": [{\"rank\": 1, \"item\": \"i5\", \"score\": 2.5}, {\"rank\": 10, \"item\": "
           "\"trail-tent-3\"}]}",
           "\n"
           "items\n"
           "  rank  item           score\n"
           "     1  i5            2.5000\n"
           "    10  trail-tent-3       -\n");
}

static void names_cannot_command_the_terminal(void **state) {
    (void)state;
    expect("{\"title\": \"a\\u001b[2Jb\\u0007c\\u009b31md\\n\\u007f\"}",
           "title  a [2Jb c 31md  \n");
}

static void long_names_are_cut_between_characters(void **state) {
    (void)state;
    char json[1024] = "{\"t\": \"", expected[1024] = "t  ";
    for (int i = 0; i < 70; i++)
        strcat(json, "\xC3\xA4");
    for (int i = 0; i < 64; i++)
        strcat(expected, "\xC3\xA4");
    strcat(json, "\"}");
    strcat(expected, "...\n");
    expect(json, expected);
}

static void columns_align_by_characters(void **state) {
    (void)state;
    expect("{\"r\": [{\"n\": \"\xC3\xA4\xC3\xB6\", \"v\": 1}, {\"n\": \"abc\", \"v\": 2}]}",
           "\nr\n"
           "  n    v\n"
           "  \xC3\xA4\xC3\xB6   1\n"
           "  abc  2\n");
}

static void anything_else_is_nested(void **state) {
    (void)state;
    expect("{\"a\": {\"b\": 1, \"c\": {\"d\": [1, \"x\"]}}, \"e\": []}", "\n"
                                                                         "a\n"
                                                                         "  b  1\n"
                                                                         "\n"
                                                                         "  c\n"
                                                                         "\n"
                                                                         "    d\n"
                                                                         "      1\n"
                                                                         "      x\n"
                                                                         "\n"
                                                                         "e\n");
}

static void runs_stand_side_by_side(void **state) {
    (void)state;
    expect_of(
        "evaluate",
        "{\"runs\": [{\"run\": \"a\", \"method\": \"pop\", \"test\": {\"sampled\": {\"HR@10\": "
        "0.5}}, \"ties\": "
        "{\"sampled\": 3}}, {\"run\": \"b\", \"method\": \"base\", \"test\": {\"sampled\": "
        "{\"HR@10\": 0.75}}}], "
        "\"test\": {\"sampled\": {\"HR@10\": 0.625}}, \"sd\": {\"sampled\": {\"HR@10\": 0.1}}}",
        "run  method  ties sampled\n"
        "a    pop                3\n"
        "b    base               -\n"
        "\n"
        "test, sampled protocol: the target against 100 items its user never touched, or all there are\n"
        "  run   HR@10\n"
        "  a    0.5000\n"
        "  b    0.7500\n");
}

static void seeds_of_one_model_are_averaged(void **state) {
    (void)state;
    expect_of("evaluate",
              "{\"runs\": [{\"run\": \"a\", \"test\": {\"full\": {\"MRR\": 0.5}}}, {\"run\": "
              "\"b\", \"test\": {\"full\": "
              "{\"MRR\": 0.75}}}], \"test\": {\"full\": {\"MRR\": 0.625}}, \"sd\": {\"full\": "
              "{\"MRR\": 0.125}}}",
              "run\n"
              "a\n"
              "b\n"
              "\n"
              "test, full protocol: the target against all items but those it is predicted from\n"
              "  run           MRR\n"
              "  a          0.5000\n"
              "  b          0.7500\n"
              "  mean       0.6250\n"
              "  deviation  0.1250\n");
}

static void groups_name_run_and_protocol(void **state) {
    (void)state;
    expect_of("evaluate",
              "{\"run\": \"a\", \"valid\": {\"full\": {\"MRR\": 0.5}}, \"groups\": {\"full\": "
              "{\"length\": {\"short\": "
              "{\"users\": 3, \"MRR\": 0.25}, \"long\": {\"users\": 5, \"MRR\": 1}}}}}",
              "run\n"
              "a\n"
              "\n"
              "valid, full protocol: the target against all items but those it is predicted from\n"
              "  run     MRR\n"
              "  a    0.5000\n"
              "\n"
              "valid, full protocol: the target against all items but those it is predicted from; run a, "
              "groups length\n"
              "  group  users     MRR\n"
              "  short      3  0.2500\n"
              "  long       5       1\n");
}

static void comparisons_name_sides_and_protocol(void **state) {
    (void)state;
    expect_of(
        "compare",
        "{\"A\": [\"g1\", \"g2\"], \"B\": [\"b1\"], \"part\": \"test\", \"over_users\": "
        "{\"sampled\": {\"MRR\": {\"A\": "
        "0.5, \"B\": 0.25, \"p\": 0.00001}}}}",
        "A  g1 g2\n"
        "B  b1\n"
        "\n"
        "test, sampled protocol: the target against 100 items its user never touched, or all there are; difference A "
        "- B, "
        "paired over users\n"
        "  metric       A       B      p\n"
        "  MRR     0.5000  0.2500  1e-05\n"
        "\n"
        "low, high: 95 % confidence interval of the difference; p: two-sided paired t-test\n");
}

/* Many columns and much nesting end somewhere, in no crash. */
static void extremes_end(void **state) {
    (void)state;
    json_t *row = json_object(), *deep = json_object();
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        json_object_set_new(row, key, json_integer(i));
        json_t *outer = json_object();
        json_object_set_new(outer, "x", deep);
        json_object_set_new(outer, "y", json_array());
        deep = outer;
    }
    json_t *result = json_pack("{s[o] so}", "rows", row, "deep", deep);
    FILE *out = fopen("/dev/null", "w");
    render(out, "inspect", result);
    fclose(out);
    json_decref(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_come_first),
        cmocka_unit_test(single_values),
        cmocka_unit_test(metrics_have_a_column_for_each_protocol),
        cmocka_unit_test(objects_in_an_array_are_rows),
        cmocka_unit_test(names_cannot_command_the_terminal),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(columns_align_by_characters),
        cmocka_unit_test(anything_else_is_nested),
        cmocka_unit_test(runs_stand_side_by_side),
        cmocka_unit_test(seeds_of_one_model_are_averaged),
        cmocka_unit_test(groups_name_run_and_protocol),
        cmocka_unit_test(comparisons_name_sides_and_protocol),
        cmocka_unit_test(extremes_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
