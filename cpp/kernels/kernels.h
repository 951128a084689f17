// The kernel table: all that is compiled once per instruction set, as function pointers.
//
// Contract. A matrix is row-major with a row stride counted in elements. "n columns" are rounded up
// to whole vectors (`lanes` elements) wherever a kernel reads or writes a row: what lies there must
// be readable, and is overwritten in results. Pointers need the alignment of an element only. No
// kernel allocates, throws or keeps state; every sum runs in one fixed order, so the bits of an
// element do not depend on the size of the matrix around it (few_steps takes another order for other
// numbers of samples).
#pragma once

#include <cstddef>
#include <cstdint>

#include "../ops/activations.h"
#include "../ops/losses.h"
#include "../ops/optimizers.h"

namespace fastmlp {

// A matrix. Row-major, its rows `stride` apart; or cut into panels of a few columns, each of them a row-major
// matrix of panel_rows rows by itself, so that what a product reads is one contiguous stream, whatever the width.
template <class T>
struct Matrix {
  T* data;
  int64_t stride;      // between rows; 0 where each panel is as wide as its columns, in whole vectors
  int64_t panel_rows;  // between panels; 0 where there are none
};

// A (rows, n) in place: a = s(z).
template <class T>
using Activate = void (*)(T* a, int64_t rows, int64_t n, int64_t stride, T parameter);
// delta (rows, n) in place: delta *= s', given where the derivative is taken (the activation, or the net input where s
// needs it), whose rows have the same stride.
template <class T>
using Differentiate = void (*)(T* delta, const T* at, int64_t rows, int64_t n, int64_t stride, T parameter);

// What is wanted next of something as large as C: it lies in pieces, each of as many rows as a panel has columns.
template <class T>
struct Wanted {
  const T* data = nullptr;
  int64_t piece = 0;  // from a piece to the next
};
constexpr int max_wanted = 2 + max_slots;

constexpr int64_t line_bytes = 64;  // of the cache

constexpr int64_t shortest_ahead = 4 * line_bytes;  // of a row that is fetched so:

// n rows of X, order[first..] (null: first..), that will be loaded soon: with each tile of a product a piece of a row,
// of so many bytes, is fetched, as far as there are tiles. Of the first row some bytes are done.
struct Ahead {
  const void* X = nullptr;
  int64_t row_bytes = 0;
  const int64_t* order = nullptr;
  int64_t first = 0, n = 0, piece = 0, done = 0;
};

// C = A B, or C += A B, with A (m, k), B (k, n), C (m, n). A may be given transposed, which costs nothing. Its panels
// have a stride. k is at least 1.
template <class T>
struct Product {
  int64_t m, n, k;
  Matrix<const T> a;
  bool transposed;
  Matrix<const T> b;
  Matrix<T> c;
  // A B is summed up by itself, and then added: without an activation, and where A's rows don't lie in panels.
  bool accumulate = false;
  // Laid out like C. With an activation, where the net inputs go if it needs them for its derivative (null: nowhere);
  // with a derivative, where that is taken.
  T* beside = nullptr;
  T parameter = 0;                    // of the activation
  bool biased = false;                // sums begin with row k of B; where A is transposed, with column k of A
  const Wanted<T>* wanted = nullptr;  // max_wanted of them, which are fetched into the cache meanwhile
  Ahead ahead{};                      // so are these, where there is no activation
};

template <class T>
using Multiply = void (*)(const Product<T>&);

// A loss and its parameters.
constexpr int max_loss_parameters = 16;
struct LossOf {
  int id = 0, n_parameters = 0;
  double parameters[max_loss_parameters] = {};
};

// Outputs of samples, or net inputs where the loss has a link, with targets Y (rows, n_targets) and weights (null:
// ones). losses[i] = weight[i] * loss of row i, added up in T; delta = scale * weight[i] * dloss/doutputs, and 0 in the
// rest of the last vector. What lies behind the last columns does not count. delta may be null.
template <class T>
struct LossRows {
  const LossOf& loss;
  const T* outputs;
  int64_t stride;
  const T *Y, *weight;
  T scale;
  T* delta;
  double* losses;
  int64_t rows, n, n_targets;
};

// A pass over a block of samples that lie in columns: A and delta have a row per neuron, of `columns`
// samples (whole vectors). One row more of A, all ones, serves the gradients of the next layer's biases.
template <class T>
struct ColumnLayer {
  int64_t n_out, rows;  // W (rows, n_out) with b as its last row, dense, and dW alike
  int activation;
  T parameter;  // of the activation
  const T* W;
  T *dW, *A, *Z, *delta;  // Z: null unless the derivative needs it
};

template <class T>
struct ColumnPass {
  const ColumnLayer<T>* layers;
  int n_layers;
  int64_t columns;
  const T *X, *Y;   // X with its row of ones
  const T* weight;  // 0 in the columns that are padding
  T scale;
  const LossOf& loss;
  int64_t n_targets;
  bool bias, accumulate;  // accumulate: add to dW
};

// Training on batches of a few samples. Of a layer's neurons, the first n_along lie as in W, one row for each input,
// and the others, too few to fill a vector, across: one row for each neuron. Rows are whole vectors, and padding is
// zero. A, Z and delta have a row of `width` elements for each sample. Behind the last neuron of A stands a one for the
// next layer's biases (0 without), then zeros.
template <class T>
struct FewWeights {
  int64_t rows, stride;
  T *W, *slots[max_slots];
};

template <class T>
struct FewLayer {
  int64_t n_out, n_along, width;
  FewWeights<T> along, across;
  int activation;
  T parameter;       // of the activation
  T *A, *Z, *delta;  // Z: null unless the derivative needs it
};

template <class T>
struct FewRun {
  const FewLayer<T>* layers;
  int n_layers, rule;
  const LossOf& loss;
  int64_t batch_size, n_in, n_targets;
  T* inputs;  // a row of input_width elements for each sample, with its tail
  int64_t input_width;
  T* transposed;            // room for a vector's width of W.T of the widest layer
  T* targets;               // a copy with a vector's room, for losses that read vectors of them; otherwise null
  T one;                    // 1, or 0 without biases
  const T *X, *Y, *weight;  // weight may be null
  const int64_t* order;     // of the rows; may be null
};

template <class T>
struct Kernels {
  int64_t lanes;      // elements of a vector
  int64_t panel;      // columns of a panel, a multiple of lanes
  int64_t tile_rows;  // rows of a full tile of multiply
  double speed;       // multiply-adds of a nanosecond, more or less

