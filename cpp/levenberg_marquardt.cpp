#include "levenberg_marquardt.h"

#include <algorithm>
#include <cmath>

#include "denormals.h"

namespace fastmlp {

namespace {

double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

}  // namespace

template <class T>
LevenbergMarquardt<T>::LevenbergMarquardt(const Network& net, T* parameters, const Samples<double>& samples,
                                          const LevenbergMarquardtRule& rule, const LevenbergMarquardtState& state)
    : net_(net),
      parameters_(parameters),
      samples_(samples),
      rule_(rule),
      state_(state),
      k_(kernels<double>()),
      p_(net.n_parameters()),
      block_(std::min<int64_t>(samples.n, longest_block)),
      x_(p_),
      jacobian_(net, x_.data(), block_),
      columns_((p_ + 1) * jacobian_.stride()),
      panel_(round_up(block_, k_.lanes) * k_.panel),
      weight_(block_),
      residuals_(size_t(samples.n * net.n_out())),
      trial_(residuals_.size()),
      equations_memory_((p_ + 1) * Symmetric::columns(p_, false)),
      factored_memory_(p_ * Symmetric::columns(p_, rule.bayesian)),
      equations_{equations_memory_.data(), p_, Symmetric::columns(p_, false)},
      factored_{factored_memory_.data(), p_, Symmetric::columns(p_, rule.bayesian),
                rule.bayesian ? Symmetric::inverse_column(p_) : 0},
      step_(size_t(p_)),
      bend_(size_t(p_)),
      before_(size_t(p_)),
      ridge_(size_t(p_), rule.bayesian && state.beta > 0 ? state.alpha / state.beta : 0) {
  if (rule.l2 > 0)
    for (const Layer& layer : net.layers)
      std::fill_n(&ridge_[size_t(layer.start)], layer.n_in * layer.n_out, double(samples.n) * rule.l2);
}

template <class T>
template <class Body>
void LevenbergMarquardt<T>::for_each_block(const Body& body) {
  for (int64_t start = 0; start < samples_.n && !stopped_; start += block_) {
    const int64_t m = std::min(block_, samples_.n - start);
    for (int64_t i = 0; i < m; i++) weight_.data()[i] = samples_.weight ? std::sqrt(samples_.weight[start + i]) : 1;
    body(start, m, jacobian_.forward(samples_.X, start, m));
    stopped_ = stopped_ || !pause_(net_.multiply_adds() * double(m));
  }
}

template <class T>
void LevenbergMarquardt<T>::find_residuals(std::vector<double>& residuals) {
  const int64_t n_out = net_.n_out(), stride = jacobian_.stride();
  for_each_block([&](int64_t start, int64_t m, const double* Y_hat) {
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n_out; j++) {
        const int64_t k = (start + i) * n_out + j;
        residuals[size_t(k)] = weight_.data()[i] * (Y_hat[j * stride + i] - samples_.Y[k]);
      }
  });
}

// [J r].T [J r] adds up a block of samples and an output at a time, of which each panel of columns is laid down the
// rows when its turn comes.
template <class T>
void LevenbergMarquardt<T>::form_equations() {
  const int64_t n_out = net_.n_out(), stride = jacobian_.stride(), q = p_ + 1;
  double *columns = columns_.data(), *last = columns + p_ * stride;
  bool accumulate = false;
  for_each_block([&](int64_t start, int64_t m, const double*) {
    for (int64_t output = 0; output < n_out && !stopped_; output++) {
      jacobian_.backward(output, weight_.data(), columns);
      for (int64_t i = 0; i < m; i++) last[i] = residuals_[size_t((start + i) * n_out + output)];
      for (int64_t j = 0; j < q && !stopped_; j += k_.panel) {
        const int64_t width = std::min(k_.panel, q - j);
        k_.transpose(columns + j * stride, stride, width, m, panel_.data(), k_.panel);
        k_.multiply({j + width,
                     width,
                     m,
                     {columns, stride, 0},
                     false,
                     {panel_.data(), k_.panel, 0},
                     {equations_.data + j, equations_.stride, 0},
                     accumulate});
        stopped_ = !pause_(double(j + width) * double(width * m));
      }
      accumulate = true;
    }
  });
}

