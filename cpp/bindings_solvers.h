// Jacobians and the methods that need them, as Python has them.
#pragma once

#include <memory>

#include "bindings_network.h"
#include "jacobian.h"
#include "levenberg_marquardt.h"

namespace fastmlp {
namespace {

template <class T>
py::array_t<T> jacobian_of(const PyNetwork<T>& network, const py::object& X) {
  const Network& net = network.layers();
  const PyInputs<T> x(X, net.n_in());
  py::array_t<T> J({x.n(), net.n_out(), net.n_parameters()});
  T* to = J.mutable_data();
  Interrupts interrupts;
  {
    py::gil_scoped_release release;
    jacobian(net, network.parameters(), x.rows(), x.n(), to, interrupts.pause());
  }
  interrupts.raise();
  return J;
}

// A run in as many parts as Python wants to look at. It keeps the network and the samples for as long as it lasts.
template <class T>
class PyLevenbergMarquardt {
 public:
  using OptionalArray = std::optional<Array<double>>;

  PyLevenbergMarquardt(py::object network, const py::object& X, Array<double> Y, OptionalArray weight,
                       double largest_damping, double gradient_tolerance, double step_tolerance, double l2,
                       bool accelerated, bool bayesian, const std::vector<double>& state)
      : network_(std::move(network)),
        X_(X, py::cast<PyNetwork<T>&>(network_).layers().n_in()),
        Y_(std::move(Y)),
        weight_(std::move(weight)) {
    auto& held = py::cast<PyNetwork<T>&>(network_);
    const Network& net = held.layers();
    const int64_t n = X_.n();
    require(n > 0, "X must be a matrix with rows");
    Samples<double> samples{X_.rows(), matrix(Y_, n, net.n_out(), "Y does not fit the network and X"), nullptr, n,
                            net.n_out()};
    if (weight_) {
      require(weight_->ndim() == 1 && weight_->shape(0) == n, "one weight per row");
      samples.weight = weight_->data();
    }
    require(state.size() == 5, "a state has five numbers");
    solver_ = std::make_unique<LevenbergMarquardt<T>>(
        net, held.parameters(), samples,
        LevenbergMarquardtRule{largest_damping, gradient_tolerance, step_tolerance, l2, accelerated, bayesian},
        LevenbergMarquardtState{state[0], state[1], state[2], state[3], state[4]});
  }

  // (losses, why it ended): up to so many epochs.
  std::tuple<std::vector<double>, std::string> run(int64_t epochs) {
    static constexpr const char* names[] = {"all_done",   "gradient_small",       "step_small", "damping_large",
                                            "not_finite", "equations_not_finite", "stopped"};
    std::vector<double> losses;
    Interrupts interrupts;
    Ended ended;
    {
      py::gil_scoped_release release;
      ended = solver_->run(epochs, losses, interrupts.pause());
    }
    interrupts.raise();
    return {std::move(losses), names[int(ended)]};
  }

  // damping, its growth, alpha, beta, effective parameters.
  std::vector<double> state() const {
    const LevenbergMarquardtState& s = solver_->state();
    return {s.damping, s.growth, s.alpha, s.beta, s.effective};
  }

 private:
  const py::object network_;
  const PyInputs<double> X_;
  const Array<double> Y_;
  const OptionalArray weight_;
  std::unique_ptr<LevenbergMarquardt<T>> solver_;
};

template <class T>
void export_solvers(py::module_& m, py::class_<PyNetwork<T>>& network, const char* name) {
  using Solver = PyLevenbergMarquardt<T>;
  network.def("jacobian", &jacobian_of<T>, py::arg("X"));
  py::class_<Solver>(m, name, py::is_final())
      .def(py::init<py::object, const py::object&, Array<double>, std::optional<Array<double>>, double, double, double,
                    double, bool, bool, const std::vector<double>&>(),
           py::arg("network"), py::arg("X"), py::arg("Y").noconvert(), py::arg("weight").noconvert(),
           py::arg("largest_damping"), py::arg("gradient_tolerance"), py::arg("step_tolerance"), py::arg("l2"),
           py::arg("accelerated"), py::arg("bayesian"), py::arg("state"))
      .def("run", &Solver::run, py::arg("epochs"))
      .def_property_readonly("state", &Solver::state);
}

}  // namespace
}  // namespace fastmlp
