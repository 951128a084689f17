// Threads that are made for a call and joined in it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace fastmlp {

// How many threads to have where n_threads were asked for (0: as many as are usable) and the work can
// keep at most `useful` of them busy.
int choose_threads(int n_threads, double useful);

// A team of threads, the caller's among them, that goes through the items of a region. Each thread has
// a range of its own, the same one in every region of so many items, so that it finds in its cache what
// it left there; who is done with that takes items of the others, so that a thread which another process
// keeps waiting holds nobody up for long. An item's result must not depend on who takes it.
class Team {
 public:
  explicit Team(int n_threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Below this many multiply-adds (about 30 us on one core) a region is not shared: the hand-over takes
  // 0.3 us, but what one core wrote and another reads next has to travel between their caches.
  static constexpr double break_even = 1.5e6;
  // The same, where every thread reads what it wrote itself.
  static constexpr double break_even_apart = 5e5;
  // Starting a thread takes some 0.1 ms: a call should have at least twice as much to do for each.
  static constexpr double worth_a_thread = 1.2e7;

  int size() const { return int(workers_.size()) + 1; }

  // How many threads a region of so many multiply-adds should have.
  int share(double multiply_adds) const { return multiply_adds < break_even ? 1 : size(); }

  // The same for a step that takes one thread so many nanoseconds, and in which `exchanged` bytes are written on one
  // processor and read on another.
  int share_step(double nanoseconds, double exchanged);

  // Whether n_threads shorten such a step. What a cache line costs depends on where the processors are, which in a
  // virtual machine changes from second to second: it goes with the time of a hand-over, which is measured now and
  // then.
  static bool gains(int n_threads, double nanoseconds, double exchanged);

  // Call body(item, thread) for items 0..n_items-1 on n_threads of the team; thread 0 is the caller's.
  template <class Body>
  void run(int n_threads, int64_t n_items, const Body& body) {
    if (n_threads == 1 || n_items <= 1) {
      for (int64_t i = 0; i < n_items; i++) body(i, 0);
      return;
    }
    start(n_items, &body,
          [](const void* b, int64_t item, int thread) { (*static_cast<const Body*>(b))(item, thread); });
  }

 private:
  using Call = void (*)(const void* body, int64_t item, int thread);
  void start(int64_t n_items, const void* body, Call call);
  void work(int thread);
  void serve(int thread);
  void measure_hand_over();
  int64_t range_start(int thread) const { return n_items_ * thread / size(); }

  struct alignas(64) Cursor {
    std::atomic<int64_t> next{0};
  };

  const void* body_ = nullptr;
  Call call_ = nullptr;
  int64_t n_items_ = 0;
  int processor_ = -1;  // where the caller ran when the region began
  std::vector<Cursor> cursors_;
  alignas(64) std::atomic<uint32_t> round_{0};
  alignas(64) std::atomic<int> busy_{0};
  std::atomic<bool> leave_{false};
  std::chrono::nanoseconds hand_over_{0};
  std::chrono::steady_clock::time_point next_measurement_;
  std::vector<std::thread> workers_;
};

}  // namespace fastmlp
