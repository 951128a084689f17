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

struct Linear {
  static constexpr const char* name = "linear";
  static constexpr bool needs_z = false;  // the derivative follows from the activation alone
  // Whether it takes few instructions: those get a kernel of their own for what follows a product.
  static constexpr bool value_is_short = true, derivative_is_short = true;
  template <class V>
  static V value(V z) {
    return z;
  }
  template <class V>
  static V derivative(V) {
    return V{} + 1;
  }
};

struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr bool needs_z = false;
  static constexpr bool value_is_short = false, derivative_is_short = true;
  template <class V>
  static V value(V z) {
    return sigmoid(z);
  }
  template <class V>
  static V derivative(V a) {
    return a * (1 - a);
  }
};

struct Relu {
  static constexpr const char* name = "relu";
  static constexpr bool needs_z = false;
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

struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr bool needs_z = false;
  static constexpr bool value_is_short = false, derivative_is_short = true;
  template <class V>
  static V value(V z) {
    return tanh(z);
  }
  template <class V>
  static V derivative(V a) {
    return 1 - a * a;
  }
};

using Activations = List<Linear, Sigmoid, Relu, Tanh>;

}  // namespace
}  // namespace fastmlp
