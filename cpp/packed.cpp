#include "packed.h"

namespace fastmlp {

constexpr double item_work = 5e5;  // multiply-adds

template <class T>
Packed<T>::Packed(Run<T>& run, const Kernels<T>& kernels, int64_t block_rows, int n_threads, Shared shared)
    : run_(run),
      k_(kernels),
      shared_(shared),
      packing_(run.net, kernels, run.task.batch_size),
      parameters_(packing_.size(), Contents::anything),
      transposed_(packing_.transposed_size(), Contents::anything),
      n_slots_(slots_of(run.task.rule)),
      items_(packing_.parts(item_work / double(block_rows))) {
  for (size_t l = 0; l < run.net.layers.size(); l++) {
    W_.push_back(packing_.layer(parameters_.data(), l));
    WT_.push_back(packing_.transposed(parameters_.data(), transposed_.data(), l));
  }
  const auto share_of = [&](const Item& item) {
    const int64_t n_out = run.net.layers[item.l].n_out;
    return n_threads * (item.column + std::min(n_out, item.column + item.width)) / (2 * n_out);
  };
  if (shared == Shared::columns)
    std::stable_sort(items_.begin(), items_.end(),
                     [&](const Item& a, const Item& b) { return share_of(a) < share_of(b); });
  if (run.task.penalties.max_norm > 0) panels_ = packing_.parts();
  for (const Item& item : items_) largest_item_ = std::max(largest_item_, item.rows * item.width);
  for (int i = 0; i < n_slots_; i++) {
    const int64_t n = copies_slots() ? size() + spare : n_threads * (largest_item_ + spare);
    slots_[i] = Buffer<T>(n, Contents::anything);
    slots_data_[i] = copies_slots() ? place({}, slots_[i].data(), i) : slots_[i].data();
  }
}

template <class T>
T* Packed<T>::place(const Item& item, T* memory, int i) const {
  constexpr int64_t share = spare / (1 + max_slots) / 16 * 16;
  const auto in_page = [](const T* x) { return int64_t(reinterpret_cast<uintptr_t>(x) / sizeof(T)) % spare; };
  const int64_t wanted = in_page(parameters_.data() + item.offset) + (i + 1) * share;
  return memory + (wanted + spare - in_page(memory)) % spare;
}

template <class T>
void Packed<T>::read() {
  packing_.pack(run_.parameters, parameters_.data());
  for (int i = 0; i < n_slots_ && copies_slots(); i++) packing_.pack(run_.task.slots[i], slots_data_[i]);
  for (const Item& item : items_) packing_.transpose(item, parameters_.data(), transposed_.data());
}

template <class T>
void Packed<T>::copy(const Packed& other) {
  std::copy_n(other.parameters_.data(), size(), parameters_.data());
  std::copy_n(other.transposed_.data(), packing_.transposed_size(), transposed_.data());
  for (int i = 0; i < n_slots_; i++) std::copy_n(other.slots_data_[i], size(), slots_data_[i]);
}

template <class T>
void Packed<T>::write(const Item& item) const {
  packing_.unpack(item, parameters_.data() + item.offset, run_.parameters);
  for (int i = 0; i < n_slots_ && copies_slots(); i++)
    packing_.unpack(item, slots_data_[i] + item.offset, run_.task.slots[i]);
}

// Of the parameters of an item, which lie together, the biases are the last ones.
template <class T>
int64_t Packed<T>::weights_of(const Item& item) const {
  const Layer& layer = run_.net.layers[item.l];
  return layer.across() ? layer.n_in : std::clamp<int64_t>(layer.n_in - item.first, 0, item.rows) * item.width;
}

template <class T>
int64_t Packed<T>::parameters_of(const Item& item) const {
  const Layer& layer = run_.net.layers[item.l];
  return layer.across() ? layer.rows : item.rows * item.width;
}

template <class T>
void Packed<T>::penalize(const Item& item, T* dW) const {
  fastmlp::penalize(k_, run_.task.penalties, parameters_.data() + item.offset, dW, weights_of(item),
                    parameters_of(item));
}

template <class T>
void Packed<T>::limit_norms(const Item& panel) {
  const Layer& layer = run_.net.layers[panel.l];
  k_.limit_columns(parameters_.data() + panel.offset, layer.n_in, layer.across() ? 1 : panel.width,
                   layer.across() ? 1 : panel.width, run_.task.penalties.max_norm);
  packing_.transpose(panel, parameters_.data(), transposed_.data());
}

template <class T>
int Packed<T>::bad_layer() const {
  const int64_t at = k_.find_nonfinite(parameters_.data(), size());
  int layer = 0;
  for (const Matrix<const T>& W : W_) layer += W.data - parameters_.data() <= at;
  return layer;
}

template <class T>
T* Packed<T>::slot(const Item& item, Slots where, int i, int thread) const {
  if (where == Slots::packed) return slots_data_[i] + item.offset;
  if (where == Slots::in_place) return run_.task.slots[i] + packing_.start_in_flat(item);
  return place(item, slots_data_[i] + thread * (largest_item_ + spare), i);
}

template <class T>
void Packed<T>::update(const Item& item, const T* dW, const Update<T>& update, int thread) {
  const Slots where = slots_at(item);
  T* slots[max_slots] = {};
  for (int i = 0; i < n_slots_; i++) {
    slots[i] = slot(item, where, i, thread);
    if (where == Slots::copied) packing_.pack(item, run_.task.slots[i], slots[i]);
  }
  T* W = parameters_.data() + item.offset;
  if (update.left != 1) decay(k_, run_.task.penalties, update.left, W, weights_of(item), parameters_of(item));
  const auto move = k_.update[run_.task.rule];
  if (where == Slots::in_place)
    move(W, dW, slots, update.constants, update.scale, item.rows, item.width, run_.net.layers[item.l].n_out);
  else
    move(W, dW, slots, update.constants, update.scale, 1, item.rows * item.width, 0);
  for (int i = 0; i < n_slots_ && where == Slots::copied; i++) packing_.unpack(item, slots[i], run_.task.slots[i]);
  packing_.transpose(item, parameters_.data(), transposed_.data());
}

template <class T>
std::array<Wanted<T>, max_wanted> Packed<T>::wanted(const Item& item) const {
  std::array<Wanted<T>, max_wanted> all;
  all.fill({parameters_.data() + item.offset, k_.panel * item.width});
  if (copies_slots())
    for (int i = 0; i < n_slots_; i++) all[size_t(i) + 1].data = slots_data_[i] + item.offset;
  const Wanted<T> transposed = packing_.transposed_part(item, transposed_.data());
  if (transposed.data) all.back() = transposed;
  return all;
}

template class Packed<float>;
template class Packed<double>;

}  // namespace fastmlp