  Multiply<T> multiply;
  // C = s(A B), and C = (A B) * s' taken at what lies beside C.
  Multiply<T> multiply_and_activate[Activations::size];
  Multiply<T> multiply_and_differentiate[Activations::size];
  // y[i * y_stride] = row i of A (m, k) times w. What lies behind their last columns does not count.
  void (*multiply_by_vector)(int64_t m, int64_t k, const T* a, int64_t a_stride, const T* w, T* y, int64_t y_stride);
  // C = A B.T, with A (m, k), B (n, k) and C (m, n). B is packed. Columns are multiplied
  // up to the end of a vector, so A's and B's end in zeros, and so do C's.
  void (*multiply_by_transposed)(int64_t m, int64_t n, int64_t k, const Matrix<const T>& a, const Matrix<const T>& b,
                                 const Matrix<T>& c);
  Activate<T> activate[Activations::size];
  Differentiate<T> differentiate[Activations::size];
  // n elements, in place: x = exp(x), x = log(x).
  void (*exp)(T* x, int64_t n);
  void (*log)(T* x, int64_t n);
  void (*loss[Losses::size])(const LossRows<T>&);
  // Net inputs (rows, n) of the last layer become outputs, in place.
  void (*link[Links::size])(T* a, int64_t rows, int64_t n, int64_t stride);
  // Forward, backward and gradient of a block; the sum of weight * loss.
  double (*column_pass)(const ColumnPass<T>&);
  // The steps of n rows, or those before the first whose loss is not finite; returns their number. weight * loss is
  // added to sum, also that of such a step. There are constants for each step, or for one where all steps share them.
  int64_t (*few_steps)(const FewRun<T>&, int64_t n, const double* constants, bool shared, double* sum);
  // Rows of n (whole vectors) parameters w, which like those of g follow each other, move along scale * g; slot[i] are
  // the rule's arrays, whose rows are slot_stride apart, and c its constants.
  void (*update[Optimizers::size])(T* w, const T* g, T* const* slot, const double* c, T scale, int64_t rows, int64_t n,
                                   int64_t slot_stride);
  // Of n elements: g += l2 * w + l1 * sign(w); g kept from -limit to limit; x *= factor.
  void (*penalize)(const T* w, T* g, T l1, T l2, int64_t n);
  void (*clip)(T* g, T limit, int64_t n);
  void (*scale)(T* x, T factor, int64_t n);
  // The n columns of W (rows, n) scaled down to norms of `limit`, where they are longer.
  void (*limit_columns)(T* W, int64_t rows, int64_t n, int64_t stride, double limit);
  // to (n, m) = from (m, n) transposed. Whole vectors of `to` are written, with zeros beyond column m.
  void (*transpose)(const T* from, int64_t from_stride, int64_t m, int64_t n, T* to, int64_t to_stride);
  // to (m * n, columns): row i * n + j is row i of a (m, columns) times row j of b (n, columns), element by element;
  // rows of a, b and `to` have the same stride, but those of the next i lie to_step further on.
  void (*khatri_rao)(int64_t m, int64_t n, int64_t columns, const T* a, const T* b, int64_t stride, T* to,
                     int64_t to_step);
  // The n columns of m rows, copied into panels of panel_rows rows.
  void (*lay_in_panels)(const T* from, int64_t from_stride, int64_t m, int64_t n, T* to, int64_t panel_rows);
  // m rows of n elements, whole vectors. What is copied is not needed soon, and `to`, where it is aligned to vectors,
  // does not take room in the cache.
  void (*copy_past_cache)(int64_t m, int64_t n, const T* from, int64_t from_stride, T* to, int64_t to_stride);
  // In place: elements whose place, with this key, is `dropped` become 0, the others are scaled. Rows count from
  // first_row.
  void (*drop)(T* a, int64_t rows, int64_t n, int64_t stride, int64_t first_row, uint32_t key, uint32_t dropped,
               T scale);
  // Row i of `to` = row order[first + i] (null: first + i) of X (rows, n), for m rows; returns whether they are finite.
  // Where n is not a number of whole vectors, a one and zeros fill the last vector. Rows too short for Ahead, `next`
  // behind these (0: none), are fetched.
  bool (*lay_rows)(const T* X, int64_t rows, const int64_t* order, int64_t first, int64_t m, int64_t n,
                   const Matrix<T>& to, int64_t next);
  // The index of the first NaN or inf of n elements, or -1.
  int64_t (*find_nonfinite)(const T* x, int64_t n);
  double (*sum_of_squares)(const T* x, int64_t n);
  // to = the sum of n_terms arrays of n elements (whole vectors), one after the other.
  void (*add_up)(const T* const* terms, int64_t n_terms, int64_t n, T* to);
  // As many multiply-adds as a full tile has, `rounds` times over, in registers alone; their number. This is the
  // rate that nothing here can pass.
  int64_t (*spin)(int64_t rounds);
};

struct Table {
  const char* name;
  Kernels<float> float32;
  Kernels<double> float64;
};

// The tables, the plainest first, and whether this processor runs them (dispatch.cpp).
constexpr int max_tables = 3;
struct Available {
  const Table* table;
  bool runs;
};
int tables(Available (&list)[max_tables]);

// The table in use: the best one that runs here, unless use_table has chosen.
const Table& table();
void use_table(const Table& chosen);

template <class T>
const Kernels<T>& kernels();

// Those with the shortest vectors, of AVX2's at least, that still hold n elements in one; kernels() if none
// does. The processor runs whatever is older than the table in use, and half a vector takes half the time.
template <class T>
const Kernels<T>& narrowest_kernels(int64_t n);

}  // namespace fastmlp
