#include "packed.h"

#include <algorithm>

namespace fastmlp {

template <class T>
Packed<T>::Packed(Run<T>& run, const Kernels<T>& kernels, int64_t sample_rows)
    : run_(run),
      k_(kernels),
      packing_(run.net, kernels),
      parameters_(packing_.size()),
      transposed_(packing_.transposed_size()),
      n_slots_(slots_of(run.task.rule)) {
  for (int i = 0; i < n_slots_; i++) slots_[i] = (slot_buffers_[i] = Buffer<T>(packing_.size())).data();
  for (size_t l = 0; l < run.net.layers.size(); l++) {
    const Matrix<T> W = packing_.layer(parameters_.data(), l);
    W_.push_back({W.data, W.stride, W.panel_rows});
    WT_.push_back(packing_.transposed(transposed_.data(), l));
    add_items(l, sample_rows);
  }
  for (const Item& item : items_) largest_item_ = std::max(largest_item_, item.rows * item.width);
}

template <class T>
void Packed<T>::add_items(size_t l, int64_t sample_rows) {
  constexpr double item_work = 5e5;  // multiply-adds
  const Layer& layer = run_.net.layers[l];
  const double row_work = double(k_.panel) * double(sample_rows);
  const int64_t rows = std::max<int64_t>(1, int64_t(item_work / row_work / double(k_.panel))) * k_.panel;
  for (int64_t j = 0; j < layer.n_out; j += k_.panel) {
    const int64_t width = round_up(std::min(k_.panel, layer.n_out - j), k_.lanes);
    const int64_t panel = packing_.start(l) + j * layer.rows;
    for (int64_t i = 0; i < layer.rows; i += rows)
      items_.push_back({l, j, width, i, std::min(rows, layer.rows - i), panel + i * width});
  }
}

template <class T>
void Packed<T>::read() {
  packing_.pack(run_.parameters, parameters_.data());
  for (int i = 0; i < n_slots_; i++) packing_.pack(run_.task.slots[i], slots_[i]);
  for (const Item& item : items_) transpose(item);
}

template <class T>
void Packed<T>::write(const Item& item) const {
  unpack(item, parameters_.data(), run_.parameters);
  for (int i = 0; i < n_slots_; i++) unpack(item, slots_[i], run_.task.slots[i]);
}

template <class T>
void Packed<T>::unpack(const Item& item, const T* packed, T* flat) const {
  const Layer& layer = run_.net.layers[item.l];
  const int64_t columns = std::min(item.width, layer.n_out - item.column);
  for (int64_t i = 0; i < item.rows; i++)
    std::copy_n(packed + item.offset + i * item.width, columns,
                flat + layer.start + (item.first + i) * layer.n_out + item.column);
}

template <class T>
void Packed<T>::update(const Item& item, const T* dW, const Update<T>& update) {
  T* slot[max_slots] = {};
  for (int i = 0; i < n_slots_; i++) slot[i] = slots_[i] + item.offset;
  k_.update[run_.task.rule](parameters_.data() + item.offset, dW, slot, update.constants, update.scale,
                            item.rows * item.width);
  transpose(item);
}

template <class T>
void Packed<T>::transpose(const Item& item) {
  if (item.l > 0)
    packing_.transpose(parameters_.data(), transposed_.data(), item.l, item.column, item.first, item.rows);
}

template class Packed<float>;
template class Packed<double>;

}  // namespace fastmlp
