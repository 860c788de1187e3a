// What is made of a model's answers to exercises: right or wrong, and shares with intervals by kind, level
// and language.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace r1::corpus {

/// An exercise and what a model wrote.
struct ScoredAnswer {
  std::string kind;
  int64_t level = 0;
  std::string language;   // "en", "zh"; empty: not known
  std::string expected;   // what the right answer has boxed
  std::string reasoning;  // between <think> and </think>; all, when the thinking never ended
  std::string answer;     // behind </think>
  bool finished = false;  // the model ended by itself
  int64_t tokens = 0;     // of reasoning and answer
};

struct ScoreTally {
  int64_t total = 0, right = 0, finished = 0, tokens = 0;
  int64_t equations_right = 0, equations_wrong = 0;  // of the reasoning

  void add(const ScoreTally& other);
};

/// Right is an answer whose last \boxed{…} holds what is expected (same_answer); what is boxed inside the
/// reasoning does not count, nor does a number that is not boxed.
ScoreTally judge(const ScoredAnswer& answer);

/// 95 % interval of a share (Wilson 1927). total > 0.
std::pair<double, double> wilson_interval(int64_t right, int64_t total);

/// A table in plain text, one line a row: kind × level, kind, level, language, all. answers: not empty.
std::string score_table(std::span<const ScoredAnswer> answers);

}  // namespace r1::corpus
