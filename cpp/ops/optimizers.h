// Update rules: how a gradient g moves a parameter w and the numbers (slots) kept beside it.
//
// constants() turns the hyperparameters, in the order of their names and the learning rate first, into what one step
// needs. update() is applied to every parameter alike. A rule that compares losses has batches of all samples.
#pragma once

#include <cmath>
#include <cstdint>

#include "list.h"

namespace fastmlp {
namespace {

constexpr int max_slots = 2;
constexpr int max_constants = 6;
constexpr int max_hyperparameters = 5;

// When a step is: its number, from 1, and whether the loss of its batch is larger than the last one's.
struct Moment {
  int64_t t;
  bool rose;
};

template <class V>
inline V sign(V x) {
  return (x > 0 ? V{} + 1 : V{}) - (x < 0 ? V{} + 1 : V{});
}

struct Sgd {
  static constexpr const char* name = "sgd";
  static constexpr const char* hyperparameters[] = {"learning_rate", "momentum"};
  static constexpr int n_slots = 0;
  static constexpr const char* const* slots = nullptr;
  static constexpr bool compares_losses = false;
  static inline void constants(const double* h, const Moment&, double* c) { c[0] = h[0]; }
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
  static constexpr bool compares_losses = false;
  static inline void constants(const double* h, const Moment&, double* c) {
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
  static constexpr bool compares_losses = false;
  static inline void constants(const double* h, const Moment& m, double* c) { Momentum::constants(h, m, c); }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    slot[0] = c[1] * slot[0] - c[0] * g;
    w += c[1] * slot[0] - c[0] * g;
  }
};

struct Adagrad {
  static constexpr const char* name = "adagrad";
  static constexpr const char* hyperparameters[] = {"learning_rate", "epsilon"};
  static constexpr int n_slots = 1;
  static constexpr const char* slots[] = {"v"};
  static constexpr bool compares_losses = false;
  static inline void constants(const double* h, const Moment&, double* c) {
    c[0] = h[0];
    c[1] = h[1];
  }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    slot[0] += g * g;
    w -= c[0] * g * reciprocal(square_root(slot[0]) + c[1]);
  }
};

struct RmsProp {
  static constexpr const char* name = "rmsprop";
  static constexpr const char* hyperparameters[] = {"learning_rate", "rho", "epsilon"};
  static constexpr int n_slots = 1;
  static constexpr const char* slots[] = {"v"};
  static constexpr bool compares_losses = false;
  static inline void constants(const double* h, const Moment&, double* c) {
    c[0] = h[0];
    c[1] = h[1];
    c[2] = 1 - h[1];
    c[3] = h[2];
  }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    slot[0] = c[1] * slot[0] + c[2] * g * g;
    w -= c[0] * g * reciprocal(square_root(slot[0]) + c[3]);
  }
};

struct Adam {
  static constexpr const char* name = "adam";
  static constexpr const char* hyperparameters[] = {"learning_rate", "beta_1", "beta_2", "epsilon"};
  static constexpr int n_slots = 2;
  static constexpr const char* slots[] = {"m", "v"};
  static constexpr bool compares_losses = false;
  static inline void constants(const double* h, const Moment& moment, double* c) {
    const double t = double(moment.t);
    c[0] = h[1];
    c[1] = 1 - h[1];
    c[2] = h[2];
    c[3] = 1 - h[2];
    // learning_rate * m_hat / (sqrt(v_hat) + epsilon), with both corrections taken out of the loop.
    double root = std::sqrt(1 - std::pow(h[2], t));
    c[4] = h[0] * root / (1 - std::pow(h[1], t));
    c[5] = h[3] * root;
  }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    slot[0] = c[0] * slot[0] + c[1] * g;
    slot[1] = c[2] * slot[1] + c[3] * g * g;
    w -= c[4] * slot[0] * reciprocal(square_root(slot[1]) + c[5]);
  }
};

struct NAdam {
  static constexpr const char* name = "nadam";
  static constexpr const char* hyperparameters[] = {"learning_rate", "beta_1", "beta_2", "epsilon"};
  static constexpr int n_slots = 2;
  static constexpr const char* slots[] = {"m", "v"};
  static constexpr bool compares_losses = false;
  static inline void constants(const double* h, const Moment& moment, double* c) {
    const double t = double(moment.t);
    c[0] = h[1];
    c[1] = h[2];
    c[2] = 1 - h[2];
    // As in Adam; here the corrections of m and of g differ.
    const double root = std::sqrt(1 - std::pow(h[2], t));
    c[3] = h[0] * root * h[1] / (1 - std::pow(h[1], t + 1));
    c[4] = h[0] * root * (1 - h[1]) / (1 - std::pow(h[1], t));
    c[5] = h[3] * root;
  }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    slot[0] = c[0] * slot[0] + (1 - c[0]) * g;
    slot[1] = c[1] * slot[1] + c[2] * g * g;
    w -= (c[3] * slot[0] + c[4] * g) * reciprocal(square_root(slot[1]) + c[5]);
  }
};

struct Lion {
  static constexpr const char* name = "lion";
  static constexpr const char* hyperparameters[] = {"learning_rate", "beta_1", "beta_2"};
  static constexpr int n_slots = 1;
  static constexpr const char* slots[] = {"m"};
  static constexpr bool compares_losses = false;
  static inline void constants(const double* h, const Moment&, double* c) {
    c[0] = h[0];
    c[1] = h[1];
    c[2] = 1 - h[1];
    c[3] = h[2];
    c[4] = 1 - h[2];
  }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    w -= c[0] * sign(c[1] * slot[0] + c[2] * g);
    slot[0] = c[3] * slot[0] + c[4] * g;
  }
};

// iRprop+. The change of the last step follows from the sign of its gradient and its size.
struct Rprop {
  static constexpr const char* name = "rprop";
  static constexpr const char* hyperparameters[] = {"learning_rate", "decrease", "increase", "smallest", "largest"};
  static constexpr int n_slots = 2;
  static constexpr const char* slots[] = {"gradient", "size"};
  static constexpr bool compares_losses = true;
  static inline void constants(const double* h, const Moment& moment, double* c) {
    c[0] = moment.t == 1 ? h[0] : 0;  // the first size; later it is in the slot
    c[1] = h[1];
    c[2] = h[2];
    c[3] = h[3];
    c[4] = h[4];
    c[5] = moment.rose;
  }
  template <class V, class T>
  static void update(V& w, V g, V* slot, const T* c) {
    const V before = sign(slot[0]), agreement = before * sign(g), size = c[0] > 0 ? V{} + c[0] : slot[1];
    const V larger = c[2] * size, smaller = c[1] * size;
    w += agreement < 0 ? c[5] * before * size : V{};
    slot[1] = agreement > 0 ? (larger < c[4] ? larger : V{} + c[4]) : size;
    slot[1] = agreement < 0 ? (smaller > c[3] ? smaller : V{} + c[3]) : slot[1];
    slot[0] = agreement < 0 ? V{} : g;
    w -= sign(slot[0]) * slot[1];
  }
};

using Optimizers = List<Sgd, Momentum, Nesterov, Adagrad, RmsProp, Adam, NAdam, Lion, Rprop>;

}  // namespace
}  // namespace fastmlp
