// A network as Python has it: checks of what would read or write memory that is not ours, and the GIL.
#pragma once

#include <chrono>
#include <limits>

#include "bindings_inputs.h"

namespace fastmlp {
namespace {

template <class T>
class PyNetwork {
 public:
  using OptionalArray = std::optional<Array<T>>;

  // Activations are names with their parameter, which most don't look at; the last may be one of whole rows.
  PyNetwork(const std::vector<int64_t>& sizes, const std::vector<std::pair<std::string, double>>& activations,
            bool bias, Array<T> parameters)
      : parameters_(std::move(parameters)) {
    require(sizes.size() >= 2 && activations.size() == sizes.size() - 1, "one activation per layer after the first");
    const int link = find_name(activations.back().first, Links{});
    std::vector<ActivationOf> ids;
    for (const auto& [name, parameter] : activations) {
      const bool is_link = link >= 0 && ids.size() + 1 == activations.size();
      ids.push_back({is_link ? 0 : id_of(name, Activations{}), parameter});
    }
    net_ = make_network(sizes, ids, bias);
    net_.link = link;
    linear_out_ = with_linear_output(net_);
    data_ = flat(parameters_, net_.n_parameters(), "parameters do not fit the layers");
  }

  const Network& layers() const { return net_; }
  T* parameters() const { return data_; }

  py::array_t<T> predict(const py::object& X, int n_threads) const {
    const PyInputs<T> x(X, net_.n_in());
    return outputs(x.rows(), x.n(), n_threads);
  }

  // The outputs, or None if X is not an array of finite numbers that can be read where it is.
  py::object predict_if_plain(PyObject* X) const {
    const int64_t n = plain_rows<T>(X, net_.n_in());
    if (n < 0 || !all_finite(data_of<T>(X), n * net_.n_in())) return py::none();
    const auto kept = py::reinterpret_borrow<py::object>(X);
    return outputs(data_of<T>(X), n, 0);
  }

  // Whether X and Y are such arrays, with a row of both for each sample.
  bool can_read(const py::handle& X, const py::handle& Y) const {
    Samples<T> samples;
    return take_plain(X.ptr(), Y.ptr(), samples) && all_finite(samples);
  }

  double loss(const py::object& X, const Array<T>& Y, const OptionalArray& weight, const PyLoss& loss,
              int n_threads) const {
    const PyInputs<T> x(X, net_.n_in());
    const Samples<T> s = samples(x, Y, weight, loss.spec);
    Interrupts interrupts;
    double J = 0;
    {
      py::gil_scoped_release release;
      J = mean_loss(network_for(loss.spec), data_, s, loss.spec, n_threads, interrupts.pause());
    }
    interrupts.raise();
    return J;
  }

  double gradient(const py::object& X, const Array<T>& Y, const OptionalArray& weight, const PyLoss& loss,
                  Array<T>& gradient, int n_threads) const {
    const PyInputs<T> x(X, net_.n_in());
    const Samples<T> s = samples(x, Y, weight, loss.spec);
    T* g = flat(gradient, net_.n_parameters(), "gradient does not fit the network");
    Interrupts interrupts;
    double J = 0;
    {
      py::gil_scoped_release release;
      J = fastmlp::gradient(network_for(loss.spec), data_, s, loss.spec, g, n_threads, interrupts.pause());
    }
    interrupts.raise();
    return J;
  }

  // (J, Z, A, delta) of layers 1..L; delta is that of the mean loss, or of each row's by itself.
  py::tuple trace(const py::object& X, const OptionalArray& Y, const PyLoss& loss, bool of_mean) const {
    const PyInputs<T> x(X, net_.n_in());
    const Samples<T> s = Y ? samples(x, *Y, std::nullopt, loss.spec) : Samples<T>{x.rows(), nullptr, nullptr, x.n(), 0};
    py::list lists[3];
    std::vector<T*> pointers[3];
    for (const Layer& layer : net_.layers)
      for (int i = 0; i < (Y ? 3 : 2); i++) {
        py::array_t<T> a({s.n, layer.n_out});
        pointers[i].push_back(a.mutable_data());
        lists[i].append(a);
      }
    Interrupts interrupts;
    double J = 0;
    if (s.n) {
      py::gil_scoped_release release;
      J = fastmlp::trace(net_, data_, s, loss.spec, pointers[0], pointers[1], pointers[2],
                         of_mean ? 1.0 / double(s.n) : 1.0, interrupts.pause());
    }
    interrupts.raise();
    return py::make_tuple(J, lists[0], lists[1], lists[2]);
  }

