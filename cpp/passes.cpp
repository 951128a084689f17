#include "passes.h"

#include <algorithm>

namespace fastmlp {

template <class T>
void Passes<T>::load(const Samples<T>& samples, const int64_t* order, int64_t start, int64_t first, int64_t n) const {
  const int64_t n_in = net.n_in(), n_out = net.n_out();
  for (int64_t i = first; i < first + n; i++) {
    const int64_t row = order ? order[start + i] : start + i;
    T* x = ws.A[0] + i * ws.stride[0];
    std::copy_n(samples.X + row * n_in, n_in, x);
    x[n_in] = 1;
    if (samples.Y) std::copy_n(samples.Y + row * n_out, n_out, ws.Y + i * n_out);
    if (samples.weight) ws.weight[i] = samples.weight[row];
  }
}

template <class T>
void Passes<T>::forward(const std::vector<Matrix<const T>>& W, int64_t first, int64_t n) const {
  for (size_t l = 0; l < net.layers.size(); l++) {
    const Layer& layer = net.layers[l];
    const int64_t stride = ws.stride[l + 1];
    T* a = ws.A[l + 1] + first * stride;
    kernels.multiply(
        {n, layer.n_out, layer.rows, ws.A[l] + first * ws.stride[l], ws.stride[l], 1, W[l], {a, stride, 0}, false});
    if (ws.Z[l + 1]) std::copy_n(a, n * stride, ws.Z[l + 1] + first * stride);
    kernels.activate[layer.activation](a, n, layer.n_out, stride);
    for (int64_t i = 0; i < n; i++) a[i * stride + layer.n_out] = 1;
  }
}

template <class T>
void Passes<T>::backward(const std::vector<Matrix<const T>>& WT, int loss, bool weighted, T scale, int64_t first,
                         int64_t n) const {
  const size_t L = net.layers.size();
  const bool differentiates = scale != 0;
  kernels.loss[loss](ws.A[L] + first * ws.stride[L], ws.stride[L], ws.Y + first * net.n_out(),
                     weighted ? ws.weight + first : nullptr, scale,
                     differentiates ? ws.delta[L] + first * ws.stride[L] : nullptr, ws.losses + first, n, net.n_out());
  if (!differentiates) return;
  for (size_t l = L; l > 0; l--) {
    const Layer& layer = net.layers[l - 1];
    const int64_t stride = ws.stride[l];
    T* delta = ws.delta[l] + first * stride;
    if (l < L) {
      const Layer& next = net.layers[l];
      kernels.multiply({n,
                        next.n_in,
                        next.n_out,
                        ws.delta[l + 1] + first * ws.stride[l + 1],
                        ws.stride[l + 1],
                        1,
                        WT[l],
                        {delta, stride, 0},
                        false});
    }
    kernels.differentiate[layer.activation](delta, ws.A[l] + first * stride, n, layer.n_out, stride);
  }
}

template <class T>
void Passes<T>::gradient(size_t l, int64_t column, int64_t width, int64_t first, int64_t rows, int64_t n,
                         bool accumulate, T* dW) const {
  const Matrix<const T> delta{ws.delta[l + 1] + column, ws.stride[l + 1], 0};
  kernels.multiply({rows, width, n, ws.A[l] + first, 1, ws.stride[l], delta, {dW, width, 0}, accumulate});
}

template <class T>
std::vector<Matrix<const T>> dense_layers(const Network& net, const T* parameters) {
  std::vector<Matrix<const T>> W;
  for (const Layer& layer : net.layers) W.push_back({parameters + layer.start, layer.n_out, 0});
  return W;
}

template struct Passes<float>;
template struct Passes<double>;
template std::vector<Matrix<const float>> dense_layers(const Network&, const float*);
template std::vector<Matrix<const double>> dense_layers(const Network&, const double*);

}  // namespace fastmlp
