// A list of types: ids, names and per-instruction-set tables are made from it, never typed again.
#pragma once

namespace fastmlp {
namespace {

template <class... Ts>
struct List {
  static constexpr int size = sizeof...(Ts);
};

// The type of a vector's lanes, or of the scalar that takes its place.
template <class V>
inline auto first_lane(const V& v) {
  auto lane = v[0];
  return lane;
}
inline float first_lane(float x) { return x; }
inline double first_lane(double x) { return x; }

template <class V>
using lane_of = decltype(first_lane(V{}));

}  // namespace
}  // namespace fastmlp
