// The training loop: shuffle, gather, forward, backward, update, validation.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "network.h"
#include "random.h"

namespace fastmlp {

// What surrounds a rule's update, in this order: the gradient gets the terms l2 * w + l1 * sign(w); its elements, or
// its norm, are limited, or it is divided by its norm; the parameters lose weight_decay, times the learning rate, of
// themselves; the rule has its turn; and the norms of the weights into each neuron are limited. 0 is none. Biases are
// not penalised, unless decay_biases says so, and do not count among the weights into a neuron.
struct Penalties {
  double l1, l2, weight_decay;
  bool decay_biases;
  double clip_value, clip_norm, max_norm;
  bool normalize;

  static constexpr size_t size = 8;
  bool of_gradient() const { return l1 > 0 || l2 > 0 || clip_value > 0; }
  bool need_norm() const { return normalize || clip_norm > 0; }
  bool any() const { return of_gradient() || need_norm() || weight_decay > 0 || max_norm > 0; }
};

template <class T>
struct Task {
  Samples<T> samples;
  Samples<T> validation;  // no rows: none
  int64_t epochs, batch_size;
  BitGenerator* random;  // of shuffles and dropout; null if there is neither
  bool shuffles;         // otherwise rows are taken in their order
  LossOf loss;
  int rule;
  Penalties penalties;
  const double* dropout;  // rates of the hidden layers; null: none
  T* slots[max_slots];
  const double* hyperparameters;
  const double* factors;  // of the learning rate, for each step of the run; null: 1
  int64_t steps;          // done before
  int n_threads;
  bool report_every_epoch;
  bool unchecked;  // whether X, which is dense and taken in its order, may hold numbers that are not finite

  int64_t n_batches() const { return (samples.n + batch_size - 1) / batch_size; }  // of an epoch
};

// Counts the epochs whose loss is not below the best one by `tolerance`, and ends a run after more than `patience` of
// them.
struct Plateau {
  double tolerance, best;
  int64_t patience, waited;

  bool add(double loss) {
    waited = loss <= best - tolerance ? 0 : waited + 1;
    if (loss < best) best = loss;
    return waited > patience;
  }
};

// How far a run has come; grows from report to report.
struct Progress {
  int64_t steps = 0;
  double last_loss = std::numeric_limits<double>::quiet_NaN();  // of the last batch, for rules that compare losses
  std::vector<double> loss, validation_loss;                    // of each epoch done
  // Whether numbers became too large: the last update left parameters that are not finite, of this layer (from 1) at
  // first; or the batch after it had such a loss (0), and no update was made.
  bool diverged = false;
  int bad_layer = 0;
  // Whether X held a number that is not finite. Parameters and slots are what they were before the run then.
  bool bad_inputs = false;
  std::optional<Plateau> plateau;
};

// Called on the caller's thread, at each epoch's end if asked for and every 10 ms or so otherwise; false ends
// the run. Where `whole` is true the parameters and slots are those of the last step, and may be changed.
using Report = std::function<bool(const Progress&, bool whole)>;

// Train the parameters in place. A run that is ended in the middle of a step leaves those of the last whole one. A run
// that diverges leaves the last finite ones that it kept.
template <class T>
void train(const Network& net, T* parameters, const Task<T>& task, Progress& progress, const Report& report);

}  // namespace fastmlp
