// The training loop: shuffle, gather, forward, backward, update, validation.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "network.h"
#include "random.h"

namespace fastmlp {

template <class T>
struct Task {
  Samples<T> samples;
  Samples<T> validation;  // no rows: none
  int64_t epochs, batch_size;
  BitGenerator* random;  // null: rows are taken in their order
  LossOf loss;
  int rule;
  bool normalize;  // divide the gradient by its norm
  T* slots[max_slots];
  const double* hyperparameters;
  int64_t steps;  // done before
  int n_threads;
  bool report_every_epoch;
};

// How far a run has come; grows from report to report.
struct Progress {
  int64_t steps = 0;
  std::vector<double> loss, validation_loss;  // of each epoch done
};

// Called on the caller's thread, at each epoch's end if asked for and every 10 ms or so otherwise; false ends
// the run. Where `whole` is true the parameters and slots are those of the last step, and may be changed.
using Report = std::function<bool(const Progress&, bool whole)>;

// Train the parameters in place. A run that is ended in the middle of a step leaves those of the last whole one.
template <class T>
void train(const Network& net, T* parameters, const Task<T>& task, Progress& progress, const Report& report);

}  // namespace fastmlp
