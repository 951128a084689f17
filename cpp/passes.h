// A block of rows through all layers, forward and backward: the mathematics in terms of kernels.
//
// Rows are independent of each other, so threads may share a block by rows; gradients are
// independent by rows of dW. Nothing here depends on how a block is shared.
#pragma once

#include "dropout.h"
#include "workspace.h"

namespace fastmlp {

template <class T>
struct Passes {
  const Network& net;
  const Kernels<T>& kernels;
  Workspace<T>& ws;
  Dropout dropout{};
  int64_t first_row = 0;  // of the block in its batch, for dropout
  size_t input = 0;       // which of the workspace's inputs is A[0]

  // A[0], and Y and weight, = rows order[start + i] (null: start + i) of the samples, for i of first..first+n.
  void load(const Samples<T>& samples, const int64_t* order, int64_t start, int64_t first, int64_t n) const {
    load_inputs(samples, order, start, first, n);
    load_targets(samples, order, start, first, n);
  }
  // Rows `next` behind them, of the next batch, may be fetched. Returns false where it has seen inputs that are not
  // finite, which it does in dense ones.
  bool load_inputs(const Samples<T>& samples, const int64_t* order, int64_t start, int64_t first, int64_t n,
                   int64_t next = 0) const;
  void load_targets(const Samples<T>& samples, const int64_t* order, int64_t start, int64_t first, int64_t n) const;
  const Matrix<T>& A(size_t l) const { return l == 0 ? ws.inputs[input] : ws.A[l]; }

  // Z[l] = [A[l-1] 1] @ [W; b]; A[l] = s(Z[l]).
  void forward(const std::vector<Matrix<const T>>& W, int64_t first, int64_t n) const {
    for (size_t l = 1; l <= net.layers.size(); l++) forward(W[l - 1], l, first, n);
  }
  void forward(const Matrix<const T>& W, size_t l, int64_t first, int64_t n) const;

  // The same for some columns of A[l], from a multiple of a panel's width on, where that is one product.
  bool is_one_product(size_t l) const;
  void forward_columns(const Matrix<const T>& W, size_t l, int64_t first, int64_t n, int64_t column,
                       int64_t columns) const;

  // losses of the rows and, for a scale that is not 0, delta[l] of every layer. Where there is no transpose of W, W is
  // packed and ends in zeros.
  void backward(const std::vector<Matrix<const T>>& W, const std::vector<Matrix<const T>>& WT,
                const Samples<T>& samples, const LossOf& loss_of, T scale, int64_t first, int64_t n) const;
  // Its parts: losses and delta[L]; delta[l] of another layer; and the copies in panels of what there is then.
  void loss(const Samples<T>& samples, const LossOf& loss_of, T scale, int64_t first, int64_t n) const;
  void backward(size_t l, const Matrix<const T>& W, const Matrix<const T>& WT, int64_t first, int64_t n) const;
  void lay_in_panels(int64_t first, int64_t n) const;

  // Where the derivatives of layer l's activations are taken: A[l], or Z[l] if they need that. Where some of A[l] is
  // dropped, Z[l] holds what it was before.
  const Matrix<T>& taken_at(size_t l) const;

  // delta[l] = (delta[l+1] @ W.T) * s', for l < L; with a transpose also for some columns, from a multiple of a panel's
  // width on.
  void differentiate(size_t l, const Matrix<const T>& W, const Matrix<const T>& WT, int64_t first, int64_t n,
                     int64_t column, int64_t columns) const;

  // Columns of Z[l] or, where that is one product, of A[l].
  void multiply(const Matrix<const T>& W, size_t l, int64_t first, int64_t n, int64_t column, int64_t columns) const;

  // The ones behind the last neurons of A[l].
  void lay_ones(size_t l, int64_t first, int64_t n) const;

  // Drop some of the elements of x, A[l] or delta[l].
  void drop(const Matrix<T>& x, size_t l, int64_t first, int64_t n) const;

  // Rows first.. of the samples, to be fetched with the gradient of a part; none where rows are short, or where those
  // that are fetched until these are loaded, so many, would not stay in the cache.
  Ahead ahead(const Samples<T>& samples, const int64_t* order, int64_t first, int64_t n, int64_t until_loaded,
              const typename Packing<T>::Part& part) const;

  // A part of [dW; db] = [A[l-1] 1].T @ delta[l] over rows first.. of samples; dW has rows of the part's width.
  void gradient(const typename Packing<T>::Part& part, int64_t first, int64_t n, bool accumulate, T* dW,
                const Wanted<T>* wanted = nullptr, const Ahead& ahead = {}) const;
};

// [W; b] of every layer where they lie in the flat buffer. Kernels read past the end of its rows.
template <class T>
std::vector<Matrix<const T>> dense_layers(const Network& net, const T* parameters);

}  // namespace fastmlp
