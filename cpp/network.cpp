#include "network.h"

#include <algorithm>
#include <atomic>

#include "parallel.h"
#include "passes.h"

namespace fastmlp {

namespace {

template <class T>
void copy_row(const Matrix<T>& from, int64_t row, int64_t n, T* to) {
  std::copy_n(from.data + row * from.stride, n, to);
}

// Fewer rows than these read the parameters where they lie; packing them first would cost more.
constexpr int64_t rows_worth_packing = 64;

// [W; b] of every layer, packed where so many rows will use them that it pays.
template <class T>
class Weights {
 public:
  Weights(const Network& net, const Kernels<T>& kernels, const T* parameters, int64_t n) : packing_(net, kernels) {
    if (n < rows_worth_packing) {
      W = dense_layers(net, parameters);
      return;
    }
    packed_ = Buffer<T>(packing_.size());
    packing_.pack(parameters, packed_.data());
    for (size_t l = 0; l < net.layers.size(); l++) W.push_back(packing_.layer(packed_.data(), l));
  }
  std::vector<Matrix<const T>> W;

 private:
  Packing<T> packing_;
  Buffer<T> packed_;
};

// Transposes of the weights, for one backward pass.
template <class T>
class Transposes {
 public:
  Transposes(const Network& net, const Kernels<T>& kernels, const T* parameters)
      : packing_(net, kernels), packed_(packing_.size()), all_(packing_.transposed_size()) {
    packing_.pack(parameters, packed_.data());
    for (const auto& part : packing_.parts()) packing_.transpose(part, packed_.data(), all_.data());
    for (size_t l = 0; l < net.layers.size(); l++) WT.push_back(packing_.transposed(packed_.data(), all_.data(), l));
  }
  std::vector<Matrix<const T>> WT;

