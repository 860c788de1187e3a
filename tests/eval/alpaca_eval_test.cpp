#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/benchmark.h"

namespace r1::eval {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

std::vector<std::string> names_of(const std::vector<std::pair<std::string, double>>& metrics) {
  std::vector<std::string> names;
  for (const auto& [name, value] : metrics) names.push_back(name);
  return names;
}

struct Judged {
  explicit Judged(const ItemOptions& options) {
    for (int64_t line = 0; line < 40; ++line) {
      items.push_back(
          benchmark.read_item({{"instruction", "Say hello."}, {"output", "Hello there."}}, line, options));
      Sample sample;
      sample.answer = std::string(static_cast<size_t>(8 + line % 9), 'h');
      sample.judge_replies = {line % 3 == 0 ? "1.0" : "2.0"};
      samples.push_back(sample);
    }
    for (size_t i = 0; i < items.size(); ++i) verdicts.push_back(benchmark.grade(items[i], samples[i], {}));
  }
  std::vector<std::pair<std::string, double>> metrics() const {
    std::vector<GradedSample> graded;
    for (size_t i = 0; i < items.size(); ++i) graded.push_back({&items[i], &samples[i], &verdicts[i]});
    return metrics_of(benchmark, graded);
  }

  const Benchmark& benchmark = find_benchmark("alpaca-eval-2");
  std::vector<Item> items;
  std::vector<Sample> samples;
  std::vector<Verdict> verdicts;
};

TEST(AlpacaEval, TheRateIsLengthControlledWhereTheGamedBaselinesAre) {
  EXPECT_THAT(names_of(Judged({}).metrics()), ElementsAre("win_rate"));
  ItemOptions options;
  for (int line = 0; line < 40; ++line) {
    for (const char* length : {"1.2", "-0.8"}) {  // as the CSV's reader gives them: texts
      options.examples.push_back(json{{"index", std::to_string(line)},
                                      {"preference", length[0] == '-' ? "0.62" : "0.31"},
                                      {"std_delta_len", length},
                                      {"instruction_difficulty", line % 2 == 0 ? "0.4" : "-0.3"}});
    }
  }
  const auto metrics = Judged(options).metrics();
  EXPECT_THAT(names_of(metrics), ElementsAre("length_controlled_win_rate", "length_controlled_win_rate_low",
                                             "length_controlled_win_rate_high", "win_rate"));
  EXPECT_NEAR(metrics[3].second, 26.0 / 40, 1e-12);
  EXPECT_GT(metrics[0].second, 0.5);
  EXPECT_LE(metrics[1].second, metrics[0].second);
}

TEST(AlpacaEval, AFileThatIsNoTableOfGamedBaselinesIsRefused) {
  ItemOptions options;
  options.examples.push_back(json{{"index", "first"}});
  EXPECT_THROW(Judged{options}, Error);
}

}  // namespace
}  // namespace r1::eval
