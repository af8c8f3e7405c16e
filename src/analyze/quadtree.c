/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/quadtree.h"

#include "base/alloc.h"

#include <math.h>

/* A square halved so often is as small as the rounding of its corner: what is in it is in one place. */
enum { MAX_DEPTH = 52 };

struct square {
    double x, y, half; /* middle, half of the side */
    int depth;
};

struct build {
    struct quadtree *tree;
    const double *y;
};

struct mass {
    double x, y; /* sums */
};

genair_code quadtree_create(size_t n, struct quadtree *out, genair_status *st) {
    *out = (struct quadtree){.n = n};
    if (n > UINT32_MAX / 2) return fail_memory(st);
    out->cells = mem_array(2 * n, sizeof *out->cells);
    out->order = mem_array(n, sizeof *out->order);
    return out->cells && out->order ? GENAIR_OK : fail_memory(st);
}

void quadtree_free(struct quadtree *t) {
    mem_free(t->cells);
    mem_free(t->order);
    *t = (struct quadtree){0};
}

/* Points below the middle along the axis to the front; returns the first of the others. */
static size_t divide(struct build *b, size_t first, size_t end, size_t axis, double middle) {
    uint32_t *order = b->tree->order;
    for (size_t i = first; i < end; i++) {
        if (!(b->y[2 * (size_t)order[i] + axis] < middle)) continue;
        const uint32_t swapped = order[first];
        order[first++] = order[i];
        order[i] = swapped;
    }
    return first;
}

/* border[q] .. border[q + 1] - 1 are the points of quarter q. */
static void quarter(struct build *b, size_t first, size_t end, struct square s, size_t border[5]) {
    border[0] = first;
    border[4] = end;
    border[2] = divide(b, first, end, 1, s.y);
    border[1] = divide(b, first, border[2], 0, s.x);
    border[3] = divide(b, border[2], end, 0, s.x);
}

static struct square quarter_square(struct square s, size_t q) {
    const double half = s.half / 2;
    return (struct square){s.x + (q % 2 ? half : -half), s.y + (q / 2 ? half : -half), half, s.depth + 1};
}

/* Goes down while all points are in one quarter: a cell has at least two parts, so there are few cells. */
static struct square shrink(struct build *b, size_t first, size_t end, struct square s, size_t border[5]) {
    while (s.depth < MAX_DEPTH) {
        quarter(b, first, end, s, border);
        size_t q = 0;
        while (border[q + 1] == first)
            q++;
        if (border[q + 1] != end) break;
        s = quarter_square(s, q);
    }
    return s;
}

static struct mass add_cell(struct build *b, size_t first, size_t end, struct square s) {
    struct quadtree *t = b->tree;
    struct cell *cell = &t->cells[t->n_cells++];
    struct mass sum = {0};
    size_t border[5];
    if (end - first > 1) s = shrink(b, first, end, s, border);
    if (end - first > 1 && s.depth < MAX_DEPTH) {
        for (size_t q = 0; q < 4; q++) {
            if (border[q] == border[q + 1]) continue;
            const struct mass part = add_cell(b, border[q], border[q + 1], quarter_square(s, q));
            sum.x += part.x;
            sum.y += part.y;
        }
        cell->side2 = 4 * s.half * s.half;
    } else {
        for (size_t i = first; i < end; i++) {
            sum.x += b->y[2 * (size_t)t->order[i]];
            sum.y += b->y[2 * (size_t)t->order[i] + 1];
        }
        cell->side2 = 0;
    }
    cell->count = (uint32_t)(end - first);
    cell->x = sum.x / (double)cell->count;
    cell->y = sum.y / (double)cell->count;
    cell->beyond = (uint32_t)t->n_cells;
    return sum;
}

void quadtree_build(struct quadtree *t, const double *y) {
    double low[2] = {HUGE_VAL, HUGE_VAL}, high[2] = {-HUGE_VAL, -HUGE_VAL};
    for (size_t i = 0; i < t->n; i++) {
        t->order[i] = (uint32_t)i;
        for (size_t a = 0; a < 2; a++) {
            low[a] = fmin(low[a], y[2 * i + a]);
            high[a] = fmax(high[a], y[2 * i + a]);
        }
    }
    const struct square whole = {(low[0] + high[0]) / 2, (low[1] + high[1]) / 2,
                                 fmax(high[0] - low[0], high[1] - low[1]) / 2, 0};
    struct build b = {t, y};
    t->n_cells = 0;
    add_cell(&b, 0, t->n, whole);
}

void quadtree_repulsion(const struct quadtree *t, const double at[2], double theta, double force[2], double *z) {
    const double theta2 = theta * theta;
    double fx = 0, fy = 0, sum = 0;
    for (size_t i = 0; i < t->n_cells;) {
        const struct cell *c = &t->cells[i];
        const double dx = at[0] - c->x, dy = at[1] - c->y, distance2 = dx * dx + dy * dy;
        if (c->side2 > theta2 * distance2) {
            i++;
            continue;
        }
        const double q = 1 / (1 + distance2), mass = c->count * q;
        sum += mass;
        fx += mass * q * dx;
        fy += mass * q * dy;
        i = c->beyond;
    }
    force[0] += fx;
    force[1] += fy;
    *z += sum;
}
