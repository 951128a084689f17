// X, the inputs of samples: a dense matrix, or a sparse one of which only the rows at work are ever dense.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/kernels.h"

namespace fastmlp {

// What a call of memcpy takes longer for than for a few lines is copied in place.
template <class T>
inline void copy(const T* from, int64_t n, T* to) {
  constexpr int64_t piece = 16 / int64_t(sizeof(T)), few = 8 * piece;
  if (n > few) {
    std::copy_n(from, n, to);
    return;
  }
  if (n < piece) {
    for (int64_t i = 0; i < n; i++) to[i] = from[i];
    return;
  }
  for (int64_t i = 0; i + piece < n; i += piece) std::memcpy(to + i, from + i, 16);
  std::memcpy(to + n - piece, from + n - piece, 16);  // over some of the one before, where there is a rest
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
    lay_rows(1, [=](int64_t) { return row; }, n_in, {to, n_in, 0});
  }

  // Row i of `to`, which may be in panels of its stride's width, = X[row(i)], for n rows.
  template <class Row>
  void lay_rows(int64_t n, const Row& row, int64_t n_in, const Matrix<T>& to) const {
    const int64_t width = to.panel_rows ? to.stride : n_in, panel = width * to.panel_rows;
    for (int64_t i = 0; i < n; i++) {
      const int64_t r = row(i);
      T* laid = to.data + i * to.stride;
      for (int64_t j = 0; j < n_in; j += width, laid += panel) {
        const int64_t columns = std::min(width, n_in - j);
        if (dense)
          copy(dense + r * n_in + j, columns, laid);
        else
          std::fill_n(laid, columns, T(0));
      }
      if (dense) continue;
      laid = to.data + i * to.stride;
      if (to.panel_rows)
        add_row(r, laid, [=](int64_t j) { return j / width * panel + j % width; });
      else
        add_row(r, laid, [](int64_t j) { return j; });
    }
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
    for (int64_t i = 0; i < n; i++) add_row(row(i), to + i, [=](int64_t j) { return j * stride; });
  }

 private:
  // to[place(j)] += X[row, j], for the non-zeros.
  template <class Place>
  void add_row(int64_t row, T* to, const Place& place) const {
    wide ? add_row<int64_t>(row, to, place) : add_row<int32_t>(row, to, place);
  }

  template <class I, class Place>
  void add_row(int64_t row, T* to, const Place& place) const {
    const I *start = static_cast<const I*>(indptr), *column = static_cast<const I*>(indices);
    for (int64_t k = start[row]; k < start[row + 1]; k++) to[place(column[k])] += data[k];
  }
};

}  // namespace fastmlp
