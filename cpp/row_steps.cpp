// Steps with samples as rows: packed parameters, blocks of rows that fit the cache.
#include <algorithm>
#include <array>

#include "packed.h"
#include "passes.h"
#include "steps.h"

namespace fastmlp {

namespace {

template <class T>
class RowSteps : public BatchSteps<T> {
 public:
  explicit RowSteps(Run<T>& run)
      : BatchSteps<T>(run),
        net_(run.net),
        task_(run.task),
        block_(Workspace<T>::block_rows(net_, k_, task_.batch_size, fewest_in_block)),
        weights_(net_.n_parameters() + Packing<T>(net_, k_, task_.batch_size).transposed_size()),
        team_(run.choose_threads(work(block_) / Team::break_even, work(task_.batch_size) / k_.speed,
                                 exchanged(task_.batch_size))),
        ws_(net_, k_, block_, Workspace<T>::backward, {task_.dropout}, n_inputs(team_.size())),
        passes_{net_, k_, ws_, {task_.dropout}},
        loaded_(ws_.inputs.size()),
        fused_(task_.batch_size <= block_ && !task_.penalties.need_norm() &&
               work(task_.batch_size) / k_.speed < longest_fused),
        packed_(run, k_, block_, team_.size(),
                any_by_columns(team_.size()) ? Packed<T>::Shared::columns : Packed<T>::Shared::parameters),
        gradient_(fused_ ? packed_.largest_item() * team_.size() : packed_.size()) {}

  void read() override { packed_.read(); }
  void write() override {
    for_each_item(team_.share(double(packed_.size())), [&](const Item& item, int) { packed_.write(item); });
  }
  int bad_layer() override { return packed_.bad_layer(); }
  bool can_check_inputs() const override { return packed_.copies_slots(); }

  double step(const int64_t* order, int64_t start, int64_t n) override {
    const double block_work = work(std::min(n, block_));
    const int threads = block_work < Team::break_even ? 1 : team_.share_step(work(n) / k_.speed, exchanged(n));
    double sum = 0;
    if (task_.dropout) passes_.dropout.seed = draw_seed(*task_.random);
    for (int64_t done = 0; done < n && !run_.stopped; done += block_) {
      const int64_t rows = std::min(block_, n - done);
      passes_.first_row = done;
      forward_and_backward(threads, order, start + done, rows, T(1.0 / double(n)));
      if (!fused_) add_gradient(threads, rows, done > 0);
      for (int64_t i = 0; i < rows; i++) sum += ws_.losses[i];
    }
    if (run_.stopped || run_.diverges(sum)) return sum;
    update(threads, n, sum / double(n));
    run_.progress.steps++;
    run_.work_done(fused_ ? block_work / 3 : double(packed_.size()));
    return sum;
  }

  using Item = typename Packed<T>::Item;

  // Bytes: of the parameters and their transposes, and of what n rows leave.
  double exchanged(int64_t n) const { return double(weights_ + n * net_.left_by_row()) * sizeof(T) + of_hand_overs; }

  double work(int64_t n) const {
    const Layer& first = net_.layers[0];  // nothing goes back to the inputs
    return (3 * net_.multiply_adds() - double(first.n_in * first.n_out)) * double(n);
  }

  // Load a block of rows and take it through all layers, forward and back: those that threads share by columns one by
  // one, and what lies between them in one go.
  void forward_and_backward(int threads, const int64_t* order, int64_t start, int64_t rows, T scale) {
    const size_t L = net_.layers.size();
    at_work_ = {order, start, rows};
    std::fill(loaded_.begin(), loaded_.end(), 0);
    if (by_columns(threads, 1) && n_inputs(threads) == 1)
      for_rows(threads, rows, double(net_.n_in()), [&](int64_t first, int64_t n) { load_inputs(passes_, first, n); });
    const size_t back = back_by_columns(threads);
    for (size_t l = 1, end = 1; l <= L + 1; l = end) {
      if (l <= L && by_columns(threads, l)) {
        forward_columns(threads, l, rows);
        end = l + 1;
        continue;
      }
      double row_work = 0;
      for (; end <= L && !by_columns(threads, end); end++) row_work += work_of(end);
      const bool last = end > L;
      for_rows(threads, rows, row_work + (last ? net_.multiply_adds() : 0), [&](int64_t first, int64_t n) {
        if (l == 1) load_inputs(passes_, first, n);
        for (size_t k = l; k < end; k++) passes_.forward(packed_.W()[k - 1], k, first, n);
        if (!last) return;
        passes_.load_targets(task_.samples, order, start, first, n);
        passes_.loss(task_.samples, task_.loss, scale, first, n);
        for (size_t k = L - 1; k > back; k--) passes_.backward(k, packed_.W()[k], packed_.WT()[k], first, n);
        if (back == 0) passes_.lay_in_panels(first, n);
      });
      if (last) break;
    }
    for (size_t l = back; l > 0; l--) backward_columns(threads, l, rows);
  }

