// The memory of a run, allocated before its first step: packed parameters and, for a block of rows,
// what forward and backward pass leave.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "dropout.h"
#include "network.h"

namespace fastmlp {

enum class Contents { zeros, anything };

// Memory that starts on a cache line.
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t n = 0, Contents contents = Contents::zeros);
  T* data() const { return data_; }

 private:
  struct Release {
    size_t bytes;
    void operator()(void* memory) const;
  };
  std::unique_ptr<void, Release> memory_;
  T* data_;
};

inline int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// Arrays of the parameters' shape (parameters, gradient, slots) with every layer packed in panels. What lies beyond a
// layer's last column is zero, and stays so. A layer of one neuron lies across: as one row over its inputs, which is
// its own transpose.
template <class T>
class Packing {
 public:
  // Some rows of a layer's panel, which lie together from `offset`.
  struct Part {
    size_t l;
    int64_t column, width, first, rows, offset;
  };

  // For products with W.T over so many rows of samples, or few enough to do without transposes.
  Packing(const Network& net, const Kernels<T>& kernels, int64_t sample_rows = many);

  static int64_t size(const Layer& layer, int64_t lanes) {
    return layer.across() ? round_up(layer.rows, lanes) : layer.rows * round_up(layer.n_out, lanes);
  }
  int64_t size() const { return size_; }
  Matrix<const T> layer(const T* packed, size_t l) const;
  void pack(const T* flat, T* packed) const;
  void unpack(const T* packed, T* flat) const;
  // The same of a part, which lies at `packed` by itself.
  void pack(const Part& part, const T* flat, T* packed) const;
  void unpack(const Part& part, const T* packed, T* flat) const;
  // Where a part's first row is in a flat array, and whether its rows there are whole vectors, as they are in the part.
  int64_t start_in_flat(const Part& part) const {
    const Layer& layer = net_.layers[part.l];
    return layer.start + part.first * layer.n_out + part.column;
  }
  bool is_whole(const Part& part) const {
    const Layer& layer = net_.layers[part.l];
    return !layer.across() && part.column + part.width <= layer.n_out;
  }

  // All there is, in parts of some `elements` or less, but of a panel's width in rows.
  std::vector<Part> parts(double elements = whole) const;

  // The transposes of W of layers 1.. (0 has no use for one), each packed for itself; null where it does not pay.
  int64_t transposed_size() const { return transposed_size_; }
  Matrix<const T> transposed(const T* packed, const T* all, size_t l) const;
  // Renew what a part of W, whose first row is a multiple of a panel's width, is to its transpose.
  void transpose(const Part& part, const T* packed, T* all) const;
  // Where that is.
  Wanted<T> transposed_part(const Part& part, const T* all) const;

 private:
  static constexpr double whole = 1e18;
  static constexpr int64_t many = int64_t(1) << 40;
  bool has_transpose(size_t l) const;
  // Whether what the parameters are copied to would not be in the cache any more when the next call reads it, after its
  // copies, transposes and slots.
  bool leaves_cache() const { return size_ * int64_t(sizeof(T)) > 4 << 20; }

  const Network& net_;
  const Kernels<T>& kernels_;
  const int64_t sample_rows_;
  std::vector<int64_t> start_, transposed_start_;
  int64_t size_ = 0, transposed_size_ = 0;
};

// Where row i and column j of x are; panels have a stride.
template <class T>
T* element(const Matrix<T>& x, int64_t i, int64_t j) {
  const int64_t first = x.panel_rows ? j / x.stride * x.stride : 0;  // column of j's panel
  return x.data + first * x.panel_rows + i * x.stride + j - first;
}

// A[0..L], delta[1..L] and Z, where derivatives need it, for a block of rows. Behind the last neuron of a row stands a
// one, for the next layer's biases. A product with A.T reads down the columns, where the rows of a wide layer are pages
// apart: those lie in panels or, where somebody needs them as rows, have a copy in panels.
template <class T>
class Workspace {
 public:
  enum Keep { forward = 0, backward = 1, everything = 2 };
  Workspace(const Network& net, const Kernels<T>& kernels, int64_t rows, Keep keep, const Dropout& dropout = {},
            int n_inputs = 1);

  // Rows of a block such that what they leave stays in the cache, but not fewer than `fewest`.
  static int64_t block_rows(const Network& net, const Kernels<T>& kernels, int64_t n, int64_t fewest = 256);

  const int64_t rows;
  std::vector<Matrix<T>> A, Z, delta;                   // Z[0] and delta[0] are null, and Z that nobody needs
  std::vector<Matrix<T>> A_in_panels, delta_in_panels;  // null where there is no such copy
  std::vector<Matrix<T>> inputs;                        // A[0], and others like it for threads that have their own
  T *Y, *weight;                                        // dense
  double* losses;                                       // of each row

 private:
  std::vector<Buffer<T>> buffers_;
  Buffer<double> losses_;
};

}  // namespace fastmlp
