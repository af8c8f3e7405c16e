/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

#include <math.h>

/* Without a gradient m shrinks by beta1 and sqrt(v) by sqrt(beta2), so a step does by beta1 / sqrt(beta2) as rate and bias
 * have it; epsilon only helps. MARGIN is far above what rounding and dust in v can do. */
bool adam_shrinks(const struct adam_step *before, const struct adam_step *now) {
    static const float MARGIN = 0.999f, LEAST_EPSILON = 1e-12f;
    return now->decay == 0 && now->beta1 == before->beta1 && now->beta2 == before->beta2 &&
           now->epsilon >= LEAST_EPSILON && now->epsilon >= before->epsilon &&
           now->rate * now->root_bias * now->beta1 <= MARGIN * before->rate * before->root_bias * sqrtf(now->beta2);
}
