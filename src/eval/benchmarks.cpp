#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "base/error.h"
#include "eval/benchmark.h"
#include "eval/benchmarks/list.h"

namespace r1::eval {
namespace {

/// Lower case without '-', '_', '.' and spaces.
std::string plain_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '-' || c == '_' || c == ' ' || c == '.') continue;
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return out;
}

/// Levenshtein's distance.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

std::vector<std::string> nearest_names(const std::string& wanted) {
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const Benchmark& benchmark : benchmarks()) {
    const std::string name = plain_name(benchmark.name);
    const bool contains = name.find(wanted) != std::string::npos || wanted.find(name) != std::string::npos;
    ranked.emplace_back(contains ? 0 : distance(wanted, name), benchmark.name);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (const auto& [rank, name] : ranked) {
    if (names.size() == 6 || (names.size() >= 3 && rank > 0)) break;
    names.push_back(name);
  }
  return names;
}

bool is_refusal(std::string_view answer) {
  constexpr auto kPhrases = std::to_array<std::string_view>({
      "i cannot assist",
      "i can't assist",
      "i cannot help with",
      "i can't help with",
      "i'm sorry, but i can",
      "i am sorry, but i can",
      "i’m sorry, but i can",
      "i must decline",
      "i won't be able to help",
      "i'm unable to assist",
      "抱歉，我无法",
      "抱歉，我不能",
      "对不起，我无法",
      "对不起，我不能",
      "我无法提供",
      "超出我目前的范围",
  });
  constexpr size_t kStart = 300;  // bytes; refusals say so at once
  std::string start(answer.substr(0, kStart));
  for (char& c : start) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return std::any_of(kPhrases.begin(), kPhrases.end(),
                     [&](std::string_view phrase) { return start.find(phrase) != std::string::npos; });
}

}  // namespace

std::span<const Benchmark> benchmarks() {
  static const std::vector<Benchmark> kBenchmarks = {
#define R1_CALL_BENCHMARK(name) name(),
      R1_BENCHMARKS(R1_CALL_BENCHMARK)
#undef R1_CALL_BENCHMARK
  };
  return kBenchmarks;
}

const Benchmark& find_benchmark(std::string_view name) {
  const std::string wanted = plain_name(name);
  for (const Benchmark& benchmark : benchmarks()) {
    if (plain_name(benchmark.name) == wanted) return benchmark;
  }
  throw_error(ErrorKind::invalid_argument, "task '{}': unknown; nearest: {} (`r1 eval list` shows all)", name,
              fmt::join(nearest_names(wanted), ", "));
}

std::string_view class_name(AnswerClass answer_class) {
  switch (answer_class) {
    case AnswerClass::right:
      return "right";
    case AnswerClass::wrong:
      return "wrong";
    case AnswerClass::not_extracted:
      return "not extracted";
    case AnswerClass::right_not_extracted:
      return "right, not extracted";
    case AnswerClass::truncated_in_reasoning:
      return "truncated in thinking";
    case AnswerClass::truncated_in_answer:
      return "truncated in answer";
    case AnswerClass::refused:
      return "refused";
    case AnswerClass::error:
      return "error";
    case AnswerClass::unknown:
      return "unknown";
  }
  return "unknown";
}

Verdict grade_sample(const Benchmark& benchmark, const Item& item, const Sample& sample,
                     const GradingContext& context) {
  Verdict verdict;
  if (sample.end == Sample::End::error) {
    verdict.answer_class = AnswerClass::error;
    verdict.reason = sample.error;
    return verdict;
  }
  if (sample.in_reasoning) {
    verdict.answer_class = AnswerClass::truncated_in_reasoning;
    verdict.reason = "ended inside the thinking";
    return verdict;
  }
  verdict = benchmark.grade(item, sample, context);
  if (verdict.correct) return verdict;
  if (sample.end == Sample::End::length || sample.end == Sample::End::loop) {
    verdict.answer_class = AnswerClass::truncated_in_answer;
  } else if (verdict.answer_class == AnswerClass::not_extracted && is_refusal(sample.answer)) {
    verdict.answer_class = AnswerClass::refused;
  }
  return verdict;
}

std::vector<std::pair<std::string, double>> metrics_of(const Benchmark& benchmark,
                                                       std::span<const GradedSample> answers) {
  if (answers.empty()) return {};
  if (benchmark.metrics) return benchmark.metrics(answers);
  struct Mean {
    double sum = 0;
    int64_t count = 0;
  };
  std::vector<std::string> names{benchmark.metric};
  std::map<std::string, std::map<const Item*, Mean>> by_name;
  const auto add = [&](const std::string& name, const GradedSample& answer, double value) {
    Mean& mean = by_name[name][answer.item];
    mean.sum += value;
    ++mean.count;
  };
  for (const GradedSample& answer : answers) {
    add(benchmark.metric, answer, answer.verdict->score);
    for (const auto& [name, value] : answer.verdict->metrics) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      add(name, answer, value);
    }
  }
  std::vector<std::pair<std::string, double>> values;
  values.reserve(names.size());
  for (const std::string& name : names) {
    double sum = 0;
    for (const auto& [item, mean] : by_name[name]) sum += mean.sum / static_cast<double>(mean.count);
    values.emplace_back(name, sum / static_cast<double>(by_name[name].size()));
  }
  return values;
}

}  // namespace r1::eval
