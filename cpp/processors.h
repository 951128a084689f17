// How many processors this process may use.
#pragma once

#include <string>

namespace fastmlp {

// The smallest quota of the process's cgroup and of those around it, in processors; infinity if there is none.
// `root` is where the system's files lie.
double cgroup_quota(const std::string& root = "");

// Processors that this process may use: its affinity, and its cgroups' quota rounded up.
int usable_processors();

}  // namespace fastmlp
