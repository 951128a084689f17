// Products of rows by rows, A B.T: lanes run along both, and are summed up in the end.
#pragma once

#include "gemm.h"
#include "kernels.h"
#include "simd.h"

namespace fastmlp {
namespace {

// Tiles of a few rows of B, by as many rows of A as there are registers for sums. Of 16, 12 leave too few for the rows
// of B, one of which is read from the cache each time: 2 % of a step of narrow layers less than with 8 sums.
constexpr int dot_columns = 4, most_dot_rows = 8, dot_sums = FASTMLP_VECTOR_REGISTERS >= 32 ? 16 : 12;
constexpr int dot_rows(int columns) { return dot_sums / columns < most_dot_rows ? dot_sums / columns : most_dot_rows; }

// Lane i of the result is the sum of the lanes of v[i]: neighbours are added. Always inlined, since v is in registers.
template <int n, class T>
inline __attribute__((always_inline)) Vector<T> sums_of_lanes(const Vector<T> (&v)[n]) {
  if constexpr (n == 1) {
    return v[0];
  } else {
    Vector<T> w[n / 2];
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; i++)
      w[i] = every_other<0, n, T>(v[2 * i], v[2 * i + 1]) + every_other<1, n, T>(v[2 * i], v[2 * i + 1]);
    return sums_of_lanes<n / 2, T>(w);
  }
}

// A tile of MR rows of A by MC rows of B, added up over k columns; C has row stride n.
template <int MR, int MC, class T>
inline void dot_tile(int64_t k, const T* A, const T* B, T* C, int64_t n, bool accumulate) {
  constexpr int L = int(lanes<T>), groups = (MR * MC + L - 1) / L;
  Vector<T> sum[groups][L] = {};
  for (int64_t p = 0; p < k; p += L) {
    Vector<T> column[MC];
#pragma GCC unroll 16
    for (int c = 0; c < MC; c++) column[c] = load(B + c * k + p);
#pragma GCC unroll 16
    for (int r = 0; r < MR; r++) {
      const Vector<T> row = load(A + r * k + p);
#pragma GCC unroll 16
      for (int c = 0; c < MC; c++) sum[(r * MC + c) / L][(r * MC + c) % L] += row * column[c];
    }
  }
  T results[groups * L];
#pragma GCC unroll 16
  for (int g = 0; g < groups; g++) store(results + g * L, sums_of_lanes<L, T>(sum[g]));
  if (accumulate)
    for (int r = 0; r < MR; r++)
      for (int c = 0; c < MC; c++) results[r * MC + c] += C[r * n + c];
  if (n == MC) {
    __builtin_memcpy(C, results, MR * MC * sizeof(T));
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < MR; r++) __builtin_memcpy(C + r * n, results + r * MC, MC * sizeof(T));
}

template <int MR, int MC, class T>
inline void dot_rows_of(int64_t rows, int64_t k, const T* A, const T* B, T* C, int64_t n, bool accumulate) {
  if constexpr (MR > 1) {
    if (rows < MR) return dot_rows_of<MR - 1, MC>(rows, k, A, B, C, n, accumulate);
  }
  dot_tile<MR, MC>(k, A, B, C, n, accumulate);
}

template <int MC, class T>
inline void dot_columns_of(int64_t columns, int64_t m, int64_t k, const T* A, const T* B, T* C, int64_t n,
                           bool accumulate) {
  if constexpr (MC > 1) {
    if (columns < MC) return dot_columns_of<MC - 1>(columns, m, k, A, B, C, n, accumulate);
  }
  constexpr int MR = dot_rows(MC);
  for (int64_t i = 0; i < m; i += MR) dot_rows_of<MR, MC>(m - i, k, A + i * k, B, C + i * n, n, accumulate);
}

// C (m, n) = A B.T, or C += A B.T, with A (m, k) and B (n, k) of row stride k, k whole vectors; C is dense.
template <class T>
void multiply_rows_by_rows(int64_t m, int64_t n, int64_t k, const T* A, const T* B, T* C, bool accumulate) {
  for (int64_t j = 0; j < n; j += dot_columns)
    dot_columns_of<dot_columns>(n - j, m, k, A, B + j * k, C + j, n, accumulate);
}

// Where a tile finds rows that lie in panels.
template <class T>
struct PanelRows {
  int64_t k;
  const T* a;
  int64_t a_row, a_panel;  // from a row, and from a panel, to the next
  const T* b;              // its first panel; each has rows as wide as its columns, in whole vectors
  int64_t b_first, b_panel;
  T* c;
  int64_t c_row;
};

template <int MR, int MC, class T>
inline void dot_panels(PanelRows<T> t) {
  constexpr int L = int(lanes<T>), panel = int(tile_vectors) * L, groups = (MR * MC + L - 1) / L;
  Vector<T> sum[groups][L] = {};
  for (; t.k > 0; t.k -= panel, t.a += t.a_panel, t.b += t.b_panel) {
    const int64_t width = t.k > L ? panel : L;
    const T* b = t.b + t.b_first * width;
    for (int64_t p = 0; p < width; p += L) {
      Vector<T> column[MC];
#pragma GCC unroll 16
      for (int c = 0; c < MC; c++) column[c] = load(b + c * width + p);
#pragma GCC unroll 16
      for (int r = 0; r < MR; r++) {
        const Vector<T> row = load(t.a + r * t.a_row + p);
#pragma GCC unroll 16
        for (int c = 0; c < MC; c++) sum[(r * MC + c) / L][(r * MC + c) % L] += row * column[c];
      }
    }
  }
  T results[groups * L];
#pragma GCC unroll 16
  for (int g = 0; g < groups; g++) store(results + g * L, sums_of_lanes<L, T>(sum[g]));
#pragma GCC unroll 16
  for (int r = 0; r < MR; r++) __builtin_memcpy(t.c + r * t.c_row, results + r * MC, MC * sizeof(T));
}

template <int MR, int MC, class T>
inline void dot_panels_of(int64_t rows, const PanelRows<T>& t) {
  if constexpr (MR > 1) {
    if (rows < MR) return dot_panels_of<MR - 1, MC>(rows, t);
  }
  dot_panels<MR, MC>(t);
}

template <int MC, class T>
inline void dot_panel_columns(int64_t columns, int64_t m, PanelRows<T> t) {
  if constexpr (MC > 1) {
    if (columns < MC) return dot_panel_columns<MC - 1>(columns, m, t);
  }
  constexpr int MR = dot_rows(MC);
  for (; m > 0; m -= MR, t.a += MR * t.a_row, t.c += MR * t.c_row) dot_panels_of<MR, MC>(m, t);
}

template <class T>
void multiply_by_transposed(int64_t m, int64_t n, int64_t k, const Matrix<const T>& a, const Matrix<const T>& b,
                            const Matrix<T>& c) {
  constexpr int64_t L = lanes<T>, panel = tile_vectors * L;
  PanelRows<T> t{k,       a.data,  a.stride, panel * (a.panel_rows ? a.panel_rows : 1), b.data, 0, panel * b.panel_rows,
                 nullptr, c.stride};
  const auto column = [&](int64_t j) {
    return c.data + (c.panel_rows ? j / panel * panel * c.panel_rows + j % panel : j);
  };
  for (; t.b_first < n; t.b_first += dot_columns) {
    t.c = column(t.b_first);
    dot_panel_columns<dot_columns>(n - t.b_first, m, t);
  }
  for (int64_t j = n; j % L != 0; j++)
    for (int64_t i = 0; i < m; i++) column(j)[i * c.stride] = 0;
}

}  // namespace
}  // namespace fastmlp