 private:
  Packing<T> packing_;
  Buffer<T> packed_, all_;
};

// Threads for a region that is made for itself, and pays for starting them.
int team_size(int n_threads, int64_t n_items, double multiply_adds) {
  return choose_threads(n_threads, std::min(double(n_items), multiply_adds / Team::worth_a_thread));
}

// Call body(first row, rows, workspace) for blocks of the n rows, each thread with its own workspace.
template <class T, class Body>
void for_each_block(const Network& net, int64_t n, int n_threads, typename Workspace<T>::Keep keep, const Pause& pause,
                    const Body& body) {
  const Kernels<T>& k = kernels<T>();
  const int64_t block = Workspace<T>::block_rows(net, k, n), n_items = (n + block - 1) / block;
  Team team(team_size(n_threads, n_items, net.multiply_adds() * double(n)));
  std::vector<Workspace<T>> workspaces;
  for (int i = 0; i < team.size(); i++) workspaces.emplace_back(net, k, block, keep);
  std::atomic<bool> stopped{false};
  team.run(team.size(), n_items, [&](int64_t item, int thread) {
    if (stopped) return;
    body(item * block, std::min(block, n - item * block), workspaces[size_t(thread)]);
    if (thread == 0 && !pause(net.multiply_adds() * double(block))) stopped = true;
  });
}

// Few rows of a network of no great width: all there is to be kept fits here, and nothing is allocated.
constexpr int64_t small_elements = 2048;

template <class T>
int64_t widest_row(const Network& net, int64_t lanes) {
  int64_t widest = net.n_in();
  for (const Layer& layer : net.layers) widest = std::max(widest, layer.n_out);
  return round_up(widest + 1, lanes);
}

template <class T>
void predict_small(const Network& net, const T* parameters, const Inputs<T>& X, int64_t n, T* Y_hat, int64_t stride) {
  const Kernels<T>& k = kernels<T>();
  alignas(64) T buffers[2][small_elements + 64 / sizeof(T)];  // vectors may be read across the end
  T *a = buffers[0], *next = buffers[1];
  std::fill_n(a, n * stride, T(0));
  for (int64_t i = 0; i < n; i++) {
    X.lay_row(i, net.n_in(), a + i * stride);
    a[i * stride + net.n_in()] = 1;
  }
  for (const Layer& layer : net.layers) {
    const T* W = parameters + layer.start;
    const T parameter = T(layer.parameter);
    if (layer.across()) {
      k.multiply_by_vector(n, layer.rows, a, stride, W, next, stride);
      k.activate[layer.activation](next, n, layer.n_out, stride, parameter);
    } else {
      k.multiply_and_activate[layer.activation]({n,
                                                 layer.n_out,
                                                 layer.n_in,
                                                 {a, stride, 0},
                                                 false,
                                                 {W, layer.n_out, 0},
                                                 {next, stride, 0},
                                                 false,
                                                 nullptr,
                                                 parameter,
                                                 net.bias});
    }
    for (int64_t i = 0; i < n; i++) next[i * stride + layer.n_out] = 1;
    std::swap(a, next);
  }
  if (net.link >= 0) k.link[net.link](a, n, net.n_out(), stride);
  for (int64_t i = 0; i < n; i++) std::copy_n(a + i * stride, net.n_out(), Y_hat + i * net.n_out());
}

}  // namespace

int64_t Network::n_parameters() const { return layers.back().start + layers.back().rows * layers.back().n_out; }

double Network::multiply_adds() const {
  double sum = 0;
  for (const Layer& layer : layers) sum += double(layer.rows) * double(layer.n_out);
  return sum;
}

int64_t Network::left_by_row() const {
  int64_t sum = n_in();
  for (const Layer& layer : layers) sum += 2 * layer.n_out;
  return sum;
}

Network make_network(const std::vector<int64_t>& sizes, const std::vector<ActivationOf>& activations, bool bias) {
  Network net{{}, bias};
  int64_t start = 0;
  for (size_t l = 0; l < activations.size(); l++) {
    const auto [id, parameter] = activations[l];
    net.layers.push_back({sizes[l], sizes[l + 1], sizes[l] + bias, id, parameter, start});
    start += (sizes[l] + bias) * sizes[l + 1];
  }
  return net;
}

Network with_linear_output(const Network& net) {
  Network other = net;
  other.link = -1;
  other.layers.back().activation = 0;
  return other;
}

namespace {

template <class... S>
bool needs_z(int activation, List<S...>) {
  static constexpr bool all[] = {S::needs_z...};
  return all[activation];
}

template <class... E>
bool has_link(int loss, List<E...>) {
  static constexpr bool all[] = {E::link != nullptr...};
  return all[loss];
}

template <class... E>
bool is_by_rows(int loss, List<E...>) {
  static constexpr bool all[] = {E::by_rows...};
  return all[loss];
}

template <class... E>
int64_t n_targets(const LossOf& loss, int64_t n_out, List<E...>) {
  using Count = int64_t (*)(int64_t, int);
  static constexpr Count all[] = {E::n_targets...};
  return all[loss.id](n_out, loss.n_parameters);
}

}  // namespace

bool needs_z(int activation) { return needs_z(activation, Activations{}); }
bool has_link(const LossOf& loss) { return has_link(loss.id, Losses{}); }
bool is_by_rows(const LossOf& loss) { return is_by_rows(loss.id, Losses{}); }
int64_t n_targets(const LossOf& loss, int64_t n_out) { return n_targets(loss, n_out, Losses{}); }

template <class T>
void predict(const Network& net, const T* parameters, const Inputs<T>& X, int64_t n, T* Y_hat, int n_threads,
             const Pause& pause) {
  if (n == 0) return;
  const int64_t stride = widest_row<T>(net, kernels<T>().lanes);
  if (n * stride <= small_elements) return predict_small(net, parameters, X, n, Y_hat, stride);
  const Weights<T> weights(net, kernels<T>(), parameters, n);
  const size_t L = net.layers.size();
  for_each_block<T>(net, n, n_threads, Workspace<T>::forward, pause,
                    [&](int64_t start, int64_t rows, Workspace<T>& ws) {
                      const Passes<T> passes{net, kernels<T>(), ws};
                      passes.load({X, nullptr, nullptr, n, 0}, nullptr, start, 0, rows);
                      passes.forward(weights.W, 0, rows);
                      if (net.link >= 0) kernels<T>().link[net.link](ws.A[L].data, rows, net.n_out(), ws.A[L].stride);
                      for (int64_t i = 0; i < rows; i++)
                        copy_row(ws.A[L], i, net.n_out(), Y_hat + (start + i) * net.n_out());
                    });
}

template <class T>
double mean_loss(const Network& net, const T* parameters, const Samples<T>& samples, const LossOf& loss, int n_threads,
                 const Pause& pause) {
  const Weights<T> weights(net, kernels<T>(), parameters, samples.n);
  std::vector<double> losses(size_t(samples.n));
  for_each_block<T>(net, samples.n, n_threads, Workspace<T>::forward, pause,
                    [&](int64_t start, int64_t rows, Workspace<T>& ws) {
                      const Passes<T> passes{net, kernels<T>(), ws};
                      passes.load(samples, nullptr, start, 0, rows);
                      passes.forward(weights.W, 0, rows);
                      passes.backward({}, {}, samples, loss, 0, 0, rows);
                      std::copy_n(ws.losses, rows, losses.begin() + start);
                    });
  double sum = 0;
  for (double value : losses) sum += value;
  return sum / double(samples.n);
}

template <class T>
double gradient(const Network& net, const T* parameters, const Samples<T>& samples, const LossOf& loss, T* flat,
                int n_threads, const Pause& pause) {
  const Kernels<T>& k = kernels<T>();
  const Weights<T> weights(net, k, parameters, samples.n);
  const Transposes<T> transposes(net, k, parameters);
  const Packing<T> packing(net, k);
  const auto parts = packing.parts();
  Buffer<T> sum(packing.size());
  Workspace<T> ws(net, k, Workspace<T>::block_rows(net, k, samples.n), Workspace<T>::backward);
  const Passes<T> passes{net, k, ws};
  Team team(team_size(n_threads, samples.n, 3 * net.multiply_adds() * double(samples.n)));
  double J = 0;
  for (int64_t start = 0; start < samples.n; start += ws.rows) {
    const int64_t rows = std::min(ws.rows, samples.n - start), share = (rows + team.size() - 1) / team.size();
    team.run(team.size(), team.size(), [&](int64_t item, int) {
      const int64_t first = item * share, n = std::min(share, rows - first);
      if (n <= 0) return;
      passes.load(samples, nullptr, start, first, n);
      passes.forward(weights.W, first, n);
      passes.backward({}, transposes.WT, samples, loss, T(1.0 / double(samples.n)), first, n);
    });
    for (int64_t i = 0; i < rows; i++) J += ws.losses[i];
    for (const auto& part : parts) passes.gradient(part, 0, rows, start > 0, sum.data() + part.offset);
    if (!pause(3 * net.multiply_adds() * double(rows))) return J;
  }
  packing.unpack(sum.data(), flat);
  return J / double(samples.n);
}

template <class T>
double trace(const Network& net, const T* parameters, const Samples<T>& samples, const LossOf& loss,
             const std::vector<T*>& Z, const std::vector<T*>& A, const std::vector<T*>& delta, double scale,
             const Pause& pause) {
  const Kernels<T>& k = kernels<T>();
  const bool by_net_inputs = net.link >= 0 || has_link(loss);
  const Network taken = by_net_inputs ? with_linear_output(net) : net;
  const size_t L = net.layers.size();
  const Weights<T> weights(net, k, parameters, samples.n);
  const Transposes<T> transposes(net, k, parameters);
  Workspace<T> ws(net, k, Workspace<T>::block_rows(net, k, samples.n), Workspace<T>::everything);
  const Passes<T> passes{taken, k, ws};
  double J = 0;
  for (int64_t start = 0; start < samples.n; start += ws.rows) {
    const int64_t rows = std::min(ws.rows, samples.n - start);
    passes.load(samples, nullptr, start, 0, rows);
    passes.forward(weights.W, 0, rows);
    if (samples.Y) passes.backward({}, transposes.WT, samples, loss, T(scale), 0, rows);
    if (by_net_inputs) {
      const Matrix<T>& a = ws.A[L];
      const Layer& output = net.layers[L - 1];
      if (net.link >= 0)
        k.link[net.link](a.data, rows, output.n_out, a.stride);
      else
        k.activate[output.activation](a.data, rows, output.n_out, a.stride, T(output.parameter));
    }
    for (int64_t i = 0; i < rows; i++) {
      J += ws.losses[i];
      for (size_t l = 0; l < net.layers.size(); l++) {
        const int64_t n = net.layers[l].n_out, to = (start + i) * n;
        copy_row(ws.Z[l + 1], i, n, Z[l] + to);
        copy_row(ws.A[l + 1], i, n, A[l] + to);
        if (samples.Y) copy_row(ws.delta[l + 1], i, n, delta[l] + to);
      }
    }
    if (!pause(3 * net.multiply_adds() * double(rows))) return J;
  }
  return J / double(samples.n);
}

#define FASTMLP_INSTANTIATE(T)                                                                                 \
  template void predict(const Network&, const T*, const Inputs<T>&, int64_t, T*, int, const Pause&);           \
  template double mean_loss(const Network&, const T*, const Samples<T>&, const LossOf&, int, const Pause&);    \
  template double gradient(const Network&, const T*, const Samples<T>&, const LossOf&, T*, int, const Pause&); \
  template double trace(const Network&, const T*, const Samples<T>&, const LossOf&, const std::vector<T*>&,    \
                        const std::vector<T*>&, const std::vector<T*>&, double, const Pause&);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
