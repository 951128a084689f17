// How the outputs of samples change with every parameter: the Jacobian dY_hat/dparameters, block by block.
//
// Samples lie in columns, as in kernels/columns.h: no lane is spent on padding a narrow layer, and the row of a
// parameter W[i, j] is the product, sample by sample, of the rows A[i] and delta[j].
#pragma once

#include "network.h"
#include "workspace.h"

namespace fastmlp {

template <class T>
class Jacobian {
 public:
  // For blocks of up to `rows` samples; the parameters are read where they lie.
  Jacobian(const Network& net, const T* parameters, int64_t rows);

  // Samples of a block such that what they leave stays in a cache, and products are long enough.
  static int64_t block_rows(const Network& net, int64_t n);

  // Distance of the rows of all matrices here, which have a column per sample.
  int64_t stride() const { return stride_; }

  // Y_hat (n_out, n) for rows first..first+n of X.
  const T* forward(const Inputs<T>& X, int64_t first, int64_t n);

  // to (n_parameters, n): scale * dY_hat[output]/dparameters of the samples that went forward last. Where the output
  // activation is one of whole rows, Y_hat are the net inputs here.
  void backward(int64_t output, const T* scale, T* to);

 private:
  const Network& net_;
  const Kernels<T>& k_;
  const T* parameters_;
  const int64_t stride_;
  int64_t n_ = 0;
  // dA[l]/dZ[l] times the rows of delta that follow from `first` on.
  void differentiate(size_t l, T* delta, int64_t first, int64_t rows);

  // A[0..L] with their rows of ones, Z[0..L] where a derivative needs them, delta[1..L] at 0..L-1.
  std::vector<Buffer<T>> A_, Z_, delta_;
};

// J (n, n_out, n_parameters), dense: the derivatives of Y_hat for every row of X.
template <class T>
void jacobian(const Network& net, const T* parameters, const Inputs<T>& X, int64_t n, T* J, const Pause& pause);

}  // namespace fastmlp
