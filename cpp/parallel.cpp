#include "parallel.h"

#include <algorithm>
#include <system_error>

#include "denormals.h"
#include "processors.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace fastmlp {

namespace {

// Regions follow each other within microseconds: a worker watches for the next one so long before
// it sleeps.
constexpr int spins = 20000;
// A worker that has not come back after so long may be waiting for this very processor.
constexpr int spins_before_yielding = 500;

using Clock = std::chrono::steady_clock;

// How long a hand-over took when it was last measured, by a team with a processor for each thread, and when that was.
// What nobody has measured lately is taken to be what it is where processors share a cache.
// What took longer than processors far from each other need was a thread that waited for one, which says nothing about
// the next team.
constexpr std::chrono::nanoseconds short_hand_over{220}, long_hand_over{1500};
constexpr std::chrono::seconds forgotten_after{1};
std::atomic<std::chrono::nanoseconds> measured_hand_over{short_hand_over};
std::atomic<Clock::time_point> measured_at{Clock::time_point{}};

std::chrono::nanoseconds recent_hand_over() {
  return Clock::now() - measured_at.load() < forgotten_after ? measured_hand_over.load() : short_hand_over;
}

// Nothing hands over faster than this but two threads of one core, which have one set of multipliers between them
// (measured: 70 to 100 ns; 190 and more between cores).
constexpr std::chrono::nanoseconds hand_over_in_core{110};

// A line costs this part of a hand-over, where others are on their way meanwhile (measured: 2-4 ns of 220).
constexpr double line_per_hand_over = 0.015, line_bytes = 64;

bool pays(int n_threads, std::chrono::nanoseconds hand_over, double nanoseconds, double exchanged) {
  if (hand_over < hand_over_in_core) return false;
  const double line = double(hand_over.count()) * line_per_hand_over;
  return nanoseconds * (1 - 1.0 / n_threads) > exchanged / line_bytes * line;
}

// A new team works for so long before it measures, and then again and again: its threads need a while to start.
constexpr std::chrono::microseconds until_measured{300};
constexpr std::chrono::milliseconds measured_every{20}, after_waiting{500};

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Move the calling thread, the team's `thread`th, to a processor of its own, and leave it to the scheduler from
// there. New and woken threads often start where their maker runs; the scheduler takes milliseconds to part them,
// and each region would take as long.
void part(int thread, int makers_processor) {
#if defined(__linux__)
  cpu_set_t allowed, one;
  if (makers_processor < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  const int n = CPU_COUNT(&allowed);
  int rank = 0, wanted = 0;
  for (int cpu = 0; cpu < makers_processor; cpu++) rank += CPU_ISSET(cpu, &allowed) ? 1 : 0;
  wanted = (rank + thread) % n;
  for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &allowed) || seen++ != wanted) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
    return;
  }
#else
  (void)thread;
  (void)makers_processor;
#endif
}

int current_processor() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

}  // namespace

int choose_threads(int n_threads, double useful) {
  if (useful < 2) return 1;
  return int(std::min(useful, double(n_threads ? n_threads : usable_processors())));
}

Team::Team(int n_threads) : cursors_(size_t(n_threads)) {
  if (n_threads == 1) return;
  hand_over_ = recent_hand_over();
  next_measurement_ = Clock::now() + until_measured;
  const FloatControl control = float_control();  // workers compute as their caller does
  workers_.reserve(size_t(n_threads));
  try {
    for (int thread = 1; thread < n_threads; thread++)
      workers_.emplace_back([this, thread, control] {
        set_float_control(control);
        serve(thread);
      });
  } catch (const std::system_error&) {
    // The system gives no more threads: those that there are do the work.
  }
}

Team::~Team() {
  leave_ = true;
  round_.fetch_add(1);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

int Team::share_step(double nanoseconds, double exchanged) {
  if (size() == 1) return 1;
  if (Clock::now() >= next_measurement_) measure_hand_over();
  return pays(size(), hand_over_, nanoseconds, exchanged) ? size() : 1;
}

bool Team::gains(int n_threads, double nanoseconds, double exchanged) {
  return pays(n_threads, recent_hand_over(), nanoseconds, exchanged);
}

void Team::measure_hand_over() {
  constexpr int tries = 10, tries_while_waiting = 3;
  const auto hand_over = [this] { run(size(), size(), [](int64_t, int) {}); };
  hand_over();  // who sleeps wakes up
  auto least = Clock::duration::max();
  auto end = Clock::now();
  for (int i = 0; i < (least > long_hand_over ? tries_while_waiting : tries); i++) {
    const auto start = end;
    hand_over();
    end = Clock::now();
    least = std::min(least, end - start);
  }
  hand_over_ = least;
  const bool waits = hand_over_ > long_hand_over;
  next_measurement_ = end + (waits ? after_waiting : measured_every);
  if (waits || size() > usable_processors()) return;
  measured_hand_over = hand_over_;
  measured_at = end;
}

void Team::start(int64_t n_items, const void* body, Call call) {
  body_ = body;
  call_ = call;
  n_items_ = n_items;
  processor_ = current_processor();
  for (int thread = 0; thread < size(); thread++)
    cursors_[size_t(thread)].next.store(range_start(thread), std::memory_order_relaxed);
  busy_.store(int(workers_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  work(0);
  for (int i = 0; busy_.load(std::memory_order_acquire) != 0; i++)
    if (i < spins_before_yielding)
      relax();
    else
      std::this_thread::yield();
}

void Team::work(int thread) {
  for (int turn = 0; turn < size(); turn++) {
    const int owner = (thread + turn) % size();
    std::atomic<int64_t>& next = cursors_[size_t(owner)].next;
    const int64_t end = range_start(owner + 1);
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < end;) call_(body_, i, thread);
  }
}

void Team::serve(int thread) {
  for (uint32_t seen = 0;;) {
    for (int i = 0; i < spins && round_.load(std::memory_order_acquire) == seen; i++) relax();
    round_.wait(seen, std::memory_order_acquire);
    seen = round_.load(std::memory_order_acquire);
    if (leave_) return;
    if (current_processor() == processor_) part(thread, processor_);
    work(thread);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace fastmlp
