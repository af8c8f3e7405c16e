/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of the directories given: the corpus as an ordinary test. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static bool replay_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) return false;
    const long size = ftell(f);
    uint8_t *data = malloc((size_t)size + 1); /* exact, so that a sanitizer sees an overrun: */
    uint8_t *exact = size ? malloc((size_t)size) : data;
    rewind(f);
    const bool read = data && exact && fread(exact, 1, (size_t)size, f) == (size_t)size;
    fclose(f);
    if (read) LLVMFuzzerTestOneInput(exact, (size_t)size);
    if (exact != data) free(exact);
    free(data);
    return read;
}

static int replay_directory(const char *name) {
    int n = 0;
    DIR *dir = opendir(name);
    if (!dir) return -1;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        if (!replay_file(path)) {
            n = -1;
            break;
        }
        n++;
    }
    closedir(dir);
    return n;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const int n = replay_directory(argv[i]);
        printf("%s: %d inputs\n", argv[i], n);
        if (n <= 0) return 1; /* a corpus that is not there tests nothing */
    }
    return argc < 2;
}
