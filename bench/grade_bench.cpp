// Grading of mathematical answers. Goal: 10,000 answers under 10 s on one core.
//   build/bench/bench/grade_bench
#include <benchmark/benchmark.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "grade/math_answer.h"

namespace r1::grade {
namespace {

/// References and answers of the tests' pairs, each answer at the end of a page of working.
std::vector<std::pair<std::string, std::string>> read_pairs() {
  std::ifstream file(R1_SOURCE_FOLDER "/tests/fixtures/grade/math_pairs.tsv");
  std::string working;
  for (int line = 0; line < 40; ++line)
    working += "We have $x_1 + x_2 = \\frac{3}{7}$, so the next step follows.\n";
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find('\t'), second = line.find('\t', first + 1),
                 third = line.find('\t', second + 1);
    if (line.starts_with('#') || third == std::string::npos) continue;
    pairs.emplace_back(
        line.substr(first + 1, second - first - 1),
        working + "The answer is $\\boxed{" + line.substr(second + 1, third - second - 1) + "}$.");
  }
  return pairs;
}

void grade_ten_thousand(benchmark::State& state) {
  constexpr size_t kAnswers = 10'000;
  const auto pairs = read_pairs();
  for (auto _ : state) {
    int64_t right = 0;
    for (size_t i = 0; i < kAnswers; ++i) {
      const auto& [reference, output] = pairs[i % pairs.size()];
      right += grade_math(reference, output).correct ? 1 : 0;
    }
    benchmark::DoNotOptimize(right);
  }
  state.SetItemsProcessed(static_cast<int64_t>(kAnswers) * state.iterations());
}
BENCHMARK(grade_ten_thousand)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace r1::grade

BENCHMARK_MAIN();
