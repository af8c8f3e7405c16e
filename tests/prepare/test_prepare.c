/* SPDX-License-Identifier: Apache-2.0 */
/* prepare as a user meets it: run again, with other options, killed, with a full disk, without
 * permission, in two processes, over damaged files. Argument: how often to kill it. */
#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"
#include "workspace/dataset_write.h"
#include "workspace/manifest.h"
#include "support/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SKIPPED = 77, N_LINES = 30000, NOBODY = 65534 };

static int n_kills = 6;
static char *log_a, *log_b, *items;

/* ---- inputs ---- */

static void write_log(const char *path, uint64_t seed) {
    struct rng r = rng_start(seed, RNG_TEST, 4);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "user_id\titem_id\ttimestamp\n");
    for (int k = 0; k < N_LINES; k++) {
        const double x = rng_unit(&r), y = rng_unit(&r);
        fprintf(f, "u%u\ti%u\t%u\n", (unsigned)(x * x * 3000), (unsigned)(y * y * 900),
                1500000000 + (unsigned)rng_below(&r, 100000));
    }
    fclose(f);
}

static void write_items(const char *path) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 950; i += 2)
        fprintf(f, "{\"item_id\": \"i%d\", \"title\": \"Thing %d\"}\n", i, i);
    fclose(f);
}

static void write_text(const char *path, const char *text) {
    assert_int_equal(file_replace(path, text, strlen(text), NULL), GENAIR_OK);
}

static int setup(void **state) {
    if (scratch_open(state) != 0) return -1;
    log_a = scratch_path("a.tsv");
    log_b = scratch_path("b.tsv");
    items = scratch_path("items.jsonl");
    write_log(log_a, 1);
    write_log(log_b, 2);
    write_items(items);
    return chmod(scratch_directory, 0755);
}

static int teardown(void **state) {
    mem_free(log_a);
    mem_free(log_b);
    mem_free(items);
    return scratch_close(state);
}

/* ---- running ---- */

static genair_code prepare_telling(genair_log tell, void *whom, const char *workspace, const char *log,
                                   const char *option, const char *value, char **json, genair_status *st) {
    genair_context *ctx;
    genair_options *o;
    assert_int_equal(genair_context_create(1, tell, whom, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create("prepare", &o, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "workspace", workspace, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "interactions", log, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "items", items, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "memory", "1", NULL), GENAIR_OK);
    if (option) assert_int_equal(genair_options_set(o, option, value, NULL), GENAIR_OK);
    const genair_code code = genair_prepare(ctx, o, json, st);
    genair_options_free(o);
    genair_context_free(ctx);
    return code;
}

static genair_code prepare(const char *workspace, const char *log, const char *option,
                           const char *value, char **json, genair_status *st) {
    return prepare_telling(NULL, NULL, workspace, log, option, value, json, st);
}

static void must_prepare(const char *workspace, const char *log) {
    genair_status st = {0};
    if (prepare(workspace, log, NULL, NULL, NULL, &st) == GENAIR_OK) return;
    print_error("%s: %s\n", st.file, st.message);
    fail();
}

/* ---- the files of a workspace ---- */

enum { MAX_FILES = 16 };

struct listing {
    int n;
    char name[MAX_FILES][64], hash[MAX_FILES][33];
};

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

/* All but the lock. */
static void list(const char *workspace, struct listing *l) {
    memset(l, 0, sizeof *l);
    DIR *d = opendir(workspace);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            strcmp(e->d_name, ".lock") == 0)
            continue;
        assert_true(l->n < MAX_FILES);
        snprintf(l->name[l->n++], sizeof l->name[0], "%.63s", e->d_name);
    }
    closedir(d);
    qsort(l->name, (size_t)l->n, sizeof l->name[0], by_name);
    for (int i = 0; i < l->n; i++) {
        char *path = path_join(workspace, l->name[i]);
        assert_int_equal(hash_file(NULL, path, l->hash[i], NULL), GENAIR_OK);
        mem_free(path);
    }
}

