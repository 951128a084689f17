// Training on batches of a few samples: many steps in one call, each from the inputs to the updated parameters.
//
// The gradient is a sum of few products of two vectors, a.T delta, and is never stored: it is used up row by row as W
// is updated.
#pragma once

#include <type_traits>

#include "dots.h"
#include "elementwise.h"
#include "losses.h"
#include "transpose.h"

namespace fastmlp {
namespace {

// One sample, as a type: its loops vanish where this is compiled.
struct One {
  constexpr operator int64_t() const { return 1; }
};

// z = [a 1] @ [W; b] of R samples, for NV vectors of neurons; in parts where there are too few sums to overlap.
template <int R, int NV, class T>
inline void few_multiply_tile(int64_t rows, const T* a, int64_t a_width, const T* w, int64_t stride, T* z,
                              int64_t z_width) {
  constexpr int64_t L = lanes<T>;
  constexpr int parts = R * NV < 4 ? 4 / (R * NV) : 1;
  Vector<T> sum[parts][R][NV] = {};
  const auto add = [&](Vector<T>(&part)[R][NV], int64_t i) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int v = 0; v < NV; v++) {
      const Vector<T> row = load(w + i * stride + v * L);
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) part[r][v] += a[r * a_width + i] * row;
    }
  };
  int64_t i = 0;
  for (; i + parts <= rows; i += parts)
#pragma GCC unroll 16
    for (int part = 0; part < parts; part++) add(sum[part], i + part);
  for (; i < rows; i++) add(sum[0], i);
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 16
    for (int v = 0; v < NV; v++) {
#pragma GCC unroll 16
      for (int part = 1; part < parts; part++) sum[0][r][v] += sum[part][r][v];
      store(z + r * z_width + v * L, sum[0][r][v]);
    }
}

// The same for n samples, at most R, and whole vectors of neurons.
template <int R, class T>
inline void few_multiply_rows(int64_t n, int64_t columns, int64_t rows, const T* a, int64_t a_width, const T* w,
                              int64_t stride, T* z, int64_t z_width) {
  if constexpr (R > 1) {
    if (n < R) return few_multiply_rows<R - 1>(n, columns, rows, a, a_width, w, stride, z, z_width);
  }
  constexpr int64_t L = lanes<T>;
  int64_t j = 0;
  for (; j + L < columns; j += 2 * L) few_multiply_tile<R, 2>(rows, a, a_width, w + j, stride, z + j, z_width);
  if (j < columns) few_multiply_tile<R, 1>(rows, a, a_width, w + j, stride, z + j, z_width);
}

// The same for any number of samples.
template <class N, class T>
inline void few_multiply(N n, int64_t columns, int64_t rows, const T* a, int64_t a_width, const T* w, int64_t stride,
                         T* z, int64_t z_width) {
  constexpr int most = std::is_same_v<N, One> ? 1 : 4;
  for (int64_t r = 0; r < n; r += most)
    few_multiply_rows<most>(n - r, columns, rows, a + r * a_width, a_width, w, stride, z + r * z_width, z_width);
}

// to[r] = a[r] . b for n samples. A vector is stored, so rows of `to` have room for zeros behind any of their elements.
template <class N, class T>
inline void few_dots(N n, int64_t k, const T* a, int64_t a_width, const T* b, T* to, int64_t to_width) {
  for (int64_t r = 0; r < n; r++, a += a_width, to += to_width) {
    Vector<T> sum = load(a) * load(b);
    for (int64_t i = lanes<T>; i < k; i += lanes<T>) sum += load(a + i) * load(b + i);
    store(to, Vector<T>{sum_of_lanes<T>(sum)});
  }
}

template <class N, class T>
inline void few_forward(const FewLayer<T>& layer, const T* a, int64_t a_width, N n) {
  const FewWeights<T>&along = layer.along, &across = layer.across;
  if (layer.n_along)
    few_multiply(n, layer.n_along, along.rows, a, a_width, along.W, along.stride, layer.A, layer.width);
  for (int64_t t = 0; t < across.rows; t++)
    few_dots(n, across.stride, a, a_width, across.W + t * across.stride, layer.A + layer.n_along + t, layer.width);
}

