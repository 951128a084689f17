// Steps of training: the gradient of a batch, and the update. Four ways to do them: samples as rows, their batch worked
// off by all threads together (row_steps.cpp) or in groups (group_steps.cpp), for layers of some width; samples as
// columns (column_steps.cpp), for networks whose every layer is narrow; and batches of one or a few samples
// (few_steps.cpp). kind_of_steps.cpp chooses.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include "parallel.h"
#include "train.h"
#include "watch.h"

namespace fastmlp {

// What the parts of a run share.
template <class T>
struct Run {
  const Network& net;
  T* parameters;
  const Task<T>& task;
  Progress& progress;
  const Report& report;
  Watch watch{};
  std::atomic<bool> stopped{false}, bad_inputs{false};
  bool checks_inputs = false;                   // while they are loaded
  const bool penalizes = task.penalties.any();  // reports may change numbers, but turn nothing on
  int64_t steps_to_keep = steps_between_keeps();

  // Threads to start, where a step could use `useful`, takes one so many nanoseconds, and would have them exchange so
  // many bytes.
  int choose_threads(double useful, double nanoseconds, double exchanged) const {
    const double step = 3 * net.multiply_adds() * double(task.batch_size);
    const double work = step * (double(task.samples.n) / double(task.batch_size)) * double(task.epochs);
    const int n = fastmlp::choose_threads(task.n_threads, std::min(useful, work / Team::worth_a_thread));
    // A long run finds out for itself, again and again.
    const bool is_long = work > 20 * n * Team::worth_a_thread;
    return n == 1 || is_long || Team::gains(n, nanoseconds, exchanged) ? n : 1;
  }

  // On the caller's thread: report if it is time to.
  void work_done(double multiply_adds) {
    if (watch.due(multiply_adds) && !report(progress, false)) stopped = true;
  }

  // Whether an epoch is so short that the user's arrays are left alone until its end, and nobody waits long for that.
  bool has_short_epochs() const {
    constexpr double longest = 2e10;  // multiply-adds
    return task.n_batches() < steps_to_keep && 3 * net.multiply_adds() * double(task.samples.n) <= longest;
  }

  // What loading inputs has told. The run is over where one is not finite.
  void note_inputs(bool finite) {
    if (!finite && checks_inputs) bad_inputs = stopped = true;
  }
  bool has_finite_inputs() const {
    return kernels<T>().find_nonfinite(task.samples.X.dense, task.samples.n * net.n_in()) < 0;
  }

  // Whether a batch's loss is not finite. The run is over then, and the batch's update is not made.
  bool diverges(double loss) {
    if (std::isfinite(loss)) return false;
    progress.diverged = stopped = true;
    return true;
  }

  // Whether, after so many steps, it is time to keep the parameters: so seldom that it costs nothing, and at the same
  // steps in every run.
  bool keep_after(int64_t steps) {
    if ((steps_to_keep -= steps) > 0) return false;
    steps_to_keep = steps_between_keeps();
    return true;
  }

 private:
  int64_t steps_between_keeps() const {
    constexpr double fewest = 2e10, for_a_parameter = 20000, of_a_step = 30000;  // multiply-adds
    const double step = 3 * net.multiply_adds() * double(task.batch_size);
    return 1 + int64_t(std::max(fewest, for_a_parameter * double(net.n_parameters())) / (step + of_a_step));
  }
};

template <class T>
class Steps {
 public:
  virtual ~Steps() = default;
  // Take the parameters and slots from the user's flat arrays, and put them back.
  virtual void read() = 0;
  virtual void write() = 0;
  // The first layer (from 1) with a parameter that is not finite, or 0.
  virtual int bad_layer() = 0;
  // Whether they can look at X as they load it, and leave the user's arrays alone until they write.
  virtual bool can_check_inputs() const { return false; }
  // Go back to the parameters that were read or written last.
  virtual void restore() { read(); }
  // An epoch: every batch of the samples in their order (null: as they lie). Returns the sum of their
  // losses. Where the run is stopped in the middle of a step, that step is dropped.
  virtual double epoch(const int64_t* order) = 0;
};

// Write the parameters while they are finite; otherwise the run is over.
template <class T>
void keep(Run<T>& run, Steps<T>& steps) {
  if (steps.bad_layer())
    run.stopped = true;
  else
    steps.write();
}

// An epoch batch by batch.
template <class T>
class BatchSteps : public Steps<T> {
 public:
  double epoch(const int64_t* order) override {
    const Task<T>& task = run_.task;
    double sum = 0;
    for (int64_t start = 0; start < task.samples.n && !run_.stopped; start += task.batch_size) {
      sum += step(order, start, std::min(task.batch_size, task.samples.n - start));
      if (run_.keep_after(1)) keep(run_, *this);
    }
    return sum;
  }

 protected:
  explicit BatchSteps(Run<T>& run) : run_(run) {}
  // A batch of n samples, order[start..] (null: start..). Returns the sum of their losses.
  virtual double step(const int64_t* order, int64_t start, int64_t n) = 0;

  Run<T>& run_;
};

template <class T>
std::unique_ptr<Steps<T>> make_row_steps(Run<T>& run);
template <class T>
std::unique_ptr<Steps<T>> make_group_steps(Run<T>& run);
template <class T>
std::unique_ptr<Steps<T>> make_column_steps(Run<T>& run);
template <class T>
std::unique_ptr<Steps<T>> make_few_steps(Run<T>& run);

enum class Kind { few, columns, groups, rows };

// What a run's steps are done by; extras are penalties, limits or a rule that compares losses.
template <class T>
Kind kind_of_steps(const Network& net, int64_t batch_size, bool extras);

// Whether a batch of rows should be dealt into groups.
bool prefers_groups(const Network& net, int64_t batch_size);

// The update of one step: a rule with its constants, the factor that normalises or limits the gradient, and what is
// left of the parameters that decay.
template <class T>
struct Update {
  double constants[max_constants];
  T scale, left;
};

// What the rule needs for the run's step i, counted from 0.
template <class T>
void constants_of(const Task<T>& task, int64_t i, bool rose, double* constants);

// The update of the run's next step, whose batch has this mean loss; of its gradient nothing is known yet.
template <class T>
Update<T> make_update(const Run<T>& run, double loss);

// The factor of such a gradient of n elements: 1 where its norm does not count.
template <class T>
T scale_of(const Run<T>& run, const T* gradient, int64_t n);

// Of n parameters that lie together, the first n_weights of them weights: the terms of the penalties, and the limit of
// a single element.
template <class T>
void penalize(const Kernels<T>& k, const Penalties& penalties, const T* w, T* g, int64_t n_weights, int64_t n);
template <class T>
void decay(const Kernels<T>& k, const Penalties& penalties, T left, T* w, int64_t n_weights, int64_t n);

// Number of slots, and of hyperparameters, of a rule.
int slots_of(int rule);
size_t n_hyperparameters(int rule);

}  // namespace fastmlp
