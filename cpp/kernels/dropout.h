// Dropout: which elements stay is a function of a key and of their place, so that it does not matter who asks, when,
// and for how many at a time. Its twin is reference/dropout.py.
#pragma once

#include <cstdint>

#include "simd.h"

namespace fastmlp {
namespace {

// A one-to-one mapping of 32-bit numbers whose results look drawn at random: rounds of xor-shift and multiply.
inline uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

template <class T>
void drop(T* a, int64_t rows, int64_t n, int64_t stride, int64_t first_row, uint32_t key, uint32_t dropped, T scale) {
  for (int64_t i = 0; i < rows; i++, a += stride) {
    const uint32_t place = key + uint32_t((first_row + i) * n);
    for (int64_t j = 0; j < n; j++) a[j] = mix(place + uint32_t(j)) >> 8 < dropped ? T(0) : a[j] * scale;
  }
}

}  // namespace
}  // namespace fastmlp