// Behind the n elements of each row `next` and then zeros, up to the end of the vector that holds the last one.
template <class N, class T>
inline void set_tails(T* x, N rows, int64_t n, int64_t width, T next) {
  constexpr int64_t L = lanes<T>;
  const int64_t rest = n % L;
  if (rest == 0) return;
  const Vector<T> lane = counting<T>(FirstIndices<int(L)>{});
  const Vector<T> tail = lane == T(rest) ? broadcast(next) : Vector<T>{};
  T* last = x + n - rest;
  for (int64_t r = 0; r < rows; r++, last += width) store(last, lane < T(rest) ? load(last) : tail);
}

// What a gradient is the product of: its row i is the sum of outer[i] times inner over the samples, whose vectors lie
// outer_width and inner_width apart.
template <class N, class T>
struct Factors {
  const T *outer, *inner;
  int64_t outer_width, inner_width;
  N samples;
};

// NV vectors of every row, from column j on; the first sample's part of `inner` stays in registers.
template <class U, int NV, class N, class T>
inline void few_update_columns(const Factors<N, T>& f, const FewWeights<T>& weights, int64_t j, const T* constants) {
  constexpr int64_t L = lanes<T>;
  Vector<T> inner[NV];
#pragma GCC unroll 16
  for (int v = 0; v < NV; v++) inner[v] = load(f.inner + j + v * L);
  T c[max_constants];  // what is not in memory that the stores below might reach stays in registers
#pragma GCC unroll 16
  for (int i = 0; i < max_constants; i++) c[i] = constants[i];
  const int64_t rows = weights.rows, stride = weights.stride, width = f.inner_width;
  const N samples = f.samples;
  T* W = weights.W + j;
  T* slots[max_slots] = {};
  for (int slot = 0; slot < U::n_slots; slot++) slots[slot] = weights.slots[slot] + j;
  for (int64_t i = 0; i < rows; i++) {
    Vector<T> g[NV];
    const T* outer = f.outer + i;
#pragma GCC unroll 16
    for (int v = 0; v < NV; v++) g[v] = outer[0] * inner[v];
    const T* others = f.inner + j + width;
    for (int64_t r = 1; r < samples; r++, others += width) {
      outer += f.outer_width;
#pragma GCC unroll 16
      for (int v = 0; v < NV; v++) g[v] += outer[0] * load(others + v * L);
    }
#pragma GCC unroll 16
    for (int v = 0; v < NV; v++) {
      const int64_t k = i * stride + v * L;
      Vector<T> s[max_slots] = {};
      for (int slot = 0; slot < U::n_slots; slot++) s[slot] = load(slots[slot] + k);
      Vector<T> w = load(W + k);
      U::update(w, g[v], s, c);
      store(W + k, w);
      for (int slot = 0; slot < U::n_slots; slot++) store(slots[slot] + k, s[slot]);
    }
  }
}

// Vectors up to the one that holds the last of the columns; a row may be longer.
template <class U, class N, class T>
inline void few_update_weights(const Factors<N, T>& f, const FewWeights<T>& weights, int64_t columns,
                               const T* constants) {
  constexpr int64_t L = lanes<T>;
  int64_t j = 0;
  for (; j + 3 * L < columns; j += 4 * L) few_update_columns<U, 4>(f, weights, j, constants);
  for (; j < columns; j += L) few_update_columns<U, 1>(f, weights, j, constants);
}

template <class U, class N, class T>
void few_update(const FewLayer<T>& layer, const T* a, int64_t a_width, N n, const T* constants) {
  if (layer.n_along)
    few_update_weights<U>(Factors<N, T>{a, layer.delta, a_width, layer.width, n}, layer.along, layer.n_along,
                          constants);
  if (layer.across.rows)
    few_update_weights<U>(Factors<N, T>{layer.delta + layer.n_along, a, layer.width, a_width, n}, layer.across,
                          layer.across.stride, constants);
}

template <class N, class T, class... S>
inline void few_activate(const FewLayer<T>& layer, N n, List<S...>) {
  if (layer.Z)
    for (int64_t r = 0; r < n * layer.width; r += layer.width)
      for (int64_t j = 0; j < layer.n_out; j += lanes<T>) store(layer.Z + r + j, load(layer.A + r + j));
  if (is_identity(layer.activation, List<S...>{})) return;
  activate_of<T>(layer.activation, List<S...>{})(layer.A, n, layer.n_out, layer.width, layer.parameter);
}

// The derivative at a layer's activations, or net inputs, times what is in delta.
template <class N, class T, class... S>
inline void few_differentiate(const FewLayer<T>& layer, N n, List<S...>) {
  if (is_identity(layer.activation, List<S...>{})) return;
  differentiate_of<T>(layer.activation, List<S...>{})(layer.delta, layer.Z ? layer.Z : layer.A, n, layer.n_out,
                                                      layer.width, layer.parameter);
}

