// The one source that is compiled once per instruction set. FASTMLP_ISA is the set's name, and
// table_<name> the only symbol that leaves: everything else is in anonymous namespaces.
// special.h and vmath.h come first: the operations of ops/ call their functions.
#include "special.h"
#include "vmath.h"

#include "columns.h"
#include "dropout.h"
#include "elementwise.h"
#include "few.h"
#include "gemm.h"
#include "losses.h"
#include "penalties.h"
#include "transpose.h"

#define FASTMLP_JOIN_(a, b) a##b
#define FASTMLP_JOIN(a, b) FASTMLP_JOIN_(a, b)
#define FASTMLP_QUOTE_(a) #a
#define FASTMLP_QUOTE(a) FASTMLP_QUOTE_(a)

namespace fastmlp {
namespace {

template <class T, class... S, class... E, class... K, class... U>
constexpr Kernels<T> make_kernels(List<S...>, List<E...>, List<K...>, List<U...>) {
  return {
      lanes<T>,
      tile_vectors * lanes<T>,
      tile_rows,
      multiply_adds_by_lane * double(lanes<T>),
      multiply<T>,
      {multiply_and_activate<S, T>...},
      {multiply_and_differentiate<S, T>...},
      multiply_by_vector<T>,
      multiply_by_transposed<T>,
      {activate<S, T>...},
      {differentiate<S, T>...},
      apply_exp<T>,
      apply_log<T>,
      {loss<E, T>...},
      {apply_link<K, T>...},
      column_pass<T>,
      few_steps<T>,
      {update<U, T>...},
      penalize<T>,
      clip<T>,
      scale<T>,
      limit_columns<T>,
      transpose<T>,
      khatri_rao<T>,
      lay_in_panels<T>,
      copy_past_cache<T>,
      drop<T>,
      lay_rows<T>,
      find_nonfinite<T>,
      sum_of_squares<T>,
      add_up<T>,
      spin<T>,
  };
}

}  // namespace

extern const Table FASTMLP_JOIN(table_, FASTMLP_ISA);
constexpr Table FASTMLP_JOIN(table_, FASTMLP_ISA) = {
    FASTMLP_QUOTE(FASTMLP_ISA),
    make_kernels<float>(Activations{}, Losses{}, Links{}, Optimizers{}),
    make_kernels<double>(Activations{}, Losses{}, Links{}, Optimizers{}),
};

}  // namespace fastmlp
