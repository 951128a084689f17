// The product of two matrices, by register-blocked tiles.
//
// A tile is MR rows by NV vectors of C, held in registers while k runs: each step multiplies MR
// broadcast elements of A with NV vectors of B. Every element adds its products in the order of k,
// in full tiles and in the rests alike.
#pragma once

#include "kernels.h"
#include "simd.h"

namespace fastmlp {
namespace {

// Rows by vectors that fill the registers: 32 of them in AVX-512 and Neon, 16 elsewhere.
#if FASTMLP_VECTOR_REGISTERS >= 32
constexpr int64_t tile_rows = 14;
#else
constexpr int64_t tile_rows = 6;
#endif
constexpr int64_t tile_vectors = 2;

template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t a_row, a_column;
  const T* b;
  int64_t b_row;
  T* c;
  int64_t c_row;
  bool accumulate;
  Activate<T> activate;
  Differentiate<T> differentiate;
  const T* activated;
};

template <int MR, int NV, class T>
inline __attribute__((always_inline)) void multiply_tile(const Tile<T>& t) {
  constexpr int64_t L = lanes<T>;
  Vector<T> sum[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 16
    for (int j = 0; j < NV; j++) sum[i][j] = t.accumulate ? load(t.c + i * t.c_row + j * L) : Vector<T>{};
  const T* a = t.a;
  const T* b = t.b;
  const int64_t a_row = t.a_row, a_column = t.a_column, b_row = t.b_row;
  for (int64_t p = 0; p < t.k; p++, a += a_column, b += b_row) {
    Vector<T> row[NV];
#pragma GCC unroll 16
    for (int j = 0; j < NV; j++) row[j] = load(b + j * L);
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++) {
      Vector<T> factor = broadcast(a[i * a_row]);
#pragma GCC unroll 16
      for (int j = 0; j < NV; j++) sum[i][j] += factor * row[j];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 16
    for (int j = 0; j < NV; j++) store(t.c + i * t.c_row + j * L, sum[i][j]);
}

template <int MR, int NV, class T>
inline __attribute__((always_inline)) void multiply_rows(int64_t rows, const Tile<T>& t) {
  if constexpr (MR > 1) {
    if (rows < MR) return multiply_rows<MR - 1, NV>(rows, t);
  }
  multiply_tile<MR, NV>(t);
}

// One panel of columns: its rows are cut into tiles of nearly one height, so that none is a sliver.
template <int NV, class T>
inline __attribute__((always_inline)) void multiply_panel(int64_t m, Tile<T> t) {
  const int64_t blocks = (m + tile_rows - 1) / tile_rows;
  const T* const c = t.c;
  for (int64_t block = 0, done = 0; block < blocks; block++) {
    int64_t rows = (m - done) / (blocks - block);
    multiply_rows<int(tile_rows), NV>(rows, t);
    if (t.activate) t.activate(t.c, rows, NV * lanes<T>, t.c_row);
    if (t.differentiate) t.differentiate(t.c, t.activated + (t.c - c), rows, NV * lanes<T>, t.c_row);
    t.a += rows * t.a_row;
    t.c += rows * t.c_row;
    done += rows;
  }
}

// Where columns j.. of a matrix begin, and the stride of their rows; `width` is their panel's.
template <class T>
inline T* columns(const Matrix<T>& x, int64_t j, int64_t width, int64_t& stride) {
  stride = x.stride ? x.stride : width;
  return x.data + j * (x.panel_rows ? x.panel_rows : 1);
}

// The rows of C, which where A is transposed and in panels are those of one panel after the other.
template <int NV, class T>
inline __attribute__((always_inline)) void multiply_columns(const Product<T>& p, Tile<T> t) {
  const int64_t rows = p.a.panel_rows ? p.a.stride : p.m;
  const T* a = t.a;
  T* c = t.c;
  for (int64_t i = 0; i < p.m; i += rows) {
    t.a = a + i * p.a.panel_rows;
    t.c = c + i * t.c_row;
    multiply_panel<NV>(p.m - i < rows ? p.m - i : rows, t);
  }
}

template <class T>
void multiply(const Product<T>& p) {
  constexpr int64_t L = lanes<T>, panel = tile_vectors * L;
  Tile<T> t{p.k, p.a.data, p.a.stride, 1, nullptr, 0, nullptr, 0, p.accumulate, p.activate, p.differentiate, nullptr};
  if (p.transposed) {
    t.a_row = 1;
    t.a_column = p.a.stride;
  }
  for (int64_t j = 0; j < p.n; j += panel) {
    const int64_t width = p.n - j > L ? panel : L;
    t.b = columns(p.b, j, width, t.b_row);
    t.c = columns(p.c, j, width, t.c_row);
    if (p.differentiate) t.activated = p.activated + j;
    if (width == panel)
      multiply_columns<tile_vectors>(p, t);
    else
      multiply_columns<1>(p, t);
  }
}

template <class T>
void lay_in_panels(const T* from, int64_t from_stride, int64_t m, int64_t n, T* to, int64_t panel_rows) {
  constexpr int64_t L = lanes<T>, panel = tile_vectors * L;
  for (int64_t j = 0; j < n; j += panel)
    for (int64_t i = 0; i < m; i++) {
      const T* row = from + i * from_stride + j;
      T* copy = to + j * panel_rows + i * panel;
      for (int64_t v = 0; v < panel && j + v < n; v += L) store(copy + v, load(row + v));
    }
}

template <class T>
int64_t spin(int64_t rounds) {
  constexpr int n = int(tile_rows * tile_vectors);
  Vector<T> sum[n];
  for (int j = 0; j < n; j++) sum[j] = broadcast(T(j));
  const Vector<T> half = broadcast(T(0.5));
  for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 32
    for (int j = 0; j < n; j++) sum[j] = sum[j] * half + half;
  }
  Vector<T> total = {};
  for (int j = 0; j < n; j++) total += sum[j];
  return total[0] < 0 ? 0 : rounds * n * lanes<T>;
}

}  // namespace
}  // namespace fastmlp
