// Steps for batches whose rows have more to do than there are parameters to exchange: a batch is dealt into groups of
// rows, each with a gradient of its own. Every thread takes some groups through the network and then, as soon as all
// gradients are there, moves parameters of its own along their sum. So all that travels between the processors' caches
// are gradients, and there is one hand-over a step: an update is made with the step that follows.
#include <algorithm>
#include <deque>

#include "packed.h"
#include "passes.h"
#include "steps.h"

namespace fastmlp {

namespace {

constexpr int64_t most_groups = 8;
// A group of fewer rows would not repay one more gradient, which should fit the cache beside the parameters.
constexpr int64_t fewest_rows = 48, fewest_rows_of_two = 16, most_parameters = 64 << 10;
// Multiply-adds of a thread that make up for the hand-over, also where another process slows the second one down.
constexpr double fewest_work = 3.5e5;

double work(const Network& net, int64_t n) { return 3 * net.multiply_adds() * double(n); }

// The number of groups of n rows, a power of two: the same for any number of threads, and so are the sums.
int64_t groups_of(const Network& net, int64_t n) {
  const int64_t parameters = net.n_parameters(), left = n * net.left_by_row();
  if (parameters > most_parameters) return 1;
  for (int64_t groups = most_groups; groups > 2; groups /= 2)
    if (n >= groups * fewest_rows && left >= groups * parameters) return groups;
  const bool are_worth_sharing =
      n >= 2 * fewest_rows_of_two && 3 * left >= 2 * parameters && work(net, n) >= 2 * fewest_work;
  return are_worth_sharing ? 2 : 1;
}

template <class T>
class GroupSteps : public BatchSteps<T> {
 public:
  explicit GroupSteps(Run<T>& run)
      : BatchSteps<T>(run),
        net_(run.net),
        task_(run.task),
        groups_(groups_of(net_, task_.batch_size)),
        block_(Workspace<T>::block_rows(
            net_, k_, std::max(rows_of_group(task_.batch_size, groups_), std::min(task_.batch_size, rows_together)))),
        team_(run.choose_threads(std::min(double(groups_), work(net_, task_.batch_size) / fewest_work),
                                 time(task_.batch_size), exchanged(groups_))) {
    for (int i = 0; i < team_.size(); i++) replicas_.emplace_back(run, k_, block_, net_);
    size_ = replicas_[0].packed.size();
    gradients_ = Buffer<T>(2 * groups_ * size_, Contents::anything);
    losses_.resize(size_t(groups_));
  }

  void read() override {
    pending_.threads = 0;
    for (Replica& replica : replicas_) {
      replica.packed.read();
      replica.is_behind = false;
    }
  }
  void write() override {
    make_pending_update();
    const Packed<T>& packed = replicas_[0].packed;
    for (const Item& item : packed.items()) packed.write(item);
  }
  int bad_layer() override {
    make_pending_update();
    return replicas_[0].packed.bad_layer();
  }
  bool can_check_inputs() const override { return true; }

  double step(const int64_t* order, int64_t start, int64_t n) override {
    Batch batch{order, start, n, groups_of(net_, n), 1, !pending_.parity, {}};
    if (work(net_, n) >= 2 * fewest_work)
      batch.threads = int(std::min<int64_t>(team_.share_step(time(n), exchanged(batch.groups)), batch.groups));
    catch_up(batch.threads);
    team_.run(batch.threads, batch.threads, [&](int64_t i, int thread) {
      Replica& replica = replicas_[size_t(i)];
      if (pending_.threads) update(replica);
      pass_all(replica, batch, batch.first_group(i), batch.first_group(i + 1), thread);
    });
    for (size_t i = size_t(batch.threads); i < replicas_.size(); i++) replicas_[i].is_behind = true;
    pending_.threads = 0;
    double sum = 0;
    for (int64_t group = 0; group < batch.groups; group++) sum += losses_[size_t(group)].sum;
    if (run_.stopped || run_.diverges(sum)) return sum;
    batch.update = make_update(run_, sum / double(n));
    pending_ = batch;
    run_.progress.steps++;
    run_.work_done(double(size_));
    return sum;
  }

 private:
  using Item = typename Packed<T>::Item;

  // Parameters, slots and workspace of a thread, and a sum of gradients. It is behind where it took no part in a step.
  struct Replica {
    Packed<T> packed;
    Workspace<T> workspace;
    Buffer<T> sum;
    bool is_behind = false;
    Replica(Run<T>& run, const Kernels<T>& k, int64_t block, const Network& net)
        : packed(run, k, block, 1, Packed<T>::Shared::nothing),
          workspace(net, k, block, Workspace<T>::backward),
          sum(packed.size()) {}
  };

  struct Batch {
    const int64_t* order;
    int64_t start, n, groups;
    int threads;  // 0: there is none
    bool parity;  // its gradients lie elsewhere than those of the batch before
    Update<T> update;
    int64_t first_group(int64_t i) const { return i * groups / threads; }
    int64_t first_row(int64_t group) const { return group * n / groups; }
  };

  struct alignas(line_bytes) Loss {
    double sum;
  };

  static int64_t rows_of_group(int64_t n, int64_t groups) { return (n + groups - 1) / groups; }
  // Bytes: of gradients, whose lines are read somewhere else and then taken back, with the hand-over (1.75, measured).
  double exchanged(int64_t groups) const { return 1.75 * double(groups * net_.n_parameters()) * sizeof(T); }
  // Nanoseconds, with those of a layer beside its products.
  double time(int64_t n) const { return work(net_, n) / k_.speed + 350 * double(net_.layers.size()); }

