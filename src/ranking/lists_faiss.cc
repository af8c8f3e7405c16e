// SPDX-License-Identifier: Apache-2.0
// The only C++ of the project: Debian's FAISS has no symbols for C.
#include "ranking/lists.h"

#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <new>
#include <vector>

extern "C" { // of libgomp, which FAISS was built with: clang has no omp.h of its own
int omp_get_max_threads(void);
void omp_set_num_threads(int);
}

namespace {

constexpr int rounds = 10;                 // of k-means; recall does not grow with more
constexpr std::size_t assigned_once = 4096; // what FAISS's product of matrices takes at once

// FAISS uses the calling thread alone: a sum over threads would depend on their number.
class OneThread {
  public:
    OneThread() : before(omp_get_max_threads()) { omp_set_num_threads(1); }
    ~OneThread() { omp_set_num_threads(before); }
    OneThread(const OneThread &) = delete;
    OneThread &operator=(const OneThread &) = delete;

  private:
    int before;
};

template <typename Work> genair_code guarded(genair_status *st, Work work) noexcept {
    try {
        const OneThread one;
        work();
        return GENAIR_OK;
    } catch (const std::bad_alloc &) {
        return fail_memory(st);
    } catch (const std::exception &e) {
        return fail(st, GENAIR_INTERNAL, "FAISS: %s", e.what());
    } catch (...) {
        return fail(st, GENAIR_INTERNAL, "FAISS failed and does not say why");
    }
}

} // namespace

genair_code lists_require(genair_status *) {
    return GENAIR_OK;
}

genair_code lists_train(const float *x, size_t n, size_t width, size_t n_lists, uint64_t seed, float *centres,
                        genair_status *st) {
    return guarded(st, [=] {
        // What FAISS asks for in each round of k-means, inside a parallel region, which no exception may leave: the
        // process would end. Asked for here first, where a refusal can be told; freed, it is there for FAISS. By the
        // functions' names: a vector that nobody reads may be left out by the compiler.
        ::operator delete(::operator new(width * sizeof(float)));
        faiss::ClusteringParameters parameters;
        parameters.niter = rounds;
        parameters.spherical = true;
        parameters.seed = static_cast<int>(seed % static_cast<uint64_t>(std::numeric_limits<int>::max()));
        parameters.min_points_per_centroid = 1; // or it warns on standard error
        parameters.max_points_per_centroid = std::numeric_limits<int>::max(); // x is a sample already
        const auto d = static_cast<int>(width);
        faiss::Clustering clustering(d, static_cast<int>(n_lists), parameters);
        faiss::IndexFlatIP nearest(d);
        clustering.train(static_cast<faiss::Index::idx_t>(n), x, nearest);
        std::copy(clustering.centroids.begin(), clustering.centroids.end(), centres);
    });
}

genair_code lists_assign(const float *centres, size_t n_lists, size_t width, const float *x, size_t n, uint32_t *list,
                         genair_status *st) {
    return guarded(st, [=] {
        faiss::IndexFlatIP nearest(static_cast<faiss::Index::idx_t>(width));
        std::vector<faiss::Index::idx_t> found(std::min(n, assigned_once));
        std::vector<float> product(found.size());
        nearest.add(static_cast<faiss::Index::idx_t>(n_lists), centres);
        for (size_t first = 0; first < n; first += assigned_once) {
            const size_t m = std::min(n - first, assigned_once);
            nearest.search(static_cast<faiss::Index::idx_t>(m), x + first * width, 1, product.data(), found.data());
            // none is found for what is no number; the caller has seen to it, and a number must come out all the same
            std::transform(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(m), list + first,
                           [](faiss::Index::idx_t i) { return static_cast<uint32_t>(std::max<faiss::Index::idx_t>(i, 0)); });
        }
    });
}
