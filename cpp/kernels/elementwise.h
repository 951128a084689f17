// Kernels that go over elements once: activations, updates, checks.
#pragma once

#include "kernels.h"
#include "pairs.h"
#include "simd.h"
#include "special.h"

namespace fastmlp {
namespace {

template <class S, class V, class T>
inline void activate_at(T* const* places, T parameter) {
  store_to(places, value_of<S>(load_from<V>(places), parameter));
}

// Four vectors at a time, wherever they lie.
template <class S, class T>
void activate_pairs(T* a, int64_t rows, int64_t n, int64_t stride, T parameter) {
  T* places[4];
  int n_places = 0;
  for (int64_t i = 0; i < rows; i++, a += stride)
    for (int64_t j = 0; j < n; j += lanes<T>) {
      places[n_places++] = a + j;
      if (n_places < 4) continue;
      activate_at<S, Pair<Pair<Vector<T>>>>(places, parameter);
      n_places = 0;
    }
  if (n_places >= 2) activate_at<S, Pair<Vector<T>>>(places, parameter);
  if (n_places % 2 == 1) activate_at<S, Vector<T>>(places + n_places - 1, parameter);
}

template <class S, class T>
void activate(T* a, int64_t rows, int64_t n, int64_t stride, T parameter) {
  if constexpr (S::value_of_pairs && FASTMLP_VECTOR_REGISTERS < 32)
    return activate_pairs<S>(a, rows, n, stride, parameter);
  for (int64_t i = 0; i < rows; i++, a += stride)
    for (int64_t j = 0; j < n; j += lanes<T>) store(a + j, value_of<S>(load(a + j), parameter));
}

template <class S, class T>
void differentiate(T* delta, const T* at, int64_t rows, int64_t n, int64_t stride, T parameter) {
  for (int64_t i = 0; i < rows; i++, at += stride, delta += stride)
    for (int64_t j = 0; j < n; j += lanes<T>)
      store(delta + j, load(delta + j) * derivative_of<S>(load(at + j), parameter));
}

template <class T, class... S>
inline Activate<T> activate_of(int activation, List<S...>) {
  static constexpr Activate<T> all[] = {activate<S, T>...};
  return all[activation];
}

template <class T, class... S>
inline Differentiate<T> differentiate_of(int activation, List<S...>) {
  static constexpr Differentiate<T> all[] = {differentiate<S, T>...};
  return all[activation];
}

template <class... S>
inline bool is_identity(int activation, List<S...>) {
  static constexpr bool all[] = {S::is_identity...};
  return all[activation];
}

template <class T>
void apply_exp(T* x, int64_t n) {
  for (int64_t i = 0; i < n; i += lanes<T>) store(x + i, exp(load(x + i)));
}

template <class T>
void apply_log(T* x, int64_t n) {
  for (int64_t i = 0; i < n; i += lanes<T>) store(x + i, log(load(x + i)));
}

template <class U, bool scaled, class T>
inline void update_all(T* w, const T* g, T* const* slot, const T* c, T scale, int64_t rows, int64_t n,
                       int64_t slot_stride) {
  constexpr int64_t ahead = 8, line = line_bytes / int64_t(sizeof(T));
  T* slots[max_slots] = {};
  for (int k = 0; k < U::n_slots; k++) slots[k] = slot[k];
  for (int64_t row = 0; row < rows; row++, w += n, g += n) {
    // Rows may lie pages apart, where the processor does not foresee the next one.
    for (int k = 0; k < U::n_slots && row + ahead < rows; k++)
      for (int64_t i = 0; i < n; i += line) fetch_to_write(slots[k] + ahead * slot_stride + i);
    for (int64_t i = 0; i < n; i += lanes<T>) {
      Vector<T> s[max_slots] = {};
      for (int k = 0; k < U::n_slots; k++) s[k] = load(slots[k] + i);
      Vector<T> parameter = load(w + i);
      U::update(parameter, scaled ? scale * load(g + i) : load(g + i), s, c);
      store(w + i, parameter);
      for (int k = 0; k < U::n_slots; k++) store(slots[k] + i, s[k]);
    }
    for (int k = 0; k < U::n_slots; k++) slots[k] += slot_stride;
  }
}

template <class U, class T>
void update(T* w, const T* g, T* const* slot, const double* constants, T scale, int64_t rows, int64_t n,
            int64_t slot_stride) {
  T c[max_constants];
  for (int i = 0; i < max_constants; i++) c[i] = T(constants[i]);
  if (scale == 1)
    update_all<U, false>(w, g, slot, c, scale, rows, n, slot_stride);
  else
    update_all<U, true>(w, g, slot, c, scale, rows, n, slot_stride);
}

template <class T>
void khatri_rao(int64_t m, int64_t n, int64_t columns, const T* a, const T* b, int64_t stride, T* to, int64_t to_step) {
  for (int64_t i = 0; i < m; i++, a += stride, to += to_step)
    for (int64_t j = 0; j < n; j++)
      for (int64_t s = 0; s < columns; s += lanes<T>)
        store(to + j * stride + s, load(a + s) * load(b + j * stride + s));
}

// x - x is 0, and NaN where x is not finite, which stays in a sum.
template <class T>
inline int64_t find_nonfinite_in(const T* x, int64_t first, int64_t end) {
  for (int64_t j = first; j < end; j++)
    if (!(x[j] - x[j] == 0)) return j;
  return -1;
}

template <class T>
int64_t find_nonfinite(const T* x, int64_t n) {
  constexpr int64_t L = lanes<T>, sums = 4, block = 8 * sums * L;
  int64_t i = 0;
  for (; i + block <= n; i += block) {
    Vector<T> sum[sums] = {};
    for (int64_t j = 0; j < block; j += sums * L) {
#pragma GCC unroll 16
      for (int s = 0; s < sums; s++) {
        const Vector<T> v = load(x + i + j + s * L);
        sum[s] += v - v;
      }
    }
    if (sum_of_lanes<T>(sum[0] + sum[1] + sum[2] + sum[3]) == 0) continue;
    return find_nonfinite_in(x, i, i + block);
  }
  Vector<T> sum = {};
  const int64_t rest = i;
  for (; i + L <= n; i += L) {
    const Vector<T> v = load(x + i);
    sum += v - v;
  }
  if (sum_of_lanes<T>(sum) != 0) return find_nonfinite_in(x, rest, i);
  return find_nonfinite_in(x, i, n);
}

// The first n lanes of a vector, and a one in the next one.
template <class T>
struct Tail {
  using I = typename Simd<T>::I;
  I kept;
  Vector<T> one;
  explicit Tail(int64_t n) {
    const Vector<T> lane = counting<T>(FirstIndices<int(lanes<T>)>{}), end = broadcast(T(n));
    kept = lane < end;
    one = lane == end ? broadcast(T(1)) : Vector<T>{};
  }
  Vector<T> of(Vector<T> v) const { return numbers_of(bits_of(v) & kept); }
};

// Copies n elements, whole vectors. The sums become NaN where one is not finite.
template <class T>
inline void lay(const T* from, int64_t n, T* to, Vector<T> (&sum)[2]) {
  constexpr int64_t L = lanes<T>;
  const auto lay_vector = [&](int64_t j, Vector<T>& sum) {
    const Vector<T> v = load(from + j);
    store(to + j, v);
    sum += v - v;
  };
  int64_t j = 0;
  for (; j + 2 * L <= n; j += 2 * L) {
    lay_vector(j, sum[0]);
    lay_vector(j + L, sum[1]);
  }
  if (j < n) lay_vector(j, sum[0]);
}

template <class T>
bool lay_rows(const T* X, int64_t rows, const int64_t* order, int64_t first, int64_t m, int64_t n, const Matrix<T>& to,
              int64_t next) {
  constexpr int64_t L = lanes<T>, most = 256 << 10;  // bytes
  const bool fetches = next > 0 && n * int64_t(sizeof(T)) < shortest_ahead && next * n * int64_t(sizeof(T)) <= most;
  const int64_t width = to.panel_rows ? to.stride : n, whole = n / L * L;
  const Tail<T> tail(n - whole);
  Vector<T> sum[2] = {};
  for (int64_t i = 0; i < m; i++) {
    const int64_t row = order ? order[first + i] : first + i;
    const T* from = X + row * n;
    T* laid = to.data + i * to.stride;
    if (fetches && first + i + next < rows) {
      const T* later = X + (order ? order[first + i + next] : row + next) * n;
      for (int64_t j = 0; j < n; j += line_bytes / int64_t(sizeof(T))) __builtin_prefetch(later + j);
    }
    int64_t j = 0;
    for (; j + width <= whole; j += width, laid += width * to.panel_rows) lay(from + j, width, laid, sum);
    lay(from + j, whole - j, laid, sum);
    if (whole == n) continue;
    // A vector may be read across the end of a row, but not of X.
    Vector<T> last = {};
    if (row * n + whole + L <= rows * n)
      last = tail.of(load(from + whole));
    else
      __builtin_memcpy(&last, from + whole, size_t(n - whole) * sizeof(T));
    store(laid + whole - j, last + tail.one);
    sum[1] += last - last;
  }
  return sum_of_lanes<T>(sum[0] + sum[1]) == 0;
}

template <class T>
double sum_of_squares(const T* x, int64_t n) {
  double sum[8] = {};
  for (int64_t i = 0; i < n; i++) sum[i % 8] += double(x[i]) * double(x[i]);
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

template <class T>
void add_up(const T* const* terms, int64_t n_terms, int64_t n, T* to) {
  for (int64_t i = 0; i < n; i += lanes<T>) {
    Vector<T> sum = load(terms[0] + i);
    for (int64_t k = 1; k < n_terms; k++) sum += load(terms[k] + i);
    store(to + i, sum);
  }
}

}  // namespace
}  // namespace fastmlp