  // What trains with batches of so many rows: few, columns, groups or rows.
  std::string kind_of_steps(int64_t batch_size, bool extras) const {
    static constexpr const char* names[] = {"few", "columns", "groups", "rows"};
    return names[int(fastmlp::kind_of_steps<T>(net_, batch_size, extras))];
  }

  // One run at a time: false where another one is under way.
  bool claim() { return !std::exchange(training_, true); }
  void release() { training_ = false; }

  void train(const py::object& X, const Array<T>& Y, const OptionalArray& weight,
             const std::optional<py::object>& X_validation, const OptionalArray& Y_validation,
             const OptionalArray& weight_validation, int64_t epochs, int64_t batch_size,
             const std::optional<py::capsule>& random, bool shuffles, const std::optional<std::vector<double>>& dropout,
             const PyLoss& loss, const PyRule& rule, const std::optional<Array<double>>& factors, int64_t steps,
             int n_threads, bool report_every_epoch, PyProgress& progress, const std::optional<py::function>& report) {
    Task<T> task{};
    const PyInputs<T> x(X, net_.n_in());
    task.samples = samples(x, Y, weight, loss.spec);
    std::optional<PyInputs<T>> x_validation;
    if (X_validation && Y_validation) {
      x_validation.emplace(*X_validation, net_.n_in());
      task.validation = samples(*x_validation, *Y_validation, weight_validation, loss.spec);
    }
    task.epochs = epochs;
    task.batch_size = batch_size;
    require(task.samples.n > 0 && batch_size > 0, "a batch needs rows");
    if (random) task.random = random->get_pointer<BitGenerator>();
    task.shuffles = random && shuffles;
    if (dropout) {
      require(dropout->size() + 1 == net_.layers.size() && random, "a rate for each hidden layer, and a generator");
      task.dropout = dropout->data();
    }
    task.loss = loss.spec;
    Kept kept;
    require(take_rule(rule, task, kept), "a slot does not fit the network");
    Numbers numbers = rule.numbers;  // which callbacks may change while the run lasts
    task.hyperparameters = numbers.hyperparameters.data();
    if (factors) {
      require(factors->ndim() == 1 && factors->shape(0) == epochs * task.n_batches(), "one factor per step");
      task.factors = factors->data();
    }
    task.steps = steps;
    task.n_threads = n_threads;
    task.report_every_epoch = report_every_epoch;

    Interrupts interrupts;
    {
      py::gil_scoped_release release;
      fastmlp::train(network_for(loss.spec), data_, task, progress.progress, [&](const Progress&, bool whole) {
        return interrupts.carry_on([&] {
          if (!report) return true;
          const py::object next = (*report)();
          if (next.is_none()) return false;
          if (!whole) return true;
          const Numbers changed = numbers_of(rule.id, py::cast<std::vector<double>>(next));
          std::copy(changed.hyperparameters.begin(), changed.hyperparameters.end(), numbers.hyperparameters.begin());
          task.penalties = changed.penalties;
          return true;
        });
      });
    }
    interrupts.raise();
  }

  // Arguments of Network.train, in its order.
  struct Arguments {
    PyObject *X, *Y, *epochs, *batch_size, *optimizer, *loss, *shuffle, *sample_weight, *validation_data, *callbacks,
        *progress, *random_state, *n_threads, *metrics, *dropout, *max_time, *resume;
  };

