// What a network is: its layers, and where their parameters lie in the flat buffer.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "inputs.h"
#include "kernels/kernels.h"

namespace fastmlp {

// W (n_in, n_out) starts at `start` of the flat buffer, and b follows it as one more row. With a
// column of ones beside the layer's inputs, both are one matrix of `rows` = n_in + 1 rows (n_in
// without biases): the gradient is one product, and so is forward, whose sums may as well begin with b.
struct Layer {
  int64_t n_in, n_out, rows;
  int activation;
  double parameter;  // of the activation
  int64_t start;

  // One neuron: W is a vector.
  bool across() const { return n_out == 1; }
};

struct Network {
  std::vector<Layer> layers;
  bool bias;
  int link = -1;  // the output activation, where it is one of whole rows; the last layer's is then linear

  int64_t n_in() const { return layers.front().n_in; }
  int64_t n_out() const { return layers.back().n_out; }
  int64_t n_parameters() const;
  double multiply_adds() const;  // of one row's forward pass
  int64_t left_by_row() const;   // elements of its A and delta
};

// An activation and its parameter.
struct ActivationOf {
  int id;
  double parameter;
};

Network make_network(const std::vector<int64_t>& sizes, const std::vector<ActivationOf>& activations, bool bias);

// The same with its last layer's net inputs as outputs, through which losses with a link are taken.
Network with_linear_output(const Network& net);

// Whether the derivative is taken at the net input.
bool needs_z(int activation);

// What a loss needs to be known for: whether it is taken through a link, and its columns of targets.
bool has_link(const LossOf& loss);
bool is_by_rows(const LossOf& loss);
int64_t n_targets(const LossOf& loss, int64_t n_out);

// Called on the caller's thread with the multiply-adds done since the last time; false gives up the work.
using Pause = std::function<bool(double multiply_adds)>;

// Y_hat (n, n_out), dense = the network's outputs for X (n, n_in).
template <class T>
void predict(const Network& net, const T* parameters, const Inputs<T>& X, int64_t n, T* Y_hat, int n_threads,
             const Pause& pause);

// Rows of X and Y with their weights (null: ones); Y and weights are dense.
template <class T>
struct Samples {
  Inputs<T> X;
  const T* Y;
  const T* weight;
  int64_t n, n_targets;
};

// J, the mean loss of the samples. For a loss with a link, the network has a linear output.
template <class T>
double mean_loss(const Network& net, const T* parameters, const Samples<T>& samples, const LossOf& loss, int n_threads,
                 const Pause& pause);

// J and, in the order of the parameters, its gradient.
template <class T>
double gradient(const Network& net, const T* parameters, const Samples<T>& samples, const LossOf& loss, T* flat,
                int n_threads, const Pause& pause);

// Z[l], A[l] and, where Y is given, delta[l] of every layer, l = 1..L, dense; returns J. The delta are those of scale
// times the sum of the losses. Unlike the two before, it
// takes the network as it is also for a loss with a link.
template <class T>
double trace(const Network& net, const T* parameters, const Samples<T>& samples, const LossOf& loss,
             const std::vector<T*>& Z, const std::vector<T*>& A, const std::vector<T*>& delta, double scale,
             const Pause& pause);

}  // namespace fastmlp
