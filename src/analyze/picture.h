/* SPDX-License-Identifier: Apache-2.0 */
/* This module has gnuplot, a program of its own, draw a picture: axes and fonts are not ours (docs/decisions.md). */
#ifndef GENAIR_ANALYZE_PICTURE_H
#define GENAIR_ANALYZE_PICTURE_H

#include "base/context.h"
#include "base/files.h"

struct picture {
    char *directory, *name, *script_path;
    struct writer *script; /* the caller puts data and plot commands here */
};

/* Whether gnuplot is there and runs. */
bool pictures_possible(void);
/* Begins a script with colours and borders in place: line style 1 is grey, 2 orange, 3 blue, 4 green; all of
 * them points of a half size. name: letters, digits, dots and dashes. */
CHECKED genair_code picture_open(const char *directory, const char *name, struct picture *out, genair_status *st);
/* Runs the script twice: DIRECTORY/NAME.png and NAME.svg, of that many pixels. *drawn is false, and the reason
 * is told as a warning, when gnuplot fails. Frees p in any case. */
CHECKED genair_code picture_draw(genair_context *ctx, struct picture *p, int width, int height, bool *drawn,
                                 genair_status *st);
void picture_abandon(struct picture *p); /* {0} is fine */

#endif
