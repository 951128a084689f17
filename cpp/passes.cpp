#include "passes.h"

#include <algorithm>

namespace fastmlp {

namespace {

// Rows first.. of x, which has no panels.
template <class T>
Matrix<T> rows_of(const Matrix<T>& x, int64_t first) {
  return {x.data + first * x.stride, x.stride, 0};
}

template <class T>
Matrix<const T> read_only(const Matrix<T>& x) {
  return {x.data, x.stride, x.panel_rows};
}

}  // namespace

template <class T>
void Passes<T>::load(const Samples<T>& samples, const int64_t* order, int64_t start, int64_t first, int64_t n) const {
  const int64_t n_in = net.n_in(), n_out = net.n_out();
  for (int64_t i = first; i < first + n; i++) {
    const int64_t row = order ? order[start + i] : start + i;
    T* x = rows_of(ws.A[0], i).data;
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
    const Matrix<T> a = rows_of(ws.A[l + 1], first);
    kernels.multiply({n, layer.n_out, layer.rows, read_only(rows_of(ws.A[l], first)), false, W[l], a, false});
    if (ws.Z[l + 1].data) std::copy_n(a.data, n * a.stride, rows_of(ws.Z[l + 1], first).data);
    kernels.activate[layer.activation](a.data, n, layer.n_out, a.stride);
    for (int64_t i = 0; i < n; i++) a.data[i * a.stride + layer.n_out] = 1;
  }
}

template <class T>
void Passes<T>::backward(const std::vector<Matrix<const T>>& WT, int loss, bool weighted, T scale, int64_t first,
                         int64_t n) const {
  const size_t L = net.layers.size();
  const Matrix<T> Y_hat = rows_of(ws.A[L], first);
  kernels.loss[loss](Y_hat.data, Y_hat.stride, ws.Y + first * net.n_out(), weighted ? ws.weight + first : nullptr,
                     scale, scale != 0 ? rows_of(ws.delta[L], first).data : nullptr, ws.losses + first, n, net.n_out());
  if (scale == 0) return;
  for (size_t l = L; l > 0; l--) {
    const Layer& layer = net.layers[l - 1];
    const Matrix<T> delta = rows_of(ws.delta[l], first);
    if (l < L)
      kernels.multiply({n, layer.n_out, net.layers[l].n_out, read_only(rows_of(ws.delta[l + 1], first)), false, WT[l],
                        delta, false});
    kernels.differentiate[layer.activation](delta.data, rows_of(ws.A[l], first).data, n, layer.n_out, delta.stride);
  }
  for (size_t l = 0; l <= L; l++) {
    const int64_t columns = l == 0 ? net.n_in() : net.layers[l - 1].n_out;
    const auto lay = [&](const Matrix<T>& from, const Matrix<T>& to, int64_t m) {
      if (to.data)
        kernels.lay_in_panels(rows_of(from, first).data, from.stride, n, m, to.data + first * to.stride, to.panel_rows);
    };
    lay(ws.A[l], ws.A_in_panels[l], columns + 1);
    lay(ws.delta[l], ws.delta_in_panels[l], columns);
  }
}

template <class T>
void Passes<T>::gradient(size_t l, int64_t column, int64_t width, int64_t first, int64_t rows, int64_t n,
                         bool accumulate, T* dW) const {
  const bool panels = ws.A_in_panels[l].data, delta_panels = ws.delta_in_panels[l + 1].data;
  Matrix<const T> A = read_only(panels ? ws.A_in_panels[l] : ws.A[l]);
  Matrix<const T> delta = read_only(delta_panels ? ws.delta_in_panels[l + 1] : ws.delta[l + 1]);
  A.data += first * (panels ? A.panel_rows : 1);
  delta.data += column * (delta_panels ? delta.panel_rows : 1);
  kernels.multiply({rows, width, n, A, true, {delta.data, delta.stride, 0}, {dW, width, 0}, accumulate});
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
