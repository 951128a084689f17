// The transpose of a matrix, by square tiles of one vector's width held in registers.
#pragma once

#include "kernels.h"
#include "simd.h"

namespace fastmlp {
namespace {

// put(i, row i of the transpose), for the rows from `first` on that a tile's n vectors make up: those that begin with
// even lanes, and those that begin with odd ones, by themselves.
template <int n, class T, class Put>
inline __attribute__((always_inline)) void transpose_vectors(const Vector<T> (&v)[n], int first, const Put& put) {
  if constexpr (n == 1) {
    put(first, v[0]);
  } else {
    Vector<T> even[n / 2], odd[n / 2];
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; i++) {
      even[i] = every_other<0, n, T>(v[2 * i], v[2 * i + 1]);
      odd[i] = every_other<1, n, T>(v[2 * i], v[2 * i + 1]);
    }
    transpose_vectors<n / 2, T>(even, first, put);
    transpose_vectors<n / 2, T>(odd, first + int(lanes<T>) / n, put);
  }
}

// One tile, whose first m rows and n columns are there, or all.
template <bool whole, class T>
inline void transpose_tile(const T* from, int64_t from_stride, int64_t m, int64_t n, T* to, int64_t to_stride) {
  constexpr int L = int(lanes<T>);
  Vector<T> tile[L];
#pragma GCC unroll 16
  for (int r = 0; r < L; r++) tile[r] = whole || r < m ? load(from + r * from_stride) : Vector<T>{};
  transpose_vectors<L, T>(tile, 0, [&](int r, Vector<T> row) {
    if (whole || r < n) store(to + r * to_stride, row);
  });
}

// to (n, m) = from (m, n) transposed; the rest of the last vector of each row of `to` is zero.
template <class T>
void transpose(const T* from, int64_t from_stride, int64_t m, int64_t n, T* to, int64_t to_stride) {
  constexpr int L = int(lanes<T>);
  for (int64_t i = 0; i < m; i += L)
    for (int64_t j = 0; j < n; j += L) {
      const bool whole = i + L <= m && j + L <= n;
      const auto transpose_one = whole ? transpose_tile<true, T> : transpose_tile<false, T>;
      transpose_one(from + i * from_stride + j, from_stride, m - i, n - j, to + j * to_stride + i, to_stride);
    }
}

}  // namespace
}  // namespace fastmlp
