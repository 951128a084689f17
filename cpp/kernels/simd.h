// Vectors by the compiler's vector extensions: one width per instruction set, plain operators.
#pragma once

#include <cstdint>

namespace fastmlp {
namespace {

// FASTMLP_VECTOR_BYTES comes from the build: 16 (SSE2, Neon), 32 (AVX2), 64 (AVX-512).
template <class T>
struct Simd;

template <>
struct Simd<float> {
  typedef float V __attribute__((vector_size(FASTMLP_VECTOR_BYTES)));
  typedef int32_t I __attribute__((vector_size(FASTMLP_VECTOR_BYTES)));
};

template <>
struct Simd<double> {
  typedef double V __attribute__((vector_size(FASTMLP_VECTOR_BYTES)));
  typedef int64_t I __attribute__((vector_size(FASTMLP_VECTOR_BYTES)));
};

template <class T>
using Vector = typename Simd<T>::V;

template <class T>
constexpr int64_t lanes = FASTMLP_VECTOR_BYTES / int64_t(sizeof(T));

// Multiply-adds of a lane in a nanosecond, at some 3.5 GHz: two vectors a cycle where they are fused, but one of 64
// bytes, and one where they take two instructions.
constexpr double multiply_adds_by_lane =
#if (defined(__FMA__) && FASTMLP_VECTOR_BYTES < 64) || defined(__aarch64__)
    7;
#else
    3.5;
#endif

template <class T>
inline Vector<T> load(const T* p) {
  Vector<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
inline void store(T* p, Vector<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// A store past the cache, for what is not needed soon: without it, the lines would be read before they are overwritten.
// p has a vector's alignment. Other threads see such stores after fence().
#if defined(__AVX__) && defined(__clang__)
template <class T>
inline void stream(T* p, Vector<T> v) {
  __builtin_nontemporal_store(v, reinterpret_cast<Vector<T>*>(p));
}
inline void fence() { __builtin_ia32_sfence(); }
#elif defined(__AVX512F__)
inline void stream(float* p, Vector<float> v) { __builtin_ia32_movntps512(p, v); }
inline void stream(double* p, Vector<double> v) { __builtin_ia32_movntpd512(p, v); }
inline void fence() { __builtin_ia32_sfence(); }
#elif defined(__AVX__)
inline void stream(float* p, Vector<float> v) { __builtin_ia32_movntps256(p, v); }
inline void stream(double* p, Vector<double> v) { __builtin_ia32_movntpd256(p, v); }
inline void fence() { __builtin_ia32_sfence(); }
#else
template <class T>
inline void stream(T* p, Vector<T> v) {
  store(p, v);
}
inline void fence() {}
#endif

// Ask for a cache line that will be written to. GCC has an instruction for that only if it is told of 3DNow or PRFCHW,
// which every processor with AVX-512 has.
inline void fetch_to_write(const void* line) {
#if defined(__AVX512F__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1);
#endif
}

template <class T>
inline Vector<T> broadcast(T x) {
  return x - Vector<T>{};  // unlike 0 + x it keeps the sign of -0, and costs nothing
}

// The smaller and the larger of two; b where one of them is NaN. GCC takes two instructions for a comparison of vectors
// and a choice, where there is one for both: 5 % of tanh.
#if defined(__SSE2__) && !defined(__clang__)
#if FASTMLP_VECTOR_BYTES == 64
#define FASTMLP_OF_TWO(instruction) __builtin_ia32_##instruction##512_mask(a, b, a, -1, 4)
#elif FASTMLP_VECTOR_BYTES == 32
#define FASTMLP_OF_TWO(instruction) __builtin_ia32_##instruction##256(a, b)
#else
#define FASTMLP_OF_TWO(instruction) __builtin_ia32_##instruction(a, b)
#endif
inline Vector<float> smaller(Vector<float> a, Vector<float> b) { return FASTMLP_OF_TWO(minps); }
inline Vector<double> smaller(Vector<double> a, Vector<double> b) { return FASTMLP_OF_TWO(minpd); }
inline Vector<float> larger(Vector<float> a, Vector<float> b) { return FASTMLP_OF_TWO(maxps); }
inline Vector<double> larger(Vector<double> a, Vector<double> b) { return FASTMLP_OF_TWO(maxpd); }
#undef FASTMLP_OF_TWO
#else
template <class V>
inline V smaller(V a, V b) {
  return a < b ? a : b;
}
template <class V>
inline V larger(V a, V b) {
  return a > b ? a : b;
}
#endif

template <class To, class From>
inline To reinterpret(From v) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &v, sizeof to);
  return to;
}

// 0, 1, .. n-1 as a pack of indices.
template <int... i>
struct Indices {};
template <int n, int... i>
struct MakeIndices : MakeIndices<n - 1, n - 1, i...> {};
template <int... i>
struct MakeIndices<0, i...> {
  using Type = Indices<i...>;
};
template <int n>
using FirstIndices = typename MakeIndices<n>::Type;

// 0, 1, 2, ... in the lanes.
template <class T, int... i>
inline Vector<T> counting(Indices<i...>) {
  return Vector<T>{T(i)...};
}

// Lane i of the result is lane i + half, going round.
template <int half, class V, int... i>
inline V rotate(V v, Indices<i...>) {
  return __builtin_shufflevector(v, v, ((i + half) % int(sizeof...(i)))...);
}

// The even (odd = 0) or odd ones of the pieces of v and then of w, which lie in blocks that shuffle by themselves.
template <int odd, int piece, int block, class V, int... i>
inline V every_other(V v, V w, Indices<i...>) {
  constexpr int L = int(sizeof...(i)), half = block / 2;
  return __builtin_shufflevector(
      v, w, (i % block < half ? 0 : L) + i / block * block + i % half / piece * 2 * piece + odd * piece + i % piece...);
}

// The same where n vectors are merged, neighbour by neighbour: first in the same 16 bytes, where a shuffle is cheap,
// then such pieces of 16 bytes.
template <int odd, int n, class T>
inline Vector<T> every_other(Vector<T> v, Vector<T> w) {
  constexpr int L = int(lanes<T>), short_block = 16 / int(sizeof(T));
  constexpr int piece = n * short_block > L ? 1 : short_block, block = piece == 1 ? short_block : L;
  return every_other<odd, piece, block>(v, w, FirstIndices<L>{});
}

template <class T, int half = int(lanes<T>) / 2>
inline T sum_of_lanes(Vector<T> v) {
  if constexpr (half > 0)
    return sum_of_lanes<T, half / 2>(v + rotate<half>(v, FirstIndices<int(lanes<T>)>{}));
  else
    return v[0];
}

// 1 / b of positive numbers from 1e-37 up; above 1e37 it is 0 or as good as 0. Processors with AVX-512 have one unit
// for square roots and quotients: where both are needed, an estimate with one step of Newton's method, at most 2 from
// the rounded result, takes the place of one.
inline Vector<float> reciprocal(Vector<float> b) {
#if defined(__AVX512F__)
  const auto r = reinterpret<Vector<float>>(__builtin_ia32_rcp14ps512_mask(b, Vector<float>{}, (unsigned short)(-1)));
  // inf * 0 is not wanted; the smaller of integers leaves the multipliers free.
  const auto most = reinterpret<Simd<float>::I>(broadcast(1e37f)), bits = reinterpret<Simd<float>::I>(b);
  return r + r * (1 - reinterpret<Vector<float>>(bits < most ? bits : most) * r);
#else
  return 1 / b;
#endif
}

inline Vector<double> reciprocal(Vector<double> b) { return 1 / b; }

inline Vector<float> square_root(Vector<float> v) {
  for (int64_t i = 0; i < lanes<float>; i++) v[i] = __builtin_sqrtf(v[i]);
  return v;
}

inline Vector<double> square_root(Vector<double> v) {
  for (int64_t i = 0; i < lanes<double>; i++) v[i] = __builtin_sqrt(v[i]);
  return v;
}

}  // namespace
}  // namespace fastmlp