// NV vectors of the products of as many rows as there are lanes, the last row over and over.
template <int NV, class T>
inline void add_rows_by_vector(const T* w, int64_t stride, int64_t rows, const T* delta, Vector<T> (&sum)[lanes<T>]) {
  constexpr int64_t L = lanes<T>;
  Vector<T> part[NV];
#pragma GCC unroll 16
  for (int v = 0; v < NV; v++) part[v] = load(delta + v * L);
#pragma GCC unroll 16
  for (int q = 0; q < int(L); q++) {
#pragma GCC unroll 16
    for (int v = 0; v < NV; v++) sum[q] += load(w + v * L) * part[v];
    w += q + 1 < rows ? stride : 0;
  }
}

// W @ delta of one sample, for the L rows of W from i on, or as many as there are.
template <class T>
inline Vector<T> few_rows_by_delta(const FewWeights<T>& along, int64_t n_along, int64_t i, int64_t rows,
                                   const T* delta) {
  constexpr int64_t L = lanes<T>;
  const T* w = along.W + i * along.stride;
  Vector<T> sum[L] = {};
  int64_t j = 0;
  for (; j + 3 * L < n_along; j += 4 * L) add_rows_by_vector<4>(w + j, along.stride, rows, delta + j, sum);
  const int64_t rest = n_along - j;
  if (rest > 2 * L)
    add_rows_by_vector<3>(w + j, along.stride, rows, delta + j, sum);
  else if (rest > L)
    add_rows_by_vector<2>(w + j, along.stride, rows, delta + j, sum);
  else if (rest > 0)
    add_rows_by_vector<1>(w + j, along.stride, rows, delta + j, sum);
  return sums_of_lanes<int(L), T>(sum);
}

// to = delta @ W.T of n samples, for the neurons that lie along. The m inputs' rows of W are taken as many at a time as
// there are lanes, and the last ones one by one, if they are too few to be worth a vector. From a few samples on a
// transpose takes less than sums across lanes.
template <class N, class T>
inline void few_backward_along(const FewLayer<T>& layer, N n, int64_t m, T* to, int64_t to_width, T* transposed) {
  constexpr int64_t L = lanes<T>, most_by_dots = L / 8, worth_transposing = 3;
  const FewWeights<T>& along = layer.along;
  int64_t i = 0;
  for (; m - i > most_by_dots; i += L) {
    if (n < worth_transposing) {
      for (int64_t r = 0; r < n; r++)
        store(to + r * to_width + i, few_rows_by_delta(along, layer.n_along, i, m - i, layer.delta + r * layer.width));
      continue;
    }
    transpose(along.W + i * along.stride, along.stride, m - i < L ? m - i : L, layer.n_along, transposed, L);
    few_multiply(n, L, layer.n_along, layer.delta, layer.width, transposed, L, to + i, to_width);
  }
  for (; i < m; i++) few_dots(n, layer.n_along, layer.delta, layer.width, along.W + i * along.stride, to + i, to_width);
}

// The same for those that lie across, added to what is there if there is anything.
template <class N, class T>
inline void few_backward_across(const FewLayer<T>& layer, N n, int64_t m, T* to, int64_t to_width) {
  for (int64_t t = 0; t < layer.across.rows; t++) {
    const T* w = layer.across.W + t * layer.across.stride;
    const bool adds = layer.n_along + t > 0;
    for (int64_t r = 0; r < n; r++) {
      const T delta = layer.delta[r * layer.width + layer.n_along + t];
      T* row = to + r * to_width;
      for (int64_t i = 0; i < m; i += lanes<T>) {
        const Vector<T> y = delta * load(w + i);
        store(row + i, adds ? load(row + i) + y : y);
      }
    }
  }
}

// delta of the layer before, of n samples: (delta @ W.T) * s'.
template <class N, class T, class... S>
inline void few_backward(const FewLayer<T>& layer, const FewLayer<T>& before, T* transposed, N n, List<S...>) {
  const int64_t m = before.n_out;
  if (layer.n_along) few_backward_along(layer, n, m, before.delta, before.width, transposed);
  few_backward_across(layer, n, m, before.delta, before.width);
  set_tails(before.delta, n, m, before.width, T(0));
  few_differentiate(before, n, List<S...>{});
}

inline bool is_finite(double x) { return x - x == 0; }