  void load_inputs(const Passes<T>& passes, int64_t first, int64_t n) {
    run_.note_inputs(passes.load_inputs(task_.samples, at_work_.order, at_work_.start, first, n, task_.batch_size));
  }

  double work_of(size_t l) const { return double(net_.layers[l - 1].rows * net_.layers[l - 1].n_out); }

  // body(first, n) for a block's rows, a few at a time.
  template <class Body>
  void for_rows(int threads, int64_t rows, double row_work, const Body& body) {
    const int64_t most = std::max<int64_t>(fewest_rows, int64_t(longest_item / row_work));
    const int64_t items = rows < threads * shares * fewest_rows_of_item ? threads : threads * shares;
    const int64_t even = (rows + items - 1) / items;
    const int64_t item_rows = threads == 1 ? std::min(rows, most) : std::min(most, even);
    team_.run(threads, (rows + item_rows - 1) / item_rows, [&](int64_t item, int thread) {
      if (run_.stopped) return;
      const int64_t first = item * item_rows, n = std::min(item_rows, rows - first);
      body(first, n);
      if (thread == 0) run_.work_done(row_work * double(n));
    });
  }

  // Whether threads share A[l] by its columns: each then finds in its cache most of the weights, which it has updated.
  bool by_columns(int threads, size_t l) const {
    constexpr int64_t fewest = 64 << 10, most = 1 << 20, fewest_samples = 32;
    const Layer& layer = net_.layers[l - 1];
    const int64_t bytes = layer.rows * layer.n_out * int64_t(sizeof(T)) / threads;
    return threads > 1 && bytes >= fewest && net_.n_parameters() * int64_t(sizeof(T)) / threads <= most &&
           task_.batch_size >= fewest_samples && layer.n_out >= threads * k_.panel && !layer.across() && !task_.dropout;
  }

  // The same for delta[1] .. delta[n]: returns n. What a thread reads of the transposes then is half as often what
  // another one has written, for one more hand-over each.
  size_t back_by_columns(int threads) const {
    for (size_t l = 0; l <= net_.layers.size(); l++)
      if (ws_.A_in_panels[l].data || ws_.delta_in_panels[l].data) return 0;
    size_t n = 0;
    while (n + 1 < net_.layers.size() && by_columns(threads, n + 2) && packed_.WT()[n + 1].data &&
           net_.layers[n].n_out >= threads * k_.panel)
      n++;
    return n;
  }

  // Where threads share the first layer by columns, each has inputs of its own, all of them, unless they are many: to
  // load a row twice takes less than to read it from another processor's cache.
  int n_inputs(int threads) const {
    constexpr int64_t most = 16 << 20;  // bytes
    return by_columns(threads, 1) && threads * block_ * net_.n_in() * int64_t(sizeof(T)) <= most ? threads : 1;
  }

  // Passes for a thread, which loads its inputs when it needs them.
  Passes<T> passes_of(int threads, int thread) {
    Passes<T> passes = passes_;
    if (n_inputs(threads) == 1) return passes;
    passes.input = size_t(thread);
    if (loaded_[passes.input]) return passes;
    load_inputs(passes, 0, at_work_.rows);
    loaded_[passes.input] = 1;
    return passes;
  }

  bool any_by_columns(int threads) const {
    bool any = false;
    for (size_t l = 1; l <= net_.layers.size(); l++) any |= by_columns(threads, l);
    return any;
  }

  void forward_columns(int threads, size_t l, int64_t rows) {
    const Layer& layer = net_.layers[l - 1];
    for_columns(threads, rows, layer.n_out, layer.rows,
                [&](int64_t first, int64_t n, int64_t column, int64_t columns, int thread) {
                  passes_of(threads, thread).forward_columns(packed_.W()[l - 1], l, first, n, column, columns);
                });
  }

  void backward_columns(int threads, size_t l, int64_t rows) {
    for_columns(threads, rows, net_.layers[l - 1].n_out, net_.layers[l].n_out,
                [&](int64_t first, int64_t n, int64_t column, int64_t columns, int) {
                  passes_.differentiate(l, packed_.W()[l], packed_.WT()[l], first, n, column, columns);
                });
  }

  // body(first, n, column, columns, thread) for a block's rows and the columns of a product, half the rows of a panel
  // at a time; each of its elements takes so many multiply-adds.
  template <class Body>
  void for_columns(int threads, int64_t rows, int64_t n_columns, int64_t element_work, const Body& body) {
    const int64_t panel = k_.panel, n_panels = (n_columns + panel - 1) / panel;
    team_.run(threads, 2 * n_panels, [&](int64_t item, int thread) {
      const int64_t column = item / 2 * panel, columns = std::min(panel, n_columns - column);
      const int64_t first = item % 2 * rows / 2, n = (item % 2 + 1) * rows / 2 - first;
      if (n == 0 || run_.stopped) return;
      body(first, n, column, columns, thread);
      if (thread == 0) run_.work_done(double(n * element_work * columns));
    });
  }

