// This file and the headers bindings_*.h are all that knows Python: they check the layout of arrays, drop the GIL and
// export names.
//
// Values are checked in Python, with names and places in the messages. What is checked here is what
// would read or write memory that is not ours.
#include "bindings_network.h"
#include "bindings_solvers.h"
#include "processors.h"

namespace fastmlp {
namespace {

// What the kernels compute of every element: exp, log, or an activation.
template <class T>
py::object vector_function(const std::string& name, const Array<T>& x, double parameter) {
  require(x.ndim() == 1, "x must have one dimension");
  if (name != "exp" && name != "log") id_of(name, Activations{});
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
      k.activate[id_of(name, Activations{})](y, 1, n, n, T(parameter));
  }
  return values[py::slice(0, n, 1)];
}

template <class N>
PyObject* predict_if_plain(PyObject* self, PyObject* X) {
  return call_plainly([&] { return held<N>(self).predict_if_plain(X); });
}

template <class N>
PyObject* train_if_plain(PyObject* self, PyObject* const* arguments, Py_ssize_t n) {
  using Arguments = typename N::Arguments;
  return call_plainly([&] {
    if (size_t(n) != sizeof(Arguments) / sizeof(PyObject*)) throw py::type_error("train_if_plain takes all arguments");
    return held<N>(self).train_if_plain(*reinterpret_cast<const Arguments*>(arguments));
  });
}

// The methods that are called often, and do little each time.
template <class N>
void export_plain_methods(const py::class_<N>& network) {
  static PyMethodDef methods[] = {
      {"predict_if_plain", predict_if_plain<N>, METH_O, "predict_if_plain(self, X)"},
      {"train_if_plain", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(train_if_plain<N>)), METH_FASTCALL,
       "train_if_plain(self, *arguments)"}};
  for (PyMethodDef& method : methods)
    network.attr(method.ml_name) =
        py::reinterpret_steal<py::object>(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(network.ptr()), &method));
}

template <class T>
void export_network(py::module_& m, const char* name, const char* levenberg_marquardt) {
  using N = PyNetwork<T>;
  const auto X = py::arg("X");
  const auto Y = py::arg("Y").noconvert();
  const auto weight = py::arg("weight").noconvert();
  py::class_<N> network(m, name, py::is_final());
  network
      .def(py::init<const std::vector<int64_t>&, const std::vector<std::pair<std::string, double>>&, bool, Array<T>>(),
           py::arg("sizes"), py::arg("activations"), py::arg("bias"), py::arg("parameters").noconvert())
      .def_static(
          "spin", [](int64_t rounds) { return kernels<T>().spin(rounds); }, py::arg("rounds"),
          py::call_guard<py::gil_scoped_release>())
      .def("predict", &N::predict, X, py::arg("n_threads"))
      .def("can_read", &N::can_read, py::arg("X"), py::arg("Y"))
      .def("kind_of_steps", &N::kind_of_steps, py::arg("batch_size"), py::arg("extras"))
      .def("claim", &N::claim)
      .def("release", &N::release)
      .def("loss", &N::loss, X, Y, weight, py::arg("loss"), py::arg("n_threads"))
      .def("gradient", &N::gradient, X, Y, weight, py::arg("loss"), py::arg("gradient").noconvert(),
           py::arg("n_threads"))
      .def("trace", &N::trace, X, Y, py::arg("loss"), py::arg("of_mean") = true)
      .def("train", &N::train, X, Y, weight, py::arg("X_validation"), py::arg("Y_validation").noconvert(),
           py::arg("weight_validation").noconvert(), py::arg("epochs"), py::arg("batch_size"), py::arg("random"),
           py::arg("shuffles"), py::arg("dropout"), py::arg("loss"), py::arg("rule"), py::arg("factors").noconvert(),
           py::arg("steps"), py::arg("n_threads"), py::arg("report_every_epoch"), py::arg("progress"),
           py::arg("report"));
  export_plain_methods<N>(network);
  export_solvers<T>(m, network, levenberg_marquardt);
  m.def(
      "find_nonfinite",
      [](const Array<T>& x) {
        py::gil_scoped_release release;
        return kernels<T>().find_nonfinite(x.data(), x.size());
      },
      py::arg("x").noconvert());
  m.def("vector_function", &vector_function<T>, py::arg("name"), py::arg("x").noconvert(), py::arg("parameter") = 0.0);
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
      .def(py::init<std::optional<double>, std::optional<std::tuple<double, double, int64_t, int64_t>>>(),
           py::arg("last_loss"), py::arg("plateau"))
      .def_property_readonly("last_loss",
                             [](const PyProgress& p) {
                               const double loss = p.progress.last_loss;
                               return loss == loss ? std::optional<double>(loss) : std::nullopt;
                             })
      .def_property_readonly("steps", [](const PyProgress& p) { return p.progress.steps; })
      .def_property_readonly("diverged", [](const PyProgress& p) { return p.progress.diverged; })
      .def_property_readonly("bad_layer", [](const PyProgress& p) { return p.progress.bad_layer; })
      .def("take", &PyProgress::take);
  py::class_<PyRule>(m, "Rule", py::is_final())
      .def(py::init<const py::object&, const std::string&, const std::vector<double>&, const py::list&,
                    const py::dtype&>(),
           py::arg("optimizer"), py::arg("name"), py::arg("numbers"), py::arg("slots"), py::arg("dtype"));
  py::class_<PyLoss>(m, "Loss", py::is_final())
      .def(py::init<const std::string&, const std::vector<double>&>(), py::arg("name"), py::arg("parameters"));
  export_network<float>(m, "NetworkFloat32", "LevenbergMarquardtFloat32");
  export_network<double>(m, "NetworkFloat64", "LevenbergMarquardtFloat64");
  m.def("activations", [] { return names(Activations{}); });
  m.def("links", [] { return names(Links{}); });
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
