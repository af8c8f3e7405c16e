/* SPDX-License-Identifier: Apache-2.0 */
/* A Hugging Face directory: config.json, generation_config.json and the index of weights, each ended by a byte that no JSON has, then
 * one file of weights, and another behind a second such byte where there is an index. Empty ones are not there. */
#include "fuzz.h"

enum { MARK = 0xFF, SECOND = 0xFE };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const texts[] = {"config.json", "generation_config.json", "model.safetensors.index.json"};
    struct bytes rest = {data, size}, part = {0};
    for (int i = 0; i < 3; i++) {
        part = bytes_until(&rest, MARK);
        scratch_put(texts[i], part.p, part.n);
    }
    const bool listed = part.n > 0;
    const struct bytes first = listed ? bytes_until(&rest, SECOND) : rest;
    scratch_put("model.safetensors", first.p, listed ? 0 : first.n);
    scratch_put("a.safetensors", first.p, listed ? first.n : 0);
    scratch_put("b.safetensors", rest.p, listed ? rest.n : 0);
    look_at_weights(scratch_directory(), size);
    return 0;
}
