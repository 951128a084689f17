// What surrounds an update: penalties and limits. Plain loops, which compilers turn into vectors.
#pragma once

#include "kernels.h"

namespace fastmlp {
namespace {

template <class T>
void penalize(const T* w, T* g, T l1, T l2, int64_t n) {
  if (l1 == 0) {
    for (int64_t i = 0; i < n; i++) g[i] += l2 * w[i];
    return;
  }
  for (int64_t i = 0; i < n; i++) g[i] += l2 * w[i] + (w[i] > 0 ? l1 : w[i] < 0 ? -l1 : T(0));
}

template <class T>
void clip(T* g, T limit, int64_t n) {
  for (int64_t i = 0; i < n; i++) g[i] = g[i] > limit ? limit : g[i] < -limit ? -limit : g[i];
}

template <class T>
void scale(T* x, T factor, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] *= factor;
}

template <class T>
void limit_columns(T* W, int64_t rows, int64_t n, int64_t stride, double limit) {
  constexpr int64_t most = 32;  // columns at a time
  for (int64_t j = 0; j < n; j += most, W += most) {
    const int64_t columns = n - j < most ? n - j : most;
    double sum[most] = {};
    for (int64_t i = 0; i < rows; i++)
      for (int64_t c = 0; c < columns; c++) sum[c] += double(W[i * stride + c]) * double(W[i * stride + c]);
    bool any = false;
    T factor[most];
    for (int64_t c = 0; c < columns; c++) {
      const double norm = __builtin_sqrt(sum[c]);
      factor[c] = norm > limit ? T(limit / norm) : T(1);
      any = any || norm > limit;
    }
    for (int64_t i = 0; any && i < rows; i++)
      for (int64_t c = 0; c < columns; c++) W[i * stride + c] *= factor[c];
  }
}

}  // namespace
}  // namespace fastmlp
