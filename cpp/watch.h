// When it is time to let Python have a look.
#pragma once

#include <chrono>

namespace fastmlp {

// Looks at the clock once in so much work, and tells when a report is due.
class Watch {
 public:
  bool due(double multiply_adds) {
    if ((done_ += multiply_adds) < look_every) return false;
    done_ = 0;
    const Clock::time_point now = Clock::now();
    if (now < next_) return false;
    next_ = now + report_every;
    return true;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr double look_every = 1e6;  // 20 us to 1 ms
  static constexpr std::chrono::milliseconds report_every{10};
  double done_ = 0;
  Clock::time_point next_ = Clock::now() + report_every;
};

}  // namespace fastmlp
