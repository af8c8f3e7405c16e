/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate and compare through the library, on a workspace with runs of pop, itemknn and ease. */
#include "fixture.h"

#include "base/size.h"
#include "ranking/metrics.h"
#include "workspace/dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const char *workspace;

static int set_up(void **state) {
    (void)state;
    workspace = fixture_create();
    fixture_run("pop", "pop", NULL, NULL);
    fixture_run("knn", "itemknn", NULL, NULL);
    fixture_run("knn5", "itemknn", "knn-neighbours", "5");
    fixture_run("ease", "ease", "ease-lambda", "10");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_remove();
    return 0;
}

static void expect(double want, double got) {
    if (!(fabs(want - got) < 1e-12)) fail_msg("expected %.17g, found %.17g", want, got);
}

/* Ranks of the stored file, in its order. */
static size_t read_ranks(const char *run, const char *file, uint32_t *rank, uint32_t *ties) {
    char path[256], line[256], user[32], target[32];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/runs/%s/%s", workspace, run, file);
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("no %s", path);
    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line, "user\ttarget\trank\tties\n");
    for (; fgets(line, sizeof line, f); n++) {
        assert_true(n < FIXTURE_USERS);
        assert_int_equal(sscanf(line, "%31s %31s %u %u", user, target, &rank[n], &ties[n]), 4);
    }
    fclose(f);
    return n;
}

/* The same of warm targets alone. */
static size_t read_warm(const char *run, const char *file, uint32_t *rank, uint32_t *ties) {
    struct dataset *data;
    size_t n = 0, u = 0;
    const size_t n_all = read_ranks(run, file, rank, ties);
    assert_int_equal(dataset_open(workspace, &data, NULL), GENAIR_OK);
    for (uint32_t user = 0; user < data->n_users; user++) { /* the order of the file */
        if (data->test[user] == UINT32_MAX) continue;
        if (!data->cold[data->item[data->start[user] + data->test[user]]]) {
            rank[n] = rank[u];
            ties[n++] = ties[u];
        }
        u++;
    }
    assert_int_equal(u, n_all);
    assert_true(n < n_all);
    dataset_close(data);
    return n;
}

static double mean_of(const uint32_t *rank, size_t n, double (*gain)(uint32_t, uint32_t),
                      uint32_t k) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += gain(rank[i], k);
    return sum / (double)n;
}

static void metrics_are_those_of_the_stored_ranks(void **state) {
    (void)state;
    genair_status st;
    uint32_t rank[FIXTURE_USERS], ties[FIXTURE_USERS];
    json_t *o = fixture_stage(genair_evaluate, "evaluate", &st, "run", "knn", NULL);
    if (!o) fail_msg("%s", st.message);
    static const char *const protocols[] = {"sampled", "full"};
    for (size_t p = 0; p < 2; p++) {
        char file[64], key[64];
        snprintf(file, sizeof file, "ranks-test-%s.tsv", protocols[p]);
        const size_t n = read_ranks("knn", file, rank, ties);
        /* warm and cold targets together are all users */
        snprintf(key, sizeof key, "cold/%s/users", protocols[p]);
        const double n_cold = number_at(o, key);
        assert_true(n_cold > 0 && n_cold < (double)n / 2);
        assert_true((double)n - n_cold == number_at(o, "users"));
        for (int m = 0; m < 2; m++) {
            char warm[64], cold[64];
            snprintf(warm, sizeof warm, "test/%s/%s", protocols[p], m ? "NDCG@10" : "HR@10");
            snprintf(cold, sizeof cold, "cold/%s/%s", protocols[p], m ? "NDCG@10" : "HR@10");
            expect(mean_of(rank, n, m ? gain_ndcg : gain_hr, 10) * (double)n,
                   number_at(o, warm) * ((double)n - n_cold) + number_at(o, cold) * n_cold);
        }
        size_t n_tied = 0;
        const size_t n_warm = read_warm("knn", file, rank, ties);
        for (size_t i = 0; i < n_warm; i++)
            n_tied += ties[i] > 0;
        snprintf(key, sizeof key, "ties/%s", protocols[p]);
        assert_int_equal(n_tied, json_integer_value(at(o, key)));
        snprintf(key, sizeof key, "test/%s/MRR", protocols[p]);
        double mrr = 0;
        for (size_t i = 0; i < n_warm; i++)
            mrr += gain_mrr(rank[i]) / (double)n_warm;
        expect(mrr, number_at(o, key));
    }
    assert_true(number_at(o, "test/sampled/HR@10") > 0.1); /* it has learned something */
    assert_true(number_at(o, "test/full/coverage@10") > 0);
    assert_true(number_at(o, "tied_time_share") > 0.1 && number_at(o, "tied_time_share") < 1);
    assert_string_equal(json_string_value(at(o, "method")), "itemknn");
    assert_null(json_object_get(o, "backbone"));
    json_decref(o);
}

