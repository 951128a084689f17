// Steps on a few samples: a copy of the parameters in rows that are easy to read, and one kernel that runs many steps.
#include <algorithm>
#include <memory>
#include <vector>

#include "few_layout.h"
#include "steps.h"
#include "workspace.h"

namespace fastmlp {

namespace {

template <class T>
class FewSteps : public Steps<T> {
 public:
  explicit FewSteps(Run<T>& run) : run_(run), net_(run.net), task_(run.task), n_slots_(slots_of(task_.rule)) {
    for (const Layer& layer : net_.layers) {
      layouts_.push_back(few_layout(layer, k_));
      size_ += layouts_.back().size;
    }
    make_layers();
    const double work = 3 * net_.multiply_adds() * double(task_.batch_size);
    chunk_ = task_.batch_size * std::clamp<int64_t>(int64_t(chunk_work / work), 1, most_steps);
    if (!task_.samples.X.dense) dense_ = Buffer<T>(chunk_ * (net_.n_in() + task_.samples.n_targets + 1));
  }

  void read() override {
    for_each_row([](T* row, T* users, int64_t distance, int64_t n) {
      for (int64_t i = 0; i < n; i++) row[i] = users[i * distance];
    });
  }

  void write() override {
    for_each_row([](T* row, T* users, int64_t distance, int64_t n) {
      for (int64_t i = 0; i < n; i++) users[i * distance] = row[i];
    });
  }

  int bad_layer() override {
    const int64_t at = k_.find_nonfinite(memory_.data(), size_);
    int layer = 0;
    int64_t start = 0;
    for (const FewLayout& layout : layouts_) {
      layer += start <= at;
      start += layout.size;
    }
    return layer;
  }

  double epoch(const int64_t* order) override {
    const Samples<T>& s = task_.samples;
    double sum = 0;
    for (int64_t start = 0; start < s.n && !run_.stopped; start += chunk_) {
      const int64_t n = std::min(chunk_, s.n - start);
      const Rows rows = s.X.dense ? rows_where_they_lie(order, start) : dense_rows(order, start, n);
      const FewRun<T> chunk{layers_.data(), int(layers_.size()), task_.rule, task_.loss,   task_.batch_size,
                            net_.n_in(),    s.n_targets,         inputs_,    input_width_, transposed_,
                            targets_,       T(net_.bias),        rows.X,     rows.Y,       rows.weight,
                            rows.order};
      const int64_t steps = (n + task_.batch_size - 1) / task_.batch_size;
      const bool shared = prepare_constants(steps);
      const int64_t made = k_.few_steps(chunk, n, constants_.data(), shared, &sum);
      run_.progress.steps += made;
      if (made < steps) run_.diverges(sum);
      run_.work_done(3 * net_.multiply_adds() * double(n));
      if (run_.keep_after(made)) keep(run_, *this);
    }
    return sum;
  }

 private:
  // Samples as the kernel reads them: dense, and in this order (null: as they lie).
  struct Rows {
    const T *X, *Y, *weight;
    const int64_t* order;
  };

  Rows rows_where_they_lie(const int64_t* order, int64_t start) const {
    const Samples<T>& s = task_.samples;
    if (order) return {s.X.dense, s.Y, s.weight, order + start};
    return {s.X.dense + start * net_.n_in(), s.Y + start * s.n_targets, s.weight ? s.weight + start : nullptr, nullptr};
  }

  // A chunk of a sparse X, with the targets and weights in the same order.
  Rows dense_rows(const int64_t* order, int64_t start, int64_t n) const {
    const Samples<T>& s = task_.samples;
    T *X = dense_.data(), *Y = X + chunk_ * net_.n_in(), *weight = Y + chunk_ * s.n_targets;
    const auto row = [&](int64_t i) { return order ? order[start + i] : start + i; };
    s.X.lay_rows(n, row, net_.n_in(), {X, net_.n_in(), 0});
    for (int64_t i = 0; i < n; i++) {
      copy(s.Y + row(i) * s.n_targets, s.n_targets, Y + i * s.n_targets);
      weight[i] = s.weight ? s.weight[row(i)] : T(1);
    }
    return {X, Y, weight, nullptr};
  }

  // Of a sample's row of A or delta: a vector may be stored from each of its elements on, and there is a tail.
  int64_t width(int64_t n) const { return round_up(n + k_.lanes - 1, k_.lanes); }

