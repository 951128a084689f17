#include "train.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>

#include "parallel.h"
#include "passes.h"

namespace fastmlp {

namespace {

using Clock = std::chrono::steady_clock;

template <class... U>
void constants_of(int rule, const double* h, int64_t t, double* c, List<U...>) {
  using Constants = void (*)(const double*, int64_t, double*);
  constexpr Constants all[] = {U::constants...};
  all[rule](h, t, c);
}

template <class... U>
int slots_of(int rule, List<U...>) {
  constexpr int all[] = {U::n_slots...};
  return all[rule];
}

// Looks at the clock once in so much work, and tells when a report is due.
class Watch {
 public:
  bool due(double multiply_adds) {
    if ((done_ += multiply_adds) < look_every) return false;
    done_ = 0;
    const Clock::time_point now = Clock::now();
    if (now < next_) return false;
    next_ = now + report_every;
    return true;
  }

 private:
  static constexpr double look_every = 1e6;  // 20 us to 1 ms
  static constexpr std::chrono::milliseconds report_every{50};
  double done_ = 0;
  Clock::time_point next_ = Clock::now() + report_every;
};

template <class T>
class Trainer {
 public:
  Trainer(const Network& net, T* parameters, const Task<T>& task, Progress& progress, const Report& report)
      : net_(net),
        parameters_(parameters),
        task_(task),
        progress_(progress),
        report_(report),
        packing_(net, k_),
        ws_(net, k_, Workspace<T>::block_rows(net, k_, task.batch_size), Workspace<T>::backward),
        passes_{net_, k_, ws_},
        team_(team_size()),
        packed_(packing_.size()),
        gradient_(packing_.size()),
        transposed_(packing_.transposed_size()),
        order_(task.random ? size_t(task.samples.n) : 0) {
    n_slots_ = slots_of(task.rule, Optimizers{});
    for (int i = 0; i < n_slots_; i++) slots_[i] = (slot_buffers_[i] = Buffer<T>(packing_.size())).data();
    for (size_t l = 0; l < net.layers.size(); l++) {
      const Matrix<T> W = packing_.layer(packed_.data(), l);
      W_.push_back({W.data, W.stride, W.panel_rows});
      WT_.push_back(packing_.transposed(transposed_.data(), l));
      add_items(l);
    }
    read();
  }

  void run() {
    const bool shuffles = task_.random && task_.batch_size < task_.samples.n;
    for (int64_t epoch = 0; epoch < task_.epochs && !stopped_; epoch++) {
      if (shuffles) shuffle(*task_.random, order_.data(), task_.samples.n);
      double sum = 0;
      for (int64_t start = 0; start < task_.samples.n && !stopped_; start += task_.batch_size)
        sum += step(shuffles ? order_.data() : nullptr, start, std::min(task_.batch_size, task_.samples.n - start));
      if (stopped_) break;
      progress_.loss.push_back(sum / double(task_.samples.n));
      end_epoch();
    }
    write();
  }

 private:
  // A part of a layer's gradient: rows of dW, or columns of W's transpose.
  struct Item {
    size_t l;
    int64_t first, rows;
  };

  int team_size() const {
    const double work = 3 * net_.multiply_adds() * double(std::min(task_.batch_size, ws_.rows));
    return choose_threads(task_.n_threads, work / Team::break_even);
  }

  void add_items(size_t l) {
    const Layer& layer = net_.layers[l];
    const double row_work = double(layer.n_out) * double(ws_.rows);
    const int64_t tile = k_.tile_rows, rows = std::max<int64_t>(1, int64_t(item_work / row_work / double(tile))) * tile;
    for (int64_t i = 0; i < layer.rows; i += rows) items_.push_back({l, i, std::min(rows, layer.rows - i)});
    if (l == 0) return;
    for (int64_t i = 0; i < layer.n_in; i += k_.panel) transposes_.push_back({l, i, 0});
  }

  // The user's flat arrays into the packed ones, and back.
  void read() {
    packing_.pack(parameters_, packed_.data());
    for (int i = 0; i < n_slots_; i++) packing_.pack(task_.slots[i], slots_[i]);
    transpose();
  }
  void write() {
    packing_.unpack(packed_.data(), parameters_);
    for (int i = 0; i < n_slots_; i++) packing_.unpack(slots_[i], task_.slots[i]);
  }

  void transpose() {
    const double work = double(packing_.size());
    team_.run(team_.share(work), int64_t(transposes_.size()), [&](int64_t i, int) {
      packing_.transpose_panel(packed_.data(), transposed_.data(), transposes_[size_t(i)].l,
                               transposes_[size_t(i)].first);
    });
  }

