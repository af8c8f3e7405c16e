/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options: no holes, no duplicates, defaults within their own bounds; and what is said
 * about values and names that cannot be. */
#include "base/options.h"
#include "base/size.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void one_command_exists(const char *commands, size_t length) {
    size_t n;
    const struct command_spec *table = commands_table(&n);
    for (size_t i = 0; i < n; i++)
        if (strlen(table[i].name) == length && strncmp(table[i].name, commands, length) == 0)
            return;
    fail_msg("no command '%.*s'", (int)length, commands);
}

static void every_row_is_complete(void **state) {
    (void)state;
    size_t n;
    const struct option_spec *table = options_table(&n);
    assert_true(n > 60);
    for (size_t i = 0; i < n; i++) {
        const struct option_spec *s = &table[i];
        assert_non_null(s->name);
        assert_true(strlen(s->name) > 0 && strlen(s->name) < 40);
        assert_int_equal(strspn(s->name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(s->name));
        assert_non_null(s->help);
        assert_int_equal(s->help[strlen(s->help) - 1], '.');
        assert_non_null(s->commands);
        if (s->type == OPTION_INT || s->type == OPTION_REAL) assert_true(s->min < s->max);
        if (s->rule == RULE_COUNT) assert_true(s->min < s->max);
        assert_int_equal(s->type == OPTION_CHOICE, s->choices != NULL);
        if (s->type != OPTION_CHOICE && s->type != OPTION_FLAG) assert_non_null(s->argument);
        if (s->type == OPTION_FLAG) assert_string_equal(s->fallback, "no");
        if (s->type == OPTION_LIST) assert_null(s->fallback);
        if (strcmp(s->commands, "*") == 0) continue;
        assert_int_equal(s->commands[0], ' ');
        assert_int_equal(s->commands[strlen(s->commands) - 1], ' ');
        for (const char *p = s->commands + 1; *p; p += strcspn(p, " ") + 1)
            one_command_exists(p, strcspn(p, " "));
    }
}

static void no_command_has_a_name_or_letter_twice(void **state) {
    (void)state;
    size_t n, n_commands;
    const struct option_spec *table = options_table(&n);
    const struct command_spec *commands = commands_table(&n_commands);
    for (size_t c = 0; c < n_commands; c++) {
        for (size_t i = 0; i < n; i++) {
            if (!option_applies(&table[i], commands[c].name)) continue;
            for (size_t j = 0; j < i; j++) {
                if (!option_applies(&table[j], commands[c].name)) continue;
                assert_string_not_equal(table[i].name, table[j].name);
                if (table[i].letter) assert_int_not_equal(table[i].letter, table[j].letter);
            }
        }
        for (size_t d = 0; d < c; d++)
            assert_string_not_equal(commands[c].name, commands[d].name);
    }
}

static void every_command_starts_with_valid_defaults(void **state) {
    (void)state;
    size_t n_commands;
    const struct command_spec *commands = commands_table(&n_commands);
    for (size_t c = 0; c < n_commands; c++) {
        genair_options *o = NULL;
        genair_status st = {0};
        assert_int_equal(genair_options_create(commands[c].name, &o, &st), GENAIR_OK);
        assert_string_equal(options_command(o), commands[c].name);
        assert_int_equal(option_int(o, "seed"), 44);
        assert_false(option_given(o, "seed"));
        assert_null(option_text(o, "workspace"));
        genair_options_free(o);
    }
    genair_options_free(NULL);
}

static void values_are_kept(void **state) {
    (void)state;
    genair_options *o = NULL;
    genair_status st = {0};
    assert_int_equal(genair_options_create("prepare", &o, &st), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "items", "a b.jsonl", &st), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "items", "c.jsonl", &st), GENAIR_OK);
    const char *const *list;
    assert_int_equal(option_list(o, "items", &list), 2);
    assert_string_equal(list[0], "a b.jsonl");
    assert_string_equal(list[1], "c.jsonl");
    assert_int_equal(genair_options_set(o, "cold-items", "1e-1", &st), GENAIR_OK);
    assert_float_equal(option_real(o, "cold-items"), 0.1, 0);
    assert_true(option_given(o, "cold-items"));
    assert_int_equal(genair_options_set(o, "user-core", "3", &st), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "user-core", "7", &st), GENAIR_OK);
    assert_int_equal(option_int(o, "user-core"), 7);
    assert_string_equal(option_text(o, "core-mode"), "once");
    assert_int_equal(genair_options_set(o, "core-mode", "kcore", &st), GENAIR_OK);
    assert_string_equal(option_text(o, "core-mode"), "kcore");
    assert_false(option_flag(o, "json"));
    assert_int_equal(genair_options_set(o, "json", "yes", &st), GENAIR_OK);
    assert_true(option_flag(o, "json"));
    assert_int_equal(option_require(o, "items", &st), GENAIR_OK);
    genair_options_free(o);
}

