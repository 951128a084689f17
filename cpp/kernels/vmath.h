// exp, log, tanh, sigmoid, expm1, log1p and softplus of vectors.
//
// Method of exp and of what is made of it: x = n ln 2 + r with n an integer and |r| <= ln 2 / 2, so that
// exp(x) = 2^n exp(r). With exp(r) - 1 = r + r^2 Q(r), Q a polynomial interpolated at Chebyshev nodes (degree 4 for
// float, 10 for double), the error of the polynomial is 8e-9 and 2e-19. That of sigmoid and tanh stands at r_coth.
//
// Errors are distances from the correctly rounded result in units of the last place: for float the largest over all
// numbers, for double the largest found in samples. NaN gives NaN everywhere.
#pragma once

#include "../ops/list.h"
#include "simd.h"

namespace fastmlp {
namespace {

template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
  static constexpr float round = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float log2_e = 1.44269504f;
  static constexpr float ln2_high = 0.693359375f;  // few bits, so that n * ln2_high is exact
  static constexpr float ln2_low = -2.12194440e-4f;
  static constexpr float smallest_exp = -104.0f, largest_exp = 89.0f;  // exp is 0 and inf there
  static constexpr float lowest = -87.33f;                             // below it 2^n is no normal number
  static constexpr float highest = 88.73f;                             // above it n = 128, and 2^n is inf
  static constexpr float saturates = 10.0f;                            // tanh is 1 from there on
  static constexpr int mantissa_bits = 23, exponent_bias = 127;
  static constexpr float Q[] = {0.5f, 0.16666576989f, 0.041666554617f, 0.0083631790527f, 0.0013926183588f};
};

template <>
struct ExpConstants<double> {
  static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double log2_e = 1.4426950408889634074;
  static constexpr double ln2_high = 6.93147180369123816490e-01;
  static constexpr double ln2_low = 1.90821492927058770002e-10;
  static constexpr double smallest_exp = -746.0, largest_exp = 710.0;
  static constexpr double lowest = -708.39;
  static constexpr double highest = 709.78;
  static constexpr double saturates = 22.0;
  static constexpr int mantissa_bits = 52, exponent_bias = 1023;
  static constexpr double Q[] = {0.5,
                                 0.16666666666666670991,
                                 0.041666666666666669755,
                                 0.0083333333333261351258,
                                 0.0013888888888883748305,
                                 0.00019841269874820625271,
                                 0.000024801587325547741216,
                                 2.755725540020642443e-6,
                                 2.7557273643110295328e-7,
                                 2.5105217004720745164e-8,
                                 2.0914686968086877233e-9};
};

template <class T>
inline Vector<T> at_least(T low, Vector<T> x) {
  return larger(broadcast(low), x);
}

template <class T>
inline Vector<T> at_most(T high, Vector<T> x) {
  return smaller(broadcast(high), x);
}

// The sign goes, also that of NaN.
template <class V>
inline V absolute(V x) {
  return x < 0 ? -x : x + 0;
}

template <class T>
using Integers = typename Simd<T>::I;

inline Integers<float> bits_of(Vector<float> v) { return reinterpret<Integers<float>>(v); }
inline Integers<double> bits_of(Vector<double> v) { return reinterpret<Integers<double>>(v); }
inline int32_t bits_of(float x) { return reinterpret<int32_t>(x); }
inline int64_t bits_of(double x) { return reinterpret<int64_t>(x); }
inline Vector<float> numbers_of(Integers<float> bits) { return reinterpret<Vector<float>>(bits); }
inline Vector<double> numbers_of(Integers<double> bits) { return reinterpret<Vector<double>>(bits); }

// 2^n of integers within the exponents of normal numbers.
template <class T>
inline Vector<T> power_of_two(Integers<T> n) {
  using C = ExpConstants<T>;
  return numbers_of((n + C::exponent_bias) << C::mantissa_bits);
}

// exp(x) = 2^n * (1 + excess).
template <class T>
struct SplitExp {
  Integers<T> n;
  Vector<T> excess;
};

template <class T>
inline SplitExp<T> split_exp(Vector<T> x) {
  using C = ExpConstants<T>;
  const Vector<T> shifted = x * C::log2_e + C::round, n = shifted - C::round;
  const Vector<T> r = x - n * C::ln2_high - n * C::ln2_low;
  constexpr int degree = sizeof C::Q / sizeof C::Q[0] - 1;
  Vector<T> q = r * C::Q[degree] + C::Q[degree - 1];
#pragma GCC unroll 16
  for (int i = degree - 2; i >= 0; i--) q = q * r + C::Q[i];
  return {bits_of(shifted) - bits_of(C::round), r + r * r * q};
}

// exp. At most 1 from the rounded result; results below the normal range may be 2 from it. inf from 88.73 (float) and
// 709.79 (double) on, 0 at -inf.
template <class V>
inline V exp_of(V x) {
  using T = lane_of<V>;
  using C = ExpConstants<T>;
  const auto e = split_exp<T>(at_most(C::largest_exp, at_least(C::smallest_exp, x)));
  // In two factors, so that neither leaves the range where the result does not.
  const Integers<T> half = e.n >> 1;
  return (1 + e.excess) * power_of_two<T>(half) * power_of_two<T>(e.n - half);
}

template <class T>
struct CothConstants;

template <>
struct CothConstants<float> {
  static constexpr float R[] = {1.0f, 0.33333251484f, -0.022134027687f};
};

template <>
struct CothConstants<double> {
  static constexpr double R[] = {1.0,
                                 0.33333333333333204135,
                                 -0.022222222221612176861,
                                 0.0021164020228462477189,
                                 -0.0002116339479530894598,
                                 0.000021187258152301554074};
};

// V is a vector; here, in sigmoid_of and in tanh_of it may be a Pair (pairs.h) as well.
//
// r coth r for |r| <= ln 2 / 4: a polynomial in r^2 (degree 2 for float, 5 for double), nearest in the largest error,
// which is 2e-9 and 9e-19. With C = r coth r, exp(2r) = (C + r) / (C - r): where a function of exp ends in a quotient
// anyway, C takes fewer steps than exp does.
template <class V>
inline V r_coth(V r) {
  constexpr auto& R = CothConstants<lane_of<V>>::R;
  constexpr int degree = sizeof R / sizeof R[0] - 1;
  const V z = r * r;
  V sum = z * R[degree] + R[degree - 1];
#pragma GCC unroll 16
  for (int i = degree - 2; i >= 0; i--) sum = sum * z + R[i];
  return sum;
}

// sigmoid. At most 2 from the rounded result; 0 below -88.37 (float) and -709.4 (double), where exp(-x)
// leaves the range of normal numbers. exp(-x) = 2^n exp(2r).
template <class V>
inline V sigmoid_of(V x) {
  using T = lane_of<V>;
  using C = ExpConstants<T>;
  constexpr T round = C::round + C::exponent_bias;
  const V half = at_most(C::highest / 2, at_least(C::lowest / 2, x * T(-0.5)));
  const V shifted = half * (2 * C::log2_e) + round, n = shifted - round;
  const V r = half - n * (C::ln2_high / 2) - n * (C::ln2_low / 2), c = r_coth(r);
  const V scale = numbers_of(bits_of(shifted) << C::mantissa_bits);
  return (c - r) / (scale * (c + r) + (c - r));
}

// tanh. At most 3 from the rounded result; never above 1, and 1 from 10 (float) and 22 (double) on; odd, so that -0
// stays. With exp(2|x|) = 2^n exp(2r), (exp(2|x|) - 1) / (exp(2|x|) + 1) = (h (C + r) + r) / (h (C + r) + C), where
// h = (2^n - 1) / 2: that is r / C without loss where x is small. n is small: ln 2 in one number is enough.
template <class V>
inline V tanh_of(V x) {
  using T = lane_of<V>;
  using C = ExpConstants<T>;
  constexpr T round = C::round + (C::exponent_bias - 1);
  const auto sign_bit = bits_of(T(-0.0));
  const auto sign = bits_of(x) & sign_bit;
  const V magnitude = at_most(C::saturates, numbers_of(bits_of(x) & ~sign_bit));
  const V shifted = magnitude * (2 * C::log2_e) + round;
  const V r = magnitude - (shifted - round) * ((C::ln2_high + C::ln2_low) / 2), c = r_coth(r);
  const V h = numbers_of(bits_of(shifted) << C::mantissa_bits) - T(0.5), above = h * (c + r);
  return numbers_of(bits_of((above + r) / (above + c)) | sign);
}

template <class T>
struct LogConstants;

template <>
struct LogConstants<float> {
  static constexpr float root_half = 0.70710678f, smallest_normal = 1.17549435e-38f, inf = __builtin_inff();
  static constexpr float up = 33554432.0f;  // 2^25
  static constexpr int up_bits = 25;
  static constexpr float R[] = {0.6666666655f, 0.40000121840f, 0.28550820816f, 0.23330467216f};
};

template <>
struct LogConstants<double> {
  static constexpr double root_half = 0.70710678118654752440, smallest_normal = 2.2250738585072014e-308,
                          inf = __builtin_inf();
  static constexpr double up = 18014398509481984.0;  // 2^54
  static constexpr int up_bits = 54;
  static constexpr double R[] = {0.66666666666666696864, 0.39999999999899501670, 0.28571428625976619223,
                                 0.22222211134641682917, 0.18182889134460051787, 0.15331721349512084358,
                                 0.14616452223808728662};
};

// log. At most 1 from the rounded result. -inf at 0, NaN below, inf at inf; numbers below the normal range count as
// what they are where the processor does not take them as 0.
//
// x = 2^n (1 + f) with 1 + f from sqrt(1/2) to sqrt(2). With s = f / (2 + f), log(1 + f) = log((1 + s) / (1 - s)) =
// 2s + s^3 R(s^2) = f - f^2/2 + s (f^2/2 + s^2 R(s^2)), whose last term is small. R is a polynomial interpolated at
// Chebyshev nodes (degree 3 for float, 6 for double); its errors, times s^2, are 3e-11 and 1e-17.
template <class V>
inline V log_of(V x) {
  using T = lane_of<V>;
  using C = ExpConstants<T>;
  using D = LogConstants<T>;
  using I = Integers<T>;
  const I tiny = x < D::smallest_normal;
  const V normal = tiny ? x * D::up : x;
  const I n = (bits_of(normal) - bits_of(D::root_half)) >> C::mantissa_bits;
  const V f = numbers_of(bits_of(normal) - (n << C::mantissa_bits)) - 1;
  const V exponent = __builtin_convertvector(tiny ? n - D::up_bits : n, V);
  const V s = f / (2 + f), z = s * s, half_square = f * f / 2;
  constexpr int degree = sizeof D::R / sizeof D::R[0] - 1;
  V R = broadcast(D::R[degree]);
#pragma GCC unroll 16
  for (int i = degree - 1; i >= 0; i--) R = R * z + D::R[i];
  const V tail = s * (half_square + z * R) + exponent * C::ln2_low;
  V y = exponent * C::ln2_high + (f - (half_square - tail));
  y = x < D::inf ? y : x;              // inf and NaN
  y = x > 0 ? y : broadcast(-D::inf);  // 0, and for now what is below
  return x >= 0 ? y : broadcast(T(__builtin_nan("")));
}

// expm1, exp(x) - 1. At most 2 from the rounded result; -0 stays.
template <class V>
inline V expm1_of(V x) {
  using T = lane_of<V>;
  using C = ExpConstants<T>;
  const auto e = split_exp<T>(at_most(C::highest, at_least(C::lowest, x)));
  // In two factors, so that 2^n does not overflow where the result does not.
  const V half = power_of_two<T>(e.n - 1);
  const V y = 2 * (half * e.excess + (half - T(0.5)));
  return x == 0 ? x : y;
}

// log1p of numbers that are not negative. At most 3 from the rounded result. The error that rounding makes of 1 + x is
// mended by a factor (Kahan).
template <class V>
inline V log1p_of(V x) {
  const V sum = 1 + x, rounded = sum - 1;
  return rounded == 0 ? x : log_of(sum) * (x / rounded);
}

// softplus, log(1 + exp(x)). At most 4 from the rounded result, where that is a normal number.
template <class V>
inline V softplus_of(V x) {
  return (x < 0 ? V{} : x) + log1p_of(exp_of(-absolute(x)));
}

#define FASTMLP_FUNCTION(name)                                          \
  inline Vector<float> name(Vector<float> x) { return name##_of(x); }   \
  inline Vector<double> name(Vector<double> x) { return name##_of(x); } \
  inline float name(float x) { return name##_of(broadcast(x))[0]; }     \
  inline double name(double x) { return name##_of(broadcast(x))[0]; }
FASTMLP_FUNCTION(exp)
FASTMLP_FUNCTION(log)
FASTMLP_FUNCTION(sigmoid)
FASTMLP_FUNCTION(tanh)
FASTMLP_FUNCTION(expm1)
FASTMLP_FUNCTION(log1p)
FASTMLP_FUNCTION(softplus)
#undef FASTMLP_FUNCTION

}  // namespace
}  // namespace fastmlp
