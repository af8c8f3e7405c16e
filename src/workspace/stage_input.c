/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/stage_input.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "workspace/added_items.h"
#include "workspace/archetypes.h"
#include "workspace/manifest.h"

#include <string.h>
#include <sys/stat.h>

/* Whether the workspace has the file under that name. By device and number: "./ws/../items.jsonl" and a link are the
 * same file too. */
static genair_code is_own(const struct stat *file, const char *workspace, const char *name, bool *same, genair_status *st) {
    struct stat info;
    char *place = path_join(workspace, name);
    if (!place) return fail_memory(st);
    *same = stat(place, &info) == 0 && info.st_dev == file->st_dev && info.st_ino == file->st_ino;
    mem_free(place);
    return GENAIR_OK;
}

static genair_code check_apart(const struct stat *input, const char *path, const char *workspace, const char *output,
                               genair_status *st) {
    bool same;
    const genair_code code = is_own(input, workspace, output, &same, st);
    if (code != GENAIR_OK || !same) return code;
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

/* ---- what is recorded ---- */

struct stage_input {
    const char *path;
    struct stat info;
    char hash[33];
};

genair_code stage_inputs_hash(struct stage_inputs *s, const genair_context *ctx, const char *path, char out[33],
                              genair_status *st) {
    if (!mem_grow(&s->files, &s->capacity, s->n + 1, sizeof *s->files)) return fail_memory(st);
    struct stage_input *file = &s->files[s->n];
    file->path = path;
    if (stat(path, &file->info) != 0) return fail_errno(st, path, "open");
    if (!S_ISREG(file->info.st_mode)) return fail_line(st, GENAIR_USAGE, path, 0, "not a regular file, and it is read more than once");
    const genair_code code = hash_file(ctx, path, file->hash, st);
    if (code != GENAIR_OK) return code;
    s->n++;
    memcpy(out, file->hash, sizeof file->hash);
    return GENAIR_OK;
}

static bool is_same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_as_it_was(const struct stat *then, const char *path) {
    struct stat now;
    return stat(path, &now) == 0 && now.st_dev == then->st_dev && now.st_ino == then->st_ino && now.st_size == then->st_size &&
           is_same_time(now.st_mtim, then->st_mtim);
}

genair_code stage_inputs_unchanged(const struct stage_inputs *s, genair_status *st) {
    for (size_t i = 0; i < s->n; i++) {
        const struct stage_input *file = &s->files[i];
        char hash[33];
        if (is_as_it_was(&file->info, file->path)) continue;
        if (hash_file(NULL, file->path, hash, NULL) == GENAIR_OK && strcmp(hash, file->hash) == 0) continue; /* touched */
        return fail_line(st, GENAIR_IO, file->path, 0,
                         "the file changed while it was read; run the command again, on a copy if others write to it");
    }
    return GENAIR_OK;
}

void stage_inputs_free(struct stage_inputs *s) {
    mem_free(s->files);
    *s = (struct stage_inputs){0};
}

/* ---- what is written ---- */

static genair_code check_kept(const struct stat *output, const char *path, const char *workspace, const char *name,
                              const char *option, genair_status *st) {
    bool same;
    const genair_code code = is_own(output, workspace, name, &same, st);
    if (code != GENAIR_OK || !same) return code;
    return fail_line(st, GENAIR_USAGE, path, 0, "is the workspace's own %s; name another file with --%s", name, option);
}

static genair_code check_recorded(const struct stat *output, const char *path, const struct workspace *w, const char *option,
                                  genair_status *st) {
    const char *stage, *name;
    json_t *record, *file;
    genair_code code = GENAIR_OK;
    json_object_foreach(workspace_stages(w), stage, record) {
        json_object_foreach(json_object_get(record, "outputs"), name, file) {
            if (code == GENAIR_OK) code = check_kept(output, path, workspace_path(w), name, option, st);
        }
    }
    return code;
}

genair_code stage_output_check(const char *workspace, const char *option, const char *path, genair_status *st) {
    static const char *const unrecorded[] = {"manifest.json", ARCHETYPES_FILE, ADDED_ITEMS_FILE, EVENTS_FILE};
    struct stat info;
    struct workspace *w;
    if (stat(path, &info) != 0) return GENAIR_OK;
    genair_code code = workspace_open_read(NULL, workspace, &w, st);
    if (code != GENAIR_OK) return code;
    for (size_t i = 0; code == GENAIR_OK && i < COUNT(unrecorded); i++)
        code = check_kept(&info, path, workspace, unrecorded[i], option, st);
    if (code == GENAIR_OK) code = check_recorded(&info, path, w, option, st);
    workspace_close(w);
    return code;
}
