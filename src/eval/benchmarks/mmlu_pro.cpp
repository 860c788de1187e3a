#include <nlohmann/json.hpp>

#include "eval/benchmarks/choice_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "grade/choice.h"

namespace r1::eval {
namespace {

Item read(const nlohmann::json& record, int64_t line, const ItemOptions& options) {
  Item item = read_choice_item(record, line, options);
  item.group = optional_text_field(record, {"category"});
  const auto choices = (*item.fields)["choices"].get<std::vector<std::string>>();
  // The first sentence is quoted from TIGER-AI-Lab/MMLU-Pro, cot_prompt_lib/initial_prompt.txt (Apache-2.0), for one question.
  item.messages = user_message("The following is a multiple choice question (with answers) about " +
                               (item.group.empty() ? "general knowledge" : item.group) +
                               ". Think step by step and then finish your answer with \"the answer is (X)\" "
                               "where X is the correct letter "
                               "choice.\n\nQuestion:\n" +
                               question_of(record) + "\nOptions:\n" + lettered_lines(choices) + "\n");
  return item;
}

Verdict grade(const Item& item, const Sample& sample, const GradingContext&) {
  return choice_verdict(item, sample, grade::mmlu_pro_letter(sample.answer).value_or('\0'));
}

}  // namespace

Benchmark mmlu_pro() {
  Benchmark benchmark = choice_form();
  benchmark.name = "mmlu-pro";
  benchmark.title = "MMLU-Pro";
  benchmark.data = {
      .files = {"mmlu_pro/test.jsonl.gz", "mmlu_pro/test.jsonl"},
      .repository = "TIGER-Lab/MMLU-Pro",
      .config = "default",
      .split = "test",
      .licence = "MIT (data), Apache-2.0 (repository)",
      .records = 12'032,
  };
  benchmark.samples = 1;
  benchmark.read_item = read;
  benchmark.grade = grade;
  benchmark.protocol =
      "Zero-shot with the published instruction and the published chain of extractions, without its last "
      "step: an answer without "
      "a letter counts as wrong where the published script draws one at random.";
  return benchmark;
}

}  // namespace r1::eval