static void parts_and_protocols_are_chosen(void **state) {
    (void)state;
    genair_status st;
    json_t *o = fixture_stage(genair_evaluate, "evaluate", &st, "run", "pop", "part", "valid",
                              "protocol", "full", NULL);
    if (!o) fail_msg("%s", st.message);
    assert_null(json_object_get(o, "test"));
    assert_null(json_object_get(at(o, "valid"), "sampled"));
    number_at(o, "valid/full/MRR");
    json_decref(o);
}

static void groups_add_up(void **state) {
    (void)state;
    genair_status st;
    json_t *o =
        fixture_stage(genair_evaluate, "evaluate", &st, "run", "ease", "groups", "yes",
                      "user-thresholds", "4", "user-thresholds", "7", "item-thresholds", "3", NULL);
    if (!o) fail_msg("%s", st.message);
    uint32_t rank[FIXTURE_USERS], ties[FIXTURE_USERS];
    const size_t n = read_warm("ease", "ranks-test-full.tsv", rank, ties);
    assert_true((double)n == number_at(o, "users"));
    const double want = mean_of(rank, n, gain_ndcg, 20) * (double)n;
    static const struct {
        const char *name;
        size_t groups;
    } tables[] = {{"short_long", 2},     {"len5", 5}, {"len_equal5", 5},
                  {"head_tail", 2},      {"pop5", 5}, {"user_thresholds", 3},
                  {"item_thresholds", 2}};
    assert_int_equal(json_object_size(at(o, "groups/full")), COUNT(tables));
    for (size_t t = 0; t < COUNT(tables); t++) {
        json_t *table = at(at(o, "groups/full"), tables[t].name), *row;
        const char *label;
        double users = 0, sum = 0;
        assert_int_equal(json_object_size(table), tables[t].groups);
        json_object_foreach(table, label, row) {
            users += number_at(row, "users");
            sum += number_at(row, "users") * number_at(row, "NDCG@20");
        }
        assert_true(users == (double)n);
        expect(want, sum);
    }
    number_at(o, "groups/sampled/user_thresholds/length 4-6/HR@5");
    json_decref(o);
    static const char *const descending[] = {"7", "4"};
    o = fixture_stage(genair_evaluate, "evaluate", &st, "run", "ease", "groups", "yes",
                      "user-thresholds", descending[0], "user-thresholds", descending[1], NULL);
    assert_null(o);
    assert_int_equal(st.code, GENAIR_USAGE);
    assert_non_null(strstr(st.message, "ascending"));
}

static void several_runs_give_mean_and_sd(void **state) {
    (void)state;
    genair_status st;
    json_t *o = fixture_stage(genair_evaluate, "evaluate", &st, "run", "knn", "run", "pop", NULL);
    if (!o) fail_msg("%s", st.message);
    const double a = number_at(o, "runs/0/test/full/MRR"), b = number_at(o, "runs/1/test/full/MRR");
    expect((a + b) / 2, number_at(o, "test/full/MRR"));
    expect(fabs(a - b) / sqrt(2), number_at(o, "sd/full/MRR"));
    assert_string_equal(json_string_value(at(o, "run/1")), "pop");
    json_decref(o);
}