  template <class Body>
  void for_each_item(int threads, const Body& body) {
    team_.run(threads, n_items(), [&](int64_t i, int thread) { body(packed_.items()[size_t(i)], thread); });
  }
  int64_t n_items() const { return int64_t(packed_.items().size()); }

  void add_gradient(int threads, int64_t rows, bool accumulate) {
    for_each_item(threads, [&](const Item& item, int thread) {
      if (run_.stopped) return;
      passes_of(threads, thread).gradient(item, 0, rows, accumulate, gradient_.data() + item.offset);
      if (thread == 0) run_.work_done(double(item.rows * item.width * rows));
    });
  }

  // What is fetched with an item's gradient: a part of the next batch, of which each thread loads everything.
  Ahead ahead_of(const Item& item, int threads) const {
    if (n_inputs(threads) != threads) return {};
    const int64_t next = at_work_.start + at_work_.rows, n = std::min(at_work_.rows, task_.samples.n - next);
    const int64_t all = n_items(), i = packed_.index(item);
    const int64_t first_item = i * threads / all * all;  // of the thread, times threads
    const auto row = [&](int64_t k) { return std::clamp<int64_t>((k * threads - first_item) * n / all, 0, n); };
    return passes_.ahead(task_.samples, at_work_.order, next + row(i), row(i + 1) - row(i), n, item);
  }

  // Update the parameters, and renew what transposes there are. A gradient that is complete in one go, and needs no
  // norm, is computed part by part, each used up while it is in the cache.
  void update(int threads, int64_t rows, double loss) {
    const Penalties& penalties = task_.penalties;
    const bool penalizes = run_.penalizes && penalties.of_gradient(), first = run_.penalizes && penalties.need_norm();
    if (penalizes && first)
      for_each_item(threads, [&](const Item& item, int) { packed_.penalize(item, gradient_.data() + item.offset); });
    Update<T> update = make_update(run_, loss);
    update.scale = scale_of(run_, gradient_.data(), packed_.size());
    // With more threads that costs what it saves.
    const bool fetches = threads == 1 && packed_.is_worth_fetching();
    for_each_item(threads, [&](const Item& item, int thread) {
      T* dW = gradient_.data() + (fused_ ? thread * packed_.largest_item() : item.offset);
      if (fused_) {
        std::array<Wanted<T>, max_wanted> wanted;
        if (fetches) wanted = packed_.wanted(item);
        const Passes<T> passes = passes_of(threads, thread);
        passes.gradient(item, 0, rows, false, dW, fetches ? wanted.data() : nullptr, ahead_of(item, threads));
      }
      if (penalizes && !first) packed_.penalize(item, dW);
      packed_.update(item, dW, update, thread);
    });
    if (!packed_.panels().empty())
      team_.run(threads, int64_t(packed_.panels().size()),
                [&](int64_t i, int) { packed_.limit_norms(packed_.panels()[size_t(i)]); });
  }

  // Bytes whose exchange would take as long as the hand-overs of a step, and what short items of rows cost (fitted to
  // steps of 100 to 500 us, with one thread and two of a Zen 4).
  static constexpr double of_hand_overs = 128 << 10;
  // Multiply-adds between two looks at the clock, 10 ms or so.
  static constexpr double longest_item = 5e8;
  // Nanoseconds of a step whose last part, less than half of it, nothing interrupts.
  static constexpr double longest_fused = 6e7;
  // Items of rows for each thread: more than one, so that there is something to take over, unless they would have so
  // few rows that each of them reads the weights for next to nothing.
  static constexpr int64_t shares = 2, fewest_rows_of_item = 8;
  // Of a batch of more rows the parts of the gradient are added up in memory.
  static constexpr int64_t fewest_in_block = 512;
  // Fewer rows at a time would have the parameters read from memory too often.
  static constexpr int64_t fewest_rows = 48;

  using BatchSteps<T>::run_;
  const Kernels<T>& k_ = kernels<T>();
  const Network& net_;
  const Task<T>& task_;
  const int64_t block_;    // rows worked off at a time
  const int64_t weights_;  // parameters, and transposes of W
  Team team_;
  Workspace<T> ws_;
  Passes<T> passes_;
  struct {
    const int64_t* order;
    int64_t start, rows;
  } at_work_{};               // the block
  std::vector<char> loaded_;  // whether each thread's inputs are those of the block
  const bool fused_;
  Packed<T> packed_;
  Buffer<T> gradient_;
};

}  // namespace

template <class T>
std::unique_ptr<Steps<T>> make_row_steps(Run<T>& run) {
  return std::make_unique<RowSteps<T>>(run);
}

template std::unique_ptr<Steps<float>> make_row_steps(Run<float>&);
template std::unique_ptr<Steps<double>> make_row_steps(Run<double>&);

}  // namespace fastmlp
