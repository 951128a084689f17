// Training on single samples: every step, from the inputs to the updated parameters, without leaving
// this file.
//
// A gradient is never stored: it is the product of two vectors, a.T delta, taken row by row as W is
// updated. Rows of W are padded to whole vectors; a layer of one neuron lies across, as one row over
// its inputs.
#pragma once

#include "columns.h"
#include "losses.h"

namespace fastmlp {
namespace {

// z = [a 1] @ [W; b], in two sums so that additions overlap.
template <class T>
inline void single_forward(const SingleLayer<T>& layer, const T* a) {
  constexpr int64_t L = lanes<T>;
  if (layer.across) {
    Vector<T> sum = load(a) * load(layer.W);
    for (int64_t i = L; i < layer.stride; i += L) sum += load(a + i) * load(layer.W + i);
    store(layer.A, Vector<T>{sum_of_lanes<T>(sum)});
    return;
  }
  // Not all of a padded row: the next layer's one stands there.
  for (int64_t j = 0; j < layer.n_out; j += 2 * L) {
    const bool both = j + L < layer.n_out;
    Vector<T> even[2] = {}, odd[2] = {};
    const T* w = layer.W + j;
    int64_t i = 0;
    for (; i + 1 < layer.rows; i += 2, w += 2 * layer.stride) {
      even[0] += a[i] * load(w);
      odd[0] += a[i + 1] * load(w + layer.stride);
      if (!both) continue;
      even[1] += a[i] * load(w + L);
      odd[1] += a[i + 1] * load(w + layer.stride + L);
    }
    if (i < layer.rows) {
      even[0] += a[i] * load(w);
      if (both) even[1] += a[i] * load(w + L);
    }
    store(layer.A + j, even[0] + odd[0]);
    if (both) store(layer.A + j + L, even[1] + odd[1]);
  }
}

// Set what lies beyond the n elements of the vector that holds the last one.
template <class T>
inline void set_tail(T* x, int64_t n, const T* tail) {
  for (int64_t i = n; i % lanes<T> != 0; i++) x[i] = tail[i - n];
}

// NV vectors of every row: their part of delta stays in registers.
template <class U, int NV, class T>
inline void single_update_columns(const SingleLayer<T>& layer, const T* outer, const T* inner, int64_t rows, int64_t j,
                                  const T* constants) {
  constexpr int64_t L = lanes<T>;
  Vector<T> delta[NV];
#pragma GCC unroll 16
  for (int v = 0; v < NV; v++) delta[v] = load(inner + j + v * L);
  T c[max_constants];  // what is not in memory that the stores below might reach stays in registers
#pragma GCC unroll 16
  for (int i = 0; i < max_constants; i++) c[i] = constants[i];
  const int64_t stride = layer.stride;
  T* W = layer.W + j;
  T* slots[max_slots] = {};
  for (int slot = 0; slot < U::n_slots; slot++) slots[slot] = layer.slots[slot] + j;
  for (int64_t i = 0; i < rows; i++) {
    const T factor = outer[i];
#pragma GCC unroll 16
    for (int v = 0; v < NV; v++) {
      const int64_t k = i * stride + v * L;
      Vector<T> s[max_slots] = {};
      for (int slot = 0; slot < U::n_slots; slot++) s[slot] = load(slots[slot] + k);
      Vector<T> w = load(W + k);
      U::update(w, factor * delta[v], s, c);
      store(W + k, w);
      for (int slot = 0; slot < U::n_slots; slot++) store(slots[slot] + k, s[slot]);
    }
  }
}

template <class U, class T>
void single_update(const SingleLayer<T>& layer, const T* a, const T* constants) {
  constexpr int64_t L = lanes<T>;
  const T* outer = layer.across ? layer.delta : a;
  const T* inner = layer.across ? a : layer.delta;
  const int64_t rows = layer.across ? 1 : layer.rows;
  int64_t j = 0;
  for (; j + 4 * L <= layer.stride; j += 4 * L) single_update_columns<U, 4>(layer, outer, inner, rows, j, constants);
  for (; j < layer.stride; j += L) single_update_columns<U, 1>(layer, outer, inner, rows, j, constants);
}

template <class T, class... S>
inline void single_activate(const SingleLayer<T>& layer, List<S...>) {
  if (layer.Z)
    for (int64_t j = 0; j < layer.n_out; j += lanes<T>) store(layer.Z + j, load(layer.A + j));
  if (is_identity(layer.activation, List<S...>{})) return;
  activate_of<T>(layer.activation, List<S...>{})(layer.A, 1, layer.n_out, 0, layer.parameter);
}

// The derivative at a layer's activations, or net inputs, times what is in delta.
template <class T, class... S>
inline void single_differentiate(const SingleLayer<T>& layer, List<S...>) {
  if (is_identity(layer.activation, List<S...>{})) return;
  differentiate_of<T>(layer.activation, List<S...>{})(layer.delta, layer.Z ? layer.Z : layer.A, 1, layer.n_out, 0,
                                                      layer.parameter);
}

// delta of the layer before, which has `n` neurons: (delta @ W.T) * s'.
template <class T, class... S>
inline void single_backward(const SingleLayer<T>& layer, const SingleLayer<T>& before, List<S...>) {
  constexpr int64_t L = lanes<T>;
  if (layer.across) {
    const Vector<T> delta = broadcast(layer.delta[0]);
    for (int64_t i = 0; i < before.n_out; i += L) store(before.delta + i, delta * load(layer.W + i));
  } else {
    multiply_rows_by_rows(before.n_out, 1, layer.stride, layer.W, layer.delta, before.delta, false);
  }
  static constexpr T zeros[L] = {};
  set_tail(before.delta, before.n_out, zeros);
  single_differentiate(before, List<S...>{});
}

inline bool is_finite(double x) { return x - x == 0; }

// Forward, backward and update; the loss. Where that is not finite, nothing is updated.
template <class T, class... S, class... E, class... U>
inline double single_step(const SingleRun<T>& r, const T* x, const T* y, T weight, const T* constants, List<S...>,
                          List<E...>, List<U...>) {
  using Loss = double (*)(const LossOf&, const T*, const T*, T, T*, int64_t, int64_t);
  static constexpr Loss losses[] = {single_loss<E, T>...};
  using Update = void (*)(const SingleLayer<T>&, const T*, const T*);
  static constexpr Update updates[] = {single_update<U, T>...};
  const SingleLayer<T>* layers = r.layers;
  const int last = r.n_layers - 1;
  __builtin_memcpy(r.inputs, x, size_t(r.n_in) * sizeof(T));
  for (int l = 0; l <= last; l++) {
    single_forward(layers[l], l ? layers[l - 1].A : r.inputs);
    single_activate(layers[l], List<S...>{});
    set_tail(layers[l].A, layers[l].n_out, r.tail);
  }
  const SingleLayer<T>& output = layers[last];
  const double loss = losses[r.loss.id](r.loss, output.A, y, weight, output.delta, output.n_out, r.n_targets);
  if (!is_finite(loss)) return loss;
  single_differentiate(output, List<S...>{});
  for (int l = last; l >= 0; l--) {
    if (l > 0) single_backward(layers[l], layers[l - 1], List<S...>{});
    updates[r.rule](layers[l], l ? layers[l - 1].A : r.inputs, constants);
  }
  return loss;
}

// Where a loss may read vectors of them, the targets need room behind them.
template <class T>
inline const T* targets_of(const SingleRun<T>& r, int64_t row) {
  const T* Y = r.Y + row * r.n_targets;
  if (!r.targets) return Y;
  for (int64_t j = 0; j < r.n_targets; j++) r.targets[j] = Y[j];
  return r.targets;
}

template <class T>
int64_t single_steps(const SingleRun<T>& r, int64_t n, const double* constants, int64_t n_constants, double* sum) {
  double losses = 0;
  T c[max_constants];
  for (int64_t i = 0; i < n; i++) {
    // The constants of the steps follow each other, or one set serves all.
    if (i == 0 || n_constants > 1)
      for (int k = 0; k < max_constants; k++) c[k] = T(constants[(n_constants > 1 ? i : 0) * max_constants + k]);
    const int64_t row = r.order ? r.order[i] : i;
    const double loss = single_step(r, r.X + row * r.n_in, targets_of(r, row), r.weight ? r.weight[row] : T(1), c,
                                    Activations{}, Losses{}, Optimizers{});
    losses += loss;
    if (is_finite(loss)) continue;
    *sum += losses;
    return i;
  }
  *sum += losses;
  return n;
}

}  // namespace
}  // namespace fastmlp
