// Losses over a block of samples, whichever way they lie, and the output activations that go with them.
#pragma once

#include "kernels.h"
#include "special.h"

namespace fastmlp {
namespace {

// v in the first n lanes, 0 in the others, whatever is there.
template <class T>
inline Vector<T> first_lanes(Vector<T> v, int64_t n) {
  if (n >= lanes<T>) return v;
  return counting<T>(FirstIndices<int(lanes<T>)>{}) < T(n) ? v : Vector<T>{};
}

template <class T, int half = int(lanes<T>) / 2>
inline T max_of_lanes(Vector<T> v) {
  if constexpr (half > 0) {
    const Vector<T> w = rotate<half>(v, FirstIndices<int(lanes<T>)>{});
    return max_of_lanes<T, half / 2>(v > w ? v : w);
  } else {
    return v[0];
  }
}

// A sample whose outputs lie along the lanes. Places j go up in vectors; sums and maxima are the same in all lanes.
template <class Type>
struct AlongOutputs {
  using T = Type;
  using V = Vector<T>;
  const LossOf& spec;
  const T *outputs, *targets;
  T* slopes;  // may be null
  T factor;   // of the slopes
  int64_t n;  // targets

  int64_t n_targets() const { return n; }
  int n_parameters() const { return spec.n_parameters; }
  T parameter(int i) const { return T(spec.parameters[i]); }
  V z(int64_t j, int64_t first = 0) const { return load(outputs + first + j); }
  V y(int64_t j) const { return load(targets + j); }
  template <class F>
  V sum(int64_t count, const F& f) const {
    V total = {};
    for (int64_t j = 0; j < count; j += lanes<T>) total += first_lanes<T>(f(j), count - j);
    return broadcast(sum_of_lanes<T>(total));
  }
  template <class F>
  V max(int64_t count, const F& f) const {
    V most = f(0);
    if (count < lanes<T>) {
      const V first = broadcast(most[0]);
      most = counting<T>(FirstIndices<int(lanes<T>)>{}) < T(count) ? most : first;
    }
    for (int64_t j = lanes<T>; j < count; j += lanes<T>) {
      const V next = f(j);
      const V valid =
          count - j >= lanes<T> ? next : (counting<T>(FirstIndices<int(lanes<T>)>{}) < T(count - j) ? next : most);
      most = most > valid ? most : valid;
    }
    return broadcast(max_of_lanes<T>(most));
  }
  template <class F>
  void set(int64_t count, int64_t first, const F& f) const {
    for (int64_t j = 0; slopes && j < count; j += lanes<T>) {
      const V v = factor * f(j);
      for (int64_t lane = 0; lane < lanes<T> && j + lane < count; lane++) slopes[first + j + lane] = v[lane];
    }
  }
};

// As many samples as a vector has lanes, whose outputs lie below each other.
template <class Type>
struct AlongSamples {
  using T = Type;
  using V = Vector<T>;
  const LossOf& spec;
  const T *outputs, *targets;
  T* slopes;
  V factor;
  int64_t n, columns;

  int64_t n_targets() const { return n; }
  int n_parameters() const { return spec.n_parameters; }
  T parameter(int i) const { return T(spec.parameters[i]); }
  V z(int64_t j, int64_t first = 0) const { return load(outputs + (first + j) * columns); }
  V y(int64_t j) const { return load(targets + j * columns); }
  template <class F>
  V sum(int64_t count, const F& f) const {
    V total = {};
    for (int64_t j = 0; j < count; j++) total += f(j);
    return total;
  }
  template <class F>
  V max(int64_t count, const F& f) const {
    V most = f(0);
    for (int64_t j = 1; j < count; j++) {
      const V next = f(j);
      most = most > next ? most : next;
    }
    return most;
  }
  template <class F>
  void set(int64_t count, int64_t first, const F& f) const {
    for (int64_t j = 0; j < count; j++) store(slopes + (first + j) * columns, factor * f(j));
  }
};

template <class E, class T>
void loss(const LossRows<T>& r) {
  const T* Y_hat = r.outputs;
  const T* Y = r.Y;
  T* delta = r.delta;
  const T parameter = T(r.loss.parameters[0]);
  for (int64_t i = 0; i < r.rows; i++, Y_hat += r.stride, Y += r.n_targets) {
    const T w = r.weight ? r.weight[i] : T(1);
    if constexpr (E::by_rows) {
      const AlongOutputs<T> row{r.loss, Y_hat, Y, delta, r.scale * w, r.n_targets};
      r.losses[i] = double(w) * double(E::loss(row)[0]);
      for (int64_t j = r.n; delta && j % lanes<T>; j++) delta[j] = 0;
    } else {
      Vector<T> sum = {};
      for (int64_t j = 0; j < r.n; j += lanes<T>) {
        const Vector<T> y_hat = load(Y_hat + j), y = load(Y + j);
        sum += first_lanes<T>(E::value(y_hat, y, parameter), r.n - j);
        if (delta) store(delta + j, first_lanes<T>(r.scale * (w * E::derivative(y_hat, y, parameter)), r.n - j));
      }
      r.losses[i] = double(w) * double(sum_of_lanes<T>(sum));
    }
    if (delta) delta += r.stride;
  }
}

// delta = scale * weight * dloss/dY_hat and the sum of weight * loss, samples being columns.
template <class E, class T>
double column_loss(const LossOf& spec, const T* Y_hat, const T* Y, const T* weight, T scale, T* delta, int64_t n_out,
                   int64_t n_targets, int64_t columns) {
  double total = 0;
  const T parameter = T(spec.parameters[0]);
  for (int64_t s = 0; s < columns; s += lanes<T>) {
    const Vector<T> w = load(weight + s);
    Vector<T> sum = {};
    if constexpr (E::by_rows) {
      sum = E::loss(AlongSamples<T>{spec, Y_hat + s, Y + s, delta + s, scale * w, n_targets, columns});
    } else {
      for (int64_t i = s; i < n_out * columns; i += columns) {
        const Vector<T> y_hat = load(Y_hat + i), y = load(Y + i);
        sum += E::value(y_hat, y, parameter);
        store(delta + i, scale * (w * E::derivative(y_hat, y, parameter)));
      }
    }
    sum *= w;
    for (int64_t lane = 0; lane < lanes<T>; lane++) total += double(sum[lane]);
  }
  return total;
}

// Of one sample, with scale * weight * dloss/dY_hat; where losses are by rows, a vector can be read behind the
// n_targets of Y.
template <class E, class T>
double loss_of_one(const LossOf& spec, const T* Y_hat, const T* Y, T weight, T scale, T* delta, int64_t n,
                   int64_t n_targets) {
  const T factor = scale * weight;
  if constexpr (E::by_rows) {
    return double(weight) * double(E::loss(AlongOutputs<T>{spec, Y_hat, Y, delta, factor, n_targets})[0]);
  } else {
    T sum = 0;
    const T parameter = T(spec.parameters[0]);
    for (int64_t j = 0; j < n; j++) {
      sum += E::value(Y_hat[j], Y[j], parameter);
      delta[j] = factor * E::derivative(Y_hat[j], Y[j], parameter);
    }
    return double(weight) * double(sum);
  }
}

template <class L, class T>
void apply_link(T* a, int64_t rows, int64_t n, int64_t stride) {
  static constexpr LossOf none{};
  for (int64_t i = 0; i < rows; i++, a += stride) L::apply(AlongOutputs<T>{none, a, nullptr, a, T(1), n}, n);
}

}  // namespace
}  // namespace fastmlp
