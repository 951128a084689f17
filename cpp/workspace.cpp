#include "workspace.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace fastmlp {

namespace {

constexpr size_t cache_line = 64, huge_page = 2 << 20;
// What a block's rows leave should fit the second-level cache beside the parameters.
constexpr int64_t block_bytes = 512 * 1024;

// What a product with A.T may find in plain rows.
constexpr int64_t plain_bytes = 256 * 1024;

// Rows a power of two apart fall into the same few sets of the first-level cache.
template <class T>
int64_t row_stride(int64_t n, int64_t lanes) {
  const int64_t stride = round_up(n, lanes);
  return stride * int64_t(sizeof(T)) % 1024 ? stride : stride + int64_t(cache_line / sizeof(T));
}

// Large blocks of runs that are over, kept for the next ones: the system takes longer to hand out new pages than a
// short run takes to work. Whoever finds the lock taken does without, so that a fork at any moment is harmless.
class KeptMemory {
 public:
  // A block of this very size, or null.
  void* take(size_t bytes) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return nullptr;
    const auto found = std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& b) { return b.bytes == bytes; });
    if (found == blocks_.end()) return nullptr;
    void* memory = found->memory;
    kept_ -= bytes;
    blocks_.erase(found);
    return memory;
  }

  // Whether the block was taken in.
  bool give(void* memory, size_t bytes) {
    if (bytes < least || bytes > most) return false;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    for (; kept_ + bytes > most; blocks_.erase(blocks_.begin())) {
      kept_ -= blocks_.front().bytes;
      std::free(blocks_.front().memory);
    }
    blocks_.push_back({memory, bytes});
    kept_ += bytes;
    return true;
  }

 private:
  struct Block {
    void* memory;
    size_t bytes;
  };
  static constexpr size_t least = 64 << 10, most = 64 << 20;
  std::mutex mutex_;
  std::vector<Block> blocks_;  // the oldest first
  size_t kept_ = 0;
};

KeptMemory& kept_memory() {
  static KeptMemory* kept = new KeptMemory;  // threads may outlive static objects
  return *kept;
}

}  // namespace

template <class T>
void Buffer<T>::Release::operator()(void* memory) const {
  if (!kept_memory().give(memory, bytes)) std::free(memory);
}

template <class T>
Buffer<T>::Buffer(int64_t n, Contents contents) : memory_(nullptr, Release{0}) {
  // One line more: a vector may be read across the end. calloc has large blocks from the system, which
  // come as zeros; in huge pages they are there sooner, and addresses are translated faster.
  const size_t bytes = size_t(n) * sizeof(T) + cache_line;
  const size_t alignment = bytes < 2 * huge_page ? cache_line : huge_page;
  void* memory = kept_memory().take(bytes + alignment);
  const bool kept = memory;
  if (!memory) memory = std::calloc(bytes + alignment, 1);
  if (!memory) throw std::bad_alloc();
  memory_ = {memory, Release{bytes + alignment}};
  const uintptr_t start = (reinterpret_cast<uintptr_t>(memory) + alignment - 1) / alignment * alignment;
  data_ = reinterpret_cast<T*>(start);
  if (kept && contents == Contents::zeros) std::memset(data_, 0, bytes);
#if defined(__linux__)
  if (!kept && alignment == huge_page) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
}

template <class T>
Packing<T>::Packing(const Network& net, const Kernels<T>& kernels, int64_t sample_rows)
    : net_(net), kernels_(kernels), sample_rows_(sample_rows) {
  for (const Layer& layer : net.layers) {
    start_.push_back(size_);
    size_ += size(layer, kernels.lanes);
    transposed_start_.push_back(transposed_size_);
    if (has_transpose(start_.size() - 1)) transposed_size_ += layer.n_out * round_up(layer.n_in, kernels.lanes);
  }
}

// A few rows cost less by sums over lanes than the transpose of all of W.
template <class T>
bool Packing<T>::has_transpose(size_t l) const {
  constexpr int64_t for_a_row = 16;
  return l > 0 && !net_.layers[l].across() && sample_rows_ * for_a_row > net_.layers[l].n_out;
}

template <class T>
std::vector<typename Packing<T>::Part> Packing<T>::parts(double elements) const {
  std::vector<Part> all;
  const int64_t panel = kernels_.panel;
  const int64_t most_rows = std::max<int64_t>(1, int64_t(elements / double(panel * panel))) * panel;
  for (size_t l = 0; l < net_.layers.size(); l++) {
    const Layer& layer = net_.layers[l];
    if (layer.across()) {
      all.push_back({l, 0, round_up(layer.rows, kernels_.lanes), 0, 1, start_[l]});
      continue;
    }
    for (int64_t j = 0; j < layer.n_out; j += panel) {
      const int64_t width = round_up(std::min(panel, layer.n_out - j), kernels_.lanes);
      for (int64_t i = 0; i < layer.rows; i += most_rows)
        all.push_back({l, j, width, i, std::min(most_rows, layer.rows - i), start_[l] + j * layer.rows + i * width});
    }
  }
  return all;
}

template <class T>
Matrix<const T> Packing<T>::layer(const T* packed, size_t l) const {
  return {packed + start_[l], 0, net_.layers[l].across() ? 0 : net_.layers[l].rows};
}

namespace {

// visit(offset in flat, offset in the part, columns) for every row of a part.
template <class T, class Visit>
void for_each_row(const Network& net, const typename Packing<T>::Part& part, const Visit& visit) {
  const Layer& layer = net.layers[part.l];
  const int64_t columns = layer.across() ? layer.rows : std::min(part.width, layer.n_out - part.column);
  for (int64_t i = 0; i < part.rows; i++)
    visit(layer.start + (part.first + i) * layer.n_out + part.column, i * part.width, columns);
}

}  // namespace

