#include "train.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "denormals.h"
#include "steps.h"

namespace fastmlp {

namespace {

template <class... U>
void constants_of(int rule, const double* h, const Moment& moment, double* c, List<U...>) {
  using Constants = void (*)(const double*, const Moment&, double*);
  constexpr Constants all[] = {U::constants...};
  all[rule](h, moment, c);
}

template <class... U>
bool compares_losses(int rule, List<U...>) {
  constexpr bool all[] = {U::compares_losses...};
  return all[rule];
}

template <class... U>
size_t n_hyperparameters(int rule, List<U...>) {
  static_assert(((std::size(U::hyperparameters) <= max_hyperparameters) && ...));
  constexpr size_t all[] = {std::size(U::hyperparameters)...};
  return all[rule];
}

template <class... U>
int slots_of(int rule, List<U...>) {
  constexpr int all[] = {U::n_slots...};
  return all[rule];
}

template <class T>
std::unique_ptr<Steps<T>> make_steps(Run<T>& run) {
  const bool extras = run.penalizes || compares_losses(run.task.rule, Optimizers{});
  switch (run.task.dropout ? Kind::rows : kind_of_steps<T>(run.net, run.task.batch_size, extras)) {
    case Kind::few:
      return make_few_steps(run);
    case Kind::columns:
      return make_column_steps(run);
    case Kind::groups:
      return make_group_steps(run);
    default:
      return make_row_steps(run);
  }
}

// Put parameters that are not finite back to the last ones that were kept.
template <class T>
void mend(Progress& progress, Steps<T>& steps) {
  const int layer = steps.bad_layer();
  if (!layer) return;
  progress.diverged = true;
  progress.bad_layer = layer;
  steps.restore();
}

template <class T>
void end_epoch(Run<T>& run, Steps<T>& steps, double loss) {
  const Task<T>& task = run.task;
  if (task.validation.n || task.report_every_epoch) mend(run.progress, steps);
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
  if (run.progress.diverged) return;
  if (run.progress.plateau && run.progress.plateau->add(loss)) run.stopped = true;
  if (!task.report_every_epoch) return run.work_done(0);
  steps.write();
  if (!run.report(run.progress, true)) run.stopped = true;
  steps.read();
}

}  // namespace

template <class T>
void constants_of(const Task<T>& task, int64_t i, bool rose, double* constants) {
  const Moment moment{task.steps + i + 1, rose};
  if (!task.factors) return constants_of(task.rule, task.hyperparameters, moment, constants, Optimizers{});
  double h[max_hyperparameters];
  std::copy_n(task.hyperparameters, n_hyperparameters(task.rule), h);
  h[0] *= task.factors[i];
  constants_of(task.rule, h, moment, constants, Optimizers{});
}

int slots_of(int rule) { return slots_of(rule, Optimizers{}); }

size_t n_hyperparameters(int rule) { return n_hyperparameters(rule, Optimizers{}); }

template <class T>
Update<T> make_update(const Run<T>& run, double loss) {
  const Task<T>& task = run.task;
  Update<T> update;
  constants_of(task, run.progress.steps, loss > run.progress.last_loss, update.constants);
  run.progress.last_loss = loss;
  update.scale = update.left = 1;
  if (run.penalizes) {
    const double learning_rate = task.hyperparameters[0] * (task.factors ? task.factors[run.progress.steps] : 1);
    update.left = 1 - T(learning_rate * task.penalties.weight_decay);
  }
  return update;
}

template <class T>
T scale_of(const Run<T>& run, const T* gradient, int64_t n) {
  const Penalties& p = run.task.penalties;
  if (!run.penalizes || !p.need_norm()) return 1;
  const double norm = std::sqrt(kernels<T>().sum_of_squares(gradient, n));
  if (p.clip_norm > 0) return norm > p.clip_norm ? T(p.clip_norm / norm) : T(1);
  // A gradient so small that dividing by its norm overflows counts as none.
  return norm > 1 / double(std::numeric_limits<T>::max()) ? T(1 / norm) : T(0);
}

template <class T>
void penalize(const Kernels<T>& k, const Penalties& p, const T* w, T* g, int64_t n_weights, int64_t n) {
  if (p.l1 > 0 || p.l2 > 0) k.penalize(w, g, T(p.l1), T(p.l2), p.decay_biases ? n : n_weights);
  if (p.clip_value > 0) k.clip(g, T(p.clip_value), n);
}

template <class T>
void decay(const Kernels<T>& k, const Penalties& p, T left, T* w, int64_t n_weights, int64_t n) {
  if (p.weight_decay > 0) k.scale(w, left, p.decay_biases ? n : n_weights);
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
  const int64_t n = task.samples.n;
  const auto steps = make_steps(run);
  // Rows of X are looked at when they are loaded for the first time, where nothing is written until that is over.
  run.checks_inputs = task.unchecked && task.epochs > 0 && steps->can_check_inputs() && run.has_short_epochs();
  if (task.unchecked && !run.checks_inputs && !run.has_finite_inputs()) run.bad_inputs = run.stopped = true;
  const bool shuffles = task.shuffles && task.batch_size < n;
  std::vector<int64_t> order(shuffles ? size_t(n) : 0);
  progress.loss.reserve(size_t(std::min<int64_t>(task.epochs, 1 << 20)));
  steps->read();
  for (int64_t epoch = 0; epoch < task.epochs && !run.stopped && !progress.diverged; epoch++) {
    if (shuffles) shuffle(*task.random, order.data(), n);
    const double sum = steps->epoch(shuffles ? order.data() : nullptr);
    if (run.stopped) break;
    run.checks_inputs = false;
    end_epoch(run, *steps, sum / double(n));
  }
  // Had all rows been looked at before, those would be to blame, and not what the first epoch came to.
  const bool diverged = progress.diverged || (run.checks_inputs && steps->bad_layer());
  progress.bad_inputs = run.bad_inputs || (run.checks_inputs && diverged && !run.has_finite_inputs());
  if (progress.bad_inputs) return;
  if (progress.diverged || progress.steps) mend(progress, *steps);
  steps->write();
}

template Update<float> make_update(const Run<float>&, double);
template Update<double> make_update(const Run<double>&, double);
template float scale_of(const Run<float>&, const float*, int64_t);
template double scale_of(const Run<double>&, const double*, int64_t);
template void constants_of(const Task<float>&, int64_t, bool, double*);
template void constants_of(const Task<double>&, int64_t, bool, double*);
template void penalize(const Kernels<float>&, const Penalties&, const float*, float*, int64_t, int64_t);
template void penalize(const Kernels<double>&, const Penalties&, const double*, double*, int64_t, int64_t);
template void decay(const Kernels<float>&, const Penalties&, float, float*, int64_t, int64_t);
template void decay(const Kernels<double>&, const Penalties&, double, double*, int64_t, int64_t);
template void train(const Network&, float*, const Task<float>&, Progress&, const Report&);
template void train(const Network&, double*, const Task<double>&, Progress&, const Report&);

}  // namespace fastmlp
