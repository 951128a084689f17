// A list of types: ids, names and per-instruction-set tables are made from it, never typed again.
#pragma once

namespace fastmlp {
namespace {

template <class... Ts>
struct List {
  static constexpr int size = sizeof...(Ts);
};

}  // namespace
}  // namespace fastmlp
