// The transpose of a matrix, by square tiles of one vector's width held in registers.
#pragma once

#include "kernels.h"
#include "simd.h"

namespace fastmlp {
namespace {

// The lower (half 0) or upper (half 1) halves of a and b, element by element in turn.
template <int half, class V, int... i>
inline V interleave(V a, V b, Indices<i...>) {
  constexpr int n = sizeof...(i);
  return __builtin_shufflevector(a, b, (half * n / 2 + i / 2 + (i % 2) * n)...);
}

// log2(n) perfect shuffles of the rows transpose a tile of n by n.
template <int rounds, class T>
inline void transpose_tile(Vector<T> (&v)[lanes<T>]) {
  if constexpr (rounds > 0) {
    constexpr int n = int(lanes<T>);
    Vector<T> w[n];
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; i++) {
      w[2 * i] = interleave<0>(v[i], v[i + n / 2], FirstIndices<n>{});
      w[2 * i + 1] = interleave<1>(v[i], v[i + n / 2], FirstIndices<n>{});
    }
    transpose_tile<rounds - 1, T>(w);
#pragma GCC unroll 16
    for (int i = 0; i < n; i++) v[i] = w[i];
  }
}

// to (n, m) = from (m, n) transposed; the rest of the last vector of each row of `to` is zero.
template <class T>
void transpose(const T* from, int64_t from_stride, int64_t m, int64_t n, T* to, int64_t to_stride) {
  constexpr int L = int(lanes<T>), rounds = L == 2 ? 1 : L == 4 ? 2 : L == 8 ? 3 : 4;
  for (int64_t i = 0; i < m; i += L)
    for (int64_t j = 0; j < n; j += L) {
      Vector<T> tile[L];
#pragma GCC unroll 16
      for (int r = 0; r < L; r++) tile[r] = i + r < m ? load(from + (i + r) * from_stride + j) : Vector<T>{};
      transpose_tile<rounds, T>(tile);
#pragma GCC unroll 16
      for (int r = 0; r < L; r++)
        if (j + r < n) store(to + (j + r) * to_stride + i, tile[r]);
    }
}

}  // namespace
}  // namespace fastmlp