// product = J.T residuals.
template <class T>
void LevenbergMarquardt<T>::multiply_by_jacobian(const std::vector<double>& residuals, double* product) {
  const int64_t n_out = net_.n_out(), stride = jacobian_.stride();
  double *columns = columns_.data(), *last = columns + p_ * stride;
  std::fill_n(product, p_, 0.0);
  for_each_block([&](int64_t start, int64_t m, const double*) {
    for (int64_t output = 0; output < n_out && !stopped_; output++) {
      jacobian_.backward(output, weight_.data(), columns);
      for (int64_t i = 0; i < m; i++) last[i] = residuals[size_t((start + i) * n_out + output)];
      k_.multiply_by_vector(p_, m, columns, stride, last, before_.data(), 1);
      for (int64_t i = 0; i < p_; i++) product[i] += before_[size_t(i)];
      stopped_ = !pause_(double(p_ * m));
    }
  });
}

template <class T>
double LevenbergMarquardt<T>::objective() const {
  const double* x = x_.data();
  double penalty = 0;
  for (int64_t i = 0; i < p_; i++) penalty += ridge_[size_t(i)] * x[i] * x[i];
  return (squares_ + penalty) / 2;
}

template <class T>
bool LevenbergMarquardt<T>::gradient_is_small() const {
  const double small = rule_.gradient_tolerance * double(samples_.n);
  for (int64_t i = 0; i < p_; i++)
    if (!(std::abs(slope(i)) <= small)) return false;
  return true;
}

// Of [J r].T [J r] the diagonal is enough: no element is larger than the largest there.
template <class T>
bool LevenbergMarquardt<T>::equations_are_finite() const {
  for (int64_t i = 0; i < p_; i++)
    if (!std::isfinite(slope(i)) || !std::isfinite(equations_.row(i)[i] + ridge_[size_t(i)])) return false;
  return true;
}

template <class T>
Factored LevenbergMarquardt<T>::factor_damped(double damping) {
  for (int64_t i = 0; i < p_; i++) {
    const double* from = equations_.row(i);
    double* to = factored_.row(i);
    for (int64_t j = i; j <= p_; j++) to[j] = -from[j];
    to[i] -= damping + ridge_[size_t(i)];
    to[p_] = -slope(i);
    if (!factored_.inverse) continue;
    std::fill_n(to + factored_.inverse, p_, 0.0);
    to[factored_.inverse + i] = -1;
  }
  const Factored factored = factor(factored_, pause_);
  stopped_ = factored == Factored::stopped;
  return factored;
}

// MacKay's evidence: of the parameters, the data determine `effective` many; the rest is left to the prior.
template <class T>
void LevenbergMarquardt<T>::estimate_regularisation() {
  const double residuals = double(samples_.n * net_.n_out()), smallest = 1e-300;
  const bool first = state_.beta == 0;
  if (!first && factor_damped(0) != Factored::yes) return;
  state_.effective = first ? std::min(double(p_), residuals / 2) : double(p_) - ridge_[0] * trace_of_inverse(factored_);
  state_.alpha = state_.effective / std::max(dot(x_.data(), x_.data(), p_), smallest);
  state_.beta = (residuals - state_.effective) / std::max(squares_, smallest);
  std::fill(ridge_.begin(), ridge_.end(), state_.alpha / state_.beta);
}

// Geodesic acceleration: the step follows the curve along which the residuals change evenly, to second order. Where
// that would be most of the step, the second order does not tell enough.
template <class T>
void LevenbergMarquardt<T>::bend_step() {
  constexpr double part = 0.1, most = 0.375;
  const double damping = state_.damping * double(samples_.n);
  double* x = x_.data();
  std::copy_n(x, p_, before_.data());
  for (int64_t i = 0; i < p_; i++) x[i] -= part * step_[size_t(i)];
  find_residuals(trial_);
  std::copy_n(before_.data(), p_, x);
  multiply_by_jacobian(trial_, bend_.data());
  if (stopped_) return;
  // J.T times the second derivative of r along -step, by r a part of the way off; J.T J step follows from what the
  // step solves.
  for (int64_t i = 0; i < p_; i++) {
    const double gradient = equations_.row(i)[p_], step = step_[size_t(i)];
    const double change = slope(i) - (damping + ridge_[size_t(i)]) * step;
    bend_[size_t(i)] = 2 / part * ((bend_[size_t(i)] - gradient) / part + change);
  }
  solve_for(factored_, bend_.data());
  const double length = dot(bend_.data(), bend_.data(), p_) / 4, of_step = dot(step_.data(), step_.data(), p_);
  const bool helps = length <= most * most * of_step;
  for (double& bend : bend_) bend = helps ? bend / 2 : 0;
}