  void make_layers() {
    const int64_t rows = task_.batch_size;
    input_width_ = width(net_.n_in());
    int64_t rest = rows * input_width_ + width(net_.n_out());
    int64_t widest = 0;
    for (const Layer& layer : net_.layers) {
      rest += 3 * rows * width(layer.n_out);
      widest = std::max(widest, round_up(layer.n_out, k_.lanes));
    }
    rest += widest * k_.lanes;
    // All in one piece: a load some 4096 bytes behind a store would wait for it. What an update stores lies in
    // different parts of its pages.
    constexpr int64_t page = 4096 / int64_t(sizeof(T)), share = page / (1 + max_slots) / 16 * 16;  // whole vectors
    const int64_t part = round_up(size_, page) + share;
    memory_ = Buffer<T>((1 + n_slots_) * part + rest);
    W_ = memory_.data();
    for (int i = 0; i < n_slots_; i++) slots_[i] = W_ + (1 + i) * part;
    T* next = W_ + (1 + n_slots_) * part;
    const auto take = [&](int64_t n) {
      T* taken = next;
      next += n;
      return taken;
    };
    const auto take_rows = [&](int64_t n) {
      T* taken = take(rows * width(n));
      for (int64_t i = 0; i < rows; i++) taken[i * width(n) + n] = T(net_.bias);
      return taken;
    };
    inputs_ = take_rows(net_.n_in());
    if (is_by_rows(task_.loss)) targets_ = take(width(net_.n_out()));
    transposed_ = take(widest * k_.lanes);
    int64_t offset = 0;
    const auto take_weights = [&](int64_t n, int64_t stride) {
      FewWeights<T> weights{n, stride, W_ + offset, {}};
      for (int i = 0; i < n_slots_; i++) weights.slots[i] = slots_[i] + offset;
      offset += n * stride;
      return weights;
    };
    for (size_t l = 0; l < layouts_.size(); l++) {
      const Layer& layer = net_.layers[l];
      const FewLayout& layout = layouts_[l];
      FewLayer<T> few{};
      few.n_out = layer.n_out;
      few.n_along = layout.n_along;
      few.width = width(layer.n_out);
      few.along = take_weights(layer.rows, layout.along_stride);
      few.across = take_weights(layout.n_across, layout.across_stride);
      few.activation = layer.activation;
      few.parameter = T(layer.parameter);
      few.A = take_rows(layer.n_out);
      if (needs_z(layer.activation)) few.Z = take(rows * few.width);
      few.delta = take(rows * few.width);
      layers_.push_back(few);
    }
  }

  // visit(row, the user's row, the distance of elements there, elements) for every row of the parameters and slots.
  template <class Visit>
  void for_each_row(const Visit& visit) {
    for (size_t l = 0; l < layers_.size(); l++) {
      const FewLayer<T>& few = layers_[l];
      const Layer& layer = net_.layers[l];
      for (int i = -1; i < n_slots_; i++) {
        T* users = (i < 0 ? run_.parameters : task_.slots[i]) + layer.start;
        const auto memory = [&](const FewWeights<T>& weights) { return i < 0 ? weights.W : weights.slots[i]; };
        for (int64_t row = 0; row < layer.rows; row++)
          visit(memory(few.along) + row * few.along.stride, users + row * layer.n_out, 1, few.n_along);
        for (int64_t t = 0; t < few.across.rows; t++)
          visit(memory(few.across) + t * few.across.stride, users + few.n_along + t, layer.n_out, layer.rows);
      }
    }
  }

  // The rule's constants of the next n steps, or one set for all where they do not depend on the step.
  bool prepare_constants(int64_t n) {
    const int64_t first = run_.progress.steps;
    constants_.assign(size_t(n * max_constants), 0);
    constants_of(task_, first, false, constants_.data());
    if (n > 1 && !task_.factors && has_constants_of(first + 1) && has_constants_of(first + n - 1)) return true;
    for (int64_t i = 1; i < n; i++) constants_of(task_, first + i, false, constants_.data() + i * max_constants);
    return false;
  }

  bool has_constants_of(int64_t step) const {
    double constants[max_constants] = {};
    constants_of(task_, step, false, constants);
    return std::equal(constants, constants + max_constants, constants_.data());
  }

  static constexpr double chunk_work = 1e6;    // multiply-adds between looks at the clock
  static constexpr int64_t most_steps = 4096;  // of a chunk

  const Kernels<T>& k_ = kernels<T>();
  Run<T>& run_;
  const Network& net_;
  const Task<T>& task_;
  int n_slots_;
  int64_t size_ = 0, chunk_ = 1, input_width_ = 0;
  Buffer<T> memory_, dense_;
  T *W_ = nullptr, *slots_[max_slots] = {};
  T *inputs_ = nullptr, *targets_ = nullptr, *transposed_ = nullptr;
  std::vector<FewLayout> layouts_;
  std::vector<FewLayer<T>> layers_;
  std::vector<double> constants_;
};

}  // namespace

template <class T>
std::unique_ptr<Steps<T>> make_few_steps(Run<T>& run) {
  return std::make_unique<FewSteps<T>>(run);
}

template std::unique_ptr<Steps<float>> make_few_steps(Run<float>&);
template std::unique_ptr<Steps<double>> make_few_steps(Run<double>&);

}  // namespace fastmlp
