/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an .npy file: refused with a message, or every value can be read. */
#include "fuzz.h"

#include "workspace/npy.h"

#include <stdlib.h>

/* The row functions see what npy_f64 sees. */
static void check_rows(const struct npy *a) {
    if (a->n_dims != 2 || a->n_values == 0) return;
    double *row = malloc(a->shape[1] * sizeof *row);
    float *narrow = malloc(a->shape[1] * sizeof *narrow);
    must(row && narrow);
    for (size_t r = 0; r < a->shape[0]; r++) {
        npy_row_f64(a, r, row);
        npy_row_f32(a, r, narrow);
        for (size_t c = 0; c < a->shape[1]; c++) {
            const double value = npy_f64(a, r * a->shape[1] + c);
            must(row[c] == value || (row[c] != row[c] && value != value));
            must(narrow[c] == (float)value || (narrow[c] != narrow[c] && value != value));
        }
    }
    free(row);
    free(narrow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct memory_file f = memory_file_open(data, size);
    struct npy *a = NULL;
    genair_status st = {0};
    if (npy_open(f.path, &a, &st) == GENAIR_OK) {
        int64_t sum = 0;
        const int whole = a->type == NPY_I4 || a->type == NPY_I8 || a->type == NPY_U1;
        for (size_t i = 0; i < a->n_values && whole; i++)
            sum ^= npy_i64(a, i);
        must(a->n_values > 0 || sum == 0);
        check_rows(a);
    } else {
        must(st.code != GENAIR_OK && st.message[0] && !a);
    }
    npy_close(a);
    memory_file_close(&f);
    return 0;
}
