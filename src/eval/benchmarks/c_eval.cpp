#include <nlohmann/json.hpp>

#include "eval/benchmarks/choice_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"

namespace r1::eval {
namespace {

Item read(const nlohmann::json& record, int64_t line, const ItemOptions& options) {
  Item item = read_choice_item(record, line, options);
  const auto choices = (*item.fields)["choices"].get<std::vector<std::string>>();
  item.messages = user_message("以下是中国关于" + item.group + "考试的单项选择题，请选出其中的正确答案。\n" +
                               question_of(record) + "\n" + lettered_lines(choices) + "\n答案：");
  return item;
}

}  // namespace

Benchmark c_eval() {
  Benchmark benchmark = choice_form();
  benchmark.name = "c-eval";
  benchmark.title = "C-Eval";
  benchmark.data = {
      .files = {"ceval/val.csv", "ceval/val.jsonl", "ceval.csv"},
      .licence =
          "CC BY-NC-SA 4.0: not fetched; bring the CSV or JSONL with question, A, B, C, D, answer and "
          "subject",
  };
  benchmark.samples = 1;
  benchmark.read_item = read;
  benchmark.protocol =
      "Zero-shot with the published Chinese directive. The test split's answers are not public: figures are "
      "of the split that "
      "you bring (validation: 1,346 questions), the release's of the test split.";
  return benchmark;
}

}  // namespace r1::eval
