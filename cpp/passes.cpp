#include "passes.h"

#include <algorithm>

namespace fastmlp {

namespace {

// Rows first.. of x.
template <class T>
Matrix<T> rows_of(const Matrix<T>& x, int64_t first) {
  return {x.data + first * x.stride, x.stride, x.panel_rows};
}

// Columns first.. of x, a multiple of a panel's width.
template <class T>
Matrix<T> columns_of(const Matrix<T>& x, int64_t first) {
  return {x.data + first * (x.panel_rows ? x.panel_rows : 1), x.stride, x.panel_rows};
}

template <class T>
Matrix<const T> read_only(const Matrix<T>& x) {
  return {x.data, x.stride, x.panel_rows};
}

// The place of a batch's row in the samples.
inline auto row_of(const int64_t* order, int64_t start) {
  return [=](int64_t i) { return order ? order[start + i] : start + i; };
}

}  // namespace

template <class T>
bool Passes<T>::load_inputs(const Samples<T>& samples, const int64_t* order, int64_t start, int64_t first, int64_t n,
                            int64_t next) const {
  const Matrix<T> to = rows_of(A(0), first);
  if (samples.X.dense)
    return kernels.lay_rows(samples.X.dense, samples.n, order, start + first, n, net.n_in(), to, next);
  samples.X.lay_rows(n, row_of(order, start + first), net.n_in(), to);
  return true;
}

template <class T>
void Passes<T>::load_targets(const Samples<T>& samples, const int64_t* order, int64_t start, int64_t first,
                             int64_t n) const {
  const int64_t n_targets = samples.n_targets;
  const auto row = row_of(order, start + first);
  if (samples.Y && !order)
    std::copy_n(samples.Y + row(0) * n_targets, n * n_targets, ws.Y + first * n_targets);
  else if (samples.Y)
    for (int64_t i = 0; i < n; i++) copy(samples.Y + row(i) * n_targets, n_targets, ws.Y + (first + i) * n_targets);
  if (samples.weight)
    for (int64_t i = 0; i < n; i++) ws.weight[first + i] = samples.weight[row(i)];
}

template <class T>
bool Passes<T>::is_one_product(size_t l) const {
  const Layer& layer = net.layers[l - 1];
  return !layer.across() && (!ws.Z[l].data || needs_z(layer.activation));
}

template <class T>
void Passes<T>::multiply(const Matrix<const T>& W, size_t l, int64_t first, int64_t n, int64_t column,
                         int64_t columns) const {
  const Layer& layer = net.layers[l - 1];
  const Matrix<T> a = columns_of(rows_of(ws.A[l], first), column);
  T* z = ws.Z[l].data ? columns_of(rows_of(ws.Z[l], first), column).data : nullptr;
  const Multiply<T> multiply = is_one_product(l) ? kernels.multiply_and_activate[layer.activation] : kernels.multiply;
  multiply({n, columns, layer.n_in, read_only(rows_of(A(l - 1), first)), false, columns_of(W, column), a, false, z,
            T(layer.parameter), net.bias});
}

template <class T>
void Passes<T>::forward_columns(const Matrix<const T>& W, size_t l, int64_t first, int64_t n, int64_t column,
                                int64_t columns) const {
  multiply(W, l, first, n, column, columns);
  if (column + columns == net.layers[l - 1].n_out) lay_ones(l, first, n);
}

template <class T>
void Passes<T>::forward(const Matrix<const T>& W, size_t l, int64_t first, int64_t n) const {
  const Layer& layer = net.layers[l - 1];
  const Matrix<T> before = rows_of(A(l - 1), first), a = rows_of(ws.A[l], first), z = rows_of(ws.Z[l], first);
  if (layer.across())
    kernels.multiply_by_vector(n, layer.rows, before.data, before.stride, W.data, a.data, a.stride);
  else
    multiply(W, l, first, n, 0, layer.n_out);
  if (!is_one_product(l)) {
    if (z.data) std::copy_n(a.data, n * a.stride, z.data);
    kernels.activate[layer.activation](a.data, n, layer.n_out, a.stride, T(layer.parameter));
  }
  if (dropout.drops(l, net.layers.size())) {
    if (!needs_z(layer.activation)) std::copy_n(a.data, n * a.stride, z.data);
    drop(ws.A[l], l, first, n);
  }
  lay_ones(l, first, n);
}

// Kernels overwrite those that lie in the last vector of neurons.
template <class T>
void Passes<T>::lay_ones(size_t l, int64_t first, int64_t n) const {
  const int64_t n_out = net.layers[l - 1].n_out;
  if (n_out % kernels.lanes == 0) return;
  for (int64_t i = first; i < first + n; i++) *element(ws.A[l], i, n_out) = 1;
}

template <class T>
const Matrix<T>& Passes<T>::taken_at(size_t l) const {
  const bool in_z = needs_z(net.layers[l - 1].activation) || dropout.drops(l, net.layers.size());
  return in_z ? ws.Z[l] : ws.A[l];
}

template <class T>
void Passes<T>::drop(const Matrix<T>& x, size_t l, int64_t first, int64_t n) const {
  kernels.drop(rows_of(x, first).data, n, net.layers[l - 1].n_out, x.stride, first_row + first, dropout.key(l),
               dropout.dropped(l), T(dropout.scale(l)));
}

template <class T>
void Passes<T>::differentiate(size_t l, const Matrix<const T>& W, const Matrix<const T>& WT, int64_t first, int64_t n,
                              int64_t column, int64_t columns) const {
  const Layer &layer = net.layers[l - 1], &next = net.layers[l];
  const Matrix<const T> after = read_only(rows_of(ws.delta[l + 1], first));
  const Matrix<T> delta = columns_of(rows_of(ws.delta[l], first), column);
  const Matrix<T> at = columns_of(rows_of(taken_at(l), first), column);
  const T parameter = T(layer.parameter);
  if (WT.data) {
    kernels.multiply_and_differentiate[layer.activation](
        {n, columns, next.n_out, after, false, columns_of(WT, column), delta, false, at.data, parameter});
    return;
  }
  kernels.multiply_by_transposed(n, layer.n_out, next.n_out, after, W, delta);
  const int64_t width = delta.panel_rows ? delta.stride : layer.n_out;
  for (int64_t j = 0; j < layer.n_out; j += width)
    kernels.differentiate[layer.activation](element(delta, 0, j), element(at, 0, j), n,
                                            std::min(width, layer.n_out - j), delta.stride, parameter);
}

template <class T>
void Passes<T>::loss(const Samples<T>& samples, const LossOf& loss_of, T scale, int64_t first, int64_t n) const {
  const size_t L = net.layers.size();
  const Matrix<T> Y_hat = rows_of(ws.A[L], first), slope = rows_of(ws.delta[L], first);
  kernels.loss[loss_of.id]({loss_of, Y_hat.data, Y_hat.stride, ws.Y + first * samples.n_targets,
                            samples.weight ? ws.weight + first : nullptr, scale, scale != 0 ? slope.data : nullptr,
                            ws.losses + first, n, net.n_out(), samples.n_targets});
  if (scale == 0) return;
  const Layer& output = net.layers[L - 1];
  kernels.differentiate[output.activation](slope.data, rows_of(taken_at(L), first).data, n, net.n_out(), slope.stride,
                                           T(output.parameter));
}

template <class T>
void Passes<T>::backward(size_t l, const Matrix<const T>& W, const Matrix<const T>& WT, int64_t first,
                         int64_t n) const {
  const Layer &layer = net.layers[l - 1], &next = net.layers[l];
  differentiate(l, W, WT, first, n, 0, layer.n_out);
  if (dropout.drops(l, net.layers.size())) drop(ws.delta[l], l, first, n);
  // Behind the weights of a layer that lies across stands its bias, which has no delta.
  if (next.across() && layer.n_out % kernels.lanes != 0)
    for (int64_t i = first; i < first + n; i++) rows_of(ws.delta[l], i).data[layer.n_out] = 0;
}

template <class T>
void Passes<T>::lay_in_panels(int64_t first, int64_t n) const {
  // A[0] has no such copy where threads have inputs of their own.
  for (size_t l = 0; l <= net.layers.size(); l++) {
    const int64_t columns = l == 0 ? net.n_in() : net.layers[l - 1].n_out;
    const auto lay = [&](const Matrix<T>& from, const Matrix<T>& to, int64_t m) {
      if (to.data)
        kernels.lay_in_panels(rows_of(from, first).data, from.stride, n, m, to.data + first * to.stride, to.panel_rows);
    };
    lay(A(l), ws.A_in_panels[l], columns + 1);
    lay(ws.delta[l], ws.delta_in_panels[l], columns);
  }
}

template <class T>
void Passes<T>::backward(const std::vector<Matrix<const T>>& W, const std::vector<Matrix<const T>>& WT,
                         const Samples<T>& samples, const LossOf& loss_of, T scale, int64_t first, int64_t n) const {
  loss(samples, loss_of, scale, first, n);
  if (scale == 0) return;
  for (size_t l = net.layers.size() - 1; l > 0; l--) backward(l, W.empty() ? Matrix<const T>{} : W[l], WT[l], first, n);
  lay_in_panels(first, n);
}

template <class T>
Ahead Passes<T>::ahead(const Samples<T>& samples, const int64_t* order, int64_t first, int64_t n, int64_t until_loaded,
                       const typename Packing<T>::Part& part) const {
  constexpr int64_t most = 2 << 20;
  const int64_t row_bytes = net.n_in() * int64_t(sizeof(T));
  if (!samples.X.dense || n <= 0 || row_bytes < shortest_ahead || until_loaded * row_bytes > most) return {};
  const int64_t tiles = (part.rows + kernels.tile_rows - 1) / kernels.tile_rows,
                pieces = std::max<int64_t>(1, tiles / n);
  const int64_t piece = (row_bytes / pieces + line_bytes) / line_bytes * line_bytes;
  return {samples.X.dense, row_bytes, order, first, n, piece};
}

template <class T>
void Passes<T>::gradient(const typename Packing<T>::Part& part, int64_t first, int64_t n, bool accumulate, T* dW,
                         const Wanted<T>* wanted, const Ahead& ahead) const {
  const size_t l = part.l;
  const Matrix<T>& A_in_panels = ws.A_in_panels[l];
  const Matrix<T>& delta_in_panels = ws.delta_in_panels[l + 1];
  const Matrix<const T> before = read_only(rows_of(A_in_panels.data ? A_in_panels : A(l), first));
  const Matrix<const T> delta = read_only(rows_of(delta_in_panels.data ? delta_in_panels : ws.delta[l + 1], first));
  const int64_t width = part.width;
  const Matrix<T> to{dW, width, 0};
  if (net.layers[l].across()) {
    const int64_t rows = net.layers[l].rows;
    kernels.multiply({1, rows, n, delta, true, before, to, accumulate});
    std::fill(dW + rows, dW + width, T(0));
    return;
  }
  kernels.multiply({part.rows, width, n, columns_of(before, part.first), true, columns_of(delta, part.column), to,
                    accumulate, nullptr, 0, false, wanted, ahead});
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
