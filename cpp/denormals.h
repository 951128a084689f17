// Numbers below the normal range (denormals) taken as zero while a run lasts: weights that drift there
// would slow every operation on them many times over. The setting belongs to a thread.
#pragma once

#include <cstdint>

namespace fastmlp {

using FloatControl = uint64_t;

inline FloatControl float_control() {
#if defined(__x86_64__) || defined(_M_X64)
  return __builtin_ia32_stmxcsr();
#elif defined(__aarch64__)
  FloatControl control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  return control;
#else
  return 0;
#endif
}

inline void set_float_control(FloatControl control) {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_ldmxcsr(uint32_t(control));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" : : "r"(control));
#else
  (void)control;
#endif
}

inline FloatControl with_denormals_zero(FloatControl control) {
#if defined(__x86_64__) || defined(_M_X64)
  return control | 0x8040;  // flush to zero, denormals are zero
#elif defined(__aarch64__)
  return control | (1u << 24);
#else
  return control;
#endif
}

// The calling thread's setting, for a while.
class FloatControlScope {
 public:
  explicit FloatControlScope(FloatControl control) : before_(float_control()) { set_float_control(control); }
  ~FloatControlScope() { set_float_control(before_); }
  FloatControlScope(const FloatControlScope&) = delete;
  FloatControlScope& operator=(const FloatControlScope&) = delete;

 private:
  const FloatControl before_;
};

}  // namespace fastmlp
