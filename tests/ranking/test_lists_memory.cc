// SPDX-License-Identifier: Apache-2.0
// The n-th request of C++ for memory fails: each time it is GENAIR_MEMORY, and no exception comes out. But for one that FAISS
// makes where it cannot tell, and that lists_faiss.cc has made before.
#include "ranking/lists.h"

#include <cstdarg>
#include <cstdlib>
#include <new>

#include <csetjmp>
#include <cstddef>
#include <cstdint>
extern "C" {
#include <cmocka.h>
}

namespace {
long left; // requests until the one that fails; 0: none will
bool failed;
long vectors; // requests for one vector
constexpr std::size_t n = 300, width = 11, n_lists = 6;
} // namespace

void *operator new(std::size_t size) {
    const bool by_faiss = size == width * sizeof(float) && ++vectors > 1;
    if (!by_faiss && left > 0 && --left == 0) {
        failed = true;
        throw std::bad_alloc();
    }
    void *p = std::malloc(size ? size : 1);
    if (!p) throw std::bad_alloc();
    return p;
}

void operator delete(void *p) noexcept {
    std::free(p);
}

void operator delete(void *p, std::size_t) noexcept; /* clang has none of it unless asked */
void operator delete(void *p, std::size_t) noexcept {
    std::free(p);
}

namespace {

genair_code make(const float *x, genair_status *st) {
    float centres[n_lists * width];
    std::uint32_t list[n];
    const genair_code code = lists_train(x, n, width, n_lists, 1, centres, st);
    return code == GENAIR_OK ? lists_assign(centres, n_lists, width, x, n, list, st) : code;
}

void every_failure_is_told(void **) {
    static float x[n * width];
    for (std::size_t i = 0; i < n * width; i++) x[i] = (i / width) % width == i % width ? 1.0F : 0.01F * static_cast<float>(i % 7);
    int told = 0;
    for (long at = 1;; at++) {
        genair_status st = {};
        failed = false;
        vectors = 0;
        left = at;
        const genair_code code = make(x, &st);
        left = 0;
        if (!failed) {
            assert_int_equal(code, GENAIR_OK);
            assert_int_equal(vectors, 11); // ours and one a round
            break;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        assert_int_equal(st.code, GENAIR_MEMORY);
        told++;
    }
    assert_true(told > 10);
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_failure_is_told)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
