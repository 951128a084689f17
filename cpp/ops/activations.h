// Activation functions: each operation once, for scalars and vectors alike.
//
// All headers of this folder live in an anonymous namespace: isa.cpp compiles them once per
// instruction set, and no symbol of one set may stand in for another's.
//
// A new activation is one struct here, its name in the list below, and its twin in
// python/fastmlp/reference/activations.py.
#pragma once

#include "list.h"

namespace fastmlp {
namespace {

// What most of them are; a struct says where it differs.
struct Activation {
  static constexpr bool needs_z = false;        // the derivative is taken at the net input, not at the activation
  static constexpr bool has_parameter = false;  // which value and derivative then take as well
  static constexpr bool is_identity = false;    // nothing is to be done
  // Whether it takes few instructions: those get a kernel of their own for what follows a product.
  static constexpr bool value_is_short = false, derivative_is_short = false;
  static constexpr bool value_of_pairs = false;  // whether it is written so that V may be a pair of vectors (pairs.h)
};

struct Linear : Activation {
  static constexpr const char* name = "linear";
  static constexpr bool is_identity = true;
  template <class V>
  static V value(V z) {
    return z;
  }
  template <class V>
  static V derivative(V) {
    return V{} + 1;
  }
};

struct Sigmoid : Activation {
  static constexpr const char* name = "sigmoid";
  static constexpr bool derivative_is_short = true, value_of_pairs = true;
  template <class V>
  static V value(V z) {
    return sigmoid(z);
  }
  template <class V>
  static V derivative(V a) {
    return a * (1 - a);
  }
};

struct Relu : Activation {
  static constexpr const char* name = "relu";
  static constexpr bool value_is_short = true, derivative_is_short = true;
  template <class V>
  static V value(V z) {
    return z < 0 ? V{} : z;  // NaN goes through
  }
  template <class V>
  static V derivative(V a) {
    return a > 0 ? V{} + 1 : V{};
  }
};

struct Tanh : Activation {
  static constexpr const char* name = "tanh";
  static constexpr bool derivative_is_short = true, value_of_pairs = true;
  template <class V>
  static V value(V z) {
    return tanh(z);
  }
  template <class V>
  static V derivative(V a) {
    return 1 - a * a;
  }
};

struct LeakyRelu : Activation {
  static constexpr const char* name = "leaky_relu";
  static constexpr bool has_parameter = true, value_is_short = true, derivative_is_short = true;
  template <class V, class T>
  static V value(V z, T slope) {
    return z < 0 ? slope * z : z;
  }
  template <class V, class T>
  static V derivative(V a, T slope) {
    return a > 0 ? V{} + 1 : V{} + slope;
  }
};

struct Elu : Activation {
  static constexpr const char* name = "elu";
  static constexpr bool has_parameter = true;
  template <class V, class T>
  static V value(V z, T alpha) {
    return z > 0 ? z : alpha * expm1(z);
  }
  template <class V, class T>
  static V derivative(V a, T alpha) {
    return a > 0 ? V{} + 1 : a + alpha;
  }
};

struct Selu : Activation {
  static constexpr const char* name = "selu";
  static constexpr double alpha = 1.6732632423543772848, scale = 1.0507009873554804934;
  template <class V>
  static V value(V z) {
    constexpr lane_of<V> positive = scale, negative = scale * alpha;
    return z > 0 ? positive * z : negative * expm1(z);
  }
  template <class V>
  static V derivative(V a) {
    constexpr lane_of<V> positive = scale, negative = scale * alpha;
    return a > 0 ? V{} + positive : a + negative;
  }
};

struct Gelu : Activation {
  static constexpr const char* name = "gelu";
  static constexpr bool needs_z = true;
  template <class V>
  static V value(V z) {
    return z * normal_distribution(z).cumulative;
  }
  template <class V>
  static V derivative(V z) {
    const auto normal = normal_distribution(z);
    return normal.cumulative + z * normal.density;
  }
};

// The approximation z * sigmoid(2 u), u = sqrt(2 / pi) * (z + 0.044715 z^3), which is z / 2 * (1 + tanh(u)).
struct GeluTanh : Activation {
  static constexpr const char* name = "gelu_tanh";
  static constexpr bool needs_z = true, value_of_pairs = true;
  static constexpr double root = 1.5957691216057307117, cubic = 0.044715;  // 2 sqrt(2 / pi)
  template <class V>
  static V value(V z) {
    constexpr lane_of<V> c = root, d = root * cubic;
    return z * sigmoid(z * (c + d * z * z));
  }
  template <class V>
  static V derivative(V z) {
    constexpr lane_of<V> c = root, d = root * cubic;
    const V s = sigmoid(z * (c + d * z * z)), slope = s * (1 - s);
    return s + (slope > 0 ? z * slope * (c + 3 * d * z * z) : V{});  // z may be so large that its square is inf
  }
};

struct Silu : Activation {
  static constexpr const char* name = "silu";
  static constexpr bool needs_z = true, value_of_pairs = true;
  template <class V>
  static V value(V z) {
    return z * sigmoid(z);
  }
  template <class V>
  static V derivative(V z) {
    const V s = sigmoid(z);
    return s + z * (s * (1 - s));
  }
};

// z tanh(softplus(z)). With w = exp(z), tanh(log(1 + w)) = n / (n + 2), n = w (w + 2).
struct Mish : Activation {
  static constexpr const char* name = "mish";
  static constexpr bool needs_z = true;
  static constexpr double saturates = 20;
  template <class V>
  static V value(V z) {
    const V w = exp(z < saturates ? z : V{} + saturates), n = w * (w + 2);
    return z > saturates ? z : z * (n / (n + 2));
  }
  template <class V>
  static V derivative(V z) {
    const V w = exp(z < saturates ? z : V{} + saturates), n = w * (w + 2), r = 1 / (n + 2);
    return z > saturates ? V{} + 1 : n * r + z * (4 * w * (1 + w) * r * r);
  }
};

struct Softplus : Activation {
  static constexpr const char* name = "softplus";
  template <class V>
  static V value(V z) {
    return softplus(z);
  }
  template <class V>
  static V derivative(V a) {
    return -expm1(-a);
  }
};

struct Softsign : Activation {
  static constexpr const char* name = "softsign";
  template <class V>
  static V value(V z) {
    return z / (1 + absolute(z));
  }
  template <class V>
  static V derivative(V a) {
    const V rest = 1 - absolute(a);
    return rest * rest;
  }
};

struct HardTanh : Activation {
  static constexpr const char* name = "hard_tanh";
  template <class V>
  static V value(V z) {
    return z > 1 ? V{} + 1 : (z < -1 ? V{} - 1 : z);
  }
  template <class V>
  static V derivative(V a) {
    return absolute(a) < 1 ? V{} + 1 : V{};
  }
};

struct Sin : Activation {
  static constexpr const char* name = "sin";
  static constexpr bool needs_z = true;
  template <class V>
  static V value(V z) {
    return sin(z);
  }
  template <class V>
  static V derivative(V z) {
    return cos(z);
  }
};

struct Exp : Activation {
  static constexpr const char* name = "exp";
  template <class V>
  static V value(V z) {
    return exp(z);
  }
  template <class V>
  static V derivative(V a) {
    return a;
  }
};

using Activations = List<Linear, Sigmoid, Relu, Tanh, LeakyRelu, Elu, Selu, Gelu, GeluTanh, Silu, Mish, Softplus,
                         Softsign, HardTanh, Sin, Exp>;

// With the parameter, where there is one.
template <class S, class V, class T>
inline V value_of(V z, T parameter) {
  if constexpr (S::has_parameter)
    return S::value(z, parameter);
  else
    return S::value(z);
}

template <class S, class V, class T>
inline V derivative_of(V at, T parameter) {
  if constexpr (S::has_parameter)
    return S::derivative(at, parameter);
  else
    return S::derivative(at);
}

}  // namespace
}  // namespace fastmlp
