// Which sampled answers are worth learning from: rejection sampling, and the data of a distilled student.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "rl/reward.h"

namespace r1::rl {

struct AnswerFilterOptions {
  bool right = true;         // is_right()
  bool format = true;        // is_well_formed()
  double language = 0.9;     // smallest share of words in the question's language; 0: any
  double repetition = 0.5;   // largest share of word triples that occurred before; 1: any
  int64_t shortest = 0;      // tokens, thinking included
  int64_t longest = 0;       // 0: any
  bool distinct = true;      // the same answer to the same question once, white space apart
  int64_t per_question = 0;  // answers that are kept of each question, from the first; 0: all
};

/// In the order in which the filters are asked.
enum class AnswerFate { kept, unfinished, length, format, language, repetition, wrong, duplicate, surplus };
inline constexpr size_t kAnswerFates = 9;

/// What happened, for tables: "cut off", "wrong".
std::string_view name_of(AnswerFate fate);

/// The fate of each answer, that of the first filter which drops it. Answer::group tells questions apart for
/// `per_question`; the text of the question for `distinct`. Throws Error(invalid_argument) for options out of range.
std::vector<AnswerFate> filter_answers(std::span<const Answer> answers, const AnswerFilterOptions& options);

}  // namespace r1::rl
