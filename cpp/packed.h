// The parameters of a run in the layout that products like best, with all that belongs to them: transposes of W and the
// rule's slots. The user's flat arrays are read before the first step, and written whenever Python may look. Slots of
// large networks, and of short runs, stay in the user's arrays: a copy would take more memory, or time, than it saves.
#pragma once

#include <algorithm>
#include <array>

#include "steps.h"
#include "workspace.h"

namespace fastmlp {

template <class T>
class Packed {
 public:
  using Item = typename Packing<T>::Part;  // what is worked on at a time

  // With items of some 10 us for products over a block of so many rows. Threads, which take items in their order, share
  // the parameters or, where that is wanted, the columns of each layer. One of several for a run has its own slots.
  enum class Shared { parameters, columns, nothing };
  Packed(Run<T>& run, const Kernels<T>& kernels, int64_t block_rows, int n_threads, Shared shared);

  int64_t size() const { return packing_.size(); }
  int64_t largest_item() const { return largest_item_; }
  const std::vector<Item>& items() const { return items_; }
  int64_t index(const Item& item) const { return &item - items_.data(); }
  const std::vector<Matrix<const T>>& W() const { return W_; }
  const std::vector<Matrix<const T>>& WT() const { return WT_; }

  void read();
  void copy(const Packed& other);  // of the same run, whose slots are packed
  void write(const Item& item) const;
  // The first layer (from 1) with a parameter that is not finite, or 0.
  int bad_layer() const;
  // Move the item's parameters along its gradient; each thread says which one it is.
  void update(const Item& item, const T* dW, const Update<T>& update, int thread);
  // What an update of the item works on, but for slots in the user's arrays; and whether that of all items is more than
  // the cache holds.
  std::array<Wanted<T>, max_wanted> wanted(const Item& item) const;
  bool is_worth_fetching() const { return (2 + n_slots_) * size() * int64_t(sizeof(T)) > 2 << 20; }
  // Penalise, and limit, an item's gradient.
  void penalize(const Item& item, T* dW) const;
  // The items whose neurons' weights lie in them as a whole, if their norms are limited; and limit them.
  const std::vector<Item>& panels() const { return panels_; }
  void limit_norms(const Item& panel);

  // Slots of no more bytes have a packed copy. Where they would not stay in the cache it takes a few steps to pay.
  bool copies_slots() const {
    if (shared_ == Shared::nothing) return true;
    const int64_t bytes = n_slots_ * size() * int64_t(sizeof(T));
    return bytes <= cached_bytes || (bytes <= copied_bytes && runs_long());
  }

 private:
  // Where in `memory`, which has a page to spare, an item of slot i begins. A load waits for a store shortly before it
  // that is as far into a page: what an update writes lies in different parts of its pages.
  T* place(const Item& item, T* memory, int i) const;
  static constexpr int64_t spare = 4096 / int64_t(sizeof(T));

  // Where an update finds its item's slots: in the packed copy of all of them, in the user's arrays, if rows are whole
  // vectors there, or in a copy of the item.
  enum class Slots { packed, in_place, copied };
  Slots slots_at(const Item& item) const {
    return copies_slots() ? Slots::packed : packing_.is_whole(item) ? Slots::in_place : Slots::copied;
  }
  T* slot(const Item& item, Slots where, int i, int thread) const;

  static constexpr int64_t copied_bytes = 32 << 20, cached_bytes = 2 << 20, fewest_steps = 3;
  bool runs_long() const {
    const int64_t epochs = std::min<int64_t>(run_.task.epochs, fewest_steps);  // no overflow
    return run_.task.n_batches() * epochs >= fewest_steps;
  }

  const Run<T>& run_;
  const Kernels<T>& k_;
  const Shared shared_;
  Packing<T> packing_;
  Buffer<T> parameters_, transposed_;
  const int n_slots_;
  std::vector<Matrix<const T>> W_, WT_;
  int64_t weights_of(const Item& item) const;
  int64_t parameters_of(const Item& item) const;

  std::vector<Item> items_, panels_;
  int64_t largest_item_ = 0;
  Buffer<T> slots_[max_slots];
  T* slots_data_[max_slots] = {};  // all of them, or an item's for each thread
};

}  // namespace fastmlp
