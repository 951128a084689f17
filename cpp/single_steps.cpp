// Steps on single samples: padded copies of the parameters, and one kernel that runs many steps.
#include <algorithm>

#include "steps.h"
#include "workspace.h"

namespace fastmlp {

namespace {

template <class T>
class SingleSteps : public Steps<T> {
 public:
  explicit SingleSteps(Run<T>& run) : run_(run), net_(run.net), task_(run.task), n_slots_(slots_of(task_.rule)) {
    for (const Layer& layer : net_.layers) size_ += padded_size(layer);
    make_layers();
    const double work = 3 * net_.multiply_adds();
    chunk_ = std::clamp<int64_t>(int64_t(chunk_work / work), 1, most_steps);
    if (!task_.samples.X.dense) dense_ = Buffer<T>(chunk_ * (net_.n_in() + task_.samples.n_targets + 1));
  }

  void read() override {
    for_each_row([](T* padded, T* flat, int64_t n) { std::copy_n(flat, n, padded); });
  }

  void write() override {
    for_each_row([](T* padded, T* flat, int64_t n) { std::copy_n(padded, n, flat); });
  }

  int bad_layer() const override {
    const int64_t at = k_.find_nonfinite(memory_.data(), size_);
    int layer = 0;
    int64_t start = 0;
    for (const Layer& l : net_.layers) {
      layer += start <= at;
      start += padded_size(l);
    }
    return layer;
  }

  double epoch(const int64_t* order) override {
    const Samples<T>& s = task_.samples;
    double sum = 0;
    for (int64_t start = 0; start < s.n && !run_.stopped; start += chunk_) {
      const int64_t n = std::min(chunk_, s.n - start);
      const Rows rows = s.X.dense ? rows_where_they_lie(order, start) : dense_rows(order, start, n);
      const SingleRun<T> chunk{layers_.data(), int(layers_.size()),
                               task_.rule,     task_.loss,
                               net_.n_in(),    s.n_targets,
                               inputs_,        targets_,
                               tail_,          rows.X,
                               rows.Y,         rows.weight,
                               rows.order};
      prepare_constants(n);
      const int64_t made = k_.single_steps(chunk, n, constants_.data(), n_constants_, &sum);
      run_.progress.steps += made;
      if (made < n) run_.diverges(sum);
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

  // Rows pages apart fall into the same few sets of the first-level cache.
  int64_t stride(const Layer& layer) const {
    const int64_t stride = round_up(layer.across() ? layer.n_in + 1 : layer.n_out, k_.lanes);
    return layer.across() || stride * int64_t(sizeof(T)) % 4096 ? stride : stride + k_.lanes;
  }
  // Elements of its A and delta: vectors as long as its rows.
  int64_t neurons_of(const Layer& layer) const { return layer.across() ? layer.n_out : stride(layer); }
  int64_t padded_size(const Layer& layer) const { return layer.across() ? stride(layer) : layer.rows * stride(layer); }

  void make_layers() {
    int64_t neurons = 2 * round_up(net_.n_in() + 1, k_.lanes) + round_up(net_.n_out() + 1, k_.lanes);
    for (const Layer& layer : net_.layers) neurons += 3 * round_up(neurons_of(layer) + 1, k_.lanes);
    // All in one piece: a load a multiple of 4096 bytes behind a store would wait for it.
    const int64_t part = size_ + k_.lanes;
    memory_ = Buffer<T>((1 + n_slots_) * part + neurons);
    W_ = memory_.data();
    for (int i = 0; i < n_slots_; i++) slots_[i] = W_ + (1 + i) * part;
    T* next = W_ + (1 + n_slots_) * part;
    const auto take = [&](int64_t n) {
      T* taken = next;
      next += round_up(n + 1, k_.lanes);
      return taken;
    };
    inputs_ = take(net_.n_in());
    inputs_[net_.n_in()] = T(net_.bias);
    T* tail = take(0);
    tail[0] = T(net_.bias);
    tail_ = tail;
    if (is_by_rows(task_.loss)) targets_ = take(net_.n_out());
    int64_t offset = 0;
    for (const Layer& layer : net_.layers) {
      T* A = take(neurons_of(layer));
      A[layer.n_out] = T(net_.bias);
      T* Z = needs_z(layer.activation) ? take(neurons_of(layer)) : nullptr;
      SingleLayer<T> single{layer.n_out,
                            layer.rows,
                            stride(layer),
                            layer.across(),
                            layer.activation,
                            T(layer.parameter),
                            W_ + offset,
                            {},
                            A,
                            Z,
                            take(neurons_of(layer))};
      for (int i = 0; i < n_slots_; i++) single.slots[i] = slots_[i] + offset;
      layers_.push_back(single);
      offset += padded_size(layer);
    }
  }

  // visit(padded row, flat row, elements) for every row of the parameters and of the slots.
  template <class Visit>
  void for_each_row(const Visit& visit) {
    for (int i = -1; i < n_slots_; i++) {
      T* padded = i < 0 ? W_ : slots_[i];
      T* flat = i < 0 ? run_.parameters : task_.slots[i];
      for (const Layer& layer : net_.layers) {
        const int64_t n = layer.across() ? layer.rows : layer.n_out, rows = layer.across() ? 1 : layer.rows;
        for (int64_t row = 0; row < rows; row++) visit(padded + row * stride(layer), flat + layer.start + row * n, n);
        padded += padded_size(layer);
      }
    }
  }

  // The rule's constants of the next n steps, or one set for all where they do not depend on the step.
  void prepare_constants(int64_t n) {
    const int64_t first = run_.progress.steps;
    double next[max_constants] = {};
    constants_.assign(size_t(n * max_constants), 0);
    constants_of(task_, first, false, constants_.data());
    if (n > 1) constants_of(task_, first + 1, false, next);
    n_constants_ = n > 1 && !task_.factors && std::equal(next, next + max_constants, constants_.data()) ? 1 : n;
    for (int64_t i = 1; i < n_constants_; i++)
      constants_of(task_, first + i, false, constants_.data() + i * max_constants);
  }

  static constexpr double chunk_work = 1e6;    // multiply-adds between looks at the clock
  static constexpr int64_t most_steps = 4096;  // of a chunk

  const Kernels<T>& k_ = kernels<T>();
  Run<T>& run_;
  const Network& net_;
  const Task<T>& task_;
  int n_slots_;
  int64_t size_ = 0, chunk_ = 1, n_constants_ = 1;
  Buffer<T> memory_, dense_;
  T *W_ = nullptr, *slots_[max_slots] = {};
  T *inputs_ = nullptr, *targets_ = nullptr;
  const T* tail_ = nullptr;
  std::vector<SingleLayer<T>> layers_;
  std::vector<double> constants_;
};

}  // namespace

template <class T>
std::unique_ptr<Steps<T>> make_single_steps(Run<T>& run) {
  return std::make_unique<SingleSteps<T>>(run);
}

template std::unique_ptr<Steps<float>> make_single_steps(Run<float>&);
template std::unique_ptr<Steps<double>> make_single_steps(Run<double>&);

}  // namespace fastmlp
