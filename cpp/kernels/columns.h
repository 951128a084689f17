// A whole pass, forward and backward, with samples as columns: lanes run over samples.
//
// Rows of A and delta are neurons, and a vector holds as many samples as it has lanes: no lane is
// spent on padding a narrow layer, W is read element by element where it lies, and its transpose
// costs nothing. Only dW = A.T delta sums across lanes.
#pragma once

#include "elementwise.h"
#include "gemm.h"
#include "losses.h"
#include "transpose.h"

namespace fastmlp {
namespace {

// Products of rows by rows: tiles of a few rows of B, by as many rows of A as there are registers for sums.
constexpr int dot_columns = 4, most_dot_rows = 8, dot_sums = FASTMLP_VECTOR_REGISTERS >= 32 ? 16 : 8;
constexpr int dot_rows(int columns) { return dot_sums / columns < most_dot_rows ? dot_sums / columns : most_dot_rows; }

// The even (odd = 0) or odd ones of the pieces of v and then of w, which lie in blocks that shuffle by themselves.
template <int odd, int piece, int block, class V, int... i>
inline V every_other(V v, V w, Indices<i...>) {
  constexpr int L = int(sizeof...(i)), half = block / 2;
  return __builtin_shufflevector(
      v, w, (i % block < half ? 0 : L) + i / block * block + i % half / piece * 2 * piece + odd * piece + i % piece...);
}

// Lane i of the result is the sum of the lanes of v[i]: neighbours are added, first those in the same 16 bytes, in
// which a shuffle is cheap, then such pieces of 16 bytes.
template <int n, class T>
inline Vector<T> sums_of_lanes(const Vector<T> (&v)[n]) {
  if constexpr (n == 1) {
    return v[0];
  } else {
    constexpr int L = int(lanes<T>), short_block = 16 / int(sizeof(T));
    constexpr int piece = n * short_block > L ? 1 : short_block, block = piece == 1 ? short_block : L;
    Vector<T> w[n / 2];
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; i++)
      w[i] = every_other<0, piece, block>(v[2 * i], v[2 * i + 1], FirstIndices<L>{}) +
             every_other<1, piece, block>(v[2 * i], v[2 * i + 1], FirstIndices<L>{});
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

// Rows of A by one vector, as many at a time as a vector has lanes; the last ones are the last row over and over.
template <class T>
void multiply_by_vector(int64_t m, int64_t k, const T* a, int64_t a_stride, const T* w, T* y, int64_t y_stride) {
  constexpr int L = int(lanes<T>);
  for (int64_t i = 0; i < m; i += L) {
    Vector<T> sum[L] = {};
    const T* rows[L];
#pragma GCC unroll 16
    for (int r = 0; r < L; r++) rows[r] = a + (i + r < m ? i + r : m - 1) * a_stride;
    int64_t p = 0;
    for (; p + L <= k; p += L) {
      const Vector<T> part = load(w + p);
#pragma GCC unroll 16
      for (int r = 0; r < L; r++) sum[r] += load(rows[r] + p) * part;
    }
    if (p < k) {
      const Vector<T> part = first_lanes<T>(load(w + p), k - p);
#pragma GCC unroll 16
      for (int r = 0; r < L; r++) sum[r] += first_lanes<T>(load(rows[r] + p), k - p) * part;
    }
    const Vector<T> result = sums_of_lanes<L, T>(sum);
    for (int64_t r = 0; r < L && i + r < m; r++) y[(i + r) * y_stride] = result[r];
  }
}

template <class T, class... S>
inline Multiply<T> multiply_and_activate_of(int activation, List<S...>) {
  static constexpr Multiply<T> all[] = {multiply_and_activate<S, T>...};
  return all[activation];
}

template <class T, class... S>
inline Multiply<T> multiply_and_differentiate_of(int activation, List<S...>) {
  static constexpr Multiply<T> all[] = {multiply_and_differentiate<S, T>...};
  return all[activation];
}

template <class T, class... S>
inline Activate<T> activate_of(int activation, List<S...>) {
  static constexpr Activate<T> all[] = {activate<S, T>...};
  return all[activation];
}

template <class T, class... S>
inline Differentiate<T> differentiate_of(int activation, List<S...>) {
  static constexpr Differentiate<T> all[] = {differentiate<S, T>...};
  return all[activation];
}

template <class... S>
inline bool is_identity(int activation, List<S...>) {
  static constexpr bool all[] = {S::is_identity...};
  return all[activation];
}

template <class T, class... E>
inline double loss_of_columns(const ColumnPass<T>& p, const ColumnLayer<T>& output, List<E...>) {
  using Loss = double (*)(const LossOf&, const T*, const T*, const T*, T, T*, int64_t, int64_t, int64_t);
  static constexpr Loss all[] = {column_loss<E, T>...};
  return all[p.loss.id](p.loss, output.A, p.Y, p.weight, p.scale, output.delta, output.n_out, p.n_targets, p.columns);
}

template <class T>
double column_pass(const ColumnPass<T>& p) {
  const int64_t columns = p.columns;
  const T* inputs = p.X;
  for (int l = 0; l < p.n_layers; l++) {
    const ColumnLayer<T>& layer = p.layers[l];
    const Multiply<T> multiply_and_activate = multiply_and_activate_of<T>(layer.activation, Activations{});
    multiply_and_activate({layer.n_out,
                           columns,
                           layer.rows,
                           {layer.W, layer.n_out, 0},
                           true,
                           {inputs, columns, 0},
                           {layer.A, columns, 0},
                           false,
                           layer.Z,
                           layer.parameter});
    inputs = layer.A;
  }
  const double loss = loss_of_columns(p, p.layers[p.n_layers - 1], Losses{});
  for (int l = p.n_layers - 1; l >= 0; l--) {
    const ColumnLayer<T>& layer = p.layers[l];
    T* at = layer.Z ? layer.Z : layer.A;
    if (l + 1 < p.n_layers) {
      const ColumnLayer<T>& next = p.layers[l + 1];
      const Matrix<const T> W{next.W, next.n_out, 0}, delta{next.delta, columns, 0};
      multiply_and_differentiate_of<T>(layer.activation, Activations{})(
          {layer.n_out, columns, next.n_out, W, false, delta, {layer.delta, columns, 0}, false, at, layer.parameter});
    } else if (!is_identity(layer.activation, Activations{})) {
      differentiate_of<T>(layer.activation, Activations{})(layer.delta, at, layer.n_out, columns, columns,
                                                           layer.parameter);
    }
    multiply_rows_by_rows(layer.rows, layer.n_out, columns, l > 0 ? p.layers[l - 1].A : p.X, layer.delta, layer.dW,
                          p.accumulate);
  }
  return loss;
}

}  // namespace
}  // namespace fastmlp
