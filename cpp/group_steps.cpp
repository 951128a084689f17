// Steps for batches that leave much more than the network has parameters: a batch is dealt into groups of rows, each
// with a gradient of its own, and one thread does all of a group, so that hardly anything has to travel between the
// processors' caches.
#include <algorithm>

#include "packed.h"
#include "passes.h"
#include "steps.h"

namespace fastmlp {

namespace {

constexpr int64_t most_groups = 8;
// Fewer rows would not repay adding up one more gradient, which should fit the cache beside the parameters.
constexpr int64_t fewest_rows = 64, most_parameters = 64 << 10;

// The number of groups of n rows: the same for any number of threads, and so are the sums.
int64_t groups_of(const Network& net, int64_t n) {
  if (net.n_parameters() > most_parameters) return 1;
  return std::clamp<int64_t>(std::min(n / fewest_rows, n * net.left_by_row() / net.n_parameters()), 1, most_groups);
}

template <class T>
class GroupSteps : public BatchSteps<T> {
 public:
  explicit GroupSteps(Run<T>& run)
      : BatchSteps<T>(run),
        net_(run.net),
        task_(run.task),
        groups_(groups_of(net_, task_.batch_size)),
        block_(Workspace<T>::block_rows(net_, k_, (task_.batch_size + groups_ - 1) / groups_)),
        team_(run.choose_threads(std::min(double(groups_), work(task_.batch_size) / Team::break_even_apart),
                                 exchanged(groups_))),
        packed_(run, k_, block_, team_.size()),
        gradients_(groups_ * packed_.size()),
        losses_(size_t(groups_)) {
    workspaces_.reserve(size_t(team_.size()));
    for (int thread = 0; thread < team_.size(); thread++)
      workspaces_.emplace_back(net_, k_, block_, Workspace<T>::backward);
  }

  void read() override { packed_.read(); }
  void write() override {
    for (const Item& item : packed_.items()) packed_.write(item);
  }
  int bad_layer() const override { return packed_.bad_layer(); }
  bool can_check_inputs() const override { return packed_.copies_slots() && looks_at_inputs(net_, k_); }

  double step(const int64_t* order, int64_t start, int64_t n) override {
    const int64_t groups = groups_of(net_, n);
    const int threads =
        work(n) < 2 * Team::break_even_apart ? 1 : team_.share_step(work(n) / k_.speed, exchanged(groups));
    // One thread by itself adds the gradients of single blocks up as it goes: the same sums.
    const bool adds = threads == 1 && (n + groups - 1) / groups <= block_;
    team_.run(threads, groups, [&](int64_t group, int thread) {
      const int64_t first = group * n / groups, end = (group + 1) * n / groups;
      T* dW = gradient(adds ? 0 : group);
      losses_[size_t(group)] =
          pass(order, start + first, end - first, T(1.0 / double(n)), adds && group > 0, dW, thread);
    });
    double sum = 0;
    for (int64_t group = 0; group < groups; group++) sum += losses_[size_t(group)];
    if (run_.stopped || run_.diverges(sum)) return sum;
    update(threads, adds ? 1 : groups, sum / double(n));
    run_.progress.steps++;
    run_.work_done(double(packed_.size()));
    return sum;
  }

  using Item = typename Packed<T>::Item;

  // The parameters, their transposes and the groups' gradients.
  double exchanged(int64_t groups) const { return double((2 + groups) * net_.n_parameters()) * sizeof(T); }
  double work(int64_t n) const { return 3 * net_.multiply_adds() * double(n); }
  T* gradient(int64_t group) const { return gradients_.data() + group * packed_.size(); }

  // The losses of a group's rows, and their gradient, block by block.
  double pass(const int64_t* order, int64_t start, int64_t n, T scale, bool accumulate, T* dW, int thread) {
    Workspace<T>& ws = workspaces_[size_t(thread)];
    const Passes<T> passes{net_, k_, ws};
    double sum = 0;
    for (int64_t done = 0; done < n && !run_.stopped; done += block_) {
      const int64_t rows = std::min(block_, n - done);
      run_.note_inputs(passes.load_inputs(task_.samples, order, start + done, 0, rows));
      passes.load_targets(task_.samples, order, start + done, 0, rows);
      passes.forward(packed_.W(), 0, rows);
      passes.backward(packed_.W(), packed_.WT(), task_.samples, task_.loss, scale, 0, rows);
      for (const Item& item : packed_.items())
        passes.gradient(item, rows, accumulate || done > 0, dW + item.offset, nullptr,
                        ahead_of(passes, order, start + done, rows, item));
      for (int64_t i = 0; i < rows; i++) sum += ws.losses[i];
      if (thread == 0) run_.work_done(work(rows));
    }
    return sum;
  }

  // What is fetched with an item's gradient: a part of the rows that come a batch after these.
  Ahead ahead_of(const Passes<T>& passes, const int64_t* order, int64_t start, int64_t rows, const Item& item) const {
    const int64_t first = start + task_.batch_size, n = std::min(rows, task_.samples.n - first);
    const int64_t all = int64_t(packed_.items().size()), i = packed_.index(item);
    return passes.ahead(task_.samples, order, first + i * n / all, (i + 1) * n / all - i * n / all, task_.batch_size,
                        item);
  }

  void add_groups(const Item& item, int64_t groups) const {
    T* sum = gradient(0) + item.offset;
    for (int64_t group = 1; group < groups; group++) {
      const T* g = gradient(group) + item.offset;
      for (int64_t i = 0; i < item.rows * item.width; i++) sum[i] += g[i];
    }
  }

  void update(int threads, int64_t groups, double loss) {
    const auto for_each_item = [&](const auto& body) {
      team_.run(threads, int64_t(packed_.items().size()),
                [&](int64_t i, int thread) { body(packed_.items()[size_t(i)], thread); });
    };
    const Penalties& penalties = task_.penalties;
    const bool penalizes = run_.penalizes && penalties.of_gradient(), first = run_.penalizes && penalties.need_norm();
    const auto complete = [&](const Item& item) {
      add_groups(item, groups);
      if (penalizes) packed_.penalize(item, gradient(0) + item.offset);
    };
    if (first) for_each_item([&](const Item& item, int) { complete(item); });
    const Update<T> update = make_update(run_, gradient(0), packed_.size(), loss);
    for_each_item([&](const Item& item, int thread) {
      if (!first) complete(item);
      packed_.update(item, gradient(0) + item.offset, update, thread);
    });
    if (!packed_.panels().empty())
      team_.run(threads, int64_t(packed_.panels().size()),
                [&](int64_t i, int) { packed_.limit_norms(packed_.panels()[size_t(i)]); });
  }

  using BatchSteps<T>::run_;
  const Kernels<T>& k_ = kernels<T>();
  const Network& net_;
  const Task<T>& task_;
  const int64_t groups_, block_;
  Team team_;
  Packed<T> packed_;
  Buffer<T> gradients_;
  std::vector<double> losses_;
  std::vector<Workspace<T>> workspaces_;
};

}  // namespace

bool prefers_groups(const Network& net, int64_t batch_size) { return groups_of(net, batch_size) > 1; }

template <class T>
std::unique_ptr<Steps<T>> make_group_steps(Run<T>& run) {
  return std::make_unique<GroupSteps<T>>(run);
}

template std::unique_ptr<Steps<float>> make_group_steps(Run<float>&);
template std::unique_ptr<Steps<double>> make_group_steps(Run<double>&);

}  // namespace fastmlp
