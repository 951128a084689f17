// The only file that knows Python: checks the layout of arrays, drops the GIL, exports names.
//
// Values are checked in Python, with names and places in the messages. What is checked here is what
// would read or write memory that is not ours.
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

#include "network.h"
#include "processors.h"
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

int id_of(const std::string& name, const std::vector<std::string>& known) {
  for (size_t i = 0; i < known.size(); i++)
    if (known[i] == name) return int(i);
  throw py::value_error("unknown name '" + name + "'");
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

// The new epochs of a run, as Python takes them.
struct PyProgress {
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

template <class T>
class PyNetwork {
 public:
  using OptionalArray = std::optional<Array<T>>;

  PyNetwork(const std::vector<int64_t>& sizes, const std::vector<std::string>& activations, bool bias,
            Array<T> parameters)
      : parameters_(std::move(parameters)) {
    require(sizes.size() >= 2 && activations.size() == sizes.size() - 1, "one activation per layer after the first");
    std::vector<int> ids;
    for (const std::string& name : activations) ids.push_back(id_of(name, names(Activations{})));
    net_ = make_network(sizes, ids, bias);
    data_ = flat(parameters_, net_.n_parameters(), "parameters do not fit the layers");
  }

  py::array_t<T> predict(const Array<T>& X, int n_threads) const {
    require(X.ndim() == 2, "X must be a matrix");
    const int64_t n = X.shape(0);
    const T* x = matrix(X, n, net_.n_in(), "X does not fit the network");
    py::array_t<T> Y_hat({n, net_.n_out()});
    T* y = Y_hat.mutable_data();
    Interrupts interrupts;
    {
      py::gil_scoped_release release;
      fastmlp::predict(net_, data_, x, n, y, n_threads, interrupts.pause());
    }
    interrupts.raise();
    return Y_hat;
  }

  // The outputs, or None if X is not an array of finite numbers that can be read where it is.
  py::object predict_if_ready(const py::handle& X) const {
    if (!can_read(X, net_.n_in())) return py::none();
    return predict(py::reinterpret_borrow<Array<T>>(X), 0);
  }

  // Whether X and Y are such arrays, with a row of both for each sample.
  bool can_read(const py::handle& X, const py::handle& Y) const {
    if (!can_read(X, net_.n_in()) || !can_read(Y, net_.n_out())) return false;
    const auto n = py::reinterpret_borrow<Array<T>>(X).shape(0);
    return n > 0 && py::reinterpret_borrow<Array<T>>(Y).shape(0) == n;
  }

  double loss(const Array<T>& X, const Array<T>& Y, const OptionalArray& weight, const std::string& loss,
              int n_threads) const {
    const Samples<T> s = samples(X, Y, weight);
    const int id = id_of(loss, names(Losses{}));
    Interrupts interrupts;
    double J = 0;
    {
      py::gil_scoped_release release;
      J = mean_loss(net_, data_, s, id, n_threads, interrupts.pause());
    }
    interrupts.raise();
    return J;
  }

  double gradient(const Array<T>& X, const Array<T>& Y, const OptionalArray& weight, const std::string& loss,
                  Array<T>& gradient, int n_threads) const {
    const Samples<T> s = samples(X, Y, weight);
    const int id = id_of(loss, names(Losses{}));
    T* g = flat(gradient, net_.n_parameters(), "gradient does not fit the network");
    Interrupts interrupts;
    double J = 0;
    {
      py::gil_scoped_release release;
      J = fastmlp::gradient(net_, data_, s, id, g, n_threads, interrupts.pause());
    }
    interrupts.raise();
    return J;
  }

  // (J, Z, A, delta) of layers 1..L.
  py::tuple trace(const Array<T>& X, const OptionalArray& Y, const std::string& loss) const {
    Samples<T> s{X.data(), nullptr, nullptr, X.shape(0)};
    if (Y)
      s = samples(X, *Y, std::nullopt);
    else
      matrix(X, s.n, net_.n_in(), "X does not fit the network");
    py::list lists[3];
    std::vector<T*> pointers[3];
    for (const Layer& layer : net_.layers)
      for (int i = 0; i < (Y ? 3 : 2); i++) {
        py::array_t<T> a({s.n, layer.n_out});
        pointers[i].push_back(a.mutable_data());
        lists[i].append(a);
      }
    const double J =
        s.n ? fastmlp::trace(net_, data_, s, id_of(loss, names(Losses{})), pointers[0], pointers[1], pointers[2]) : 0;
    return py::make_tuple(J, lists[0], lists[1], lists[2]);
  }

  void train(const Array<T>& X, const Array<T>& Y, const OptionalArray& weight, const OptionalArray& X_validation,
             const OptionalArray& Y_validation, int64_t epochs, int64_t batch_size,
             const std::optional<py::capsule>& random, const std::string& loss, const std::string& rule, bool normalize,
             std::vector<Array<T>> slots, std::vector<double> hyperparameters, int64_t steps, int n_threads,
             bool report_every_epoch, PyProgress& progress, const std::optional<py::function>& report) {
    Task<T> task{samples(X, Y, weight), {}, epochs, batch_size, nullptr, 0, 0, normalize, {}, nullptr, steps, n_threads,
                 report_every_epoch};
    require(task.samples.n > 0 && batch_size > 0, "a batch needs rows");
    if (X_validation && Y_validation) task.validation = samples(*X_validation, *Y_validation, std::nullopt);
    if (random) task.random = random->get_pointer<BitGenerator>();
    task.loss = id_of(loss, names(Losses{}));
    task.rule = id_of(rule, names(Optimizers{}));
    const auto [n_hyperparameters, n_slots] = counts(task.rule, Optimizers{});
    require(int64_t(slots.size()) >= n_slots, "the rule needs more slots");
    require(int64_t(hyperparameters.size()) == n_hyperparameters, "the rule has other hyperparameters");
    for (int64_t i = 0; i < n_slots; i++)
      task.slots[i] = flat(slots[size_t(i)], net_.n_parameters(), "a slot does not fit the network");
    task.hyperparameters = hyperparameters.data();

    Interrupts interrupts;
    {
      py::gil_scoped_release release;
      fastmlp::train(net_, data_, task, progress.progress, [&](const Progress&, bool whole) {
        return interrupts.carry_on([&] {
          if (!report) return true;
          const py::object next = (*report)();
          if (next.is_none()) return false;
          const auto values = py::cast<std::vector<double>>(next);
          require(values.size() == hyperparameters.size(), "the rule has other hyperparameters");
          if (whole) std::copy(values.begin(), values.end(), hyperparameters.begin());
          return true;
        });
      });
    }
    interrupts.raise();
  }

 private:
  static bool can_read(const py::handle& array, int64_t columns) {
    // Subclasses, such as masked arrays, may mean more than their memory holds.
    if (Py_TYPE(array.ptr()) != py::detail::npy_api::get().PyArray_Type_ || !py::isinstance<Array<T>>(array))
      return false;
    const auto a = py::reinterpret_borrow<Array<T>>(array);
    return a.ndim() == 2 && a.shape(1) == columns && (a.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) &&
           kernels<T>().find_nonfinite(a.data(), a.size()) < 0;
  }

  Samples<T> samples(const Array<T>& X, const Array<T>& Y, const OptionalArray& weight) const {
    require(X.ndim() == 2, "X must be a matrix");
    const int64_t n = X.shape(0);
    Samples<T> s{matrix(X, n, net_.n_in(), "X does not fit the network"),
                 matrix(Y, n, net_.n_out(), "Y does not fit the network and X"), nullptr, n};
    if (weight) {
      require(weight->ndim() == 1 && weight->shape(0) == n, "one weight per row");
      s.weight = weight->data();
    }
    return s;
  }

  template <class... U>
  static std::pair<int64_t, int64_t> counts(int rule, List<U...>) {
    const std::pair<int64_t, int64_t> all[] = {{int64_t(std::size(U::hyperparameters)), U::n_slots}...};
    return all[rule];
  }

  Array<T> parameters_;
  T* data_ = nullptr;
  Network net_;
};

// What the kernels compute of every element: exp, log, or an activation.
template <class T>
py::object vector_function(const std::string& name, const Array<T>& x) {
  require(x.ndim() == 1, "x must have one dimension");
  const auto known = names(Activations{});
  if (name != "exp" && name != "log") id_of(name, known);
  const int64_t n = x.size(), padded = n + 64;
  py::array_t<T> values(padded);
  T* y = values.mutable_data();
  {
    py::gil_scoped_release release;
    std::copy_n(x.data(), n, y);
    std::fill_n(y + n, padded - n, T(1));
    const Kernels<T>& k = kernels<T>();
    if (name == "exp")
      k.exp(y, n);
    else if (name == "log")
      k.log(y, n);
    else
      k.activate[id_of(name, known)](y, 1, n, n);
  }
  return values[py::slice(0, n, 1)];
}

template <class T>
void export_network(py::module_& m, const char* name) {
  using N = PyNetwork<T>;
  const auto X = py::arg("X").noconvert();
  const auto Y = py::arg("Y").noconvert();
  const auto weight = py::arg("weight").noconvert();
  py::class_<N>(m, name)
      .def(py::init<const std::vector<int64_t>&, const std::vector<std::string>&, bool, Array<T>>(), py::arg("sizes"),
           py::arg("activations"), py::arg("bias"), py::arg("parameters").noconvert())
      .def_static(
          "spin", [](int64_t rounds) { return kernels<T>().spin(rounds); }, py::arg("rounds"),
          py::call_guard<py::gil_scoped_release>())
      .def("predict", &N::predict, X, py::arg("n_threads"))
      .def("predict_if_ready", &N::predict_if_ready, py::arg("X"))
      .def("can_read", py::overload_cast<const py::handle&, const py::handle&>(&N::can_read, py::const_), py::arg("X"),
           py::arg("Y"))
      .def("loss", &N::loss, X, Y, weight, py::arg("loss"), py::arg("n_threads"))
      .def("gradient", &N::gradient, X, Y, weight, py::arg("loss"), py::arg("gradient").noconvert(),
           py::arg("n_threads"))
      .def("trace", &N::trace, X, Y, py::arg("loss"))
      .def("train", &N::train, X, Y, weight, py::arg("X_validation").noconvert(), py::arg("Y_validation").noconvert(),
           py::arg("epochs"), py::arg("batch_size"), py::arg("random"), py::arg("loss"), py::arg("rule"),
           py::arg("normalize"), py::arg("slots").noconvert(), py::arg("hyperparameters"), py::arg("steps"),
           py::arg("n_threads"), py::arg("report_every_epoch"), py::arg("progress"), py::arg("report"));
  m.def(
      "find_nonfinite",
      [](const Array<T>& x) {
        py::gil_scoped_release release;
        return kernels<T>().find_nonfinite(x.data(), x.size());
      },
      py::arg("x").noconvert());
  m.def("vector_function", &vector_function<T>, py::arg("name"), py::arg("x").noconvert());
}

std::vector<std::string> simd(bool only_those_that_run) {
  Available list[max_tables];
  std::vector<std::string> found;
  for (int i = 0, n = tables(list); i < n; i++)
    if (list[i].runs || !only_those_that_run) found.push_back(list[i].table->name);
  return found;
}

void use_simd(const std::string& name) {
  Available list[max_tables];
  for (int i = 0, n = tables(list); i < n; i++)
    if (name == list[i].table->name && list[i].runs) return use_table(*list[i].table);
  throw py::value_error("no instruction set '" + name + "' here");
}

// {name: (hyperparameters, slots)} of every update rule.
template <class... U>
py::dict rules(List<U...>) {
  py::dict all;
  const auto add = [&]<class R>(R) {
    std::vector<std::string> slots(R::slots, R::slots + R::n_slots);
    std::vector<std::string> h(std::begin(R::hyperparameters), std::end(R::hyperparameters));
    all[R::name] = py::make_tuple(h, slots);
  };
  (add(U{}), ...);
  return all;
}

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#else
  return "GCC " __VERSION__;
#endif
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "The compiled core of fastmlp.";
  m.attr("__version__") = FASTMLP_VERSION;
  py::class_<PyProgress>(m, "Progress")
      .def(py::init<>())
      .def_property_readonly("steps", [](const PyProgress& p) { return p.progress.steps; })
      .def("take", &PyProgress::take);
  export_network<float>(m, "NetworkFloat32");
  export_network<double>(m, "NetworkFloat64");
  m.def("activations", [] { return names(Activations{}); });
  m.def("losses", [] { return names(Losses{}); });
  m.def("rules", [] { return rules(Optimizers{}); });
  m.def("simd", [] { return std::string(table().name); });
  m.def("simd_built", [] { return simd(false); });
  m.def("simd_available", [] { return simd(true); });
  m.def("use_simd", &use_simd, py::arg("name"));
  m.def("n_threads", &usable_processors);
  m.def("cgroup_quota", &cgroup_quota, py::arg("root") = "");
  m.def("compiler", &compiler);
}

}  // namespace fastmlp
