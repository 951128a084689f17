// Steps with samples as columns, for networks whose every layer is narrow: no lane is spent on
// padding, and the parameters are used where they lie.
#include <algorithm>

#include "steps.h"
#include "workspace.h"

namespace fastmlp {

namespace {

// Samples of a block: enough to make the sums across lanes cheap, few enough for the cache. Half of a batch that is
// worth sharing, so that there is something to share: one of many samples, or of so much work that two threads gain by
// it, and more than a few vectors of samples. A half is a number of the longest vectors.
constexpr int64_t most_samples = 528, samples_worth_halving = 256, fewest_samples = 32, longest_vector = 16;
constexpr double work_worth_halving = 1.2e6;  // multiply-adds
int64_t block_samples(const Network& net, int64_t batch_size) {
  const bool halves =
      batch_size >= samples_worth_halving ||
      (batch_size >= 2 * fewest_samples && 3 * net.multiply_adds() * double(batch_size) >= work_worth_halving);
  return halves ? std::min(round_up((batch_size + 1) / 2, longest_vector), most_samples) : batch_size;
}

// A batch's blocks are dealt to so many sums of gradients at most, which are then added: their
// number must not depend on the threads.
constexpr int64_t most_groups = 8;
// A batch that is the same in every epoch is turned into columns once, if it takes no more than this.
constexpr int64_t kept_bytes = 8 << 20;

// Inputs, targets and weights of a block of samples, as columns.
template <class T>
struct Block {
  T *X, *Y, *weight;
  int64_t columns;
};

template <class T>
class ColumnSteps : public BatchSteps<T> {
 public:
  explicit ColumnSteps(Run<T>& run)
      : BatchSteps<T>(run),
        k_(narrowest_kernels<T>(run.task.batch_size)),
        net_(run.net),
        task_(run.task),
        n_parameters_(net_.n_parameters()),
        block_(block_samples(net_, task_.batch_size)),
        most_columns_(columns_of(block_)),
        most_blocks_((task_.batch_size + block_ - 1) / block_),
        groups_(std::min(most_blocks_, most_groups)),
        keeps_(task_.batch_size >= task_.samples.n && most_blocks_ * block_size() * int64_t(sizeof(T)) <= kept_bytes),
        team_(run.choose_threads(std::min(double(groups_), work(task_.batch_size) / Team::break_even_apart),
                                 work(task_.batch_size) / k_.speed, exchanged(groups_))),
        gradients_(groups_ * gradient_stride()),
        kept_(n_parameters_, Contents::anything),
        blocks_((keeps_ ? most_blocks_ : team_.size()) * block_size()),
        losses_(size_t(groups_)),
        filled_(keeps_ ? size_t(most_blocks_) : 0) {
    for (int thread = 0; thread < team_.size(); thread++) workspaces_.push_back(make_workspace());
  }

  // The user's arrays are the ones that are worked on, so there is a copy to go back to.
  void read() override { std::copy_n(run_.parameters, n_parameters_, kept_.data()); }
  void write() override { read(); }
  void restore() override { std::copy_n(kept_.data(), n_parameters_, run_.parameters); }
  int bad_layer() override {
    const int64_t at = k_.find_nonfinite(run_.parameters, n_parameters_);
    int layer = 0;
    for (const Layer& l : net_.layers) layer += l.start <= at;
    return layer;
  }

  double step(const int64_t* order, int64_t start, int64_t n) override {
    const int64_t n_blocks = (n + block_ - 1) / block_, groups = std::min(n_blocks, most_groups);
    const T scale = T(1.0 / double(n));
    const int threads =
        work(n) < 2 * Team::break_even_apart ? 1 : team_.share_step(work(n) / k_.speed, exchanged(groups));
    team_.run(threads, groups, [&](int64_t group, int thread) {
      double sum = 0;
      for (int64_t b = group * n_blocks / groups, first = b; b < (group + 1) * n_blocks / groups; b++) {
        if (run_.stopped) return;
        sum += pass(order, start, n, b, group, thread, scale, b > first);
      }
      losses_[size_t(group)] = sum;
    });
    double sum = 0;
    for (int64_t group = 0; group < groups; group++) sum += losses_[size_t(group)];
    if (run_.stopped || run_.diverges(sum)) return sum;
    update(groups, sum / double(n));
    run_.progress.steps++;
    run_.work_done(double(n_parameters_));
    return sum;
  }

  // One thread's A and delta of every layer.
  struct ThreadWorkspace {
    Buffer<T> memory;
    std::vector<ColumnLayer<T>> layers;
    int64_t columns = 0;  // of the block that the rows of ones were laid for
  };

  // Whole vectors, but rows of columns a power of two apart would fall into the same few sets of the cache.
  int64_t columns_of(int64_t samples) const {
    const int64_t columns = round_up(samples, k_.lanes);
    return columns * int64_t(sizeof(T)) % 1024 ? columns : columns + k_.lanes;
  }
  // The parameters and the groups' gradients.
  double exchanged(int64_t groups) const { return double((1 + groups) * n_parameters_) * sizeof(T); }
  double work(int64_t n) const { return 3 * net_.multiply_adds() * double(n); }
  int64_t gradient_stride() const { return round_up(n_parameters_, k_.lanes); }
  int64_t block_size() const { return (net_.n_in() + 1 + net_.n_out() + 1) * most_columns_; }

  Block<T> block(int64_t i, int64_t columns) {
    T* X = blocks_.data() + i * block_size();
    T* Y = X + (net_.n_in() + 1) * most_columns_;
    return {X, Y, Y + net_.n_out() * most_columns_, columns};
  }

