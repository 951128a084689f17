// The Cholesky factor of a symmetric positive definite matrix, by the table's products.
#pragma once

#include <cstdint>

#include "network.h"

namespace fastmlp {

// Row-major, its rows `stride` apart: n columns whose upper triangle is the matrix, one for a right-hand side and,
// where the inverse is wanted, n more from `inverse` on. All of it with its sign turned, so that what is to be
// subtracted can be added.
struct Symmetric {
  double* data;
  int64_t n, stride;
  int64_t inverse = 0;  // 0: not wanted

  double* row(int64_t i) const { return data + i * stride; }

  // Columns of such a matrix, and where the inverse begins: on a panel.
  static int64_t inverse_column(int64_t n);
  static int64_t columns(int64_t n, bool with_inverse);
};

enum class Factored { yes, not_positive, stopped };

// From -H, -g (and -I): U with U.T U = H in the upper triangle, U^-T g (and U^-T, whose upper triangle is void).
Factored factor(const Symmetric& x, const Pause& pause);

// x = H^-1 g of a factored matrix, and x = H^-1 x.
void solve(const Symmetric& factored, double* x);
void solve_for(const Symmetric& factored, double* x);

// The trace of H^-1, of a matrix factored with its inverse.
double trace_of_inverse(const Symmetric& factored);

}  // namespace fastmlp
