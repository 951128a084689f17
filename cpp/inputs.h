// X, the inputs of samples: a dense matrix, or a sparse one of which only the rows at work are ever dense.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace fastmlp {

// What a call of memcpy takes longer for than for a few lines is copied in place.
template <class T>
inline void copy(const T* from, int64_t n, T* to) {
  constexpr int64_t piece = 16 / int64_t(sizeof(T)), few = 8 * piece;
  if (n > few) {
    std::copy_n(from, n, to);
    return;
  }
  int64_t i = 0;
  for (; i + piece <= n; i += piece) std::memcpy(to + i, from + i, 16);
  for (; i < n; i++) to[i] = from[i];
}

// X (n, n_in): dense or, where that is null, sparse as in SciPy's CSR format. Row i has data[k] in column indices[k],
// for k from indptr[i] to indptr[i + 1], and zeros elsewhere; what a place has more than once adds up.
template <class T>
struct Inputs {
  const T* dense = nullptr;
  const T* data = nullptr;
  const void *indptr = nullptr, *indices = nullptr;
  bool wide = false;  // indptr and indices are int64_t; otherwise int32_t

  Inputs() = default;
  Inputs(const T* X) : dense(X) {}

  // to[j] = X[row, j].
  void lay_row(int64_t row, int64_t n_in, T* to) const {
    if (dense) {
      std::copy_n(dense + row * n_in, n_in, to);
      return;
    }
    std::fill_n(to, n_in, T(0));
    add_row(row, to, 1);
  }

  // to[i * stride + j] = X[row(i), j], for n rows.
  template <class Row>
  void lay_rows(int64_t n, const Row& row, int64_t n_in, T* to, int64_t stride) const {
    if (dense) {
      for (int64_t i = 0; i < n; i++) copy(dense + row(i) * n_in, n_in, to + i * stride);
      return;
    }
    for (int64_t i = 0; i < n; i++) lay_row(row(i), n_in, to + i * stride);
  }

  // to[j * stride + i] = X[row(i), j], for n rows.
  template <class Row>
  void lay_columns(int64_t n, const Row& row, int64_t n_in, T* to, int64_t stride) const {
    if (dense) {
      for (int64_t i = 0; i < n; i++) {
        const T* from = dense + row(i) * n_in;
        for (int64_t j = 0; j < n_in; j++) to[j * stride + i] = from[j];
      }
      return;
    }
    for (int64_t j = 0; j < n_in; j++) std::fill_n(to + j * stride, n, T(0));
    for (int64_t i = 0; i < n; i++) add_row(row(i), to + i, stride);
  }

 private:
  void add_row(int64_t row, T* to, int64_t stride) const {
    wide ? add_row<int64_t>(row, to, stride) : add_row<int32_t>(row, to, stride);
  }

  template <class I>
  void add_row(int64_t row, T* to, int64_t stride) const {
    const I *start = static_cast<const I*>(indptr), *column = static_cast<const I*>(indices);
    for (int64_t k = start[row]; k < start[row + 1]; k++) to[column[k] * stride] += data[k];
  }
};

}  // namespace fastmlp