static void compare_is_the_paired_test(void **state) {
    (void)state;
    genair_status st;
    uint32_t a[FIXTURE_USERS], b[FIXTURE_USERS], ties[FIXTURE_USERS];
    json_decref(fixture_stage(genair_evaluate, "evaluate", &st, "run", "knn", "run", "pop", NULL));
    const size_t n = read_warm("knn", "ranks-test-sampled.tsv", a, ties);
    assert_int_equal(read_warm("pop", "ranks-test-sampled.tsv", b, ties), n);
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += (gain_mrr(a[i]) - gain_mrr(b[i])) / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double d = gain_mrr(a[i]) - gain_mrr(b[i]) - mean;
        squares += d * d;
    }
    const double error = sqrt(squares / (double)(n - 1) / (double)n);
    json_t *o = fixture_stage(genair_compare, "compare", &st, "run", "knn", "run", "pop", NULL);
    if (!o) fail_msg("%s", st.message);
    expect(mean, number_at(o, "over_users/sampled/MRR/difference"));
    assert_true((double)n == number_at(o, "users") && (double)n == number_at(o, "over_users/sampled/MRR/n"));
    assert_true(fabs(mean / error - number_at(o, "over_users/sampled/MRR/t")) < 1e-9);
    const double low = number_at(o, "over_users/sampled/MRR/low"),
                 high = number_at(o, "over_users/sampled/MRR/high");
    assert_true(low < mean && mean < high && fabs(high - low - 2 * 1.98 * error) < 0.02 * error);
    assert_null(json_object_get(o, "over_seeds"));
    json_t *back = fixture_stage(genair_compare, "compare", &st, "run", "pop", "run", "knn", NULL);
    expect(-mean, number_at(back, "over_users/sampled/MRR/difference"));
    expect(number_at(o, "over_users/full/HR@10/p"), number_at(back, "over_users/full/HR@10/p"));
    json_decref(back);
    json_decref(o);
}

static void compare_over_seeds(void **state) {
    (void)state;
    genair_status st;
    json_t *o = fixture_stage(genair_compare, "compare", &st, "run", "knn", "run", "knn5", "run",
                              "pop", "run", "pop", NULL);
    if (!o) fail_msg("%s", st.message);
    assert_int_equal(number_at(o, "over_seeds/full/NDCG@10/n"), 2);
    expect(number_at(o, "over_users/full/NDCG@10/difference"),
           number_at(o, "over_seeds/full/NDCG@10/difference"));
    json_decref(o);
    assert_null(fixture_stage(genair_compare, "compare", &st, "run", "knn", NULL));
    assert_int_equal(st.code, GENAIR_USAGE);
    assert_null(fixture_stage(genair_compare, "compare", &st, "run", "knn", "run", "pop", "run",
                              "ease", NULL));
    assert_int_equal(st.code, GENAIR_USAGE);
}

static void runs_that_cannot_be_are_named(void **state) {
    (void)state;
    genair_status st;
    assert_null(fixture_stage(genair_evaluate, "evaluate", &st, "run", "nobody", NULL));
    assert_int_equal(st.code, GENAIR_USAGE);
    assert_non_null(strstr(st.message, "no finished run 'nobody'"));
    assert_null(fixture_stage(genair_evaluate, "evaluate", &st, NULL));
    assert_int_equal(st.code, GENAIR_USAGE);
    /* a flipped bit in the model */
    char path[256];
    fixture_run("broken", "pop", NULL, NULL);
    snprintf(path, sizeof path, "%s/runs/broken/model.safetensors", workspace);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, -1, SEEK_END);
    const int byte = fgetc(f);
    fseek(f, -1, SEEK_END);
    fputc(byte ^ 1, f);
    fclose(f);
    assert_null(fixture_stage(genair_evaluate, "evaluate", &st, "run", "broken", NULL));
    assert_int_equal(st.code, GENAIR_FORMAT);
    assert_non_null(strstr(st.file, "runs/broken/model.safetensors"));
    assert_non_null(strstr(st.message, "genair train"));
}

static void other_data_are_refused(void **state) {
    (void)state;
    genair_status st;
    char log[256];
    snprintf(log, sizeof log, "%s/../log.tsv", workspace);
    json_decref(fixture_stage(genair_prepare, "prepare", &st, "interactions", log, "user-core", "4",
                              "item-core", "1", NULL));
    assert_int_equal(st.code, GENAIR_OK);
    assert_null(fixture_stage(genair_evaluate, "evaluate", &st, "run", "pop", NULL));
    assert_int_equal(st.code, GENAIR_USAGE);
    assert_non_null(strstr(st.message, "other data"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_those_of_the_stored_ranks),
        cmocka_unit_test(parts_and_protocols_are_chosen),
        cmocka_unit_test(groups_add_up),
        cmocka_unit_test(several_runs_give_mean_and_sd),
        cmocka_unit_test(compare_is_the_paired_test),
        cmocka_unit_test(compare_over_seeds),
        cmocka_unit_test(runs_that_cannot_be_are_named),
        cmocka_unit_test(other_data_are_refused), /* last: it replaces the data */
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
