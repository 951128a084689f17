// The product of two matrices, by register-blocked tiles.
//
// A tile is MR rows by NV vectors of C, held in registers while k runs: each step multiplies MR
// broadcast elements of A with NV vectors of B. Every element begins with its bias and adds its products in the order
// of k, in full tiles and in the rests alike. What follows a product is done to each tile: in registers where an activation
// says that it is short, otherwise by a pass over the tile while it is in the first-level cache.
#pragma once

#include "elementwise.h"
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
constexpr int64_t tile_vectors = 2, rows_of_a_pass = 64;

template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t a_row, a_column;
  int64_t a_run, a_jump;  // columns of A until the next panel, and how far on that is from there
  const T* b;
  int64_t b_row;
  bool row_biases, column_biases;  // sums begin with row k of B, with column k of A
  T* c;
  int64_t c_row;
  T* beside;
  T parameter;
  const T* const* wanted;  // null: nothing
  const char* ahead;
  int64_t ahead_bytes;
  void (*pass)(T* c, T* beside, int64_t rows, int64_t n, int64_t stride, T parameter);
};

// What becomes of a tile: `finish` of each vector in registers, `pass` over the tile in memory.
struct Plain {
  static constexpr bool fetches = false, panels = false, biases = true;
  template <class T>
  static Vector<T> finish(Vector<T> sum, const T*, T) {
    return sum;
  }
  template <class T>
  static void pass(const Tile<T>&, int64_t, int64_t) {}
};

// C += A B: what is beside C is C itself.
struct Adding : Plain {
  static constexpr bool biases = false;
  template <class T>
  static Vector<T> finish(Vector<T> sum, const T* at, T) {
    return sum + load(at);
  }
};

// The same as F, and asks for the lines of what comes next, a few with each column of A: more at a time would hold up
// what the products read.
template <class F>
struct Fetching : F {
  static constexpr bool fetches = true;
};

// The same as F, where A is in panels and not transposed.
template <class F>
struct OfPanels : F {
  static constexpr bool panels = true;
};

template <class S>
struct ActivatedInRegisters : Plain {
  template <class T>
  static Vector<T> finish(Vector<T> sum, const T*, T parameter) {
    return value_of<S>(sum, parameter);
  }
};

template <class S>
struct DifferentiatedInRegisters : Plain {
  static constexpr bool biases = false;
  template <class T>
  static Vector<T> finish(Vector<T> sum, const T* at, T parameter) {
    return sum * derivative_of<S>(load(at), parameter);
  }
};

// Called through pointers, so that there is one kernel for all of them.
template <class T>
using Pass = void (*)(T* c, T* beside, int64_t rows, int64_t n, int64_t stride, T parameter);

template <class S, class T>
void activate_tile(T* c, T* beside, int64_t rows, int64_t n, int64_t stride, T parameter) {
  if (S::needs_z && beside != c)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < n; j += lanes<T>) store(beside + i * stride + j, load(c + i * stride + j));
  activate<S>(c, rows, n, stride, parameter);
}

template <class S, class T>
void differentiate_tile(T* c, T* beside, int64_t rows, int64_t n, int64_t stride, T parameter) {
  differentiate<S>(c, beside, rows, n, stride, parameter);
}

struct Passed : Plain {
  template <class T>
  static void pass(const Tile<T>& t, int64_t rows, int64_t n) {
    t.pass(t.c, t.beside, rows, n, t.c_row, t.parameter);
  }
};

// Not inlined: the compiler would keep what its caller needs in vector registers, and there it waits for the products.
template <class F, int MR, int NV, class T>
__attribute__((noinline)) void multiply_tile(const Tile<T>& t) {
  constexpr int64_t L = lanes<T>;
  Vector<T> sum[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 16
    for (int j = 0; j < NV; j++) sum[i][j] = Vector<T>{};
  if (F::biases && t.row_biases) {
    const T* biases = t.b + t.k * t.b_row;
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 16
      for (int j = 0; j < NV; j++) sum[i][j] = load(biases + j * L);
  } else if (F::biases && t.column_biases) {
    const T* biases = t.a + t.k * t.a_column;
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 16
      for (int j = 0; j < NV; j++) sum[i][j] = broadcast(biases[i * t.a_row]);
  }
  // A pointer to every fifth row, whose next ones are multiples of a row away: a register for each row is more than
  // there are. The compiler would put them together again, if it knew how they hang together.
  constexpr int rows = 5, pointers = (MR + rows - 1) / rows;
  const T* a[pointers];
#pragma GCC unroll 16
  for (int g = 0; g < pointers; g++) {
    a[g] = t.a + g * rows * t.a_row;
    asm("" : "+r"(a[g]));
  }
  const T* b = t.b;
  const int64_t a_row = t.a_row, a_column = t.a_column, b_row = t.b_row;
  [[maybe_unused]] int64_t fetched = 0, fetched_end = t.wanted ? MR * NV * L : 0, ahead = 0;
  for (int64_t left = t.k;;) {
    int64_t run = F::panels && t.a_run < left ? t.a_run : left;
    left -= run;
    do {
      if constexpr (F::fetches) {
        if (fetched < fetched_end) {
#pragma GCC unroll 16
          for (int w = 0; w < max_wanted; w++) fetch_to_write(t.wanted[w] + fetched);
          fetched += line_bytes / int64_t(sizeof(T));
        }
        if (ahead < t.ahead_bytes) {
          __builtin_prefetch(t.ahead + ahead, 0, 2);
          ahead += line_bytes;
        }
      }
      Vector<T> row[NV];
#pragma GCC unroll 16
      for (int j = 0; j < NV; j++) row[j] = load(b + j * L);
#pragma GCC unroll 16
      for (int i = 0; i < MR; i++) {
        Vector<T> factor = broadcast(a[i / rows][i % rows * a_row]);
#pragma GCC unroll 16
        for (int j = 0; j < NV; j++) sum[i][j] += factor * row[j];
      }
#pragma GCC unroll 16
      for (int g = 0; g < pointers; g++) a[g] += a_column;
      b += b_row;
    } while (--run > 0);
    if (!F::panels || left == 0) break;
#pragma GCC unroll 16
    for (int g = 0; g < pointers; g++) a[g] += t.a_jump;
  }
  T* c = t.c;
  const T* beside = t.beside;
  const int64_t c_row = t.c_row;
  const T parameter = t.parameter;
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++) {
#pragma GCC unroll 16
    for (int j = 0; j < NV; j++) store(c + j * L, F::template finish<T>(sum[i][j], beside + j * L, parameter));
    c += c_row;
    beside += c_row;
  }
}

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

template <class F, class T>
void multiply_tiles(const Product<T>& p, Pass<T> pass) {
  constexpr int64_t L = lanes<T>, panel = tile_vectors * L;
  T* beside = p.beside ? p.beside : p.c.data;  // only those that need it use it
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
  for (int64_t j = 0; j < p.n; j += panel) {
    const int64_t width = p.n - j > L ? panel : L;
    t.b = columns(p.b, j, width, t.b_row);
    t.c = columns(p.c, j, width, t.c_row);
    t.beside = beside + (t.c - p.c.data);
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
