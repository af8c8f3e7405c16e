/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a safetensors file: refused with a message, or every tensor lies inside the file. */
#include "fuzz.h"

#include "workspace/safetensors.h"

#include <string.h>

/* Without the mapping the same bytes are read. */
static void check_unmapped(const char *path, size_t i, const struct safetensor *t) {
    struct safetensors *f = NULL;
    must(safetensors_open_unmapped(path, &f, NULL) == GENAIR_OK);
    must(f->tensors[i].offset == t->offset && f->tensors[i].n_bytes == t->n_bytes);
    unsigned char last;
    if (t->n_bytes)
        must(safetensors_read(f, t->offset + t->n_bytes - 1, &last, 1, NULL) == GENAIR_OK &&
             last == t->data[t->n_bytes - 1]);
    safetensors_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct memory_file file = memory_file_open(data, size);
    struct safetensors *f = NULL;
    genair_status st = {0};
    if (safetensors_open(file.path, &f, &st) == GENAIR_OK) {
        volatile unsigned char sum = 0;
        for (size_t i = 0; i < f->n; i++) {
            const struct safetensor *t = &f->tensors[i];
            must(t->n_dims <= 8 && t->n_values <= size);
            must(safetensors_find(f, t->name) == t);
            check_unmapped(file.path, i, t);
            for (size_t k = 0; k < t->n_values; k++)
                sum = (unsigned char)(sum + t->data[k]); /* at least a byte each */
        }
        for (size_t i = 0; i < f->n_metadata; i++)
            must(f->metadata_keys[i] && f->metadata_values[i]);
    } else {
        must(st.code != GENAIR_OK && st.message[0] && !f);
    }
    safetensors_close(f);
    memory_file_close(&file);
    return 0;
}
