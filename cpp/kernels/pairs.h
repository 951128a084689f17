// Two vectors as one, or two such pairs: what is written once for a vector is done to all of them in turn, step by
// step. Long functions are chains of steps that wait for each other, and not every processor looks far enough ahead to
// begin with the next vector meanwhile: on a Zen 1, with 16 registers, four vectors of tanh take a sixth less in turn
// than one after the other.
#pragma once

#include "vmath.h"

namespace fastmlp {
namespace {

template <class V>
struct Pair {
  V first, second;
};

template <class V>
inline auto first_lane(const Pair<V>& p) {
  return first_lane(p.first);
}

#define FASTMLP_OPERATOR(op)                            \
  template <class V>                                    \
  inline Pair<V> operator op(Pair<V> p, Pair<V> q) {    \
    return {p.first op q.first, p.second op q.second};  \
  }                                                     \
  template <class V>                                    \
  inline Pair<V> operator op(Pair<V> p, lane_of<V> s) { \
    return {p.first op s, p.second op s};               \
  }                                                     \
  template <class V>                                    \
  inline Pair<V> operator op(lane_of<V> s, Pair<V> p) { \
    return {s op p.first, s op p.second};               \
  }
FASTMLP_OPERATOR(+)
FASTMLP_OPERATOR(-)
FASTMLP_OPERATOR(*)
FASTMLP_OPERATOR(/)
FASTMLP_OPERATOR(&)
FASTMLP_OPERATOR(|)
FASTMLP_OPERATOR(<<)
#undef FASTMLP_OPERATOR

template <class T, class V>
inline Pair<V> at_least(T low, Pair<V> p) {
  return {at_least(low, p.first), at_least(low, p.second)};
}

template <class T, class V>
inline Pair<V> at_most(T high, Pair<V> p) {
  return {at_most(high, p.first), at_most(high, p.second)};
}

template <class V>
inline auto bits_of(Pair<V> p) {
  return Pair<decltype(bits_of(p.first))>{bits_of(p.first), bits_of(p.second)};
}

template <class I>
inline auto numbers_of(Pair<I> p) {
  return Pair<decltype(numbers_of(p.first))>{numbers_of(p.first), numbers_of(p.second)};
}

template <class V>
inline Pair<V> sigmoid(Pair<V> p) {
  return sigmoid_of(p);
}

template <class V>
inline Pair<V> tanh(Pair<V> p) {
  return tanh_of(p);
}

// How many vectors V consists of, loaded from and stored to a place each.
template <class V, class T>
constexpr int vectors_of = int(sizeof(V) / sizeof(Vector<T>));

template <class V, class T>
inline V load_from(T* const* places) {
  if constexpr (vectors_of<V, T> == 1) {
    return load(places[0]);
  } else {
    using Half = decltype(V::first);
    return {load_from<Half>(places), load_from<Half>(places + vectors_of<Half, T>)};
  }
}

template <class V, class T>
inline void store_to(T* const* places, V v) {
  if constexpr (vectors_of<V, T> == 1) {
    store(places[0], v);
  } else {
    store_to(places, v.first);
    store_to(places + vectors_of<decltype(V::first), T>, v.second);
  }
}

}  // namespace
}  // namespace fastmlp
