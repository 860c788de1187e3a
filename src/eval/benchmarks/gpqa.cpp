#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/random.h"
#include "eval/benchmarks/choice_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"

namespace r1::eval {
namespace {

Item read(const nlohmann::json& record, int64_t line, const ItemOptions& options) {
  if (find_field(record, {"choices", "options"}) != nullptr) return read_choice_item(record, line, options);
  std::array<std::string, 4> texts{
      text_field(record, {"Correct Answer"}), text_field(record, {"Incorrect Answer 1"}),
      text_field(record, {"Incorrect Answer 2"}), text_field(record, {"Incorrect Answer 3"})};
  std::array<size_t, 4> order{0, 1, 2, 3};
  constexpr uint64_t kDraws = 8;  // a question has, at most
  for (size_t i = order.size(); i > 1; --i) {
    const uint64_t counter = static_cast<uint64_t>(line) * kDraws + i;
    std::swap(order[i - 1], order[random_bits(options.seed, counter) % i]);
  }
  std::vector<std::string> choices;
  choices.reserve(order.size());
  for (const size_t place : order) choices.push_back(texts[place]);
  const auto right = std::find(order.begin(), order.end(), size_t{0}) - order.begin();
  Item item = choice_item(optional_text_field(record, {"Record ID", "id"}),
                          simple_evals_prompt(text_field(record, {"Question"}), choices), choices,
                          static_cast<char>('A' + right));
  item.group = optional_text_field(record, {"High-level domain"});
  return item;
}

}  // namespace

Benchmark gpqa_diamond() {
  Benchmark benchmark = choice_form();
  benchmark.name = "gpqa-diamond";
  benchmark.title = "GPQA-Diamond";
  benchmark.data = {
      .files = {"gpqa/gpqa_diamond.csv", "gpqa_diamond.csv"},
      .repository = "Idavidrein/gpqa",
      .repository_file = "gpqa_diamond.csv",
      .licence =
          "CC BY 4.0; the authors ask that questions are not put online in plain text (gated on the hub)",
      .records = 198,
  };
  benchmark.samples = 4;
  benchmark.read_item = read;
  benchmark.grade = grade_simple_evals_choice;
  benchmark.protocol =
      "As MMLU, with the choices permuted by the seed: answers made elsewhere can only be graded where the "
      "record has its "
      "choices in their order (fields choices and answer).";
  return benchmark;
}

}  // namespace r1::eval
