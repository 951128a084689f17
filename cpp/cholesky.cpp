#include "cholesky.h"

#include <algorithm>
#include <cmath>

#include "workspace.h"

namespace fastmlp {

namespace {

// Rows that are worked off one by one; more of them are halved, and the second half updated by a product. Halves begin
// on a whole vector, so that no product writes past the end of a row.
constexpr int64_t few_rows = 8;

double* end_of_row(const Symmetric& x, int64_t i) { return x.row(i) + x.n + 1; }

// to += factor * from for the columns that count of row `to`.
void add(const Symmetric& x, int64_t from, int64_t to) {
  const double factor = x.row(from)[to];
  const double* a = x.row(from);
  double* b = x.row(to);
  for (int64_t j = to; j <= x.n; j++) b[j] += factor * a[j];
  for (int64_t j = x.inverse; x.inverse && j <= x.inverse + from; j++) b[j] += factor * a[j];
}

bool factor_rows(const Symmetric& x, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; i++) {
    double* row = x.row(i);
    const double pivot = -row[i];
    if (!(pivot > 0) || !std::isfinite(pivot)) return false;
    const double scale = -1 / std::sqrt(pivot);
    std::for_each(row + i, end_of_row(x, i), [&](double& u) { u *= scale; });
    if (x.inverse) std::for_each(row + x.inverse, row + x.inverse + i + 1, [&](double& u) { u *= scale; });
    for (int64_t k = i + 1; k < last; k++) add(x, i, k);
  }
  return true;
}

// Rows middle..last += U[first..middle].T U[first..middle], panel by panel, and none below its panel's diagonal.
void update(const Symmetric& x, int64_t first, int64_t middle, int64_t last) {
  const Kernels<double>& k = kernels<double>();
  const Matrix<const double> U{x.row(first) + middle, x.stride, 0};
  const auto add_product = [&](int64_t m, int64_t column, int64_t n) {
    k.multiply({m,
                n,
                middle - first,
                U,
                true,
                {x.row(first) + column, x.stride, 0},
                {x.row(middle) + column, x.stride, 0},
                true});
  };
  int64_t j = middle;
  for (; j < last; j += k.panel) add_product(std::min(last, j + k.panel) - middle, j, std::min(k.panel, x.n + 1 - j));
  if (j <= x.n) add_product(last - middle, j, x.n + 1 - j);
  if (x.inverse) add_product(last - middle, x.inverse, middle);
}

Factored factor(const Symmetric& x, int64_t first, int64_t last, const Pause& pause) {
  if (last - first <= few_rows) return factor_rows(x, first, last) ? Factored::yes : Factored::not_positive;
  const int64_t middle = first + round_up((last - first) / 2, few_rows);
  if (const Factored upper = factor(x, first, middle, pause); upper != Factored::yes) return upper;
  update(x, first, middle, last);
  if (!pause(double(middle - first) * double(last - middle) * double(x.n - middle))) return Factored::stopped;
  return factor(x, middle, last, pause);
}

// x = U^-1 x.
void back_substitute(const Symmetric& u, double* x) {
  for (int64_t i = u.n; i-- > 0;) {
    const double* row = u.row(i);
    double sum[4] = {};
    int64_t j = i + 1;
    for (; j + 4 <= u.n; j += 4)
      for (int64_t s = 0; s < 4; s++) sum[s] += row[j + s] * x[j + s];
    for (; j < u.n; j++) sum[0] += row[j] * x[j];
    x[i] = (x[i] - ((sum[0] + sum[1]) + (sum[2] + sum[3]))) / row[i];
  }
}

}  // namespace

int64_t Symmetric::inverse_column(int64_t n) { return round_up(n + 1, kernels<double>().panel); }

int64_t Symmetric::columns(int64_t n, bool with_inverse) {
  const int64_t panel = kernels<double>().panel, all = inverse_column(n) + (with_inverse ? round_up(n, panel) : 0);
  return all % 128 ? all : all + panel;  // rows a power of two apart fall into the same few sets of the cache
}

Factored factor(const Symmetric& x, const Pause& pause) { return factor(x, 0, x.n, pause); }

void solve(const Symmetric& u, double* x) {
  for (int64_t i = 0; i < u.n; i++) x[i] = u.row(i)[u.n];
  back_substitute(u, x);
}

void solve_for(const Symmetric& u, double* x) {
  for (int64_t i = 0; i < u.n; i++) {
    const double* row = u.row(i);
    x[i] /= row[i];
    for (int64_t j = i + 1; j < u.n; j++) x[j] -= row[j] * x[i];
  }
  back_substitute(u, x);
}

double trace_of_inverse(const Symmetric& u) {
  double trace = 0;
  for (int64_t i = 0; i < u.n; i++) trace += kernels<double>().sum_of_squares(u.row(i) + u.inverse, i + 1);
  return trace;
}

}  // namespace fastmlp
