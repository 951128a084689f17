// Losses: the error of a sample, and its derivatives. A new one is one struct here, its name in the list below, and its
// twin in python/fastmlp/reference/losses.py.
//
// A loss with a link belongs to the output activation of that name and is taken through it: it is a function of the
// last layer's net inputs z, which is exact where probabilities round to 0 or 1, and its derivatives are simpler than
// those of its parts. The others are functions of the outputs, whatever activation made them.
//
// Most are sums over outputs, and give value and derivative of one. Those that look at a sample as a whole (by_rows)
// take a view of it (kernels/losses.h): z(j) and y(j), sums and maxima over j, and set() for the derivatives.
#pragma once

#include <cstdint>

#include "list.h"

namespace fastmlp {
namespace {

struct Loss {
  static constexpr const char* link = nullptr;
  static constexpr bool by_rows = false;
  static constexpr int n_parameters = 0;
  static constexpr bool any_target = true;  // there are no numbers that make no sense as targets
  // Columns of Y that go with so many outputs.
  static inline int64_t n_targets(int64_t n_out, int) { return n_out; }
};

struct SquaredError : Loss {
  static constexpr const char* name = "squared_error";
  template <class V, class T>
  static V value(V y_hat, V y, T) {
    V residual = y_hat - y;
    return residual * residual / 2;
  }
  template <class V, class T>
  static V derivative(V y_hat, V y, T) {
    return y_hat - y;
  }
};

struct AbsoluteError : Loss {
  static constexpr const char* name = "absolute_error";
  template <class V, class T>
  static V value(V y_hat, V y, T) {
    return absolute(y_hat - y);
  }
  template <class V, class T>
  static V derivative(V y_hat, V y, T) {
    const V residual = y_hat - y;
    return residual > 0 ? V{} + 1 : (residual < 0 ? V{} - 1 : residual);
  }
};

struct Huber : Loss {
  static constexpr const char* name = "huber";
  static constexpr int n_parameters = 1;
  template <class V, class T>
  static V value(V y_hat, V y, T delta) {
    const V residual = absolute(y_hat - y);
    return residual < delta ? residual * residual / 2 : delta * (residual - delta / 2);
  }
  template <class V, class T>
  static V derivative(V y_hat, V y, T delta) {
    const V residual = y_hat - y;
    return residual > delta ? V{} + delta : (residual < -delta ? V{} - delta : residual);
  }
};

// log cosh r. Near 0 by cosh r - 1 = expm1(-|r|)^2 exp(|r|) / 2, which is small without loss.
struct LogCosh : Loss {
  static constexpr const char* name = "log_cosh";
  template <class V, class T>
  static V value(V y_hat, V y, T) {
    const V r = absolute(y_hat - y), m = expm1(-r), near = r < 1 ? r : V{};
    const V small = log1p(m * m * exp(near) / 2), large = r + log1p(exp(-2 * r)) - lane_of<V>(0.69314718055994530942);
    return r < 1 ? small : large;
  }
  template <class V, class T>
  static V derivative(V y_hat, V y, T) {
    return tanh(y_hat - y);
  }
};

// Several levels at once take as many outputs for each target: all targets at the first level, all at the second, ...
struct Quantile : Loss {
  static constexpr const char* name = "quantile";
  static constexpr bool by_rows = true;
  static constexpr int n_parameters = 1;  // at least
  static inline int64_t n_targets(int64_t n_out, int n_levels) { return n_out / n_levels; }
  template <class R>
  static typename R::V loss(const R& r) {
    typename R::V sum = {};
    const int64_t n = r.n_targets();
    for (int i = 0; i < r.n_parameters(); i++) {
      const auto q = r.parameter(i);
      const auto residual = [&](int64_t j) { return r.y(j) - r.z(j, i * n); };
      sum += r.sum(n, [&](int64_t j) {
        const auto e = residual(j);
        return e > 0 ? q * e : (q - 1) * e;
      });
      r.set(n, i * n, [&](int64_t j) {
        const auto e = residual(j), zero = e - e;
        return e > 0 ? zero - q : (e < 0 ? zero + (1 - q) : zero);
      });
    }
    return sum;
  }
};

// Half of the deviance of Poisson's distribution, with mean exp(z).
struct Poisson : Loss {
  static constexpr const char* name = "poisson";
  static constexpr const char* link = "exp";
  static constexpr bool any_target = false;
  template <class V, class T>
  static V value(V z, V y, T) {
    return exp(z) - y + (y > 0 ? y * (log(y > 0 ? y : V{} + 1) - z) : V{});
  }
  template <class V, class T>
  static V derivative(V z, V y, T) {
    return exp(z) - y;
  }
};

// Half of the deviance of the gamma distribution, with mean exp(z).
struct Gamma : Loss {
  static constexpr const char* name = "gamma";
  static constexpr const char* link = "exp";
  static constexpr bool any_target = false;
  template <class V, class T>
  static V value(V z, V y, T) {
    const V ratio = y * exp(-z);
    return z - log(y) + ratio - 1;
  }
  template <class V, class T>
  static V derivative(V z, V y, T) {
    return 1 - y * exp(-z);
  }
};

// Negative log-likelihood of normal distributions. Outputs are the means of all targets, then their variances exp(z).
struct GaussianNll : Loss {
  static constexpr const char* name = "gaussian_nll";
  static constexpr const char* link = "mean_variance";
  static constexpr bool by_rows = true;
  static inline int64_t n_targets(int64_t n_out, int) { return n_out / 2; }
  template <class R>
  static typename R::V loss(const R& r) {
    const int64_t n = r.n_targets();
    const auto precision = [&](int64_t j) { return exp(-r.z(j, n)); };
    const auto residual = [&](int64_t j) { return r.z(j) - r.y(j); };
    constexpr auto log_two_pi = typename R::T(1.8378770664093454836);
    const auto sum = r.sum(n, [&](int64_t j) {
      const auto e = residual(j);
      return (log_two_pi + r.z(j, n) + e * e * precision(j)) / 2;
    });
    r.set(n, 0, [&](int64_t j) { return residual(j) * precision(j); });
    r.set(n, n, [&](int64_t j) {
      const auto e = residual(j);
      return (1 - e * e * precision(j)) / 2;
    });
    return sum;
  }
};

// Of one class or several labels: each output is the probability sigmoid(z) of its own. The parameter is the label
// smoothing: y moves by that share towards 1/2.
struct LogLossOfSigmoid : Loss {
  static constexpr const char* name = "log_loss/sigmoid";
  static constexpr const char* link = "sigmoid";
  static constexpr int n_parameters = 1;
  static constexpr bool any_target = false;
  template <class V, class T>
  static V value(V z, V y, T smoothing) {
    const V label = y + smoothing * (T(0.5) - y);
    return (z > 0 ? z - label * z : -label * z) + log1p(exp(-absolute(z)));
  }
  template <class V, class T>
  static V derivative(V z, V y, T smoothing) {
    return sigmoid(z) - (y + smoothing * (T(0.5) - y));
  }
};

// Of classes that exclude each other, with probabilities softmax(z). Smoothing moves y towards 1/n.
struct LogLossOfSoftmax : Loss {
  static constexpr const char* name = "log_loss/softmax";
  static constexpr const char* link = "softmax";
  static constexpr bool by_rows = true;
  static constexpr int n_parameters = 1;
  static constexpr bool any_target = false;
  template <class R>
  static typename R::V loss(const R& r) {
    const int64_t n = r.n_targets();
    const auto smoothing = r.parameter(0), even = 1 / typename R::T(n);
    const auto label = [&](int64_t j) { return r.y(j) + smoothing * (even - r.y(j)); };
    const auto top = r.max(n, [&](int64_t j) { return r.z(j); });
    const auto total = r.sum(n, [&](int64_t j) { return exp(r.z(j) - top); });
    const auto log_total = log(total);
    const auto labels = r.sum(n, label), share = labels / total;
    const auto sum = r.sum(n, [&](int64_t j) { return label(j) * (top - r.z(j) + log_total); });
    r.set(n, 0, [&](int64_t j) { return share * exp(r.z(j) - top) - label(j); });
    return sum;
  }
};

// What is not in the public list: the outputs' product with Y, so that Y is the derivative. Gradients of whatever else
// was computed from the outputs go back through the network by it.
struct Given : Loss {
  static constexpr const char* name = "_given";
  template <class V, class T>
  static V value(V y_hat, V y, T) {
    return y_hat * y;
  }
  template <class V, class T>
  static V derivative(V, V y, T) {
    return y;
  }
};

using Losses = List<SquaredError, AbsoluteError, Huber, LogCosh, Quantile, Poisson, Gamma, GaussianNll,
                    LogLossOfSigmoid, LogLossOfSoftmax, Given>;

// Output activations that look at a sample as a whole. They are applied to outputs that are done; losses are taken
// through them.
struct Softmax {
  static constexpr const char* name = "softmax";
  template <class R>
  static void apply(const R& r, int64_t n) {
    const auto top = r.max(n, [&](int64_t j) { return r.z(j); });
    const auto total = r.sum(n, [&](int64_t j) { return exp(r.z(j) - top); });
    r.set(n, 0, [&](int64_t j) { return exp(r.z(j) - top) / total; });
  }
};

// The first half of the outputs are means, the second variances.
struct MeanVariance {
  static constexpr const char* name = "mean_variance";
  template <class R>
  static void apply(const R& r, int64_t n) {
    const int64_t half = n / 2;
    r.set(half, half, [&](int64_t j) { return exp(r.z(j, half)); });
  }
};

using Links = List<Softmax, MeanVariance>;

}  // namespace
}  // namespace fastmlp
