// X as Python has it: an array, or a sparse matrix in SciPy's CSR format, which is known by its attributes.
#pragma once

#include "bindings_support.h"

namespace fastmlp {
namespace {

template <class T>
inline bool is_own_dtype(const PyObject* dtype) {
  const auto* d = py::detail::array_descriptor_proxy(dtype);
  return d->type_num == py::detail::npy_format_descriptor<T>::value && d->byteorder == '=';
}

// Whether it is an array of this very dtype that can be read where it lies. Subclasses, such as masked arrays, may mean
// more than their memory holds.
template <class T>
inline bool is_plain(const PyObject* array) {
  namespace numpy = py::detail;
  using numpy::npy_api;
  return Py_TYPE(array) == npy_api::get().PyArray_Type_ && is_own_dtype<T>(numpy::array_proxy(array)->descr) &&
         numpy::check_flags(array, npy_api::NPY_ARRAY_C_CONTIGUOUS_ | npy_api::NPY_ARRAY_ALIGNED_);
}

// The rows of such a matrix, or -1 for anything else.
template <class T>
inline int64_t plain_rows(const PyObject* array, int64_t columns) {
  if (!is_plain<T>(array)) return -1;
  const auto* a = py::detail::array_proxy(array);
  return a->nd == 2 && a->dimensions[1] == columns ? a->dimensions[0] : -1;
}

template <class T>
inline const T* data_of(const PyObject* array) {
  return reinterpret_cast<const T*>(py::detail::array_proxy(array)->data);
}

// Keeps the arrays for as long as they are read.
template <class T>
class PyInputs {
 public:
  PyInputs(const py::object& X, int64_t n_in) {
    if (py::isinstance<Array<T>>(X))
      take(py::reinterpret_borrow<Array<T>>(X), n_in);
    else if (py::hasattr(X, "indptr"))
      take_sparse(X, n_in);
    else
      throw py::type_error("X must be a C-ordered array, or a matrix in CSR format, of the network's dtype");
  }

  const Inputs<T>& rows() const { return rows_; }
  int64_t n() const { return n_; }

 private:
  void take(const Array<T>& X, int64_t n_in) {
    require(X.ndim() == 2, "X must be a matrix");
    n_ = X.shape(0);
    rows_.dense = matrix(X, n_, n_in, "X does not fit the network");
    kept_[0] = X;
  }

  void take_sparse(const py::object& X, int64_t n_in) {
    const auto [n, columns] = py::cast<std::pair<int64_t, int64_t>>(X.attr("shape"));
    require(columns == n_in, "X does not fit the network");
    n_ = n;
    rows_.wide = !py::isinstance<Array<int32_t>>(X.attr("indptr"));
    rows_.wide ? take_places<int64_t>(X, n_in) : take_places<int32_t>(X, n_in);
  }

  template <class I>
  void take_places(const py::object& X, int64_t n_in) {
    const auto data = part<T>(X, "data");
    const auto indptr = part<I>(X, "indptr"), indices = part<I>(X, "indices");
    require(indptr.size() == n_ + 1, "X has another number of rows than its shape says");
    require(fits(indptr.data(), indices.data(), std::min(data.size(), indices.size()), n_in),
            "X is a damaged sparse matrix: its indices do not fit its shape");
    rows_.data = data.data();
    rows_.indptr = indptr.data();
    rows_.indices = indices.data();
    kept_[0] = data;
    kept_[1] = indptr;
    kept_[2] = indices;
  }

  template <class E>
  static Array<E> part(const py::object& X, const char* name) {
    py::object array = X.attr(name);
    if (!py::isinstance<Array<E>>(array)) throw py::type_error("X has arrays of another dtype or layout");
    return py::reinterpret_steal<Array<E>>(array.release());
  }

  template <class I>
  bool fits(const I* indptr, const I* indices, int64_t stored, int64_t n_in) const {
    bool fits = indptr[0] == 0 && indptr[n_] <= stored;
    for (int64_t i = 0; i < n_; i++) fits &= indptr[i] <= indptr[i + 1];
    if (!fits) return false;
    for (int64_t k = 0; k < indptr[n_]; k++) fits &= 0 <= indices[k] && indices[k] < n_in;
    return fits;
  }

  Inputs<T> rows_;
  int64_t n_ = 0;
  py::object kept_[3];
};

}  // namespace
}  // namespace fastmlp
