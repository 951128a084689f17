// What the bindings share: checks of arrays and names, signals, and the rule of an optimizer.
#pragma once

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "network.h"
#include "steps.h"
#include "train.h"
#include "watch.h"

namespace py = pybind11;

namespace fastmlp {
namespace {

// C-ordered and of exactly this dtype: with noconvert, anything else is refused.
template <class T>
using Array = py::array_t<T, py::array::c_style>;

template <class... S>
std::vector<std::string> names(List<S...>) {
  return {S::name...};
}

template <class... S>
int find_name(const std::string& name, List<S...>) {
  static constexpr const char* known[] = {S::name...};
  for (int i = 0; i < int(sizeof...(S)); i++)
    if (name == known[i]) return i;
  return -1;
}

template <class... S>
int id_of(const std::string& name, List<S...>) {
  const int id = find_name(name, List<S...>{});
  if (id < 0) throw py::value_error("unknown name '" + name + "'");
  return id;
}

// The number of a name, or -1 for anything else.
template <class... S>
int find_id(PyObject* name, List<S...>) {
  static constexpr const char* known[] = {S::name...};
  for (int i = 0; i < int(sizeof...(S)) && PyUnicode_CheckExact(name); i++)
    if (PyUnicode_CompareWithASCIIString(name, known[i]) == 0) return i;
  return -1;
}

// Whether `value` is an int from low to high, and nothing that merely acts like one; then it is put into `result`.
inline bool plain_integer(PyObject* value, int64_t low, int64_t high, int64_t& result) {
  if (!PyLong_CheckExact(value)) return false;
  int overflow = 0;
  result = PyLong_AsLongLongAndOverflow(value, &overflow);
  return !overflow && low <= result && result <= high;
}

void require(bool holds, const char* what) {
  if (!holds) throw py::value_error(what);
}

template <class T>
const T* matrix(const Array<T>& a, int64_t n, int64_t columns, const char* what) {
  require(a.ndim() == 2 && a.shape(0) == n && a.shape(1) == columns, what);
  return a.data();
}

template <class T>
T* flat(Array<T>& a, int64_t n, const char* what) {
  require(a.ndim() == 1 && a.shape(0) == n, what);
  return a.mutable_data();
}

// Asks Python now and then whether a signal has come. An exception cannot cross the threads' work: it
// ends the work, and is raised when that is over.
class Interrupts {
 public:
  Pause pause() {
    return [this](double multiply_adds) { return !watch_.due(multiply_adds) || carry_on([] { return true; }); };
  }

  // Look for signals, then call asked(), which needs the GIL.
  template <class Asked>
  bool carry_on(const Asked& asked) {
    py::gil_scoped_acquire acquire;
    try {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      return asked();
    } catch (...) {
      error_ = std::current_exception();
      return false;
    }
  }

  void raise() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  Watch watch_;
  std::exception_ptr error_;
};

// A loss and its parameters, as Python has checked them.
struct PyLoss {
  LossOf spec;

  PyLoss(const std::string& name, const std::vector<double>& parameters) {
    spec.id = id_of(name, Losses{});
    require(int(parameters.size()) <= max_loss_parameters && fits(int(parameters.size()), Losses{}),
            "the loss has another number of parameters");
    spec.n_parameters = int(parameters.size());
    std::copy(parameters.begin(), parameters.end(), spec.parameters);
  }

 private:
  template <class... E>
  bool fits(int n, List<E...>) const {
    static constexpr int all[] = {E::n_parameters...};
    return n >= all[spec.id];
  }
};

// The numbers of an optimizer: its rule's hyperparameters, and what surrounds the rule.
struct Numbers {
  std::vector<double> hyperparameters;
  Penalties penalties;
};

inline Numbers numbers_of(int rule, const std::vector<double>& v) {
  const size_t n = n_hyperparameters(rule);
  require(v.size() == n + Penalties::size, "the rule has other hyperparameters");
  const double* p = v.data() + n;
  return {{v.begin(), v.begin() + std::ptrdiff_t(n)}, {p[0], p[1], p[2], p[3] != 0, p[4], p[5], p[6], p[7] != 0}};
}

// An optimizer as it was when Python checked it; it says so as long as none of its attributes is set.
class PyRule {
 public:
  PyRule(const py::object& optimizer, const std::string& name, const std::vector<double>& numbers,
         const py::list& slots, const py::dtype& dtype)
      : id(id_of(name, Optimizers{})),
        n_slots(size_t(slots_of(id))),
        numbers(numbers_of(id, numbers)),
        slots(py::cast<std::vector<py::object>>(slots)),
        dtype(dtype),
        type_(py::type::of(optimizer)),
        list_(slots) {
    require(this->slots.size() >= n_slots, "the rule needs more slots");
  }

  // Whether the optimizer still has that type, and its slots are the same objects.
  bool describes(const py::handle& optimizer) const {
    if (py::type::handle_of(optimizer).ptr() != type_.ptr()) return false;
    if (list_.size() != slots.size()) return false;
    for (size_t i = 0; i < slots.size(); i++)
      if (PyList_GET_ITEM(list_.ptr(), Py_ssize_t(i)) != slots[i].ptr()) return false;
    return true;
  }

  const int id;
  const size_t n_slots;
  const Numbers numbers;
  const std::vector<py::object> slots;
  const py::dtype dtype;  // of the parameters

 private:
  const py::object type_;
  const py::list list_;  // the optimizer's own, which others may change
};

// The C++ object inside a Python one of this very type: pybind11's own way there searches its tables.
template <class C>
C& held(PyObject* object) {
  void* const found = reinterpret_cast<py::detail::instance*>(object)->simple_value_holder[0];
  if (!found) throw py::type_error("an object that was never initialised");
  return *static_cast<C*>(found);
}

// A method that CPython calls without pybind11's dispatcher between them.
template <class Call>
PyObject* call_plainly(const Call& call) {
  try {
    return py::object(call()).release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

// The new epochs of a run, as Python takes them.
struct PyProgress {
  PyProgress(std::optional<double> last_loss, std::optional<std::tuple<double, double, int64_t, int64_t>> plateau) {
    if (last_loss) progress.last_loss = *last_loss;
    if (!plateau) return;
    const auto [tolerance, best, patience, waited] = *plateau;
    progress.plateau = Plateau{tolerance, best, patience, waited};
  }

  Progress progress;
  size_t taken = 0;

  std::tuple<std::vector<double>, std::vector<double>> take() {
    const auto since = [this](const std::vector<double>& v) {
      return std::vector<double>(v.begin() + std::ptrdiff_t(std::min(taken, v.size())), v.end());
    };
    auto result = std::make_tuple(since(progress.loss), since(progress.validation_loss));
    taken = progress.loss.size();
    return result;
  }
};

}  // namespace
}  // namespace fastmlp
