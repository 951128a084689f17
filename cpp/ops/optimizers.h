// Update rules: how a gradient g moves a parameter w and the numbers (slots) kept beside it.
//
// constants() turns the hyperparameters, in the order of their names, into what one step needs;
// t is the step's number, from 1. update() is applied to every parameter alike.
#pragma once

#include <cmath>
#include <cstdint>

#include "list.h"

namespace fastmlp {
namespace {

constexpr int max_slots = 2;
constexpr int max_constants = 6;

struct Sgd {
  static constexpr const char* name = "sgd";
  static constexpr const char* hyperparameters[] = {"learning_rate", "momentum"};
  static constexpr int n_slots = 0;
  static constexpr const char* const* slots = nullptr;
  static inline void constants(const double* h, int64_t, double* c) { c[0] = h[0]; }
  template <class V, class T>
  static void update(V& w, V g, V*, const T* c) {
    w -= c[0] * g;
  }
};

struct Momentum {
  static constexpr const char* name = "momentum";
  static constexpr const char* hyperparameters[] = {"learning_rate", "momentum"};
  static constexpr int n_slots = 1;
  static constexpr const char* slots[] = {"velocity"};
  static inline void constants(const double* h, int64_t, double* c) {
    c[0] = h[0];
    c[1] = h[1];
  }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    slot[0] = c[1] * slot[0] - c[0] * g;
    w += slot[0];
  }
};

struct Nesterov {
  static constexpr const char* name = "nesterov";
  static constexpr const char* hyperparameters[] = {"learning_rate", "momentum"};
  static constexpr int n_slots = 1;
  static constexpr const char* slots[] = {"velocity"};
  static inline void constants(const double* h, int64_t t, double* c) { Momentum::constants(h, t, c); }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    slot[0] = c[1] * slot[0] - c[0] * g;
    w += c[1] * slot[0] - c[0] * g;
  }
};

struct Adam {
  static constexpr const char* name = "adam";
  static constexpr const char* hyperparameters[] = {"learning_rate", "beta_1", "beta_2", "epsilon"};
  static constexpr int n_slots = 2;
  static constexpr const char* slots[] = {"m", "v"};
  static inline void constants(const double* h, int64_t t, double* c) {
    c[0] = h[1];
    c[1] = 1 - h[1];
    c[2] = h[2];
    c[3] = 1 - h[2];
    // learning_rate * m_hat / (sqrt(v_hat) + epsilon), with both corrections taken out of the loop.
    double root = std::sqrt(1 - std::pow(h[2], double(t)));
    c[4] = h[0] * root / (1 - std::pow(h[1], double(t)));
    c[5] = h[3] * root;
  }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    slot[0] = c[0] * slot[0] + c[1] * g;
    slot[1] = c[2] * slot[1] + c[3] * g * g;
    w -= c[4] * slot[0] * reciprocal(square_root(slot[1]) + c[5]);
  }
};

using Optimizers = List<Sgd, Momentum, Nesterov, Adam>;

}  // namespace
}  // namespace fastmlp
