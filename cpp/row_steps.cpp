// Steps with samples as rows: packed parameters, blocks of rows that fit the cache.
#include <algorithm>

#include "passes.h"
#include "steps.h"

namespace fastmlp {

namespace {

template <class T>
class RowSteps : public Steps<T> {
 public:
  explicit RowSteps(Run<T>& run)
      : run_(run),
        net_(run.net),
        task_(run.task),
        packing_(net_, k_),
        ws_(net_, k_, Workspace<T>::block_rows(net_, k_, task_.batch_size), Workspace<T>::backward),
        passes_{net_, k_, ws_},
        team_(choose_threads(task_.n_threads, 3 * net_.multiply_adds() * double(ws_.rows) / Team::break_even)),
        packed_(packing_.size()),
        gradient_(packing_.size()),
        transposed_(packing_.transposed_size()),
        n_slots_(slots_of(task_.rule)) {
    for (int i = 0; i < n_slots_; i++) slots_[i] = (slot_buffers_[i] = Buffer<T>(packing_.size())).data();
    for (size_t l = 0; l < net_.layers.size(); l++) {
      const Matrix<T> W = packing_.layer(packed_.data(), l);
      W_.push_back({W.data, W.stride, W.panel_rows});
      WT_.push_back(packing_.transposed(transposed_.data(), l));
      add_items(l);
    }
  }

  void read() override {
    packing_.pack(run_.parameters, packed_.data());
    for (int i = 0; i < n_slots_; i++) packing_.pack(task_.slots[i], slots_[i]);
    transpose();
  }

  void write() override {
    packing_.unpack(packed_.data(), run_.parameters);
    for (int i = 0; i < n_slots_; i++) packing_.unpack(slots_[i], task_.slots[i]);
  }

  double step(const int64_t* order, int64_t start, int64_t n) override {
    double sum = 0;
    for (int64_t done = 0; done < n && !run_.stopped; done += ws_.rows) {
      const int64_t rows = std::min(ws_.rows, n - done);
      forward_and_backward(order, start + done, rows, T(1.0 / double(n)));
      add_gradient(rows, done > 0);
      for (int64_t i = 0; i < rows; i++) sum += ws_.losses[i];
    }
    if (run_.stopped) return sum;
    update();
    transpose();
    run_.progress.steps++;
    run_.work_done(double(packing_.size()));
    return sum;
  }

 private:
  // A part of a layer's gradient: rows of dW, or columns of W's transpose.
  struct Item {
    size_t l;
    int64_t first, rows;
  };

  void add_items(size_t l) {
    const Layer& layer = net_.layers[l];
    const double row_work = double(layer.n_out) * double(ws_.rows);
    const int64_t tile = k_.tile_rows;
    const int64_t rows = std::max<int64_t>(1, int64_t(item_work / row_work / double(tile))) * tile;
    for (int64_t i = 0; i < layer.rows; i += rows) items_.push_back({l, i, std::min(rows, layer.rows - i)});
    if (l == 0) return;
    for (int64_t i = 0; i < layer.n_in; i += k_.panel) transposes_.push_back({l, i, 0});
  }

  void forward_and_backward(const int64_t* order, int64_t start, int64_t rows, T scale) {
    const double row_work = 2 * net_.multiply_adds();
    const int threads = team_.share(row_work * double(rows));
    const int64_t most = std::max<int64_t>(k_.tile_rows, int64_t(longest_item / row_work));
    const int64_t share = std::min((rows + threads - 1) / threads, most);
    team_.run(threads, (rows + share - 1) / share, [&](int64_t item, int thread) {
      if (run_.stopped) return;
      const int64_t first = item * share, n = std::min(share, rows - first);
      passes_.load(task_.samples, order, start, first, n);
      passes_.forward(W_, first, n);
      passes_.backward(WT_, task_.loss, task_.samples.weight, scale, first, n);
      if (thread == 0) run_.work_done(row_work * double(n));
    });
  }

  void add_gradient(int64_t rows, bool accumulate) {
    const double work = net_.multiply_adds() * double(rows);
    team_.run(team_.share(work), int64_t(items_.size()), [&](int64_t i, int thread) {
      if (run_.stopped) return;
      const Item& item = items_[size_t(i)];
      passes_.gradient(item.l, item.first, item.rows, rows, accumulate, packing_.layer(gradient_.data(), item.l));
      if (thread == 0) run_.work_done(double(item.rows * net_.layers[item.l].n_out * rows));
    });
  }

  void update() {
    const Update<T> update = make_update(run_, gradient_.data(), packing_.size());
    constexpr int64_t part = 16 * 1024;
    const int64_t n = packing_.size();
    team_.run(team_.share(4.0 * double(n)), (n + part - 1) / part, [&](int64_t i, int) {
      T* slot[max_slots] = {};
      for (int k = 0; k < n_slots_; k++) slot[k] = slots_[k] + i * part;
      k_.update[task_.rule](packed_.data() + i * part, gradient_.data() + i * part, slot, update.constants,
                            update.scale, std::min(part, n - i * part));
    });
  }

  void transpose() {
    team_.run(team_.share(double(packing_.size())), int64_t(transposes_.size()), [&](int64_t i, int) {
      const Item& item = transposes_[size_t(i)];
      packing_.transpose_panel(packed_.data(), transposed_.data(), item.l, item.first);
    });
  }

  static constexpr double item_work = 5e5;  // multiply-adds, about 10 us: small beside a step, large beside a hand-over
  static constexpr double longest_item = 1e8;  // a few ms: how late Ctrl-C may be noticed

  const Kernels<T>& k_ = kernels<T>();
  Run<T>& run_;
  const Network& net_;
  const Task<T>& task_;
  Packing<T> packing_;
  Workspace<T> ws_;
  Passes<T> passes_;
  Team team_;
  Buffer<T> packed_, gradient_, transposed_, slot_buffers_[max_slots];
  T* slots_[max_slots] = {};
  int n_slots_;
  std::vector<Matrix<const T>> W_, WT_;
  std::vector<Item> items_, transposes_;
};

}  // namespace

template <class T>
std::unique_ptr<Steps<T>> make_row_steps(Run<T>& run) {
  return std::make_unique<RowSteps<T>>(run);
}

template std::unique_ptr<Steps<float>> make_row_steps(Run<float>&);
template std::unique_ptr<Steps<double>> make_row_steps(Run<double>&);

}  // namespace fastmlp