template <class T>
void Packing<T>::pack(const Part& part, const T* flat, T* packed) const {
  for_each_row<T>(net_, part, [&](int64_t from, int64_t to, int64_t n) {
    std::fill(std::copy_n(flat + from, n, packed + to), packed + to + part.width, T(0));
  });
}

template <class T>
void Packing<T>::unpack(const Part& part, const T* packed, T* flat) const {
  if (leaves_cache() && is_whole(part)) {
    kernels_.copy_past_cache(part.rows, part.width, packed, part.width, flat + start_in_flat(part),
                             net_.layers[part.l].n_out);
    return;
  }
  for_each_row<T>(net_, part, [&](int64_t to, int64_t from, int64_t n) { std::copy_n(packed + from, n, flat + to); });
}

template <class T>
void Packing<T>::pack(const T* flat, T* packed) const {
  for (const Part& part : parts()) pack(part, flat, packed + part.offset);
}

template <class T>
void Packing<T>::unpack(const T* packed, T* flat) const {
  for (const Part& part : parts()) unpack(part, packed + part.offset, flat);
}

template <class T>
Matrix<const T> Packing<T>::transposed(const T* packed, const T* all, size_t l) const {
  if (net_.layers[l].across()) return layer(packed, l);
  if (!has_transpose(l)) return {};
  return {all + transposed_start_[l], 0, net_.layers[l].n_out};
}

template <class T>
void Packing<T>::transpose(const Part& part, const T* packed, T* all) const {
  const Layer& layer = net_.layers[part.l];
  if (!has_transpose(part.l)) return;
  const int64_t n = std::min(kernels_.panel, layer.n_out - part.column);
  const int64_t end = std::min(part.first + part.rows, layer.n_in);
  const T* from = packed + part.offset;
  for (int64_t i = part.first; i < end; i += kernels_.panel, from += kernels_.panel * part.width) {
    const int64_t m = std::min(kernels_.panel, end - i), width = round_up(m, kernels_.lanes);
    kernels_.transpose(from, part.width, m, n, all + transposed_start_[part.l] + i * layer.n_out + part.column * width,
                       width);
  }
}

template <class T>
Wanted<T> Packing<T>::transposed_part(const Part& part, const T* all) const {
  const Layer& layer = net_.layers[part.l];
  const int64_t width = std::min(kernels_.panel, round_up(layer.n_in - part.first, kernels_.lanes));
  if (!has_transpose(part.l)) return {};
  return {all + transposed_start_[part.l] + part.first * layer.n_out + part.column * width,
          kernels_.panel * layer.n_out};
}

template <class T>
int64_t Workspace<T>::block_rows(const Network& net, const Kernels<T>& kernels, int64_t n, int64_t fewest) {
  int64_t row = row_stride<T>(net.n_in() + 1, kernels.lanes);
  for (const Layer& layer : net.layers) row += 2 * row_stride<T>(layer.n_out + 1, kernels.lanes);
  const int64_t fitting = block_bytes / (row * int64_t(sizeof(T)));
  return std::clamp<int64_t>(n, 1, std::max(fitting, fewest));
}

template <class T>
Workspace<T>::Workspace(const Network& net, const Kernels<T>& kernels, int64_t rows, Keep keep, const Dropout& dropout,
                        int n_inputs)
    : rows(rows) {
  const size_t L = net.layers.size();
  const auto takes_z = [&](size_t l) { return needs_z(net.layers[l - 1].activation) || dropout.drops(l, L); };
  const auto allocate = [&](int64_t n) { return buffers_.emplace_back(n, Contents::anything).data(); };
  for (size_t l = 0; l <= L; l++) {
    const int64_t columns = (l == 0 ? net.n_in() : net.layers[l - 1].n_out) + 1;
    const int64_t stride = row_stride<T>(columns, kernels.lanes);
    const bool pays = keep == backward && rows * stride * int64_t(sizeof(T)) > plain_bytes;
    // Those of the output, what a layer of one neuron reads, and what is dropped are needed as rows.
    const bool only = pays && l < L && !net.layers[l].across() && !(l > 0 && dropout.drops(l, L));
    const auto plain = [&] { return Matrix<T>{allocate(rows * stride), stride, 0}; };
    // One row more, so that panels do not lie a power of two apart.
    const auto in_panels = [&] {
      return Matrix<T>{allocate(round_up(columns, kernels.panel) * (rows + 1)), kernels.panel, rows + 1};
    };
    const auto one = [&](bool kept) { return !kept ? Matrix<T>{} : only ? in_panels() : plain(); };
    const auto copy = [&](bool kept) { return kept && pays && !only ? in_panels() : Matrix<T>{}; };
    const auto with_ones = [&] {
      const Matrix<T> x = one(true);
      for (int64_t i = 0; i < rows; i++) *element(x, i, columns - 1) = 1;
      return x;
    };
    A.push_back(with_ones());
    for (int i = 0; l == 0 && i < n_inputs; i++) inputs.push_back(i == 0 ? A[0] : with_ones());
    Z.push_back(one(l > 0 && (keep == everything || (keep == backward && takes_z(l)))));
    delta.push_back(one(l > 0 && keep >= backward));
    A_in_panels.push_back(copy(l < L));
    delta_in_panels.push_back(copy(l > 0));
  }
  Y = allocate(rows * net.n_out());
  weight = allocate(rows);
  losses_ = Buffer<double>(rows);
  losses = losses_.data();
}

template class Buffer<float>;
template class Buffer<double>;
template class Packing<float>;
template class Packing<double>;
template class Workspace<float>;
template class Workspace<double>;

}  // namespace fastmlp
