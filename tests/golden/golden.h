/* SPDX-License-Identifier: Apache-2.0 */
/* This module loads one golden case (case.json beside .npy files) for the function that recomputes
 * it, compares what that function found, and remembers the first difference.
 *
 * A group is one file golden_GROUP.c with functions of type golden_run, listed by case kind in
 * golden_train.c:
 *
 *     void golden_adapter(struct golden *g) {
 *         const float *x = golden_f32(g, "in.E", NULL);
 *         const size_t rows = golden_dim(g, "in.E", 0), width = golden_number(g, "d");
 *         float *y = golden_zeros(g, rows * width, sizeof *y);
 *         if (golden_failed(g)) return;
 *         … golden_ok(g, adapter_forward(…, golden_status(g))) …
 *         golden_expect_f32(g, "out.e", y, rows * width);
 *     }
 *
 * Whatever is returned belongs to the case and lives until the function returns. An array that is
 * missing or of the wrong type fails the case and gives NULL; a number that is missing gives 0. An
 * array with a tolerance that the function never compared fails the case too, so nothing is passed
 * over in silence. */
#ifndef GENAIR_TESTS_GOLDEN_H
#define GENAIR_TESTS_GOLDEN_H

#include "base/context.h"
#include "kernels/kernels.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct golden;
typedef void golden_run(struct golden *g);

/* ---- what the case holds ---- */
bool golden_has(const struct golden *g, const char *array);
/* The values in C order; *n (or NULL) gets their number. float32 is rounded from the stored
 * float64. */
const double *golden_f64(struct golden *g, const char *array, size_t *n);
const float *golden_f32(struct golden *g, const char *array, size_t *n);
const int64_t *golden_i64(struct golden *g, const char *array, size_t *n);
/* Ids that must be below limit, as the library takes them, plus offset (item ids: 1). */
const uint32_t *golden_ids(struct golden *g, const char *array, int64_t limit, uint32_t offset,
                           size_t *n);
size_t golden_dim(struct golden *g, const char *array, size_t axis); /* 0 past the last axis */
/* Settings of "hyper". */
bool golden_has_hyper(const struct golden *g, const char *name);
double golden_number(struct golden *g, const char *name);
const char *golden_text(struct golden *g, const char *name); /* "" when missing */
const json_t *golden_json(const struct golden *g);           /* all of case.json */
const char *golden_directory(const struct golden *g);

/* ---- what was found ---- */
/* With the array's own tolerance: max_abs, exact, skip_flat. found may hold NaN, which differs. */
void golden_expect_f64(struct golden *g, const char *array, const double *found, size_t n);
void golden_expect_f32(struct golden *g, const char *array, const float *found, size_t n);
void golden_expect_i64(struct golden *g, const char *array, const int64_t *found, size_t n);
/* An entry of "scalars", with a tolerance of the caller's. */
void golden_expect_scalar(struct golden *g, const char *name, double found, double max_abs);
/* Two numbers of any origin; label is printed as the array's name. */
void golden_expect_number(struct golden *g, const char *label, double expected, double found,
                          double max_abs);

/* ---- help for the groups ---- */
void *golden_zeros(struct golden *g, size_t n,
                   size_t size);                  /* aligned to 64 bytes; NULL fails the case */
genair_context *golden_context(struct golden *g); /* two threads, no messages */
const struct kernels *golden_kernels(struct golden *g); /* what --kernels names */
genair_status *golden_status(struct golden *g);
bool golden_ok(struct golden *g,
               genair_code code); /* false, and the case failed with the status's text */
bool golden_failed(const struct golden *g);
void golden_fail(struct golden *g, const char *format, ...) PRINTF(2, 3);

/* ---- for golden_train.c ---- */
/* Runs a case directory; out receives "" or what was wrong, one line. run gets the function for a
 * kind or NULL. */
bool golden_case(const char *directory, golden_run *(*run)(const char *kind), genair_context *ctx,
                 const struct kernels *kernels, char *out, size_t size);

#endif
