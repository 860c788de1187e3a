// What this machine can do at this moment: the yardstick of `r1 bench`.
#pragma once

#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace r1::cli {

struct MachineLimits {
  double read_bytes_per_second = 0;  // all threads reading memory that lies in no cache of their own
  double operations_per_second = 0;  // int8 multiplications and additions, all threads, out of registers
};

/// Takes about half a second. The median of several tries.
MachineLimits measure_limits(ThreadPool& pool, const kernels::KernelTable& kernels);

}  // namespace r1::cli