  // Train where there is nothing to convert, draw or watch, and every argument is as right as it looks: (losses and
  // learning rates of the epochs, seconds, steps and bad layer of a run that diverged). None where anything else is
  // asked for; then nothing has happened. A call of a few steps takes a fraction of a millisecond, most of it to fetch
  // into the cache all that the call touches: here that is little.
  py::object train_if_plain(const Arguments& arguments) {
    const auto start = std::chrono::steady_clock::now();
    Task<T> task{};
    Kept kept;
    if (training_) return py::none();
    const Claim claim(*this);
    if (!take_plain(arguments, task, kept) || !all_finite(task.samples.Y, task.samples.n * net_.n_out()))
      return py::none();
    task.unchecked = true;
    const auto optimizer = py::reinterpret_borrow<py::object>(arguments.optimizer);
    Interrupts interrupts;
    Progress progress;
    const auto train = [&] {
      fastmlp::train(net_, data_, task, progress,
                     [&](const Progress&, bool) { return interrupts.carry_on([] { return true; }); });
    };
    if (is_short(task)) {
      train();
    } else {
      py::gil_scoped_release release;
      train();
    }
    if (progress.bad_inputs) {
      interrupts.raise();
      return py::none();
    }
    // Past the optimizer's own __setattr__, which would have it checked again.
    const py::int_ steps(task.steps + progress.steps);
    if (PyObject_GenericSetAttr(optimizer.ptr(), steps_name(), steps.ptr()) != 0) throw py::error_already_set();
    interrupts.raise();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    py::object divergence = py::none();
    if (progress.diverged) divergence = py::make_tuple(progress.steps, progress.bad_layer);
    const py::list rates = repeated(task.hyperparameters[0], progress.loss.size());
    return py::make_tuple(std::move(progress.loss), rates, seconds.count(), divergence);
  }

 private:
  py::array_t<T> outputs(const Inputs<T>& X, int64_t n, int n_threads) const {
    py::array_t<T> Y_hat({n, net_.n_out()});
    T* y = Y_hat.mutable_data();
    Interrupts interrupts;
    {
      py::gil_scoped_release release;
      fastmlp::predict(net_, data_, X, n, y, n_threads, interrupts.pause());
    }
    interrupts.raise();
    return Y_hat;
  }

  // A run of less than half a millisecond does not drop the GIL, which takes longer than others would gain.
  bool is_short(const Task<T>& task) const {
    constexpr double shortest = 5e5, of_a_step = 1000;  // multiply-adds
    const double steps = double(task.n_batches());
    const double epochs = double(std::max<int64_t>(task.epochs, 1));  // X is looked at in any case
    return (net_.multiply_adds() * double(task.samples.n) + of_a_step * steps) * epochs < shortest;
  }

  static py::list repeated(double x, size_t n) {
    const py::float_ one(x);
    py::list list(n);
    for (size_t i = 0; i < n; i++) PyList_SET_ITEM(list.ptr(), Py_ssize_t(i), one.inc_ref().ptr());
    return list;
  }

  static PyObject* steps_name() {
    static PyObject* const name = PyUnicode_InternFromString("steps");
    return name;
  }

  // What a run works with, for as long as it lasts: other threads may drop it meanwhile.
  struct Kept {
    py::object rule, slots[max_slots];
  };

  class Claim {
   public:
    explicit Claim(PyNetwork& net) : net_(net) { net_.claim(); }
    ~Claim() { net_.release(); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

   private:
    PyNetwork& net_;
  };

  static bool is_empty(PyObject* tuple) { return PyTuple_CheckExact(tuple) && PyTuple_GET_SIZE(tuple) == 0; }

  // X and Y where they lie, if there is a row of both for each sample.
  bool take_plain(const PyObject* X, const PyObject* Y, Samples<T>& samples) const {
    const int64_t n = plain_rows<T>(X, net_.n_in());
    if (n <= 0 || plain_rows<T>(Y, net_.n_out()) != n) return false;
    samples = {data_of<T>(X), data_of<T>(Y), nullptr, n, net_.n_out()};
    return true;
  }

  static bool all_finite(const T* x, int64_t n) {
    constexpr int64_t many = 1 << 20;
    std::optional<py::gil_scoped_release> release;
    if (n > many) release.emplace();
    return kernels<T>().find_nonfinite(x, n) < 0;
  }

  bool all_finite(const Samples<T>& s) const {
    return all_finite(s.X.dense, s.n * net_.n_in()) && all_finite(s.Y, s.n * net_.n_out());
  }