  ThreadWorkspace make_workspace() {
    int64_t neurons = 0;
    for (const Layer& layer : net_.layers) neurons += (needs_z(layer.activation) ? 3 : 2) * layer.n_out + 1;
    ThreadWorkspace ws{Buffer<T>(neurons * most_columns_), {}, 0};
    T* next = ws.memory.data();
    for (const Layer& layer : net_.layers) {
      const auto take = [&](int64_t rows) {
        T* taken = next;
        next += rows * most_columns_;
        return taken;
      };
      T* A = take(layer.n_out + 1);
      T* Z = needs_z(layer.activation) ? take(layer.n_out) : nullptr;
      ws.layers.push_back({layer.n_out, layer.rows, layer.activation, T(layer.parameter), run_.parameters + layer.start,
                           nullptr, A, Z, take(layer.n_out)});
    }
    return ws;
  }

  static void lay_ones(ThreadWorkspace& ws, int64_t columns) {
    for (ColumnLayer<T>& layer : ws.layers) std::fill_n(layer.A + layer.n_out * columns, columns, T(1));
    ws.columns = columns;
  }

  double pass(const int64_t* order, int64_t start, int64_t n, int64_t b, int64_t group, int thread, T scale,
              bool accumulate) {
    const int64_t first = b * block_, samples = std::min(block_, n - first);
    const Block<T> data = block(keeps_ ? b : thread, columns_of(samples));
    if (!keeps_ || !filled_[size_t(b)]) load(order, start + first, samples, data);
    if (keeps_) filled_[size_t(b)] = 1;
    ThreadWorkspace& ws = workspaces_[size_t(thread)];
    std::vector<ColumnLayer<T>>& layers = ws.layers;
    T* gradient = gradients_.data() + group * gradient_stride();
    for (size_t l = 0; l < layers.size(); l++) {
      layers[l].dW = gradient + net_.layers[l].start;
    }
    if (ws.columns != data.columns) lay_ones(ws, data.columns);
    const double loss = k_.column_pass({layers.data(), int(layers.size()), data.columns, data.X, data.Y, data.weight,
                                        scale, task_.loss, task_.samples.n_targets, net_.bias, accumulate});
    if (thread == 0) run_.work_done(work(samples));
    return loss;
  }

  void load(const int64_t* order, int64_t start, int64_t n, const Block<T>& to) const {
    const Samples<T>& from = task_.samples;
    const auto row = [&](int64_t i) { return order ? order[start + i] : start + i; };
    // Padding is the last sample over again: what it gives is a number wherever the samples give one.
    const auto lay = [&](const Inputs<T>& rows, int64_t width, T* columns) {
      rows.lay_columns(to.columns, [&](int64_t i) { return row(std::min(i, n - 1)); }, width, columns, to.columns);
    };
    lay(from.X, net_.n_in(), to.X);
    lay(from.Y, from.n_targets, to.Y);
    std::fill_n(to.X + net_.n_in() * to.columns, to.columns, T(1));
    for (int64_t i = 0; i < to.columns; i++) to.weight[i] = i >= n ? T(0) : from.weight ? from.weight[row(i)] : T(1);
  }

  void update(int64_t groups, double loss) {
    T* sum = gradients_.data();
    for (int64_t group = 1; group < groups; group++) {
      const T* g = sum + group * gradient_stride();
      for (int64_t i = 0; i < n_parameters_; i++) sum[i] += g[i];
    }
    const Penalties& penalties = task_.penalties;
    if (run_.penalizes)
      for_each_layer([&](const Layer& layer, T* W, int64_t n_weights, int64_t n) {
        penalize(k_, penalties, W, sum + layer.start, n_weights, n);
      });
    Update<T> update = make_update(run_, loss);
    update.scale = scale_of(run_, sum, n_parameters_);
    if (update.left != 1)
      for_each_layer([&](const Layer&, T* W, int64_t n_weights, int64_t n) {
        decay(k_, penalties, update.left, W, n_weights, n);
      });
    k_.update[task_.rule](run_.parameters, sum, task_.slots, update.constants, update.scale, 1, n_parameters_, 0);
    if (run_.penalizes && penalties.max_norm > 0)
      for_each_layer([&](const Layer& layer, T* W, int64_t, int64_t) {
        k_.limit_columns(W, layer.n_in, layer.n_out, layer.n_out, penalties.max_norm);
      });
  }

  // body(layer, its parameters, the number of its weights, which come first, and of all).
  template <class Body>
  void for_each_layer(const Body& body) {
    for (const Layer& layer : net_.layers)
      body(layer, run_.parameters + layer.start, layer.n_in * layer.n_out, layer.rows * layer.n_out);
  }

  using BatchSteps<T>::run_;
  const Kernels<T>& k_;
  const Network& net_;
  const Task<T>& task_;
  const int64_t n_parameters_, block_, most_columns_, most_blocks_, groups_;
  const bool keeps_;
  Team team_;
  Buffer<T> gradients_, kept_, blocks_;
  std::vector<double> losses_;
  std::vector<char> filled_;
  std::vector<ThreadWorkspace> workspaces_;
};

}  // namespace

template <class T>
std::unique_ptr<Steps<T>> make_column_steps(Run<T>& run) {
  return std::make_unique<ColumnSteps<T>>(run);
}

template std::unique_ptr<Steps<float>> make_column_steps(Run<float>&);
template std::unique_ptr<Steps<double>> make_column_steps(Run<double>&);

}  // namespace fastmlp
