// The product of two matrices, by register-blocked tiles: how it is cut into them.
#pragma once

#include "tile.h"

namespace fastmlp {
namespace {

// A pass waits for the tiles of so many rows: the fewer passes, the fewer of their last vectors are alone.
constexpr int64_t rows_of_a_pass = 64;

template <class F, int NV, class T, int... i>
inline void multiply_rows(int64_t rows, const Tile<T>& t, Indices<i...>) {
  static constexpr void (*of_rows[])(const Tile<T>&) = {multiply_tile<F, i + 1, NV, T>...};
  of_rows[rows - 1](t);
}

// A tile's part of what is ahead, which is then less.
template <class T>
inline void take(Ahead& ahead, Tile<T>& t) {
  t.ahead_bytes = 0;
  if (!ahead.n) return;
  const int64_t i = ahead.order ? ahead.order[ahead.first] : ahead.first, left = ahead.row_bytes - ahead.done;
  t.ahead = static_cast<const char*>(ahead.X) + i * ahead.row_bytes + ahead.done;
  const int64_t into_line = int64_t(reinterpret_cast<uintptr_t>(t.ahead) % line_bytes);
  t.ahead -= into_line;
  t.ahead_bytes = into_line + (left < ahead.piece ? left : ahead.piece);
  ahead.done += ahead.piece;
  if (ahead.done < ahead.row_bytes) return;
  ahead.done = 0;
  ahead.first++;
  ahead.n--;
}

// Rows first.. of one panel of columns, cut into tiles of nearly one height, so that none is a sliver: some are a row
// lower than the others. To divide for each would take 2 % of a step of narrow layers.
template <class F, int NV, class T>
inline __attribute__((always_inline)) void multiply_panel(const Product<T>& p, int64_t first, int64_t m, Tile<T> t,
                                                          Ahead& ahead) {
  int64_t tiles = (m + tile_rows - 1) / tile_rows, height = tile_rows, lower = tiles * tile_rows - m;
  for (; lower > tiles; lower -= tiles) height--;
  Tile<T> finished = t;
  int64_t n_finished = 0;
  for (; tiles > 0; tiles--, lower--) {
    const int64_t rows = height - (lower > 0);
    [[maybe_unused]] const T* wanted[max_wanted];
    if constexpr (F::fetches) {
      constexpr int64_t piece = tile_vectors * lanes<T>;
      for (int w = 0; p.wanted && w < max_wanted; w++)
        wanted[w] = p.wanted[w].data + first / piece * p.wanted[w].piece + first % piece * t.c_row;
      t.wanted = p.wanted ? wanted : nullptr;
      take(ahead, t);
    }
    multiply_rows<F, NV>(rows, t, FirstIndices<int(tile_rows)>{});
    t.a += rows * t.a_row;
    t.c += rows * t.c_row;
    t.beside += rows * t.c_row;
    first += rows;
    n_finished += rows;
    if (n_finished >= rows_of_a_pass || tiles == 1) {
      F::template pass<T>(finished, n_finished, NV * lanes<T>);
      finished = t;
      n_finished = 0;
    }
  }
}

// Where columns j.. of a matrix begin, and the stride of their rows; `width` is their panel's.
template <class T>
inline T* columns(const Matrix<T>& x, int64_t j, int64_t width, int64_t& stride) {
  stride = x.stride ? x.stride : width;
  return x.data + j * (x.panel_rows ? x.panel_rows : 1);
}

// The rows of C, which where A is transposed and in panels are those of one panel after the other.
template <class F, int NV, class T>
inline __attribute__((always_inline)) void multiply_columns(const Product<T>& p, Tile<T> t) {
  const int64_t rows = p.transposed && p.a.panel_rows ? p.a.stride : p.m;
  const T* a = t.a;
  T* c = t.c;
  T* beside = t.beside;
  Ahead ahead = p.ahead;
  for (int64_t i = 0; i < p.m; i += rows) {
    t.a = a + i * p.a.panel_rows;
    t.c = c + i * t.c_row;
    t.beside = beside + i * t.c_row;
    multiply_panel<F, NV>(p, i, p.m - i < rows ? p.m - i : rows, t, ahead);
  }
}

// What is beside C; only those that need it use it.
template <class T>
inline T* beside_of(const Product<T>& p) {
  return p.beside ? p.beside : p.c.data;
}

// C's only row from column j on, NV vectors at a time while there are so many: with two, as in a panel, the processor
// would wait for each sum. Returns the first column that is left.
template <class F, int NV, class T>
inline int64_t multiply_row(const Product<T>& p, Tile<T> t, int64_t j) {
  constexpr int64_t width = NV * lanes<T>;
  t.b_row = p.b.stride;
  for (; p.n - j >= width; j += width) {
    t.b = p.b.data + j;
    t.c = p.c.data + j;
    t.beside = beside_of(p) + j;
    multiply_tile<F, 1, NV>(t);
    F::template pass<T>(t, 1, width);
  }
  return j;
}

template <class F, class T>
void multiply_tiles(const Product<T>& p, Pass<T> pass) {
  constexpr int64_t L = lanes<T>, panel = tile_vectors * L;
  Tile<T> t{};
  t.k = t.a_run = p.k;
  t.a = p.a.data;
  t.a_row = p.a.stride;
  t.a_column = 1;
  t.row_biases = p.biased && !p.transposed;
  t.column_biases = p.biased && p.transposed;
  t.parameter = p.parameter;
  t.pass = pass;
  if (p.transposed) {
    t.a_row = 1;
    t.a_column = p.a.stride;
  } else if (p.a.panel_rows) {
    t.a_run = p.a.stride;
    t.a_jump = p.a.stride * (p.a.panel_rows - 1);
  }
  int64_t j = 0;
  if constexpr (!F::fetches && !F::panels) {
    if (p.m == 1 && !p.b.panel_rows && !p.c.panel_rows) j = multiply_row<F, 4>(p, t, multiply_row<F, 8>(p, t, j));
  }
  for (; j < p.n; j += panel) {
    const int64_t width = p.n - j > L ? panel : L;
    t.b = columns(p.b, j, width, t.b_row);
    t.c = columns(p.c, j, width, t.c_row);
    t.beside = beside_of(p) + (t.c - p.c.data);
    if (width == panel)
      multiply_columns<F, tile_vectors>(p, t);
    else
      multiply_columns<F, 1>(p, t);
  }
}

// Whether A is read along rows that lie in panels.
template <class T>
inline bool in_panels(const Product<T>& p) {
  return p.a.panel_rows && !p.transposed;
}

template <class T>
void multiply(const Product<T>& p) {
  if (p.accumulate)
    multiply_tiles<Fetching<Adding>, T>(p, nullptr);
  else if (p.wanted || p.ahead.n)
    multiply_tiles<Fetching<Plain>, T>(p, nullptr);
  else if (in_panels(p))
    multiply_tiles<OfPanels<Plain>, T>(p, nullptr);
  else
    multiply_tiles<Plain, T>(p, nullptr);
}

// Products of panels are long: a pass costs them next to nothing, and loops of their own for every activation would
// make up half of the code.
template <class T>
void multiply_and_pass(const Product<T>& p, Pass<T> pass) {
  if (in_panels(p))
    multiply_tiles<OfPanels<Passed>>(p, pass);
  else
    multiply_tiles<Passed>(p, pass);
}

template <class S, class T>
void multiply_and_activate(const Product<T>& p) {
  if constexpr (S::is_identity) {
    multiply(p);
  } else {
    if constexpr (S::value_is_short) {
      if (!in_panels(p)) return multiply_tiles<ActivatedInRegisters<S>, T>(p, nullptr);
    }
    multiply_and_pass(p, activate_tile<S, T>);
  }
}

template <class S, class T>
void multiply_and_differentiate(const Product<T>& p) {
  if constexpr (S::is_identity) {
    multiply(p);
  } else {
    if constexpr (S::derivative_is_short) {
      if (!in_panels(p)) return multiply_tiles<DifferentiatedInRegisters<S>, T>(p, nullptr);
    }
    multiply_and_pass(p, differentiate_tile<S, T>);
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
void copy_past_cache(int64_t m, int64_t n, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  constexpr int64_t L = lanes<T>;
  const bool aligned = reinterpret_cast<uintptr_t>(to) % sizeof(Vector<T>) == 0 && to_stride % L == 0;
  for (int64_t i = 0; i < m; i++, from += from_stride, to += to_stride)
    for (int64_t j = 0; j < n; j += L) aligned ? stream(to + j, load(from + j)) : store(to + j, load(from + j));
  fence();
}

template <class T>
int64_t spin(int64_t rounds) {
  constexpr int n = int(tile_rows * tile_vectors);
  Vector<T> sum[n];
  // None begins at 1, the fixed point: a compiler would take it out of the loop.
  for (int j = 0; j < n; j++) sum[j] = broadcast(T(j + 2));
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
