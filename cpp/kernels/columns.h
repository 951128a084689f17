// A whole pass, forward and backward, with samples as columns: lanes run over samples.
//
// Rows of A and delta are neurons, and a vector holds as many samples as it has lanes: no lane is
// spent on padding a narrow layer, W is read element by element where it lies, and its transpose
// costs nothing. Only dW = A.T delta sums across lanes.
#pragma once

#include "dots.h"
#include "elementwise.h"
#include "gemm.h"
#include "losses.h"
#include "transpose.h"

namespace fastmlp {
namespace {

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

template <class T, class... E>
inline double loss_of_columns(const ColumnPass<T>& p, const ColumnLayer<T>& output, List<E...>) {
  using Loss = double (*)(const LossOf&, const T*, const T*, const T*, T, T*, int64_t, int64_t, int64_t);
  static constexpr Loss all[] = {column_loss<E, T>...};
  return all[p.loss.id](p.loss, output.A, p.Y, p.weight, p.scale, output.delta, output.n_out, p.n_targets, p.columns);
}

// MR rows of W, or of its transpose, by one vector of B's columns.
template <bool transposed, int MR, class T>
inline void multiply_vector(int64_t rows, int64_t k, const T* W, int64_t stride, bool biased, const T* B, T* C,
                            int64_t columns) {
  if constexpr (MR > 1) {
    if (rows < MR) return multiply_vector<transposed, MR - 1>(rows, k, W, stride, biased, B, C, columns);
  }
  Vector<T> sum[MR] = {};
  if (biased) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; r++) sum[r] = broadcast(W[k * stride + r]);
  }
  for (int64_t p = 0; p < k; p++) {
    const Vector<T> b = load(B + p * columns);
#pragma GCC unroll 16
    for (int r = 0; r < MR; r++) sum[r] += W[transposed ? p * stride + r : r * stride + p] * b;
  }
#pragma GCC unroll 16
  for (int r = 0; r < MR; r++) store(C + r * columns, sum[r]);
}

// C (m, columns) = W B, or W.T B, whose sums may begin with row k of W: the numbers that a product of tiles gives,
// without all that leads to its tiles, which for so few rows takes longer than the sums.
constexpr int64_t narrow_rows = 12;
template <bool transposed, class T>
inline void multiply_narrow(int64_t m, int64_t k, const T* W, int64_t stride, bool biased, const T* B, T* C,
                            int64_t columns) {
  constexpr int MR = 8;
  for (int64_t i = 0; i < m; i += MR, W += transposed ? MR : MR * stride, C += MR * columns)
    for (int64_t s = 0; s < columns; s += lanes<T>)
      multiply_vector<transposed, MR>(m - i, k, W, stride, biased, B + s, C + s, columns);
}

// A = s(W.T inputs + b), where the last row of W has the biases.
template <class T>
inline void forward_columns(const ColumnLayer<T>& layer, bool bias, const T* inputs, int64_t columns) {
  const int64_t n_in = layer.rows - bias;
  if (layer.n_out > narrow_rows) {
    multiply_and_activate_of<T>(layer.activation, Activations{})({layer.n_out,
                                                                  columns,
                                                                  n_in,
                                                                  {layer.W, layer.n_out, 0},
                                                                  true,
                                                                  {inputs, columns, 0},
                                                                  {layer.A, columns, 0},
                                                                  false,
                                                                  layer.Z,
                                                                  layer.parameter,
                                                                  bias});
    return;
  }
  multiply_narrow<true>(layer.n_out, n_in, layer.W, layer.n_out, bias, inputs, layer.A, columns);
  if (layer.Z) __builtin_memcpy(layer.Z, layer.A, size_t(layer.n_out * columns) * sizeof(T));
  if (!is_identity(layer.activation, Activations{}))
    activate_of<T>(layer.activation, Activations{})(layer.A, 1, layer.n_out * columns, 0, layer.parameter);
}

// delta = (W delta of the next layer) * s'.
template <class T>
inline void backward_columns(const ColumnLayer<T>& layer, const ColumnLayer<T>& next, T* at, int64_t columns) {
  if (layer.n_out > narrow_rows) {
    const Matrix<const T> W{next.W, next.n_out, 0}, delta{next.delta, columns, 0};
    multiply_and_differentiate_of<T>(layer.activation, Activations{})(
        {layer.n_out, columns, next.n_out, W, false, delta, {layer.delta, columns, 0}, false, at, layer.parameter});
    return;
  }
  multiply_narrow<false>(layer.n_out, next.n_out, next.W, next.n_out, false, next.delta, layer.delta, columns);
  if (!is_identity(layer.activation, Activations{}))
    differentiate_of<T>(layer.activation, Activations{})(layer.delta, at, 1, layer.n_out * columns, 0, layer.parameter);
}

template <class T>
double column_pass(const ColumnPass<T>& p) {
  const int64_t columns = p.columns;
  const T* inputs = p.X;
  for (int l = 0; l < p.n_layers; l++) {
    forward_columns(p.layers[l], p.bias, inputs, columns);
    inputs = p.layers[l].A;
  }
  const double loss = loss_of_columns(p, p.layers[p.n_layers - 1], Losses{});
  for (int l = p.n_layers - 1; l >= 0; l--) {
    const ColumnLayer<T>& layer = p.layers[l];
    T* at = layer.Z ? layer.Z : layer.A;
    if (l + 1 < p.n_layers)
      backward_columns(layer, p.layers[l + 1], at, columns);
    else if (!is_identity(layer.activation, Activations{}))
      differentiate_of<T>(layer.activation, Activations{})(layer.delta, at, layer.n_out, columns, columns,
                                                           layer.parameter);
    multiply_rows_by_rows(layer.rows, layer.n_out, columns, l > 0 ? p.layers[l - 1].A : p.X, layer.delta, layer.dW,
                          p.accumulate);
  }
  return loss;
}

}  // namespace
}  // namespace fastmlp
