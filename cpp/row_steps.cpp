// Steps with samples as rows: packed parameters, blocks of rows that fit the cache.
#include <algorithm>

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
        packing_(net_, k_),
        ws_(net_, k_, Workspace<T>::block_rows(net_, k_, task_.batch_size), Workspace<T>::backward),
        passes_{net_, k_, ws_},
        team_(run.choose_threads(3 * net_.multiply_adds() * double(ws_.rows) / Team::break_even)),
        fused_(task_.batch_size <= ws_.rows && !task_.normalize && work(task_.batch_size) < longest_fused),
        packed_(packing_.size()),
        transposed_(packing_.transposed_size()),
        n_slots_(slots_of(task_.rule)) {
    for (int i = 0; i < n_slots_; i++) slots_[i] = (slot_buffers_[i] = Buffer<T>(packing_.size())).data();
    for (size_t l = 0; l < net_.layers.size(); l++) {
      const Matrix<T> W = packing_.layer(packed_.data(), l);
      W_.push_back({W.data, W.stride, W.panel_rows});
      WT_.push_back(packing_.transposed(transposed_.data(), l));
      add_items(l);
    }
    for (const Item& item : items_) largest_item_ = std::max(largest_item_, item.rows * item.width);
    gradient_ = Buffer<T>(fused_ ? largest_item_ * team_.size() : packing_.size());
  }

  void read() override {
    packing_.pack(run_.parameters, packed_.data());
    for (int i = 0; i < n_slots_; i++) packing_.pack(task_.slots[i], slots_[i]);
    for (const Item& item : items_) transpose(item);
  }

  void write() override {
    for_each_item(team_.share(double(packing_.size())), [&](const Item& item, int) {
      unpack(item, packed_.data(), run_.parameters);
      for (int i = 0; i < n_slots_; i++) unpack(item, slots_[i], task_.slots[i]);
    });
  }

  double step(const int64_t* order, int64_t start, int64_t n) override {
    const double block_work = work(std::min(n, ws_.rows));
    const int threads = team_.share(block_work);
    double sum = 0;
    for (int64_t done = 0; done < n && !run_.stopped; done += ws_.rows) {
      const int64_t rows = std::min(ws_.rows, n - done);
      forward_and_backward(threads, order, start + done, rows, T(1.0 / double(n)));
      if (!fused_) add_gradient(threads, rows, done > 0);
      for (int64_t i = 0; i < rows; i++) sum += ws_.losses[i];
    }
    if (run_.stopped) return sum;
    update(threads, n);
    run_.progress.steps++;
    run_.work_done(fused_ ? block_work / 3 : double(packing_.size()));
    return sum;
  }

  // A part of a layer's W, dW and slots: some rows of one panel, which lie together at `offset`.
  struct Item {
    size_t l;
    int64_t column, width, first, rows, offset;
  };

  double work(int64_t n) const { return 3 * net_.multiply_adds() * double(n); }

  void unpack(const Item& item, const T* packed, T* flat) const {
    const Layer& layer = net_.layers[item.l];
    const int64_t columns = std::min(item.width, layer.n_out - item.column);
    for (int64_t i = 0; i < item.rows; i++)
      std::copy_n(packed + item.offset + i * item.width, columns,
                  flat + layer.start + (item.first + i) * layer.n_out + item.column);
  }

  void add_items(size_t l) {
    const Layer& layer = net_.layers[l];
    const double row_work = double(k_.panel) * double(ws_.rows);
    const int64_t rows = std::max<int64_t>(1, int64_t(item_work / row_work / double(k_.panel))) * k_.panel;
    for (int64_t j = 0; j < layer.n_out; j += k_.panel) {
      const int64_t width = round_up(std::min(k_.panel, layer.n_out - j), k_.lanes);
      const int64_t panel = packing_.start(l) + j * layer.rows;
      for (int64_t i = 0; i < layer.rows; i += rows)
        items_.push_back({l, j, width, i, std::min(rows, layer.rows - i), panel + i * width});
    }
  }

  void forward_and_backward(int threads, const int64_t* order, int64_t start, int64_t rows, T scale) {
    const double row_work = 2 * net_.multiply_adds();
    const int64_t most = std::max<int64_t>(fewest_rows, int64_t(longest_item / row_work));
    const int64_t even = (rows + threads * shares - 1) / (threads * shares);
    const int64_t item_rows = threads == 1 ? std::min(rows, most) : std::min(most, even);
    team_.run(threads, (rows + item_rows - 1) / item_rows, [&](int64_t item, int thread) {
      if (run_.stopped) return;
      const int64_t first = item * item_rows, n = std::min(item_rows, rows - first);
      passes_.load(task_.samples, order, start, first, n);
      passes_.forward(W_, first, n);
      passes_.backward(WT_, task_.loss, task_.samples.weight, scale, first, n);
      if (thread == 0) run_.work_done(row_work * double(n));
    });
  }

  template <class Body>
  void for_each_item(int threads, const Body& body) {
    team_.run(threads, int64_t(items_.size()), [&](int64_t i, int thread) { body(items_[size_t(i)], thread); });
  }

  void add_gradient(int threads, int64_t rows, bool accumulate) {
    for_each_item(threads, [&](const Item& item, int thread) {
      if (run_.stopped) return;
      gradient(item, rows, accumulate, gradient_.data() + item.offset);
      if (thread == 0) run_.work_done(double(item.rows * item.width * rows));
    });
  }

  void gradient(const Item& item, int64_t rows, bool accumulate, T* dW) const {
    passes_.gradient(item.l, item.column, item.width, item.first, item.rows, rows, accumulate, dW);
  }

  // Update the parameters and renew their transposes. A gradient that is complete in one go, and needs no norm, is
  // computed part by part, each used up while it is in the cache.
  void update(int threads, int64_t rows) {
    const Update<T> update = make_update(run_, gradient_.data(), packing_.size());
    for_each_item(threads, [&](const Item& item, int thread) {
      T* dW = gradient_.data() + (fused_ ? thread * largest_item_ : item.offset);
      if (fused_) gradient(item, rows, false, dW);
      T* slot[max_slots] = {};
      for (int k = 0; k < n_slots_; k++) slot[k] = slots_[k] + item.offset;
      k_.update[task_.rule](packed_.data() + item.offset, dW, slot, update.constants, update.scale,
                            item.rows * item.width);
      transpose(item);
    });
  }

  void transpose(const Item& item) {
    if (item.l > 0) packing_.transpose(packed_.data(), transposed_.data(), item.l, item.column, item.first, item.rows);
  }

  // Multiply-adds: of an item, about 10 us; between two looks at the clock, 10 ms or so; and of the last
  // part of a step, which nothing interrupts.
  static constexpr double item_work = 5e5, longest_item = 5e8, longest_fused = 1e9;
  // Items of rows for each thread: more than one, so that there is something to take over.
  static constexpr int64_t shares = 2;
  // Fewer rows at a time would have the parameters read from memory too often.
  static constexpr int64_t fewest_rows = 48;

  using BatchSteps<T>::run_;
  const Kernels<T>& k_ = kernels<T>();
  const Network& net_;
  const Task<T>& task_;
  Packing<T> packing_;
  Workspace<T> ws_;
  Passes<T> passes_;
  Team team_;
  const bool fused_;
  Buffer<T> packed_, gradient_, transposed_, slot_buffers_[max_slots];
  int64_t largest_item_ = 0;
  T* slots_[max_slots] = {};
  int n_slots_;
  std::vector<Matrix<const T>> W_, WT_;
  std::vector<Item> items_;
};

}  // namespace

template <class T>
std::unique_ptr<Steps<T>> make_row_steps(Run<T>& run) {
  return std::make_unique<RowSteps<T>>(run);
}

template std::unique_ptr<Steps<float>> make_row_steps(Run<float>&);
template std::unique_ptr<Steps<double>> make_row_steps(Run<double>&);

}  // namespace fastmlp
