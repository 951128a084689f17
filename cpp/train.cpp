#include "train.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "denormals.h"
#include "steps.h"

namespace fastmlp {

namespace {

template <class... U>
void constants_of(int rule, const double* h, int64_t t, double* c, List<U...>) {
  using Constants = void (*)(const double*, int64_t, double*);
  constexpr Constants all[] = {U::constants...};
  all[rule](h, t, c);
}

template <class... U>
int slots_of(int rule, List<U...>) {
  constexpr int all[] = {U::n_slots...};
  return all[rule];
}

template <class T>
std::unique_ptr<Steps<T>> make_steps(Run<T>& run) {
  switch (kind_of_steps<T>(run.net, run.task.batch_size, run.task.normalize)) {
    case Kind::single:
      return make_single_steps(run);
    case Kind::columns:
      return make_column_steps(run);
    case Kind::groups:
      return make_group_steps(run);
    default:
      return make_row_steps(run);
  }
}

template <class T>
void end_epoch(Run<T>& run, Steps<T>& steps, double loss) {
  const Task<T>& task = run.task;
  if (task.validation.n) {
    steps.write();
    const Pause pause = [&](double work) {
      run.work_done(work);
      return !run.stopped;
    };
    const double J = mean_loss(run.net, run.parameters, task.validation, task.loss, task.n_threads, pause);
    if (run.stopped) return;
    run.progress.validation_loss.push_back(J);
  }
  run.progress.loss.push_back(loss);
  if (!task.report_every_epoch) return run.work_done(0);
  steps.write();
  if (!run.report(run.progress, true)) run.stopped = true;
  steps.read();
}

}  // namespace

void constants_of(int rule, const double* hyperparameters, int64_t t, double* constants) {
  constants_of(rule, hyperparameters, t, constants, Optimizers{});
}

template <class T>
Kind kind_of_steps(const Network& net, int64_t batch_size, bool normalize) {
  if (batch_size == 1 && !normalize) return Kind::single;
  if (prefers_columns<T>(net, batch_size)) return Kind::columns;
  return prefers_groups(net, batch_size) ? Kind::groups : Kind::rows;
}

int slots_of(int rule) { return slots_of(rule, Optimizers{}); }

template <class T>
Update<T> make_update(const Run<T>& run, const T* gradient, int64_t n) {
  Update<T> update;
  const int64_t t = run.task.steps + run.progress.steps + 1;
  constants_of(run.task.rule, run.task.hyperparameters, t, update.constants, Optimizers{});
  update.scale = 1;
  if (run.task.normalize) {
    const double norm = std::sqrt(kernels<T>().sum_of_squares(gradient, n));
    // A gradient so small that dividing by its norm overflows counts as none.
    update.scale = norm > 1 / double(std::numeric_limits<T>::max()) ? T(1 / norm) : T(0);
  }
  return update;
}

template <class T>
void train(const Network& net, T* parameters, const Task<T>& task, Progress& progress, const Report& report) {
  const FloatControl callers = float_control();
  const FloatControlScope scope(with_denormals_zero(callers));
  const Report report_as_caller = [&](const Progress& p, bool whole) {
    const FloatControlScope python(callers);
    return report(p, whole);
  };
  Run<T> run{net, parameters, task, progress, report_as_caller};
  const auto steps = make_steps(run);
  const int64_t n = task.samples.n;
  const bool shuffles = task.random && task.batch_size < n;
  std::vector<int64_t> order(shuffles ? size_t(n) : 0);
  progress.loss.reserve(size_t(std::min<int64_t>(task.epochs, 1 << 20)));
  steps->read();
  for (int64_t epoch = 0; epoch < task.epochs && !run.stopped; epoch++) {
    if (shuffles) shuffle(*task.random, order.data(), n);
    const double sum = steps->epoch(shuffles ? order.data() : nullptr);
    if (run.stopped) break;
    end_epoch(run, *steps, sum / double(n));
  }
  steps->write();
}

template Kind kind_of_steps<float>(const Network&, int64_t, bool);
template Kind kind_of_steps<double>(const Network&, int64_t, bool);
template Update<float> make_update(const Run<float>&, const float*, int64_t);
template Update<double> make_update(const Run<double>&, const double*, int64_t);
template void train(const Network&, float*, const Task<float>&, Progress&, const Report&);
template void train(const Network&, double*, const Task<double>&, Progress&, const Report&);

}  // namespace fastmlp
