// How a layer's parameters lie for steps on a few samples. Most of its neurons lie along, as in W: in one row for each
// input, of whole vectors. Those of a last vector that would be nearly empty lie across: in one row for each neuron.
#pragma once

#include "network.h"
#include "workspace.h"

namespace fastmlp {

struct FewLayout {
  int64_t n_along, along_stride, n_across, across_stride;
  int64_t size;  // elements, whole vectors
};

template <class T>
FewLayout few_layout(const Layer& layer, const Kernels<T>& kernels) {
  const int64_t lanes = kernels.lanes, last = layer.n_out % lanes;
  FewLayout layout{};
  layout.across_stride = round_up(layer.n_in + 1, lanes);
  // By half or more of their vectors, since sums across lanes take some time too.
  const bool saves = 2 * last * layout.across_stride < layer.rows * lanes;
  layout.n_across = saves ? last : 0;
  layout.n_along = layer.n_out - layout.n_across;
  layout.along_stride = round_up(layout.n_along, lanes);
  // Rows pages apart would fall into the same few sets of the first-level cache.
  constexpr int64_t page = 4096 / int64_t(sizeof(T));
  if (layout.n_along && layout.along_stride % page == 0) layout.along_stride += lanes;
  layout.size = layer.rows * layout.along_stride + layout.n_across * layout.across_stride;
  return layout;
}

}  // namespace fastmlp