  // The first thread adds the gradients of its groups up as it goes, where they are single blocks: the same sums.
  bool adds(const Batch& batch, int64_t group) const {
    return rows_of_group(batch.n, batch.groups) <= block_ && group < batch.first_group(1);
  }
  T* gradient(const Batch& batch, int64_t group) const {
    return gradients_.data() + (batch.parity * groups_ + (adds(batch, group) ? 0 : group)) * size_;
  }

  // A thread's groups, as many at a time as fit a block.
  void pass_all(Replica& replica, const Batch& batch, int64_t group, int64_t end, int thread) {
    for (int64_t next; group < end; group = next) {
      next = group + 1;
      while (next < end && batch.first_row(next + 1) - batch.first_row(group) <= block_) next++;
      pass(replica, batch, group, next, thread);
    }
  }

  // The losses of the rows of some groups, and their gradients, block by block: of whole groups or of parts of one.
  void pass(Replica& replica, const Batch& batch, int64_t first_group, int64_t end_group, int thread) {
    const Packed<T>& packed = replica.packed;
    Workspace<T>& ws = replica.workspace;
    const Passes<T> passes{net_, k_, ws};
    const T scale = T(1.0 / double(batch.n));
    const int64_t begin = batch.first_row(first_group), end = batch.first_row(end_group);
    for (int64_t row = begin; row < end && !run_.stopped; row += block_) {
      const int64_t rows = std::min(block_, end - row), start = batch.start + row;
      run_.note_inputs(passes.load_inputs(task_.samples, batch.order, start, 0, rows, task_.batch_size));
      passes.load_targets(task_.samples, batch.order, start, 0, rows);
      passes.forward(packed.W(), 0, rows);
      passes.backward(packed.W(), packed.WT(), task_.samples, task_.loss, scale, 0, rows);
      for (int64_t group = first_group; group < end_group; group++) {
        const int64_t first = std::max(batch.first_row(group) - row, int64_t(0));
        const int64_t n = std::min(batch.first_row(group + 1) - row, rows) - first;
        const bool accumulate = row > begin || (group > 0 && adds(batch, group));
        T* dW = gradient(batch, group);
        for (const Item& item : packed.items())
          passes.gradient(item, first, n, accumulate, dW + item.offset, nullptr,
                          ahead_of(passes, packed, batch.order, start + first, n, item));
        double sum = row > begin ? losses_[size_t(group)].sum : 0;
        for (int64_t i = first; i < first + n; i++) sum += ws.losses[i];
        losses_[size_t(group)].sum = sum;
      }
      if (thread == 0) run_.work_done(work(net_, rows));
    }
  }

  // What is fetched with an item's gradient: a part of the rows that come a batch after these.
  Ahead ahead_of(const Passes<T>& passes, const Packed<T>& packed, const int64_t* order, int64_t start, int64_t rows,
                 const Item& item) const {
    const int64_t first = start + task_.batch_size, n = std::min(rows, task_.samples.n - first);
    const int64_t all = int64_t(packed.items().size()), i = packed.index(item);
    return passes.ahead(task_.samples, order, first + i * n / all, (i + 1) * n / all - i * n / all, task_.batch_size,
                        item);
  }

  // Replicas that are behind become what the first one is.
  void catch_up(int threads) {
    const auto end = replicas_.begin() + threads;
    if (std::none_of(replicas_.begin(), end, [](const Replica& replica) { return replica.is_behind; })) return;
    make_pending_update();
    for (auto replica = replicas_.begin(); replica != end; replica++) {
      if (replica->is_behind) replica->packed.copy(replicas_[0].packed);
      replica->is_behind = false;
    }
  }

  void make_pending_update() {
    if (!pending_.threads) return;
    team_.run(pending_.threads, pending_.threads, [&](int64_t i, int) { update(replicas_[size_t(i)]); });
    pending_.threads = 0;
  }

  void update(Replica& replica) {
    Packed<T>& packed = replica.packed;
    const T* terms[most_groups];
    int64_t n_terms = 0;
    for (int64_t group = 0; group < pending_.groups; group++)
      if (group == 0 || !adds(pending_, group)) terms[n_terms++] = gradient(pending_, group);
    const bool is_alone = n_terms == 1 && pending_.threads == 1;
    T* sum = is_alone ? gradient(pending_, 0) : replica.sum.data();
    const auto complete = [&](const Item& item) {
      const T* parts[most_groups];
      for (int64_t i = 0; i < n_terms; i++) parts[i] = terms[i] + item.offset;
      if (!is_alone) k_.add_up(parts, n_terms, item.rows * item.width, sum + item.offset);
      if (run_.penalizes && task_.penalties.of_gradient()) packed.penalize(item, sum + item.offset);
    };
    const bool first = run_.penalizes && task_.penalties.need_norm();
    Update<T> update = pending_.update;
    if (first) {
      for (const Item& item : packed.items()) complete(item);
      update.scale = scale_of(run_, sum, size_);
    }
    for (const Item& item : packed.items()) {
      if (!first) complete(item);
      packed.update(item, sum + item.offset, update, 0);
    }
    for (const Item& panel : packed.panels()) packed.limit_norms(panel);
  }

  // Rows whose groups a thread takes through the network together.
  static constexpr int64_t rows_together = 64;

  using BatchSteps<T>::run_;
  const Kernels<T>& k_ = kernels<T>();
  const Network& net_;
  const Task<T>& task_;
  const int64_t groups_, block_;
  Team team_;
  std::deque<Replica> replicas_;
  int64_t size_ = 0;     // of a gradient
  Buffer<T> gradients_;  // of one batch's groups, and of the next one's
  std::vector<Loss> losses_;
  Batch pending_{};  // its gradients are there, its update is not made yet
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
