#include "random.h"

#include <utility>

namespace fastmlp {

void shuffle(BitGenerator& random, int64_t* order, int64_t n) {
  for (int64_t i = 0; i < n; i++) order[i] = i;
  for (int64_t i = n - 1; i > 0; i--) {
    const auto j = int64_t(random.next_double(random.state) * double(i + 1));
    std::swap(order[i], order[j]);
  }
}

uint32_t draw_seed(BitGenerator& random) { return uint32_t(random.next_double(random.state) * 4294967296.0); }

}  // namespace fastmlp
