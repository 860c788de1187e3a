#include "cli/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "base/seconds.h"

namespace r1::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kReadBytes = 512U << 20U;
constexpr int64_t kMultiplyRounds = 2'000'000;
constexpr int kTries = 5;

template <typename Work>
double median_rate(const Work& work) {
  std::vector<double> rates;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const auto start = Clock::now();
    const double amount = work();
    rates.push_back(amount / seconds_since(start));
  }
  std::sort(rates.begin(), rates.end());
  return rates[kTries / 2];
}

}  // namespace

MachineLimits measure_limits(ThreadPool& pool, const kernels::KernelTable& kernels) {
  MachineLimits limits;
  const size_t words = kReadBytes / sizeof(uint64_t);
  const auto buffer = std::make_unique<uint64_t[]>(words);
  std::fill_n(buffer.get(), words, 1);
  std::atomic<uint64_t> sink = 0;
  const int64_t pieces = int64_t{16} * pool.size();
  limits.read_bytes_per_second = median_rate([&] {
    pool.parallel_for(pieces, [&](int64_t piece, int) {
      const size_t begin = words * piece / pieces, end = words * (piece + 1) / pieces;
      sink += kernels.read_peak(buffer.get() + begin, end - begin);
    });
    return static_cast<double>(kReadBytes);
  });
  limits.operations_per_second = median_rate([&] {
    std::atomic<int64_t> operations = 0;
    pool.parallel_for(pool.size(),
                      [&](int64_t, int) { operations += kernels.multiply_peak(kMultiplyRounds); });
    return static_cast<double>(operations.load());
  });
  return limits;
}

}  // namespace r1::cli
