// The parameters of a run in the layout that products like best, with all that belongs to them: transposes of W and the
// rule's slots. The user's flat arrays are read before the first step, and written whenever Python may look.
#pragma once

#include "steps.h"
#include "workspace.h"

namespace fastmlp {

template <class T>
class Packed {
 public:
  using Item = typename Packing<T>::Part;  // what is worked on at a time

  // With items of some 10 us for products over so many rows of samples.
  Packed(Run<T>& run, const Kernels<T>& kernels, int64_t sample_rows);

  int64_t size() const { return packing_.size(); }
  int64_t largest_item() const { return largest_item_; }
  const std::vector<Item>& items() const { return items_; }
  const std::vector<Matrix<const T>>& W() const { return W_; }
  const std::vector<Matrix<const T>>& WT() const { return WT_; }

  void read();
  void write(const Item& item) const;
  // Move the item's parameters along its gradient.
  void update(const Item& item, const T* dW, const Update<T>& update);

 private:
  const Run<T>& run_;
  const Kernels<T>& k_;
  Packing<T> packing_;
  Buffer<T> parameters_, transposed_, slot_buffers_[max_slots];
  T* slots_[max_slots] = {};
  int n_slots_;
  std::vector<Matrix<const T>> W_, WT_;
  std::vector<Item> items_;
  int64_t largest_item_ = 0;
};

}  // namespace fastmlp
