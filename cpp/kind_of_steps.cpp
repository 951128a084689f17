// Which kind of steps a run takes: mostly by estimates of the nanoseconds that one step takes. It is the same for any
// number of threads, as the kinds differ in their last bits.
//
// The coefficients are fitted to 11,000 networks of up to 48 neurons a layer and 2 to 2000 samples (columns and rows),
// and to 19,000 of 2 to 12 samples (few), of both types and with vectors of 32 and 64 bytes, trained by Adam. The
// choice is 1 % slower than the best one on average.
#include <limits>

#include "few_layout.h"
#include "steps.h"
#include "workspace.h"

namespace fastmlp {

namespace {

// Of one vector.
template <class T>
double multiply_add(const Kernels<T>& k) {
  return double(k.lanes) / k.speed;
}

// The update of a vector: square roots take longer, the longer the vector and its elements are.
template <class T>
double update(const Kernels<T>& k) {
  return 2 + double(k.lanes) * double(sizeof(T) * sizeof(T)) / 70;
}

// The products of a layer are forward, the gradient and, but for the first one, backward.
double products(size_t l) { return l == 0 ? 2 : 3; }

template <class T>
double row_time(const Network& net, int64_t n) {
  const Kernels<T>& k = kernels<T>();
  double time = double(sizeof(T)) / 20 * double(n * (net.n_in() + net.n_out()));
  for (size_t l = 0; l < net.layers.size(); l++) {
    const double vectors = double(Packing<T>::size(net.layers[l], k.lanes) / k.lanes);
    time += 115 + double(n) * (multiply_add(k) * products(l) * vectors + 3.8) + update(k) * vectors;
  }
  return time;
}

template <class T>
double column_time(const Network& net, int64_t n) {
  const Kernels<T>& k = narrowest_kernels<T>(n);
  const double vectors = double(round_up(n, k.lanes) / k.lanes), size = sizeof(T);
  double time = 95 + size / 10 * double(n * (net.n_in() + net.n_out()));
  for (size_t l = 0; l < net.layers.size(); l++) {
    const Layer& layer = net.layers[l];
    const double parameters = double(layer.rows * layer.n_out);
    time += 25 + vectors * multiply_add(k) * (products(l) * parameters + 11 * double(layer.n_out));
    time += size / 6 * parameters;
  }
  return time;
}

template <class T>
double few_time(const Network& net, int64_t n) {
  const Kernels<T>& k = kernels<T>();
  double time = 42;
  for (size_t l = 0; l < net.layers.size(); l++) {
    const double vectors = double(few_layout(net.layers[l], k).size / k.lanes);
    time += 22 + double(n) * (1.5 * multiply_add(k) * products(l) * vectors + 5.4) + 0.6 * update(k) * vectors;
  }
  return time;
}

// Samples as columns are for networks whose every layer is narrow.
bool is_narrow(const Network& net) {
  constexpr int64_t widest = 48;
  bool narrow = net.n_in() <= widest;
  for (const Layer& layer : net.layers) narrow &= layer.n_out <= widest;
  return narrow;
}

// Whether a few samples by themselves take less than the same as rows. Larger networks gain nothing, and would lose the
// second thread.
bool are_few(const Network& net, int64_t batch_size) {
  constexpr int64_t most = 8, most_parameters = 30'000, most_parameters_of_two = 200'000;
  return batch_size <= most && net.n_parameters() <= (batch_size <= 2 ? most_parameters_of_two : most_parameters);
}

}  // namespace

template <class T>
Kind kind_of_steps(const Network& net, int64_t batch_size, bool extras) {
  if (batch_size == 1 && !extras) return Kind::few;
  const double columns = is_narrow(net) ? column_time<T>(net, batch_size) : std::numeric_limits<double>::infinity();
  if (!extras && are_few(net, batch_size) && few_time<T>(net, batch_size) < columns) return Kind::few;
  if (columns < row_time<T>(net, batch_size)) return Kind::columns;
  return prefers_groups(net, batch_size) ? Kind::groups : Kind::rows;
}

template Kind kind_of_steps<float>(const Network&, int64_t, bool);
template Kind kind_of_steps<double>(const Network&, int64_t, bool);

}  // namespace fastmlp