// Whether x_ - step_ - bend_ is better than x_, and becomes x_. The damping follows Nielsen: it shrinks as far as the
// linear model was right, and grows the faster the oftener it was not.
template <class T>
bool LevenbergMarquardt<T>::accepts_step() {
  const double before = objective(), squares = squares_;
  double predicted = 0;
  for (int64_t i = 0; i < p_; i++) {
    double& x = x_.data()[i];
    const double step = step_[size_t(i)];
    predicted += step * (state_.damping * double(samples_.n) * step + slope(i)) / 2;
    before_[size_t(i)] = x;
    x = double(T(x - step - bend_[size_t(i)]));
  }
  find_residuals(trial_);
  squares_ = dot(trial_.data(), trial_.data(), int64_t(trial_.size()));
  const double gain = before - objective();
  if (stopped_ || !(gain > 0)) {
    std::copy(before_.begin(), before_.end(), x_.data());
    squares_ = squares;
    more_damping();
    return false;
  }
  std::swap(residuals_, trial_);
  const double excess = 2 * gain / predicted - 1;
  state_.damping *= std::max(1.0 / 3, 1 - excess * excess * excess);
  state_.growth = 2;
  return true;
}

template <class T>
void LevenbergMarquardt<T>::more_damping() {
  state_.damping *= state_.growth;
  state_.growth *= 2;
}

// The first step that is accepted, with as much damping as that takes.
template <class T>
Ended LevenbergMarquardt<T>::step() {
  for (bool accepted = false; !accepted;) {
    if (state_.damping > rule_.largest_damping) return Ended::damping_large;
    if (factor_damped(state_.damping * double(samples_.n)) == Factored::not_positive) {
      more_damping();
      continue;
    }
    if (stopped_) return Ended::stopped;
    solve(factored_, step_.data());
    if (rule_.accelerated) bend_step();
    accepted = !stopped_ && accepts_step();
    if (stopped_) return Ended::stopped;
  }
  std::copy_n(x_.data(), p_, parameters_);
  const double length = std::sqrt(dot(step_.data(), step_.data(), p_));
  const double of_x = std::sqrt(dot(x_.data(), x_.data(), p_));
  return length <= rule_.step_tolerance * (of_x + rule_.step_tolerance) ? Ended::step_small : Ended::all_done;
}

template <class T>
Ended LevenbergMarquardt<T>::run(int64_t epochs, std::vector<double>& losses, const Pause& pause) {
  const FloatControlScope scope(with_denormals_zero(float_control()));
  pause_ = pause;
  stopped_ = false;
  std::copy_n(parameters_, p_, x_.data());
  find_residuals(residuals_);
  squares_ = dot(residuals_.data(), residuals_.data(), int64_t(residuals_.size()));
  Ended ended = Ended::all_done;
  for (int64_t epoch = 0; epoch < epochs && ended == Ended::all_done; epoch++) {
    form_equations();
    if (rule_.bayesian && !stopped_) estimate_regularisation();
    if (stopped_) return Ended::stopped;
    losses.push_back(squares_ / 2 / double(samples_.n));
    if (!std::isfinite(squares_)) return Ended::not_finite;
    if (!equations_are_finite()) return Ended::equations_not_finite;
    ended = gradient_is_small() ? Ended::gradient_small : step();
  }
  return ended;
}

template class LevenbergMarquardt<float>;
template class LevenbergMarquardt<double>;

}  // namespace fastmlp