// Where a loss may read vectors of them, the targets need room behind them.
template <class T>
inline const T* targets_of(const FewRun<T>& run, int64_t row) {
  const T* Y = run.Y + row * run.n_targets;
  if (!run.targets) return Y;
  for (int64_t j = 0; j < run.n_targets; j++) run.targets[j] = Y[j];
  return run.targets;
}

// The place of a row in X, Y and weight.
template <class T>
inline int64_t row_of(const FewRun<T>& run, int64_t i) {
  return run.order ? run.order[i] : i;
}

// The losses of n rows from `start` on, and the last layer's delta.
template <class N, class T, class... E>
inline double few_losses(const FewRun<T>& run, int64_t start, N n, List<E...>) {
  using Loss = double (*)(const LossOf&, const T*, const T*, T, T, T*, int64_t, int64_t);
  static constexpr Loss losses[] = {loss_of_one<E, T>...};
  const FewLayer<T>& output = run.layers[run.n_layers - 1];
  const T scale = T(1) / T(int64_t(n));
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t row = row_of(run, start + i);
    sum += losses[run.loss.id](run.loss, output.A + i * output.width, targets_of(run, row),
                               run.weight ? run.weight[row] : T(1), scale, output.delta + i * output.width,
                               output.n_out, run.n_targets);
  }
  return sum;
}

// Ask for the next step's rows of X, first .. end. Where they are taken as they lie, the processor foresees them.
template <class T>
inline void fetch_rows(const FewRun<T>& run, int64_t first, int64_t end) {
  constexpr int64_t line = 64 / int64_t(sizeof(T));
  for (int64_t i = first; i < end && run.order; i++)
    for (int64_t j = 0; j < run.n_in; j += line) __builtin_prefetch(run.X + run.order[i] * run.n_in + j);
}

// Forward, backward and update of n rows, while those up to `next` are fetched; the sum of their losses. Where that is
// not finite, nothing is updated.
template <class N, class T, class... S, class... E, class... U>
inline double few_step(const FewRun<T>& run, int64_t start, N n, int64_t next, const T* constants, List<S...>,
                       List<E...>, List<U...>) {
  using Update = void (*)(const FewLayer<T>&, const T*, int64_t, N, const T*);
  static constexpr Update updates[] = {few_update<U, N, T>...};
  const FewLayer<T>* layers = run.layers;
  const int last = run.n_layers - 1;
  const auto A = [&](int l) { return l ? layers[l - 1].A : run.inputs; };
  const auto width = [&](int l) { return l ? layers[l - 1].width : run.input_width; };
  for (int64_t i = 0; i < n; i++)
    __builtin_memcpy(run.inputs + i * run.input_width, run.X + row_of(run, start + i) * run.n_in,
                     size_t(run.n_in) * sizeof(T));
  fetch_rows(run, start + n, next);
  for (int l = 0; l <= last; l++) {
    few_forward(layers[l], A(l), width(l), n);
    few_activate(layers[l], n, List<S...>{});
    if (l < last) set_tails(layers[l].A, n, layers[l].n_out, layers[l].width, run.one);
  }
  const double loss = few_losses(run, start, n, List<E...>{});
  if (!is_finite(loss)) return loss;
  few_differentiate(layers[last], n, List<S...>{});
  for (int l = last; l >= 0; l--) {
    if (l > 0) few_backward(layers[l], layers[l - 1], run.transposed, n, List<S...>{});
    updates[run.rule](layers[l], A(l), width(l), n, constants);
  }
  return loss;
}

template <class T>
int64_t few_steps(const FewRun<T>& run, int64_t n, const double* constants, bool shared, double* sum) {
  double losses = 0;
  T c[max_constants];
  int64_t steps = 0;
  for (int64_t start = 0; start < n; start += run.batch_size, steps++) {
    if (start == 0 || !shared)
      for (int k = 0; k < max_constants; k++) c[k] = T(constants[(shared ? 0 : steps) * max_constants + k]);
    const int64_t rows = n - start < run.batch_size ? n - start : run.batch_size;
    const int64_t next = n - start - rows < run.batch_size ? n : start + rows + run.batch_size;
    const double loss = rows == 1 ? few_step(run, start, One{}, next, c, Activations{}, Losses{}, Optimizers{})
                                  : few_step(run, start, rows, next, c, Activations{}, Losses{}, Optimizers{});
    losses += loss;
    if (!is_finite(loss)) break;
  }
  *sum += losses;
  return steps;
}

}  // namespace
}  // namespace fastmlp
