// Tiles of a product of two matrices, held in registers.
//
// A tile is MR rows by NV vectors of C, held in registers while k runs: each step multiplies MR
// broadcast elements of A with NV vectors of B. Every element begins with its bias and adds its products in the order
// of k, in full tiles and in the rests alike. What follows a product is done to each tile: in registers where an
// activation says that it is short, otherwise by a pass over tiles while they are in the first-level cache.
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
constexpr int64_t tile_vectors = 2;

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

}  // namespace
}  // namespace fastmlp