  bool take_plain(const Arguments& a, Task<T>& task, Kept& kept) const {
    constexpr int64_t many_threads = 64, largest = std::numeric_limits<int64_t>::max();
    if (!take_plain(a.X, a.Y, task.samples)) return false;
    const int64_t n = task.batch_size = task.samples.n;
    int64_t threads = 0;
    if (!plain_integer(a.epochs, 0, largest, task.epochs) ||
        (a.batch_size != Py_None && !plain_integer(a.batch_size, 1, largest, task.batch_size)) ||
        (a.n_threads != Py_None && !plain_integer(a.n_threads, 1, many_threads, threads)))
      return false;
    task.batch_size = std::min(task.batch_size, n);
    task.n_threads = int(threads);
    task.loss.id = find_id(a.loss, Losses{});
    const bool draws = a.shuffle != Py_False && !(a.shuffle == Py_True && task.batch_size == n);
    const bool watched = !is_empty(a.callbacks) || !is_empty(a.metrics) || a.progress != Py_False ||
                         a.max_time != Py_None || a.resume != Py_None;
    const bool drops = !PyFloat_CheckExact(a.dropout) || PyFloat_AS_DOUBLE(a.dropout) != 0;
    return task.loss.id >= 0 && is_plain_loss(task.loss.id, Losses{}) && net_.link < 0 && !draws && !watched &&
           !drops && a.sample_weight == Py_None && a.validation_data == Py_None && a.random_state == Py_None &&
           parameters_.writeable() && take_plain_rule(a.optimizer, task, kept);
  }

  // A loss that any numbers may be the targets of, and that has no parameters.
  template <class... E>
  static bool is_plain_loss(int id, List<E...>) {
    static constexpr bool all[] = {E::any_target && !E::link && E::n_parameters == 0 && E::name[0] != '_' ...};
    return all[id];
  }

  // The network that a loss is taken through: to its net inputs, where the loss has a link, and where it is given the
  // derivatives there.
  const Network& network_for(const LossOf& loss) const { return has_link(loss) || net_.link >= 0 ? linear_out_ : net_; }

  // The rule of an optimizer that was checked before and is still what it was.
  bool take_plain_rule(PyObject* optimizer, Task<T>& task, Kept& kept) const {
    static PyObject* const checked = PyUnicode_InternFromString("checked");
    static PyObject* const rule_type = py::type::of<PyRule>().ptr();
    const py::object& found = kept.rule = py::reinterpret_steal<py::object>(PyObject_GetAttr(optimizer, checked));
    if (!found) PyErr_Clear();
    if (!found || py::type::handle_of(found).ptr() != rule_type) return false;
    const PyRule& rule = held<PyRule>(found.ptr());
    for (size_t i = rule.n_slots; i < rule.slots.size(); i++)  // held, but not used
      if (!fits(rule.slots[i].ptr())) return false;
    if (!rule.describes(optimizer) || !is_own_dtype<T>(rule.dtype.ptr())) return false;
    const auto steps = py::reinterpret_steal<py::object>(PyObject_GetAttr(optimizer, steps_name()));
    if (!steps) PyErr_Clear();
    return steps && plain_integer(steps.ptr(), 0, std::numeric_limits<int64_t>::max(), task.steps) &&
           take_rule(rule, task, kept);
  }

  // Whether a slot has a number for each parameter.
  bool fits(const PyObject* slot) const {
    const auto* a = py::detail::array_proxy(slot);
    return is_plain<T>(slot) && a->nd == 1 && a->dimensions[0] == net_.n_parameters() &&
           py::detail::check_flags(slot, py::detail::npy_api::NPY_ARRAY_WRITEABLE_);
  }

  // False where a slot does not fit the network.
  bool take_rule(const PyRule& rule, Task<T>& task, Kept& kept) const {
    task.rule = rule.id;
    task.penalties = rule.numbers.penalties;
    task.hyperparameters = rule.numbers.hyperparameters.data();
    for (size_t i = 0; i < rule.n_slots; i++) {
      if (!fits(rule.slots[i].ptr())) return false;
      task.slots[i] = reinterpret_cast<T*>(py::detail::array_proxy(rule.slots[i].ptr())->data);
      kept.slots[i] = rule.slots[i];
    }
    return true;
  }

  Samples<T> samples(const PyInputs<T>& X, const Array<T>& Y, const OptionalArray& weight, const LossOf& loss) const {
    const int64_t n = X.n(), columns = n_targets(loss, net_.n_out());
    Samples<T> s{X.rows(), matrix(Y, n, columns, "Y does not fit the loss, the network and X"), nullptr, n, columns};
    if (weight) {
      require(weight->ndim() == 1 && weight->shape(0) == n, "one weight per row");
      s.weight = weight->data();
    }
    return s;
  }

  Array<T> parameters_;
  T* data_ = nullptr;
  Network net_, linear_out_;
  bool training_ = false;  // guarded by the GIL
};

}  // namespace
}  // namespace fastmlp
