/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/stage_input.h"

#include "base/alloc.h"
#include "base/files.h"

#include <sys/stat.h>

/* By device and number: "./ws/../items.jsonl" and a link are the same file too. */
static genair_code check_apart(const struct stat *input, const char *path, const char *workspace, const char *output,
                               genair_status *st) {
    struct stat info;
    char *place = path_join(workspace, output);
    if (!place) return fail_memory(st);
    const bool same = stat(place, &info) == 0 && info.st_dev == input->st_dev && info.st_ino == input->st_ino;
    mem_free(place);
    if (!same) return GENAIR_OK;
    return fail_line(st, GENAIR_USAGE, path, 0,
                     "would be replaced by the workspace's own %s; name another directory with --workspace", output);
}

genair_code stage_input_check(const char *workspace, const char *const *outputs, size_t n_outputs, const char *option,
                              const char *path, genair_status *st) {
    struct stat info;
    if (stat(path, &info) != 0) return GENAIR_OK;
    if (!S_ISREG(info.st_mode))
        return fail_line(st, GENAIR_USAGE, path, 0, "not a regular file; what --%s names is read more than once", option);
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < n_outputs; i++)
        code = check_apart(&info, path, workspace, outputs[i], st);
    return code;
}