/* A refused value leaves the one before. */
static void refusal_changes_nothing(void **state) {
    (void)state;
    genair_options *o = NULL;
    genair_status st = {0};
    assert_int_equal(genair_options_create("train", &o, &st), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "hidden", "0", &st), GENAIR_USAGE);
    assert_int_equal(option_int(o, "hidden"), 128);
    assert_int_equal(genair_options_set(o, "loss", "hinge", NULL), GENAIR_USAGE);
    assert_string_equal(option_text(o, "loss"), "bce");
    assert_false(option_given(o, "loss"));
    genair_options_free(o);
}

static void matrices_stand_for_files(void **state) {
    (void)state;
    genair_options *o = NULL;
    const float values[6] = {0};
    assert_int_equal(genair_options_create("embed", &o, NULL), GENAIR_OK);
    assert_null(option_matrix(o, "prefill"));
    assert_int_equal(genair_options_set_matrix(o, "prefill", values, GENAIR_F32, 2, 3, NULL), GENAIR_OK);
    assert_ptr_equal(option_matrix(o, "prefill")->values, values);
    assert_int_equal(option_matrix(o, "prefill")->columns, 3);
    assert_true(option_given(o, "prefill"));
    assert_int_equal(genair_options_set_matrix(o, "prefill", values, GENAIR_F32, 0, 3, NULL), GENAIR_USAGE);
    assert_int_equal(genair_options_set_matrix(o, "prefill", values, GENAIR_F32, SIZE_MAX / 8, 3, NULL), GENAIR_USAGE);
    assert_int_equal(genair_options_set_matrix(o, "ids", values, GENAIR_F32, 2, 3, NULL), GENAIR_USAGE);
    assert_int_equal(genair_options_set_matrix(o, "prefil", values, GENAIR_F32, 2, 3, NULL), GENAIR_USAGE);
    assert_non_null(option_matrix(o, "prefill"));
    assert_int_equal(genair_options_set(o, "prefill", "file.npy", NULL), GENAIR_OK);
    assert_null(option_matrix(o, "prefill"));
    genair_options_free(o);
}

/* Every row of every command, with what a binding needs of it. */
static void commands_are_described(void **state) {
    (void)state;
    size_t n, n_commands;
    const struct option_spec *table = options_table(&n);
    const struct command_spec *commands = commands_table(&n_commands);
    for (size_t c = 0; c < n_commands; c++) {
        char *text = NULL;
        assert_int_equal(genair_options_describe(commands[c].name, &text, NULL), GENAIR_OK);
        json_t *list = json_loads(text, 0, NULL), *row;
        size_t i, n_rows = 0;
        for (size_t k = 0; k < n; k++)
            n_rows += option_applies(&table[k], commands[c].name);
        assert_int_equal(json_array_size(list), n_rows);
        json_array_foreach(list, i, row) {
            const struct option_spec *s =
                option_find(commands[c].name, json_string_value(json_object_get(row, "name")));
            assert_non_null(s);
            assert_non_null(json_object_get(row, "type"));
            assert_int_equal(json_object_get(row, "default") != NULL, s->fallback != NULL);
            assert_int_equal(json_object_get(row, "choices") != NULL, s->type == OPTION_CHOICE);
        }
        json_decref(list);
        genair_string_free(text);
    }
    char *text = NULL;
    assert_int_equal(genair_options_describe("trian", &text, NULL), GENAIR_USAGE);
    assert_null(text);
}

