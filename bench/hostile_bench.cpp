// The slowest hostile text of each grader. Goal: no grader takes more than 50 ms.
//   build/bench/bench/hostile_bench [repeats]
#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/grade/every_grader.h"
#include "tests/grade/hostile_texts.h"

namespace {

/// Of this thread: the machine may have other work.
double processor_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 3;
  const auto texts = r1::grade::hostile_texts(1'000'000);
  double slowest = 0;
  for (const auto& [name, grade] : r1::grade::every_grader()) {
    std::vector<std::pair<double, std::string>> times;
    for (const auto& [label, text] : texts) {
      double best = 1e9;
      for (int i = 0; i < repeats; ++i) {
        const double start = processor_milliseconds();
        grade(text);
        best = std::min(best, processor_milliseconds() - start);
      }
      times.emplace_back(best, label);
    }
    std::sort(times.rbegin(), times.rend());
    slowest = std::max(slowest, times.front().first);
    fmt::print("{:34} {:8.2f} ms  {:40} {:8.2f} ms  {}\n", name, times[0].first,
               nlohmann::json(times[0].second).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
               times[1].first,
               nlohmann::json(times[1].second).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
  }
  return slowest <= 50 ? 0 : 1;
}
