// The normal distribution, sine and cosine of vectors.
#pragma once

#include "vmath.h"

namespace fastmlp {
namespace {

template <class T>
struct MillsConstants;

template <>
struct MillsConstants<float> {
  static constexpr float centre = 4, widest = 14.5f;  // beyond it the tail is 0
  static constexpr int kept_bits = 12;
  static constexpr float P[] = {1.18326191429f,    -0.242399647095f,    0.0350918849181f,   0.0716896508594f,
                                -0.0807079543483f, 0.044967531302f,     -0.0125385076964f,  -0.000751784847081f,
                                0.00173169124835f, -0.000167285314701f, -0.000186429335323f};
};

template <>
struct MillsConstants<double> {
  static constexpr double centre = 5, widest = 38.6;
  static constexpr int kept_bits = 26;
  static constexpr double P[] = {
      1.1568486282918945866,       -0.22948753825211289159,    0.077781598868736605925,   0.025072179301610789754,
      -0.066177600779059774991,    0.06150504584104762989,     -0.038026592186158575037,  0.016348231268899631669,
      -0.0042012903306737376144,   0.000019530732186009892021, 0.00045704396499911107147, -0.00013437471318776466566,
      -0.000024806135616724256612, 0.000022710862095507118912, -1.7520957632852617315e-7, -3.279496028690205202e-6,
      3.1804045493357028978e-7,    4.9421717854710612805e-7,   -6.2577347591919645332e-8, -7.8509653700674313822e-8,
      6.6780263248280992528e-9,    1.0793361740925418943e-8,   4.0845061864803652433e-11, -6.9437317170176858761e-10};
};

template <class T>
struct NormalDistribution {
  Vector<T> cumulative, density;
};

// The cumulative distribution of the standard normal at z, and its density. With h = |z|, the tail is density(h) M(h),
// where M is Mills' ratio and (1 + h) M(h) a polynomial in (h - c) / (h + c), interpolated at Chebyshev nodes (degree
// 10 for float, 23 for double; relative errors 3e-9 and 2e-18). h^2 is taken in two parts, so that exp(-h^2 / 2) keeps
// its digits. At most 4 from the rounded result where that is a normal number.
template <class T>
inline NormalDistribution<T> normal_distribution_of(Vector<T> z) {
  using C = MillsConstants<T>;
  using I = Integers<T>;
  constexpr I one = I{} + 1;
  const Vector<T> h = at_most(C::widest, absolute(z));
  const Vector<T> high = numbers_of(bits_of(h) & ~((one << (ExpConstants<T>::mantissa_bits + 1 - C::kept_bits)) - 1));
  const Vector<T> rest = (h - high) * (h + high) / 2;
  const Vector<T> bell = exp_of(-(high * high) / 2) * exp_of(-rest);
  const Vector<T> density = bell * T(0.398942280401432677940);
  const Vector<T> t = (h - C::centre) / (h + C::centre);
  constexpr int degree = sizeof C::P / sizeof C::P[0] - 1;
  Vector<T> P = broadcast(C::P[degree]);
#pragma GCC unroll 32
  for (int i = degree - 1; i >= 0; i--) P = P * t + C::P[i];
  const Vector<T> tail = density * P / (1 + h);
  const Vector<T> cumulative = z > 0 ? 1 - tail : tail;
  return {z == z ? cumulative : z, density};
}

inline NormalDistribution<float> normal_distribution(Vector<float> z) { return normal_distribution_of<float>(z); }
inline NormalDistribution<double> normal_distribution(Vector<double> z) { return normal_distribution_of<double>(z); }

template <class T>
struct SineConstants;

template <>
struct SineConstants<float> {
  static constexpr float two_by_pi = 0.636619772f;
  static constexpr float high = 1.5703125f, middle = 4.8375129699707031e-4f, low = 7.5497894158615964e-8f;
  static constexpr float largest = 8192;
  static constexpr float S[] = {-0.16666666663622831882f, 0.0083333317852176954016f, -0.00019840038872556747687f,
                                2.724378140946122915e-6f};
  static constexpr float C[] = {0.041666666664127211898f, -0.001388888759732781124f, 0.000024800560429914503467f,
                                -2.729583082761461564e-7f};
};

template <>
struct SineConstants<double> {
  static constexpr double two_by_pi = 0.63661977236758134308;
  static constexpr double high = 1.57079632673412561417, middle = 6.07710050359346054538e-11,
                          low = 2.91273205609335603533e-20;
  static constexpr double largest = 1e6;
  static constexpr double S[] = {-0.16666666666666666665,   0.0083333333333333312588, -0.00019841269841264565895,
                                 2.7557319218954762264e-6,  -2.505210610025598923e-8, 1.6058510875319194913e-10,
                                 -7.5854864852359381405e-13};
  static constexpr double C[] = {0.041666666666666666666,   -0.0013888888888888887736, 0.000024801587301584368969,
                                 -2.7557319221189104203e-7, 2.0876755717584403743e-9,  -1.1470449354466772619e-11,
                                 4.7451988072028758106e-14};
};

inline float sine_of_one(float x) { return __builtin_sinf(x); }
inline double sine_of_one(double x) { return __builtin_sin(x); }
inline float cosine_of_one(float x) { return __builtin_cosf(x); }
inline double cosine_of_one(double x) { return __builtin_cos(x); }

// sin, and cos as the sine a quarter of a turn on. x = n pi/2 + r with |r| <= pi/4, in three parts of pi/2; then
// polynomials in r^2, interpolated at Chebyshev nodes, for sin r or cos r. The error is at most 1.5e-7 (float) and
// 3e-16 (double), absolutely; x beyond 8192 (float) and 1e6 (double) goes to the C library.
template <bool quarter_on, class T>
inline Vector<T> sine_of(Vector<T> x) {
  using C = SineConstants<T>;
  using I = Integers<T>;
  const Vector<T> shifted = x * C::two_by_pi + ExpConstants<T>::round, n = shifted - ExpConstants<T>::round;
  const I quadrant = bits_of(shifted) - bits_of(ExpConstants<T>::round) + (quarter_on ? I{} + 1 : I{});
  const Vector<T> r = x - n * C::high - n * C::middle - n * C::low, square = r * r;
  constexpr int degree = sizeof C::S / sizeof C::S[0] - 1;
  Vector<T> S = broadcast(C::S[degree]), K = broadcast(C::C[degree]);
#pragma GCC unroll 8
  for (int i = degree - 1; i >= 0; i--) {
    S = S * square + C::S[i];
    K = K * square + C::C[i];
  }
  const Vector<T> sine = r + r * square * S, cosine = 1 - square / 2 + square * square * K;
  Vector<T> y = (quadrant & 1) != 0 ? cosine : sine;
  y = (quadrant & 2) != 0 ? -y : y;
  const I far = !(absolute(x) <= C::largest);
  for (int64_t i = 0; i < lanes<T>; i++)
    if (far[i]) y[i] = quarter_on ? cosine_of_one(x[i]) : sine_of_one(x[i]);
  return y;
}

inline Vector<float> sin(Vector<float> x) { return sine_of<false, float>(x); }
inline Vector<double> sin(Vector<double> x) { return sine_of<false, double>(x); }
inline Vector<float> cos(Vector<float> x) { return sine_of<true, float>(x); }
inline Vector<double> cos(Vector<double> x) { return sine_of<true, double>(x); }

}  // namespace
}  // namespace fastmlp