struct bad {
    const char *command, *name, *value, *message;
};

static const struct bad bad[] = {
    {"train", "dropout", "1", "--dropout is '1': allowed is a number from 0 to 0.99"},
    {"train", "dropout", "-0.1", "--dropout is '-0.1': allowed is a number from 0 to 0.99"},
    {"train", "dropout", "nan", "--dropout is 'nan': allowed is a number from 0 to 0.99"},
    {"train", "dropout", "0,5", "--dropout is '0,5': allowed is a number from 0 to 0.99"},
    {"train", "dropout", "", "--dropout is '': allowed is a number from 0 to 0.99"},
    {"train", "alpha", "1e999", "--alpha is '1e999': allowed is a number from 0 to 1000"},
    {"train", "alpha", "-1e-9", "--alpha is '-1e-9': allowed is a number from 0 to 1000"},
    {"train", "gamma", "100.5", "--gamma is '100.5': allowed is a number from 0 to 100"},
    {"train", "gamma", "inf", "--gamma is 'inf': allowed is a number from 0 to 100"},
    {"train", "hidden", "0", "--hidden is '0': allowed is an integer from 1 to 8192"},
    {"train", "hidden", "8193", "--hidden is '8193': allowed is an integer from 1 to 8192"},
    {"train", "hidden", "12.5", "--hidden is '12.5': allowed is an integer from 1 to 8192"},
    {"train", "hidden", "0x10", "--hidden is '0x10': allowed is an integer from 1 to 8192"},
    {"train", "hidden", "99999999999999999999",
     "--hidden is '99999999999999999999': allowed is an integer from 1 to 8192"},
    {"train", "hidden", " 8", "--hidden is ' 8': allowed is an integer from 1 to 8192"},
    {"train", "seed", "-1", "--seed is '-1': allowed is an integer from 0 to 9007199254740992"},
    {"train", "seed", "9007199254740993", "--seed is '9007199254740993': allowed is an integer from 0 to 9007199254740992"},
    {"train", "scft-batch", "1", "--scft-batch is '1': allowed is an integer from 2 to 4096"},
    {"train", "lr", "0", "--lr is '0': allowed is a number from 1e-12 to 10"},
    {"train", "backbone", "SASRec",
     "--backbone is 'SASRec': allowed is one of sasrec|bert4rec|gru4rec"},
    {"train", "backbone", "sasrec|bert4rec",
     "--backbone is 'sasrec|bert4rec': allowed is one of sasrec|bert4rec|gru4rec"},
    {"train", "backbone", "sas", "--backbone is 'sas': allowed is one of sasrec|bert4rec|gru4rec"},
    {"train", "backbone", "", "--backbone is '': allowed is one of sasrec|bert4rec|gru4rec"},
    {"train", "method", "gelato",
     "--method is 'gelato': allowed is one of genair|base|cities|melt|rlmrec|llminit|llm-esr|llmemb|alphafuse|pop|itemknn|ease"},
    {"train", "seq2seq", "true", "--seq2seq is 'true': allowed is yes or no"},
    {"train", "run", "a/b",
     "--run is 'a/b': allowed is letters, digits and . _ - (none of . - in front, no .partial or .training at the end), at most 64"},
    {"train", "run", "..",
     "--run is '..': allowed is letters, digits and . _ - (none of . - in front, no .partial or .training at the end), at most 64"},
    {"train", "run", "",
     "--run is '': allowed is letters, digits and . _ - (none of . - in front, no .partial or .training at the end), at most 64"},
    {"train", "run", "x.partial",
     "--run is 'x.partial': allowed is letters, digits and . _ - (none of . - in front, no .partial or .training at the end), at most 64"},
    {"evaluate", "run", "../x",
     "--run is '../x': allowed is letters, digits and . _ - (none of . - in front, no .partial or .training at the end), at most 64"},
    {"evaluate", "user-thresholds", "0",
     "--user-thresholds is '0': allowed is integers from 1 to 1000000000"},
    {"fuse", "variance", "0", "--variance is '0': allowed is a number from 1e-06 to 1"},
    {"fuse", "variance", "1.01", "--variance is '1.01': allowed is a number from 1e-06 to 1"},
    {"train", "loss", "c\x1B[2J\xFF", "--loss is 'c\\x1B[2J\\xFF': allowed is one of bce|bpr|ce|sampled-softmax|gbce"},
    {"fuse", "workspace", "", "--workspace is '': allowed is text in UTF-8, not empty"},
    {"prepare", "itmes", "x", "'prepare' has no option --itmes; did you mean --items?"},
    {"prepare", "user_core", "3", "'prepare' has no option --user_core; did you mean --user-core?"},
    {"prepare", "frobnicate", "x",
     "'prepare' has no option --frobnicate; 'genair help prepare' lists its options"},
    {"fuse", "hidden", "64",
     "'fuse' has no option --hidden; it belongs to: train sweep reproduce bench ('genair help fuse' lists its "
     "options)"},
};

