#include "eval/benchmarks/math_form.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/benchmarks/record_fields.h"
#include "grade/choice.h"
#include "grade/math/equivalence.h"
#include "grade/math_answer.h"

namespace r1::eval {

std::string math_prompt(std::string question, const ItemOptions& options) {
  return std::move(question) +
         (is_chinese(question, options)
              ? "\n请逐步推理，并将最终答案放在\\boxed{}中。"
              : "\nPlease reason step by step, and put your final answer within \\boxed{}.");
}

namespace {

/// "C" or "ACD": the right choices of a question that has them in its text.
bool are_letters(const std::string& reference) {
  constexpr size_t kMaxLetters = 6;
  return !reference.empty() && reference.size() <= kMaxLetters &&
         reference.find_first_not_of("ABCDEF") == std::string::npos;
}

}  // namespace

Item math_item(std::string id, std::string question, const std::vector<std::string>& references,
               const ItemOptions& options) {
  Item item;
  item.id = std::move(id);
  item.messages = user_message(math_prompt(question, options));
  (*item.fields)["question"] = std::move(question);
  (*item.fields)["references"] = references;
  return item;
}

Item read_math_item(const nlohmann::json& record, int64_t, const ItemOptions& options) {
  Item item = math_item(id_of(record), question_of(record), references_of(record), options);
  item.group = group_of(record);
  return item;
}

Verdict grade_math_item(const Item& item, const Sample& sample, const GradingContext&) {
  Verdict verdict;
  grade::MathVerdict best;
  for (const nlohmann::json& reference : (*item.fields)["references"]) {
    const grade::MathVerdict verdict_here =
        grade::grade_math(reference.get_ref<const std::string&>(), sample.answer);
    if (best.reason.empty() || verdict_here.correct) best = verdict_here;
    if (best.correct) break;
  }
  const auto& first = (*item.fields)["references"].front().get_ref<const std::string&>();
  if (!best.correct && are_letters(first)) {
    const std::string letters = grade::chosen_letters(sample.answer, 'F');
    if (letters == first) best = {true, letters, "equal"};
    if (!letters.empty() && best.reason == "unknown") best = {false, letters, "different"};
  }
  verdict.correct = best.correct;
  verdict.score = best.correct ? 1 : 0;
  verdict.extracted = best.extracted;
  verdict.reason = best.reason;
  verdict.answer_class = best.correct               ? AnswerClass::right
                         : best.extracted.empty()   ? AnswerClass::not_extracted
                         : best.reason == "unknown" ? AnswerClass::unknown
                                                    : AnswerClass::wrong;
  verdict.deciding = deciding_range(sample.answer, verdict.extracted);
  return verdict;
}

Benchmark math_form() {
  Benchmark benchmark;
  benchmark.read_item = read_math_item;
  benchmark.grade = grade_math_item;
  benchmark.same_vote = [](const std::string& a, const std::string& b) {
    return grade::math::compare_answers(a, b) == grade::math::Equivalence::equal;
  };
  return benchmark;
}

}  // namespace r1::eval
