// Two runs of one benchmark side by side: the paired difference, and what changed question by question.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/report.h"

namespace r1::eval {

/// A question that both runs answered, with the mean scores of its samples.
struct QuestionPair {
  const Item* item = nullptr;  // of the first run
  double before = 0, after = 0;
  int64_t samples_before = 0, samples_after = 0;
  std::string extracted_before, extracted_after;  // of the first sample
};

struct Comparison {
  const Evaluation *first = nullptr, *second = nullptr;
  PairedDifference paired{};                    // second − first, of the mean score
  Estimate first_score{}, second_score{};       // over the questions that both have
  std::vector<QuestionPair> better{}, worse{};  // largest change first
  int64_t equal = 0;
  int64_t only_first = 0, only_second = 0;  // questions without an answer in the other run
  std::vector<std::string> differences{};   // "temperature: 0.6 and 0": settings and data
};

/// Both must outlive the result. Questions are paired by id. Throws Error(invalid_argument) for two benchmarks, or runs without a
/// question in common.
Comparison compare(const Evaluation& first, const Evaluation& second);

nlohmann::ordered_json comparison_json(const Comparison& comparison);
std::string comparison_markdown(const Comparison& comparison);
std::string comparison_page(const Comparison& comparison);

/// The comparison as JSON, Markdown and a page (comparison.*) in `folder`, each replaced as a whole. Throws Error(io).
void write_comparison(const std::filesystem::path& folder, const Comparison& comparison);

}  // namespace r1::eval
