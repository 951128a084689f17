#include "jacobian.h"

#include <algorithm>

namespace fastmlp {

namespace {

constexpr int64_t most_rows = 256, block_bytes = 4 << 20;

// Whole vectors, but rows a power of two apart would fall into the same few sets of the cache.
template <class T>
int64_t stride_of(int64_t columns, int64_t lanes) {
  const int64_t stride = round_up(columns, lanes);
  return stride * int64_t(sizeof(T)) % 1024 ? stride : stride + lanes;
}

}  // namespace

template <class T>
Jacobian<T>::Jacobian(const Network& net, const T* parameters, int64_t rows)
    : net_(net), k_(kernels<T>()), parameters_(parameters), stride_(stride_of<T>(rows, k_.lanes)) {
  const auto add_A = [&](int64_t neurons) {
    A_.emplace_back((neurons + 1) * stride_);
    std::fill_n(A_.back().data() + neurons * stride_, stride_, T(1));
  };
  add_A(net.n_in());
  Z_.emplace_back();
  for (const Layer& layer : net.layers) {
    add_A(layer.n_out);
    Z_.emplace_back(needs_z(layer.activation) ? layer.n_out * stride_ : 0);
    delta_.emplace_back(layer.n_out * stride_);
  }
}

template <class T>
int64_t Jacobian<T>::block_rows(const Network& net, int64_t n) {
  const int64_t fitting = block_bytes / (net.n_parameters() * int64_t(sizeof(T)));
  return std::clamp<int64_t>(n, 1, std::clamp(fitting, kernels<T>().lanes, most_rows));
}

template <class T>
const T* Jacobian<T>::forward(const Inputs<T>& X, int64_t first, int64_t n) {
  n_ = n;
  X.lay_columns(n, [&](int64_t i) { return first + i; }, net_.n_in(), A_[0].data(), stride_);
  for (size_t l = 0; l < net_.layers.size(); l++) {
    const Layer& layer = net_.layers[l];
    T* A = A_[l + 1].data();
    const Matrix<const T> W{parameters_ + layer.start, layer.n_out, 0};
    k_.multiply({layer.n_out, n, layer.rows, W, true, {A_[l].data(), stride_, 0}, {A, stride_, 0}});
    if (needs_z(layer.activation)) std::copy_n(A, layer.n_out * stride_, Z_[l + 1].data());
    k_.activate[layer.activation](A, layer.n_out, n, stride_, T(layer.parameter));
  }
  return A_.back().data();
}

template <class T>
void Jacobian<T>::differentiate(size_t l, T* delta, int64_t first, int64_t rows) {
  const Layer& layer = net_.layers[l - 1];
  const T* at = (needs_z(layer.activation) ? Z_ : A_)[l].data() + first * stride_;
  k_.differentiate[layer.activation](delta, at, rows, n_, stride_, T(layer.parameter));
}

template <class T>
void Jacobian<T>::backward(int64_t output, const T* scale, T* to) {
  const size_t L = net_.layers.size();
  // Of the output layer, one neuron matters: it is taken for a layer of its own.
  const Layer& last = net_.layers[L - 1];
  if (last.n_out > 1) std::fill_n(to + last.start * stride_, last.rows * last.n_out * stride_, T(0));
  std::copy_n(scale, n_, delta_[L - 1].data());
  differentiate(L, delta_[L - 1].data(), output, 1);
  for (size_t l = L; l-- > 0;) {
    const Layer& layer = net_.layers[l];
    const int64_t neurons = l + 1 == L ? 1 : layer.n_out, start = layer.start + (l + 1 == L ? output : 0);
    const T* delta = delta_[l].data();
    k_.khatri_rao(layer.rows, neurons, n_, A_[l].data(), delta, stride_, to + start * stride_, layer.n_out * stride_);
    if (l == 0) break;
    const Matrix<const T> W{parameters_ + start, layer.n_out, 0};
    T* before = delta_[l - 1].data();
    k_.multiply({layer.n_in, n_, neurons, W, false, {delta, stride_, 0}, {before, stride_, 0}});
    differentiate(l, before, 0, layer.n_in);
  }
}

template <class T>
void jacobian(const Network& net, const T* parameters, const Inputs<T>& X, int64_t n, T* J, const Pause& pause) {
  if (n == 0) return;
  const Kernels<T>& k = kernels<T>();
  const int64_t p = net.n_parameters(), block = Jacobian<T>::block_rows(net, n), padded = round_up(p, k.lanes);
  Jacobian<T> derivatives(net, parameters, block);
  const std::vector<T> ones(size_t(block), T(1));
  Buffer<T> columns(p * derivatives.stride()), rows(block * padded);
  for (int64_t start = 0; start < n; start += block) {
    const int64_t m = std::min(block, n - start);
    derivatives.forward(X, start, m);
    for (int64_t output = 0; output < net.n_out(); output++) {
      derivatives.backward(output, ones.data(), columns.data());
      k.transpose(columns.data(), derivatives.stride(), p, m, rows.data(), padded);
      for (int64_t i = 0; i < m; i++)
        std::copy_n(rows.data() + i * padded, p, J + ((start + i) * net.n_out() + output) * p);
      if (!pause(5 * double(p) * double(m))) return;
    }
  }
}

template class Jacobian<float>;
template class Jacobian<double>;
template void jacobian(const Network&, const float*, const Inputs<float>&, int64_t, float*, const Pause&);
template void jacobian(const Network&, const double*, const Inputs<double>&, int64_t, double*, const Pause&);

}  // namespace fastmlp