  // One batch; returns the sum of its samples' losses.
  double step(const int64_t* order, int64_t start, int64_t n) {
    double sum = 0;
    for (int64_t done = 0; done < n && !stopped_; done += ws_.rows) {
      const int64_t rows = std::min(ws_.rows, n - done);
      forward_and_backward(order, start + done, rows, T(1.0 / double(n)));
      add_gradient(rows, done > 0);
      for (int64_t i = 0; i < rows; i++) sum += ws_.losses[i];
    }
    if (stopped_) return sum;
    update();
    transpose();
    progress_.steps++;
    if (watch_.due(double(packing_.size()))) report(false);
    return sum;
  }

  void forward_and_backward(const int64_t* order, int64_t start, int64_t rows, T scale) {
    const double row_work = 2 * net_.multiply_adds();
    const int threads = team_.share(row_work * double(rows));
    const int64_t most = std::max<int64_t>(k_.tile_rows, int64_t(longest_item / row_work));
    const int64_t share = std::min((rows + threads - 1) / threads, most);
    team_.run(threads, (rows + share - 1) / share, [&](int64_t item, int thread) {
      if (stopped_) return;
      const int64_t first = item * share, n = std::min(share, rows - first);
      passes_.load(task_.samples, order, start, first, n);
      passes_.forward(W_, first, n);
      passes_.backward(WT_, task_.loss, task_.samples.weight, scale, first, n);
      if (thread == 0 && watch_.due(row_work * double(n))) report(false);
    });
  }

  void add_gradient(int64_t rows, bool accumulate) {
    const double work = net_.multiply_adds() * double(rows);
    team_.run(team_.share(work), int64_t(items_.size()), [&](int64_t i, int thread) {
      if (stopped_) return;
      const Item& item = items_[size_t(i)];
      passes_.gradient(item.l, item.first, item.rows, rows, accumulate, packing_.layer(gradient_.data(), item.l));
      if (thread == 0 && watch_.due(double(item.rows * net_.layers[item.l].n_out * rows))) report(false);
    });
  }

  void update() {
    double c[max_constants];
    constants_of(task_.rule, task_.hyperparameters, task_.steps + progress_.steps + 1, c, Optimizers{});
    T scale = 1;
    if (task_.normalize) {
      const double norm = std::sqrt(k_.sum_of_squares(gradient_.data(), packing_.size()));
      scale = norm > 0 ? T(1 / norm) : T(0);
    }
    constexpr int64_t part = 16 * 1024;
    const int64_t n = packing_.size();
    team_.run(team_.share(4.0 * double(n)), (n + part - 1) / part, [&](int64_t i, int) {
      T* slot[max_slots] = {};
      for (int k = 0; k < n_slots_; k++) slot[k] = slots_[k] + i * part;
      k_.update[task_.rule](packed_.data() + i * part, gradient_.data() + i * part, slot, c, scale,
                            std::min(part, n - i * part));
    });
  }

  void end_epoch() {
    if (task_.validation.n) {
      write();
      progress_.validation_loss.push_back(mean_loss(net_, parameters_, task_.validation, task_.loss, task_.n_threads));
    }
    if (task_.report_every_epoch)
      report(true);
    else if (watch_.due(double(packing_.size())))
      report(false);
  }

  void report(bool whole) {
    if (whole) write();
    if (!report_(progress_, whole)) stopped_ = true;
    if (whole) read();
  }

  static constexpr double item_work = 5e5;  // multiply-adds, about 10 us: small beside a step, large beside a hand-over
  static constexpr double longest_item = 1e8;  // a few ms: how late Ctrl-C may be noticed

  const Kernels<T>& k_ = kernels<T>();
  const Network& net_;
  T* const parameters_;
  const Task<T>& task_;
  Progress& progress_;
  const Report& report_;
  Packing<T> packing_;
  Workspace<T> ws_;
  Passes<T> passes_;
  Team team_;
  Watch watch_;
  std::atomic<bool> stopped_{false};
  Buffer<T> packed_, gradient_, transposed_, slot_buffers_[max_slots];
  T* slots_[max_slots] = {};
  int n_slots_ = 0;
  std::vector<int64_t> order_;
  std::vector<Matrix<const T>> W_, WT_;
  std::vector<Item> items_, transposes_;
};

}  // namespace

template <class T>
void train(const Network& net, T* parameters, const Task<T>& task, Progress& progress, const Report& report) {
  Trainer<T>(net, parameters, task, progress, report).run();
}

template void train(const Network&, float*, const Task<float>&, Progress&, const Report&);
template void train(const Network&, double*, const Task<double>&, Progress&, const Report&);

}  // namespace fastmlp
