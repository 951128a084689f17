// What is dropped in a step.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastmlp {

// Rates of the hidden layers, each the share of its activations that is dropped; the others are scaled by 1 / (1 -
// rate).
struct Dropout {
  const double* rates = nullptr;  // null: nothing is dropped
  uint32_t seed = 0;              // of the step

  bool drops(size_t l, size_t L) const { return rates && l < L && rates[l - 1] > 0; }
  // Layers of a step have keys far from each other.
  uint32_t key(size_t l) const { return seed * 0x9e3779b9u + uint32_t(l) * 0x85ebca6bu; }
  // Places are numbers of 24 bits; those below this are dropped.
  uint32_t dropped(size_t l) const { return uint32_t(rates[l - 1] * (1 << 24)); }
  double scale(size_t l) const { return 1 / (1 - rates[l - 1]); }
};

}  // namespace fastmlp
