#include "processors.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace fastmlp {

namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

double ratio(double quota, double period) { return quota > 0 && period > 0 ? quota / period : unlimited; }

// Version 2: one file, "quota period", where quota may be "max".
double unified_quota(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period ? ratio(quota, period) : unlimited;
}

// Version 1: two files, where a quota of -1 is none.
double legacy_quota(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_file >> quota && period_file >> period ? ratio(quota, period) : unlimited;
}

bool names_cpu(const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string name; std::getline(list, name, ',');)
    if (name == "cpu") return true;
  return false;
}

// A container may see its own cgroup as the root though its path is told as from outside: folders that are not
// there limit nothing.
template <class Quota>
double smallest(const std::string& mount, std::string path, const Quota& quota) {
  double found = quota(mount);
  for (; path.size() > 1; path.resize(path.rfind('/'))) found = std::min(found, quota(mount + path));
  return found;
}

}  // namespace

double cgroup_quota(const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  double quota = std::min(unified_quota(mount), legacy_quota(mount + "/cpu"));
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // number:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos || line.compare(second, 2, ":/") != 0) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) quota = std::min(quota, smallest(mount, path, unified_quota));
    if (names_cpu(controllers)) quota = std::min(quota, smallest(mount + "/cpu", path, legacy_quota));
  }
  return quota;
}

namespace {

// The quota as it was within the last second: reading it takes longer than a short run.
double recent_quota() {
  using Clock = std::chrono::steady_clock;
  static std::atomic<double> quota{0};
  static std::atomic<Clock::rep> read_again{std::numeric_limits<Clock::rep>::min()};
  const Clock::time_point now = Clock::now();
  if (now.time_since_epoch().count() >= read_again) {
    quota = cgroup_quota();
    read_again = (now + std::chrono::seconds(1)).time_since_epoch().count();
  }
  return quota;
}

}  // namespace

int usable_processors() {
  int n = std::max(1, int(std::thread::hardware_concurrency()));
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
  return std::max(1, int(std::min(double(n), std::ceil(recent_quota()))));
}

}  // namespace fastmlp
