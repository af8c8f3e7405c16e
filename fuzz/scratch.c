/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILES = 8 };

static char directory[256], *names[MAX_FILES];

static void scratch_path(const char *name, char out[512]) {
    snprintf(out, 512, "%s/%s", directory, name);
}

static void remove_all(void) {
    char path[512];
    for (int i = 0; i < MAX_FILES && names[i]; i++) {
        scratch_path(names[i], path);
        unlink(path);
        free(names[i]);
    }
    rmdir(directory);
}

const char *scratch_directory(void) {
    const char *parent = getenv("TMPDIR");
    if (*directory) return directory;
    snprintf(directory, sizeof directory, "%s/genair-fuzz-XXXXXX", parent ? parent : "/tmp");
    must(mkdtemp(directory) && atexit(remove_all) == 0);
    return directory;
}

/* So that it is removed at the end. */
static void remember(const char *name) {
    for (int i = 0; i < MAX_FILES; i++) {
        if (!names[i]) names[i] = strdup(name);
        must(names[i] != NULL);
        if (strcmp(names[i], name) == 0) return;
    }
    must(false);
}

void scratch_put(const char *name, const uint8_t *data, size_t size) {
    char path[512];
    scratch_directory();
    remember(name);
    scratch_path(name, path);
    if (!size) {
        unlink(path);
        return;
    }
    FILE *f = fopen(path, "wb");
    must(f && fwrite(data, 1, size, f) == size);
    must(fclose(f) == 0);
}
