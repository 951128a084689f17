// exp, tanh and sigmoid of vectors.
//
// Method. x = n ln 2 + r with n an integer and |r| <= ln 2 / 2, so that exp(x) = 2^n exp(r). With
// exp(r) - 1 = r + r^2 Q(r), Q a polynomial interpolated at Chebyshev nodes (degree 4 for float,
// 10 for double), the error of the polynomial is 8e-9 and 2e-19.
#pragma once

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
  static constexpr float lowest = -87.33f;   // below it 2^n is no normal number
  static constexpr float highest = 88.73f;   // above it n = 128, and 2^n is inf
  static constexpr float saturates = 10.0f;  // tanh is 1 from there on
  static constexpr int mantissa_bits = 23, exponent_bias = 127;
  static constexpr float Q[] = {0.5f, 0.16666576989f, 0.041666554617f, 0.0083631790527f, 0.0013926183588f};
};

template <>
struct ExpConstants<double> {
  static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double log2_e = 1.4426950408889634074;
  static constexpr double ln2_high = 6.93147180369123816490e-01;
  static constexpr double ln2_low = 1.90821492927058770002e-10;
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

// exp(x) = scale * (1 + excess), scale a power of two.
template <class T>
struct SplitExp {
  Vector<T> scale, excess;
};

template <class T>
inline SplitExp<T> split_exp(Vector<T> x) {
  using C = ExpConstants<T>;
  using I = typename Simd<T>::I;
  Vector<T> shifted = x * C::log2_e + C::round;
  Vector<T> n = shifted - C::round;
  Vector<T> r = x - n * C::ln2_high;
  r -= n * C::ln2_low;
  constexpr int degree = sizeof C::Q / sizeof C::Q[0] - 1;
  Vector<T> q = broadcast(C::Q[degree]);
#pragma GCC unroll 16
  for (int i = degree - 1; i >= 0; i--) q = q * r + C::Q[i];
  I bits = reinterpret<I>(shifted) - reinterpret<I>(broadcast(C::round));
  I scale = (bits + C::exponent_bias) << C::mantissa_bits;
  return {reinterpret<Vector<T>>(scale), r + r * r * q};
}

// 0 below -88.37 (float) and -709.4 (double), where exp(-x) leaves the range of normal numbers.
template <class T>
inline Vector<T> sigmoid_of(Vector<T> x) {
  using C = ExpConstants<T>;
  Vector<T> minus_x = -x;
  minus_x = C::lowest > minus_x ? broadcast(C::lowest) : minus_x;
  minus_x = C::highest < minus_x ? broadcast(C::highest) : minus_x;
  SplitExp<T> e = split_exp<T>(minus_x);
  return 1 / (1 + e.scale * (1 + e.excess));
}

// tanh |x| = t / (t + 2) with t = exp(2|x|) - 1, which is small without loss where x is.
template <class T>
inline Vector<T> tanh_of(Vector<T> x) {
  using C = ExpConstants<T>;
  using I = typename Simd<T>::I;
  const I sign_bit = reinterpret<I>(broadcast(T(-0.0)));
  I sign = reinterpret<I>(x) & sign_bit;
  Vector<T> magnitude = reinterpret<Vector<T>>(reinterpret<I>(x) & ~sign_bit);
  magnitude = C::saturates < magnitude ? broadcast(C::saturates) : magnitude;
  SplitExp<T> e = split_exp<T>(magnitude + magnitude);
  Vector<T> t = e.scale * e.excess + (e.scale - 1);
  return reinterpret<Vector<T>>(reinterpret<I>(t / (t + 2)) | sign);
}

inline Vector<float> sigmoid(Vector<float> x) { return sigmoid_of<float>(x); }
inline Vector<double> sigmoid(Vector<double> x) { return sigmoid_of<double>(x); }
inline Vector<float> tanh(Vector<float> x) { return tanh_of<float>(x); }
inline Vector<double> tanh(Vector<double> x) { return tanh_of<double>(x); }

}  // namespace
}  // namespace fastmlp
