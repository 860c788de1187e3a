// Sets of school mathematics beside GSM8K.
#include <nlohmann/json.hpp>

#include "eval/benchmarks/choice_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/math_form.h"
#include "eval/benchmarks/record_fields.h"

namespace r1::eval {
namespace {

DataSource qwen_data(const std::string& folder, std::string sha256, std::string licence, int64_t records) {
  return {.files = {folder + "/test.jsonl"},
          .url = "https://raw.githubusercontent.com/QwenLM/Qwen2.5-Math/main/evaluation/data/" + folder +
                 "/test.jsonl",
          .sha256 = std::move(sha256),
          .licence = std::move(licence),
          .records = records};
}

/// SVAMP: the story and the question are two fields.
Item read_svamp(const nlohmann::json& record, int64_t, const ItemOptions& options) {
  std::string body = optional_text_field(record, {"Body"});
  while (!body.empty() && body.back() == ' ') body.pop_back();
  if (!body.empty() && std::string_view(".?!").find(body.back()) == std::string_view::npos) body += '.';
  Item item = math_item(id_of(record), (body.empty() ? "" : body + " ") + text_field(record, {"Question"}),
                        references_of(record), options);
  item.group = optional_text_field(record, {"Type"});
  return item;
}

/// Where the right choice's letter is there, it or the choice's text counts.
Item read_with_choice(const nlohmann::json& record, int64_t line, const ItemOptions& options) {
  Item item = read_math_item(record, line, options);
  if (const std::string letter = optional_text_field(record, {"choice_answer"}); !letter.empty())
    (*item.fields)["references"].insert((*item.fields)["references"].begin(), letter);
  return item;
}

Item read_sat(const nlohmann::json& record, int64_t, const ItemOptions& options) {
  const std::vector<std::string> choices = choices_of(record);
  std::string question = question_of(record);
  for (size_t i = 0; i < choices.size(); ++i) {
    const char letter = static_cast<char>('A' + i);
    question += std::string(i == 0 ? "\nAnswer Choices: " : " ") + '(' + letter + ") " + choices[i];
  }
  Item item = choice_item(id_of(record), math_prompt(std::move(question), options), choices,
                          right_letter(*find_field(record, {"Answer", "label"}), choices));
  return item;
}

}  // namespace

Benchmark cmath() {
  Benchmark benchmark = math_form();
  benchmark.name = "cmath";
  benchmark.title = "CMATH";
  benchmark.data = qwen_data("cmath", "e2ceabf05d10b37f207eaebbe8db24dbfc961e1a4f07337d2fc4db42a7f44fdb",
                             "CC BY 4.0 (XiaoMi/cmath)", 600);
  benchmark.protocol =
      "Zero-shot with the boxed directive in Chinese. Published few-shot figures can't be compared.";
  return benchmark;
}

Benchmark svamp() {
  Benchmark benchmark = math_form();
  benchmark.name = "svamp";
  benchmark.title = "SVAMP";
  benchmark.data =
      qwen_data("svamp", "d0826ff1264f3860e46fc4e71db9e31d2d188960db87090e22677f9493e67a0d", "MIT", 1000);
  benchmark.read_item = read_svamp;
  benchmark.protocol = "Zero-shot with the boxed directive. Published few-shot figures can't be compared.";
  return benchmark;
}

Benchmark mgsm_zh() {
  Benchmark benchmark = math_form();
  benchmark.name = "mgsm-zh";
  benchmark.title = "MGSM-zh";
  benchmark.data = {
      .files = {"mgsm_zh/mgsm_zh.jsonl"},
      .url =
          "https://raw.githubusercontent.com/deepseek-ai/DeepSeek-Math/main/evaluation/datasets/mgsm_zh/"
          "mgsm_zh.jsonl",
      .sha256 = "165c3b6753e8a8786183c27b9af7b7590d54dca4d0136edadb24d684c95bb50d",
      .licence = "CC BY-SA 4.0 (MGSM)",
      .records = 250,
  };
  benchmark.protocol =
      "Zero-shot with the boxed directive in Chinese. Published few-shot figures can't be compared.";
  return benchmark;
}

Benchmark sat_math() {
  Benchmark benchmark = choice_form();
  benchmark.name = "sat-math";
  benchmark.title = "SAT-math";
  benchmark.data = qwen_data("sat_math", "96720a1dc496ea72f80db55250290cf9c48e95b657ac2183b7deb1dc4627351f",
                             "MIT (AGIEval)", 32);
  benchmark.read_item = read_sat;
  benchmark.protocol =
      "Zero-shot with the boxed directive and the choices; the letter or the choice's text counts.";
  return benchmark;
}

Benchmark cn_middle_school() {
  Benchmark benchmark = math_form();
  benchmark.name = "cn-middle-school";
  benchmark.title = "CN Middle School 24";
  benchmark.data =
      qwen_data("cn_middle_school", "d768b866b72ecd1ddcaa84acb56d7bd70d759fbb2cdb0c2bc63f1e5befdb58d6",
                "MIT (the collection)", 101);
  benchmark.read_item = read_with_choice;
  benchmark.protocol =
      "Zero-shot with the boxed directive in Chinese; of a multiple-choice question the letter or the "
      "choice's text counts.";
  return benchmark;
}

Benchmark gaokao_2024_mix() {
  Benchmark benchmark = cn_middle_school();
  benchmark.name = "gaokao-2024-mix";
  benchmark.title = "Gaokao 2024 mix";
  benchmark.data =
      qwen_data("gaokao2024_mix", "d00cf32da2252408cb7abd49e8e13adcb801dc08e74a9bd57d1df92c0416935c",
                "MIT (the collection)", 91);
  benchmark.data.files = {"gaokao/gaokao2024_mix.jsonl"};
  return benchmark;
}

}  // namespace r1::eval
