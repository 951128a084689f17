// Random numbers from the NumPy generator that the caller passed, so that the reference draws the same.
#pragma once

#include <cstdint>

namespace fastmlp {

// NumPy's C interface to a bit generator (bitgen_t of numpy/random/bitgen.h), which is stable.
struct BitGenerator {
  void* state;
  uint64_t (*next_uint64)(void*);
  uint32_t (*next_uint32)(void*);
  double (*next_double)(void*);
  uint64_t (*next_raw)(void*);
};

// Fill order with 0..n-1 shuffled by Fisher and Yates: the twin of reference/batches.py permutation.
void shuffle(BitGenerator& random, int64_t* order, int64_t n);

// A number that decides what is dropped in a step: the twin of reference/dropout.py.
uint32_t draw_seed(BitGenerator& random);

}  // namespace fastmlp
