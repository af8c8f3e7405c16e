/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of control groups, of both versions, read from files as the kernel shows them. */
#include "support/scratch.h"

#include "base/limits.h"

#include <string.h>
#include <sys/stat.h>

static char own[64], root[64];
static const struct control_groups groups = {own, root};

/* path: under the root; folders before it are made. */
static void put(const char *path, const char *text) {
    char whole[256];
    snprintf(whole, sizeof whole, "%s/%s", root, path);
    for (char *p = whole + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        (void)mkdir(whole, 0700);
        *p = '/';
    }
    scratch_write(whole, text, strlen(text));
}

static void is_in(const char *lines) {
    scratch_write(own, lines, strlen(lines));
}

/* Each test has a system of its own. */
static int begin(void **state) {
    static int n;
    (void)state;
    snprintf(own, sizeof own, "%s/own%d", scratch_directory, ++n);
    snprintf(root, sizeof root, "%s/root%d", scratch_directory, n);
    return mkdir(root, 0700);
}

static void expect(double processors, double memory) {
    assert_true(limit_processors(&groups) == processors);
    assert_true(limit_memory(&groups) == memory);
}

static void without_groups_there_is_no_limit(void **state) {
    (void)state;
    expect(0, 0);
    is_in("");
    expect(0, 0);
    is_in("nonsense\n1:cpu\n:::\n0::\n");
    expect(0, 0);
}

static void the_least_on_the_way_up_counts(void **state) {
    (void)state;
    is_in("0::/a.slice/b.service\n");
    put("a.slice/b.service/cpu.max", "max 100000\n");
    put("a.slice/b.service/memory.max", "max\n");
    expect(0, 0);
    put("a.slice/cpu.max", "250000 100000\n");
    put("a.slice/memory.max", "1073741824\n");
    expect(2.5, 1024);
    put("a.slice/b.service/cpu.max", "150000 100000\n");
    put("a.slice/b.service/memory.max", "2147483648\n");
    expect(1.5, 1024);
    put("cpu.max", "50000 100000\n"); /* a container sees its own group at the root */
    expect(.5, 1024);
}

static void version_1_has_a_folder_for_each_controller(void **state) {
    (void)state;
    is_in("3:memory:/job\n2:cpuacct,cpu:/job/step\n1:cpuset:/other\n0::/\n");
    put("cpu/job/step/cpu.cfs_quota_us", "-1\n");
    put("cpu/job/step/cpu.cfs_period_us", "100000\n");
    put("memory/job/memory.limit_in_bytes", "9223372036854771712\n");
    expect(0, 0);
    put("cpu/job/cpu.cfs_quota_us", "300000\n");
    put("cpu/job/cpu.cfs_period_us", "100000\n");
    put("memory/memory.limit_in_bytes", "536870912\n");
    expect(3, 512);
    put("unified/cpu.max", "100000 100000\n");
    expect(1, 512);
}

static void a_path_of_the_host_leaves_the_root(void **state) {
    (void)state;
    is_in("4:cpu:/docker/0123\n");
    put("cpu/cpu.cfs_quota_us", "200000\n");
    put("cpu/cpu.cfs_period_us", "100000\n");
    expect(2, 0);
}

static void there_is_a_thread(void **state) {
    (void)state;
    assert_true(limit_allowed() >= 1);
    assert_true(limit_threads() >= 1 && limit_threads() <= limit_allowed());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_groups_there_is_no_limit, begin),
        cmocka_unit_test_setup(the_least_on_the_way_up_counts, begin),
        cmocka_unit_test_setup(version_1_has_a_folder_for_each_controller, begin),
        cmocka_unit_test_setup(a_path_of_the_host_leaves_the_root, begin),
        cmocka_unit_test(there_is_a_thread),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
