// Picks the kernel table once, by what this processor runs.
#include "kernels.h"

namespace fastmlp {

#if defined(__x86_64__) || defined(_M_X64)
extern const Table table_baseline, table_v3, table_v4;

int tables(Available (&list)[max_tables]) {
  __builtin_cpu_init();
  // The features of the levels that compilers know by name here; processors that have these have the
  // small rest (lzcnt, movbe, f16c) too.
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  list[0] = {&table_baseline, true};
  list[1] = {&table_v3, v3};
  list[2] = {&table_v4, v4};
  return 3;
}
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const Table table_neon;

int tables(Available (&list)[max_tables]) {
  list[0] = {&table_neon, true};
  return 1;
}
#else
extern const Table table_baseline;

int tables(Available (&list)[max_tables]) {
  list[0] = {&table_baseline, true};
  return 1;
}
#endif

namespace {

const Table* best() {
  Available list[max_tables];
  const Table* found = nullptr;
  for (int i = 0, n = tables(list); i < n; i++)
    if (list[i].runs) found = list[i].table;
  return found;
}

const Table* in_use = best();

}  // namespace

const Table& table() { return *in_use; }

void use_table(const Table& chosen) { in_use = &chosen; }

template <>
const Kernels<float>& kernels<float>() {
  return in_use->float32;
}

template <>
const Kernels<double>& kernels<double>() {
  return in_use->float64;
}

template <class T>
const Kernels<T>& narrowest_kernels(int64_t n) {
#if defined(__x86_64__) || defined(_M_X64)
  const Kernels<T>* v3 = nullptr;
  if constexpr (sizeof(T) == sizeof(float))
    v3 = &table_v3.float32;
  else
    v3 = &table_v3.float64;
  if (in_use == &table_v4 && n <= v3->lanes) return *v3;
#endif
  (void)n;
  return kernels<T>();
}

template const Kernels<float>& narrowest_kernels(int64_t);
template const Kernels<double>& narrowest_kernels(int64_t);

}  // namespace fastmlp
