// Least squares by Levenberg and Marquardt: steps between gradient descent and Gauss and Newton's.
#pragma once

#include <vector>

#include "cholesky.h"
#include "jacobian.h"

namespace fastmlp {

struct LevenbergMarquardtRule {
  double largest_damping;     // gives up beyond
  double gradient_tolerance;  // of the largest derivative of the objective, per sample
  double step_tolerance;      // of the length of a step, relative to that of the parameters
  double l2;                  // the mean loss has the penalty l2 / 2 * sum of squared weights, without biases
  bool accelerated, bayesian;
};

// What goes on from run to run. alpha and beta weigh the squares of the parameters and of the residuals (MacKay 1992);
// of the parameters, so many are determined by the data. beta is 0 before the first estimate.
struct LevenbergMarquardtState {
  double damping, growth = 2;
  double alpha = 0, beta = 0, effective = 0;
};

enum class Ended { all_done, gradient_small, step_small, damping_large, not_finite, equations_not_finite, stopped };

// All in float64: J.T J has the square of J's condition. The network's parameters are read before the first step and
// written after each one, and steps end on numbers that they can hold.
template <class T>
class LevenbergMarquardt {
 public:
  LevenbergMarquardt(const Network& net, T* parameters, const Samples<double>& samples,
                     const LevenbergMarquardtRule& rule, const LevenbergMarquardtState& state);

  // So many steps, unless there is an end to them sooner. Adds the loss before each step.
  Ended run(int64_t epochs, std::vector<double>& losses, const Pause& pause);

  const LevenbergMarquardtState& state() const { return state_; }

 private:
  // Rows of samples whose derivatives are multiplied at a time.
  static constexpr int64_t longest_block = 256;

  // For blocks of the samples, with Y_hat of each: body(first row, rows, Y_hat).
  template <class Body>
  void for_each_block(const Body& body);
  // At x_: sqrt(weight) * (Y_hat - Y), (n, n_out).
  void find_residuals(std::vector<double>& residuals);
  void form_equations();
  void estimate_regularisation();
  Ended step();
  Factored factor_damped(double damping);
  void bend_step();
  void multiply_by_jacobian(const std::vector<double>& residuals, double* product);
  bool accepts_step();
  void more_damping();
  bool gradient_is_small() const;
  bool equations_are_finite() const;
  double objective() const;
  double slope(int64_t i) const { return equations_.row(i)[p_] + ridge_[size_t(i)] * x_.data()[i]; }

  const Network& net_;
  T* parameters_;
  const Samples<double> samples_;
  const LevenbergMarquardtRule rule_;
  LevenbergMarquardtState state_;
  const Kernels<double>& k_;
  const int64_t p_, block_;
  Buffer<double> x_;  // the parameters that jacobian_ reads
  Jacobian<double> jacobian_;
  Buffer<double> columns_, panel_, weight_;  // of a block: [J r].T, a panel of [J r], the weights' square roots
  std::vector<double> residuals_, trial_;
  Buffer<double> equations_memory_, factored_memory_;
  Symmetric equations_, factored_;  // the upper triangle of [J r].T [J r], and what is made of it
  std::vector<double> step_, bend_, before_;
  std::vector<double> ridge_;  // of each parameter: the objective is half the sum of r^2 and of ridge * x^2
  double squares_ = 0;         // of the residuals at x_
  Pause pause_;
  bool stopped_ = false;
};

}  // namespace fastmlp