static void bad_values_and_names_are_explained(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        genair_options *o = NULL;
        genair_status st = {0};
        assert_int_equal(genair_options_create(bad[i].command, &o, &st), GENAIR_OK);
        assert_int_equal(genair_options_set(o, bad[i].name, bad[i].value, &st), GENAIR_USAGE);
        assert_int_equal(st.code, GENAIR_USAGE);
        assert_string_equal(st.message, bad[i].message);
        genair_options_free(o);
    }
}

/* An option of one method goes to that method's runs, is refused where none has it. */
static void options_go_to_their_methods(void **state) {
    (void)state;
    static const char *const methods[] = {"base", "genair", "rlmrec"};
    genair_options *from, *to;
    genair_status st = {0};
    assert_int_equal(genair_options_create("reproduce", &from, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(from, "rlmrec-beta", "0.5", NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(from, "hidden", "16", NULL), GENAIR_OK);
    for (size_t i = 0; i < 4; i++) { /* the last time whatever the method */
        assert_int_equal(genair_options_create("train", &to, NULL), GENAIR_OK);
        assert_int_equal(options_pass_on(from, to, i < 3 ? methods[i] : NULL, NULL), GENAIR_OK);
        assert_int_equal(option_given(to, "rlmrec-beta"), i >= 2);
        assert_int_equal(option_int(to, "hidden"), 16);
        genair_options_free(to);
    }
    assert_int_equal(options_check_methods(from, 3, methods, &st), GENAIR_OK);
    assert_int_equal(options_check_methods(from, 2, methods, &st), GENAIR_USAGE);
    assert_string_equal(st.message, "none of the methods here has an option --rlmrec-beta; it belongs to: rlmrec ");
    st = (genair_status){0};
    assert_int_equal(options_check_methods(from, 1, methods, &st), GENAIR_USAGE);
    assert_string_equal(st.message, "method base has no option --rlmrec-beta; it belongs to: rlmrec ");
    genair_options_free(from);
}

/* One step outside each bound of every numeric option, whatever is added later. */
static void every_bound_holds(void **state) {
    (void)state;
    size_t n, n_commands;
    const struct option_spec *table = options_table(&n);
    const struct command_spec *commands = commands_table(&n_commands);
    for (size_t i = 0; i < n; i++) {
        const struct option_spec *s = &table[i];
        if (s->type != OPTION_INT && s->type != OPTION_REAL) continue;
        for (size_t c = 0; c < n_commands; c++) {
            if (!option_applies(s, commands[c].name)) continue;
            genair_options *o = NULL;
            assert_int_equal(genair_options_create(commands[c].name, &o, NULL), GENAIR_OK);
            const double step = s->type == OPTION_INT ? 2 : 1e-3 * (s->max - s->min);
            const double values[] = {s->min, s->max, s->min - step, s->max + step};
            for (int v = 0; v < 4; v++) {
                char text[64];
                snprintf(text, sizeof text, s->type == OPTION_INT ? "%.0f" : "%.17g", values[v]);
                assert_int_equal(genair_options_set(o, s->name, text, NULL),
                                 v < 2 ? GENAIR_OK : GENAIR_USAGE);
            }
            genair_options_free(o);
        }
    }
}

static void unknown_commands_are_explained(void **state) {
    (void)state;
    genair_options *o = NULL;
    genair_status st = {0};
    assert_int_equal(genair_options_create("trian", &o, &st), GENAIR_USAGE);
    assert_string_equal(st.message, "no command 'trian'; did you mean 'train'?");
    st = (genair_status){0};
    assert_int_equal(genair_options_create("xyzzyxyzzy", &o, &st), GENAIR_USAGE);
    assert_string_equal(st.message, "no command 'xyzzyxyzzy'; 'genair help' lists them");
    st = (genair_status){0};
    assert_int_equal(genair_options_create("", &o, &st), GENAIR_USAGE);
    assert_null(o);
}

static void absent_options_are_asked_for(void **state) {
    (void)state;
    genair_options *o = NULL;
    genair_status st = {0};
    assert_int_equal(genair_options_create("train", &o, &st), GENAIR_OK);
    assert_int_equal(option_require(o, "run", &st), GENAIR_USAGE);
    assert_string_equal(st.message,
                        "'train' needs --run NAME; 'genair help train' shows an example");
    genair_options_free(o);
    st = (genair_status){0};
    assert_int_equal(genair_options_create("bench", &o, &st), GENAIR_OK);
    assert_int_equal(option_require(o, "what", &st), GENAIR_USAGE);
    assert_string_equal(st.message,
                        "'bench' needs train|eval|lm|topk; for example: genair bench train|eval|lm|topk");
    genair_options_free(o);
}

static void no_stage_takes_options_of_another(void **state) {
    (void)state;
    static const struct {
        const char *command;
        genair_code (*does)(genair_context *, const genair_options *, char **, genair_status *);
    } stages[] = {{"prepare", genair_prepare}, {"archetype", genair_archetype}, {"embed", genair_embed}, {"fuse", genair_fuse},
                  {"train", genair_train}, {"evaluate", genair_evaluate}, {"compare", genair_compare}, {"recommend", genair_recommend},
                  {"similar", genair_similar}, {"add-items", genair_add_items}, {"sweep", genair_sweep}, {"reproduce", genair_reproduce},
                  {"export", genair_export}, {"analyze", genair_analyze}, {"report", genair_report}, {"serve", genair_serve},
                  {"inspect", genair_inspect}, {"bench", genair_bench}, {"doctor", genair_doctor}};
    size_t n;
    const struct command_spec *commands = commands_table(&n);
    genair_context *ctx;
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    for (size_t i = 0; i < COUNT(stages) * n; i++) {
        const char *of = commands[i % n].name, *needed = stages[i / n].command;
        genair_options *o;
        genair_status st = {0};
        char *json = NULL, expected[128];
        if (strcmp(of, needed) == 0) continue;
        assert_int_equal(genair_options_create(of, &o, NULL), GENAIR_OK);
        if (option_find(of, "workspace")) assert_int_equal(genair_options_set(o, "workspace", "/nowhere", NULL), GENAIR_OK);
        if (option_find(of, "run")) assert_int_equal(genair_options_set(o, "run", "one", NULL), GENAIR_OK);
        assert_int_equal(stages[i / n].does(ctx, o, &json, &st), GENAIR_USAGE);
        snprintf(expected, sizeof expected, "options of '%s' are needed, these are of '%s'", needed, of);
        assert_string_equal(st.message, expected);
        assert_null(json);
        genair_options_free(o);
    }
    genair_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(no_command_has_a_name_or_letter_twice),
        cmocka_unit_test(every_command_starts_with_valid_defaults),
        cmocka_unit_test(values_are_kept),
        cmocka_unit_test(refusal_changes_nothing),
        cmocka_unit_test(matrices_stand_for_files),
        cmocka_unit_test(commands_are_described),
        cmocka_unit_test(bad_values_and_names_are_explained),
        cmocka_unit_test(options_go_to_their_methods),
        cmocka_unit_test(every_bound_holds),
        cmocka_unit_test(unknown_commands_are_explained),
        cmocka_unit_test(absent_options_are_asked_for),
        cmocka_unit_test(no_stage_takes_options_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
