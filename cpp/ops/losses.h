// Losses: the error of one output, and its derivative. A sample's loss is the sum over its outputs.
#pragma once

#include "list.h"

namespace fastmlp {
namespace {

struct SquaredError {
  static constexpr const char* name = "squared_error";
  template <class V>
  static V value(V y_hat, V y) {
    V residual = y_hat - y;
    return residual * residual / 2;
  }
  template <class V>
  static V derivative(V y_hat, V y) {
    return y_hat - y;
  }
};

using Losses = List<SquaredError>;

}  // namespace
}  // namespace fastmlp