static void check_listing(const char *workspace, const struct listing *expected) {
    struct listing found;
    list(workspace, &found);
    for (int i = 0; i < found.n && i < expected->n; i++) {
        assert_string_equal(found.name[i], expected->name[i]);
        if (strcmp(found.hash[i], expected->hash[i]) != 0) fail_msg("%s differs", found.name[i]);
    }
    assert_int_equal(found.n, expected->n);
}

/* ---- run again ---- */

static void test_again_does_nothing(void **state) {
    (void)state;
    char *workspace = scratch_path("again"), *sequences = path_join(workspace, DATASET_SEQUENCES);
    struct stat before, after;
    must_prepare(workspace, log_a);
    assert_int_equal(stat(sequences, &before), 0);
    char *first, *second;
    assert_int_equal(prepare(workspace, log_a, NULL, NULL, &first, NULL), GENAIR_OK);
    assert_int_equal(prepare(workspace, log_a, NULL, NULL, &second, NULL), GENAIR_OK);
    assert_int_equal(stat(sequences, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* not written again */
    json_t *a = json_loads(first, 0, NULL), *b = json_loads(second, 0, NULL);
    assert_true(json_integer_value(json_object_get(a, "users")) > 100);
    json_object_del(a, "seconds"), json_object_del(b, "seconds");
    json_object_del(a, "peak_rss_mb"), json_object_del(b, "peak_rss_mb");
    assert_true(json_equal(a, b));
    json_decref(a), json_decref(b);
    genair_string_free(first);
    genair_string_free(second);

    assert_int_equal(prepare(workspace, log_a, "user-core", "6", NULL, NULL), GENAIR_OK);
    assert_int_equal(stat(sequences, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    mem_free(sequences);
    mem_free(workspace);
}

static void test_memory_does_not_matter(void **state) {
    (void)state;
    char *workspace = scratch_path("memory");
    struct listing small;
    must_prepare(workspace, log_a);
    list(workspace, &small);
    char *other = scratch_path("memory-2");
    assert_int_equal(prepare(other, log_a, "memory", "512", NULL, NULL), GENAIR_OK);
    check_listing(other, &small);
    mem_free(other);
    mem_free(workspace);
}

static void test_bad_input_leaves_the_old(void **state) {
    (void)state;
    char *workspace = scratch_path("old"), *bad = scratch_path("bad.tsv");
    struct listing before;
    must_prepare(workspace, log_a);
    list(workspace, &before);
    write_text(bad, "user_id\titem_id\ttimestamp\nu1\ti1\tsoon\n");
    genair_status st[3] = {0};
    assert_int_equal(prepare(workspace, bad, NULL, NULL, NULL, &st[0]), GENAIR_FORMAT);
    assert_string_equal(st[0].file, bad);
    assert_int_equal(st[0].line, 2);
    check_listing(workspace, &before);
    /* The metadata come last: what was made before must not have replaced anything. */
    write_text(bad, "{\"item_id\": \"i1\"}\nnot a record\n");
    assert_int_equal(prepare(workspace, log_b, "items", bad, NULL, &st[1]), GENAIR_FORMAT);
    assert_string_equal(st[1].file, bad);
    check_listing(workspace, &before);
    assert_int_equal(prepare(workspace, "/no/such/log", NULL, NULL, NULL, &st[2]), GENAIR_IO);
    check_listing(workspace, &before);
    mem_free(bad);
    mem_free(workspace);
}

static void test_wrong_path_makes_nothing(void **state) {
    (void)state;
    char *workspace = scratch_path("never");
    assert_int_equal(prepare(workspace, "/no/such/log", NULL, NULL, NULL, NULL), GENAIR_IO);
    assert_false(file_exists(workspace));
    mem_free(workspace);
}

/* ---- kill ---- */

static void run_and_kill(const char *workspace, const char *log, double seconds) {
    const pid_t child = fork();
    if (child == 0) {
        (void)prepare(workspace, log, NULL, NULL, NULL, NULL);
        _exit(0);
    }
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Each kill meets a workspace that holds the other log's data. */
static void test_killed_anywhere(void **state) {
    (void)state;
    char *workspace[2] = {scratch_path("killed"), scratch_path("whole")};
    const char *logs[2] = {log_a, log_b};
    struct listing whole[2];
    double longest = 0;
    for (int i = 0; i < 2; i++) {
        const double start = seconds_now();
        must_prepare(workspace[1], logs[i]);
        const double took = seconds_now() - start;
        if (took > longest) longest = took;
        list(workspace[1], &whole[i]);
    }
    must_prepare(workspace[0], log_b);
    for (int k = 0; k < n_kills; k++) {
        struct rng r = rng_start(7, RNG_TEST, 100 + (uint64_t)k);
        const double when = rng_unit(&r) * longest * 1.05;
        run_and_kill(workspace[0], logs[k % 2], when);
        must_prepare(workspace[0], logs[k % 2]);
        check_listing(workspace[0], &whole[k % 2]);
    }
    mem_free(workspace[0]);
    mem_free(workspace[1]);
}

static void test_stopped(void **state) {
    (void)state;
    char *workspace = scratch_path("stopped");
    genair_context *ctx;
    genair_options *o;
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create("prepare", &o, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "workspace", workspace, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "interactions", log_a, NULL), GENAIR_OK);
    genair_context_stop(ctx);
    assert_int_equal(genair_prepare(ctx, o, NULL, NULL), GENAIR_INTERRUPTED);
    assert_false(file_exists(workspace)); /* before it was made */
    genair_options_free(o);
    genair_context_free(ctx);
    mem_free(workspace);
}

static void test_a_log_written_meanwhile(void **state) {
    (void)state;
    char *workspace = scratch_path("meanwhile"), *growing = scratch_path("growing.tsv");
    struct listing before, after;
    genair_status st = {0};
    must_prepare(workspace, log_a);
    list(workspace, &before);
    write_log(growing, 2);
    assert_int_equal(prepare_telling(scratch_add_line, growing, workspace, growing, NULL, NULL, NULL, &st), GENAIR_IO);
    assert_string_equal(st.file, growing);
    assert_non_null(strstr(st.message, "changed while it was read"));
    list(workspace, &after);
    assert_memory_equal(&before, &after, sizeof before);
    mem_free(workspace);
    mem_free(growing);
}

/* ---- damage ---- */

static void change_byte(const char *path, off_t at, unsigned char mask) {
    const int fd = open(path, O_RDWR);
    unsigned char c;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= mask;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static void check_message(genair_code code, const genair_status *st, const char *path,
                          const char *workspace) {
    char command[256];
    snprintf(command, sizeof command, "genair prepare -w %s'", workspace);
    assert_true(code == GENAIR_FORMAT || code == GENAIR_IO);
    assert_string_equal(st->file, path);
    if (!strstr(st->message, command)) fail_msg("no command in: %s", st->message);
}

static genair_code verify(const char *workspace, genair_status *st) {
    struct workspace *w;
    genair_code code = workspace_open_read(NULL, workspace, &w, st);
    if (code != GENAIR_OK) return code;
    code = workspace_verify(w, "prepare", st);
    workspace_close(w);
    return code;
}

static genair_code open_data(const char *workspace, genair_status *st) {
    struct dataset *d;
    const genair_code code = dataset_open(workspace, &d, st);
    if (code == GENAIR_OK) dataset_close(d);
    return code;
}

static bool is_binary(const char *name) {
    return strstr(name, ".bin") != NULL && strcmp(name, "metadata.bin") != 0;
}

/* Bits all over the file, and in each byte of its ends, where counts and sizes stand. */
static void flip_bits(const char *workspace, const char *name, off_t size) {
    enum { PLACES = 40, EDGE = 128 };
    char *path = path_join(workspace, name);
    for (off_t k = 0; k < PLACES + 2 * EDGE; k++) {
        const off_t at = k < PLACES          ? size * k / PLACES
                         : k < PLACES + EDGE ? (k - PLACES) % size
                                             : size - 1 - (k - PLACES - EDGE) % size;
        const unsigned char mask = (unsigned char)(1u << k % 8);
        genair_status st[2] = {0};
        change_byte(path, at, mask);
        if (is_binary(name)) check_message(open_data(workspace, &st[0]), &st[0], path, workspace);
        if (k % 8 == 0) check_message(verify(workspace, &st[1]), &st[1], path, workspace);
        change_byte(path, at, mask);
    }
    mem_free(path);
}

static void cut_short(const char *workspace, const char *name, off_t size) {
    const off_t sizes[] = {0, 1, size / 2, size - 1};
    char *path = path_join(workspace, name), *whole = path_join(workspace, "whole");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *data;
        size_t n;
        genair_status st[2] = {0};
        assert_int_equal(file_read(path, 1u << 30, &data, &n, NULL), GENAIR_OK);
        assert_int_equal(file_replace(path, data, (size_t)sizes[i], NULL), GENAIR_OK);
        if (is_binary(name)) check_message(open_data(workspace, &st[0]), &st[0], path, workspace);
        check_message(verify(workspace, &st[1]), &st[1], path, workspace);
        assert_int_equal(file_replace(path, data, n, NULL), GENAIR_OK);
        mem_free(data);
    }
    genair_status st[2] = {0};
    assert_int_equal(rename(path, whole), 0);
    if (is_binary(name)) check_message(open_data(workspace, &st[0]), &st[0], path, workspace);
    check_message(verify(workspace, &st[1]), &st[1], path, workspace);
    assert_int_equal(rename(whole, path), 0);
    mem_free(whole);
    mem_free(path);
}

static void test_damage_is_named(void **state) {
    (void)state;
    char *workspace = scratch_path("damaged");
    struct listing l;
    must_prepare(workspace, log_a);
    list(workspace, &l);
    for (int i = 0; i < l.n; i++) {
        if (strcmp(l.name[i], "manifest.json") == 0) continue;
        char *path = path_join(workspace, l.name[i]);
        struct stat info;
        assert_int_equal(stat(path, &info), 0);
        flip_bits(workspace, l.name[i], info.st_size);
        cut_short(workspace, l.name[i], info.st_size);
        mem_free(path);
    }
    genair_status st = {0};
    assert_int_equal(verify(workspace, &st), GENAIR_OK);
    /* prepare itself mends the damage. */
    char *path = path_join(workspace, "items.jsonl");
    change_byte(path, 100, 1);
    must_prepare(workspace, log_a);
    check_listing(workspace, &l);
    mem_free(path);
    mem_free(workspace);
}

static void test_damaged_manifest(void **state) {
    (void)state;
    char *workspace = scratch_path("manifest"), *path;
    must_prepare(workspace, log_a);
    path = path_join(workspace, "manifest.json");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    for (off_t at = 0; at < info.st_size; at++) {
        const unsigned char mask = (unsigned char)(1u << at % 8);
        genair_status st = {0};
        change_byte(path, at, mask);
        check_message(verify(workspace, &st), &st, path, workspace);
        change_byte(path, at, mask);
    }
    assert_int_equal(truncate(path, info.st_size / 2), 0);
    genair_status st = {0};
    check_message(prepare(workspace, log_a, NULL, NULL, NULL, &st), &st, path, workspace);
    mem_free(path);
    mem_free(workspace);
}

/* A kill between two renames leaves files of two makings, each whole. */
static void test_files_of_two_logs(void **state) {
    (void)state;
    char *a = scratch_path("two-a"), *b = scratch_path("two-b");
    must_prepare(a, log_a);
    must_prepare(b, log_b);
    char *from = path_join(b, DATASET_SEQUENCES), *to = path_join(a, DATASET_SEQUENCES);
    assert_int_equal(rename(from, to), 0);
    genair_status st = {0};
    assert_int_equal(open_data(a, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "run 'genair prepare"));
    mem_free(from);
    mem_free(to);
    mem_free(a);
    mem_free(b);
}

/* ---- others ---- */

static void test_second_process_is_told(void **state) {
    (void)state;
    char *workspace = scratch_path("shared"), expected[128];
    struct workspace *w;
    genair_status st = {0};
    assert_int_equal(workspace_open(NULL, workspace, "train", true, &w, NULL), GENAIR_OK);
    assert_int_equal(prepare(workspace, log_a, NULL, NULL, NULL, &st), GENAIR_IO);
    snprintf(expected, sizeof expected,
             "the workspace is in use by process %ld (genair train); wait for it or stop it",
             (long)getpid());
    assert_string_equal(st.message, expected);
    assert_string_equal(st.file, workspace);
    workspace_close(w);
    must_prepare(workspace, log_a);
    /* Reading needs no lock. */
    assert_int_equal(workspace_open(NULL, workspace, "train", false, &w, NULL), GENAIR_OK);
    assert_int_equal(verify(workspace, NULL), GENAIR_OK);
    assert_int_equal(open_data(workspace, NULL), GENAIR_OK);
    workspace_close(w);
    mem_free(workspace);
}

static void test_leftovers_are_removed(void **state) {
    (void)state;
    char *workspace = scratch_path("leftovers"), *runs = path_join(workspace, "runs/r/s.partial"),
         *folder = path_join(workspace, "prepare.partial/sub"), *elsewhere = path_join(workspace, "archive/prepare.partial");
    char *manifest = path_join(workspace, "manifest.json.0.partial");
    char *deep = path_join(workspace, "runs/r/x.1.partial"), *aside = path_join(workspace, "runs/r.partial"),
         *kept[] = {path_join(workspace, "runs/r/partial.txt"), path_join(workspace, "disc.iso.partial"),
                    path_join(workspace, "runs/r/.x.partial")};
    struct workspace *w;
    assert_int_equal(directory_make(folder, NULL), GENAIR_OK);
    assert_int_equal(file_replace(manifest, "x", 1, NULL), GENAIR_OK);
    assert_int_equal(workspace_open(NULL, workspace, "train", false, &w, NULL), GENAIR_OK);
    workspace_close(w);
    assert_true(file_exists(folder)); /* a directory without a data set is not ours */
    assert_false(file_exists(manifest)); /* but for what a first `prepare` left that was killed at its end */
    mem_free(manifest);
    must_prepare(workspace, log_a);
    assert_int_equal(directory_make(runs, NULL), GENAIR_OK);
    assert_int_equal(directory_make(folder, NULL), GENAIR_OK);
    assert_int_equal(directory_make(elsewhere, NULL), GENAIR_OK);
    assert_int_equal(directory_make(aside, NULL), GENAIR_OK);
    assert_int_equal(file_replace(deep, "x", 1, NULL), GENAIR_OK);
    for (size_t i = 0; i < COUNT(kept); i++) assert_int_equal(file_replace(kept[i], "x", 1, NULL), GENAIR_OK);
    assert_int_equal(workspace_open(NULL, workspace, "train", false, &w, NULL), GENAIR_OK);
    assert_false(file_exists(deep));
    assert_false(file_exists(aside));
    assert_false(file_exists(folder));
    assert_true(file_exists(elsewhere)); /* names that are not ours */
    assert_true(file_exists(runs));
    for (size_t i = 0; i < COUNT(kept); i++) {
        assert_true(file_exists(kept[i]));
        mem_free(kept[i]);
    }
    workspace_close(w);
    mem_free(aside);
    mem_free(deep);
    mem_free(elsewhere);
    mem_free(folder);
    mem_free(runs);
    mem_free(workspace);
}

static void test_a_foreign_directory_stays(void **state) {
    (void)state;
    static const char *const manifests[] = {"{\"name\": \"extension\", \"format\": 2}", "[]", "{"};
    char *directory = scratch_path("foreign"), *manifest = path_join(directory, "manifest.json"),
         *download = path_join(directory, "film.partial");
    assert_int_equal(directory_make(directory, NULL), GENAIR_OK);
    assert_int_equal(file_replace(download, "x", 1, NULL), GENAIR_OK);
    for (size_t i = 0; i < sizeof manifests / sizeof manifests[0]; i++) {
        genair_status st = {0};
        assert_int_equal(file_replace(manifest, manifests[i], strlen(manifests[i]), NULL), GENAIR_OK);
        assert_int_equal(prepare(directory, log_a, NULL, NULL, NULL, &st), GENAIR_FORMAT);
        assert_true(file_exists(download));
        if (i < 2) assert_non_null(strstr(st.message, "is no genair workspace; name another directory"));
    }
    mem_free(download);
    mem_free(manifest);
    mem_free(directory);
}

static int in_child(int (*f)(const char *workspace), const char *workspace) {
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) _exit(f(workspace));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* 0, or the number of the step that went wrong. */
static int without_permission(const char *workspace) {
    if (getuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) return SKIPPED;
    genair_status st[3] = {0};
    if (verify(workspace, &st[0]) != GENAIR_OK) return 1;
    if (open_data(workspace, &st[1]) != GENAIR_OK) return 2;
    struct workspace *w;
    if (workspace_open(NULL, workspace, "train", false, &w, &st[2]) != GENAIR_IO) return 3;
    if (!strstr(st[2].message,
                "the workspace may not be written (no permission), and 'genair train' has to"))
        return 4;
    if (prepare(workspace, log_b, NULL, NULL, NULL, NULL) != GENAIR_IO) return 5;
    return 0;
}

static void test_read_only(void **state) {
    (void)state;
    char *workspace = scratch_path("read-only"), *lock = path_join(workspace, ".lock");
    must_prepare(workspace, log_a);
    for (int with_lock = 1; with_lock >= 0; with_lock--) {
        assert_int_equal(chmod(workspace, 0555), 0);
        const int result = in_child(without_permission, workspace);
        assert_int_equal(chmod(workspace, 0755), 0);
        if (result == SKIPPED) {
            mem_free(lock);
            mem_free(workspace);
            skip();
        }
        assert_int_equal(result, 0);
        if (with_lock) assert_int_equal(unlink(lock), 0);
    }
    mem_free(lock);
    mem_free(workspace);
}

/* A file system of its own, small, seen by this process alone; earlier results are whole whatever
 * fails. */
static int on_small_disk(const char *workspace) {
    if (unshare(CLONE_NEWNS | (getuid() == 0 ? 0 : CLONE_NEWUSER)) != 0) return SKIPPED;
    if (mount(NULL, "/", "", MS_REC | MS_PRIVATE, NULL) != 0) return SKIPPED;
    int n_full = 0;
    for (int kb = 64; kb <= 16384; kb += kb / 2) {
        char size[32];
        snprintf(size, sizeof size, "size=%dk", kb);
        if (mount("tmpfs", workspace, "tmpfs", 0, size) != 0) return SKIPPED;
        const bool earlier = prepare(workspace, log_a, "user-core", "60", NULL, NULL) == GENAIR_OK;
        genair_status st = {0};
        const genair_code code = prepare(workspace, log_b, NULL, NULL, NULL, &st);
        if (code != GENAIR_OK && code != GENAIR_IO) return 1;
        if (code == GENAIR_IO && !strstr(st.message, "No space left on device")) return 2;
        n_full += code == GENAIR_IO && earlier;
        if ((earlier || code == GENAIR_OK) && verify(workspace, NULL) != GENAIR_OK) return 3;
        if ((earlier || code == GENAIR_OK) && open_data(workspace, NULL) != GENAIR_OK) return 4;
        char *partial = path_join(workspace, "prepare.partial");
        if (file_exists(partial)) return 5;
        mem_free(partial);
        if (umount(workspace) != 0) return 6;
        if (kb > 8192 && code != GENAIR_OK) return 7;
    }
    return n_full > 0 ? 0 : 8;
}

static void test_full_disk(void **state) {
    (void)state;
    char *workspace = scratch_path("small-disk");
    assert_int_equal(directory_make(workspace, NULL), GENAIR_OK);
    const int result = in_child(on_small_disk, workspace);
    mem_free(workspace);
    if (result == SKIPPED) {
        print_message("skipped: no permission to mount a small file system\n");
        skip();
    }
    assert_int_equal(result, 0);
}

int main(int argc, char **argv) {
    if (argc > 1) n_kills = atoi(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again_does_nothing),
        cmocka_unit_test(test_memory_does_not_matter),
        cmocka_unit_test(test_bad_input_leaves_the_old),
        cmocka_unit_test(test_wrong_path_makes_nothing),
        cmocka_unit_test(test_killed_anywhere),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_a_log_written_meanwhile),
        cmocka_unit_test(test_damage_is_named),
        cmocka_unit_test(test_damaged_manifest),
        cmocka_unit_test(test_files_of_two_logs),
        cmocka_unit_test(test_second_process_is_told),
        cmocka_unit_test(test_leftovers_are_removed),
        cmocka_unit_test(test_a_foreign_directory_stays),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
