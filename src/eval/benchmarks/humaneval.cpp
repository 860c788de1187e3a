#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/code/code_grading.h"
#include "eval/code/lines.h"

namespace r1::eval {
namespace {

Item read_humaneval(const nlohmann::json& record, int64_t line, const ItemOptions&) {
  Item item;
  item.id = text_field(record, {"task_id", "id"});
  item.line = line;
  const std::string prompt = text_field(record, {"prompt"});
  item.messages =
      user_message(fmt::format("Complete this Python function. Answer with the whole function, its imports "
                               "included, in one block of code that "
                               "begins with ```python and ends with ```.\n\n```python\n{}\n```",
                               prompt.substr(0, prompt.find_last_not_of(" \n\t") + 1)));
  item.fields = nlohmann::json{{"prompt", prompt},
                               {"test", text_field(record, {"test"})},
                               {"entry", text_field(record, {"entry_point"})}};
  return item;
}

bool is_python(std::string_view label) {
  return language_named(label) == Language::python;
}

bool defines(std::string_view code, std::string_view function) {
  for (std::string_view line : lines_of(code)) {
    if (line.starts_with("async ")) line.remove_prefix(6);
    if (!line.starts_with("def ")) continue;
    line = trimmed(line.substr(4));
    if (line.starts_with(function) && trimmed(line.substr(function.size())).starts_with("(")) return true;
  }
  return false;
}

/// A block with the function follows what precedes it in the prompt (imports, helpers); anything else continues the prompt.
std::string whole_program(const std::string& prompt, const std::string& entry, const std::string& code) {
  if (!defines(code, entry)) return prompt + code;
  const size_t start = ("\n" + prompt).rfind("\ndef " + entry);
  return prompt.substr(0, start == std::string::npos ? 0 : start) + "\n" + code;
}

Verdict grade_humaneval(const Item& item, const Sample& sample, const GradingContext& context) {
  const auto field = [&](const char* name) { return item.fields->at(name).get<std::string>(); };
  std::optional<CodeBlock> block = last_code_block(sample.answer, is_python);
  if (!block) {
    // Completions of base models have no fences.
    if (trimmed(sample.answer).empty()) return no_code("no code");
    block = CodeBlock{"", sample.answer, 0, sample.answer.size()};
  }
  CodeTests tests;
  tests.kind = CodeTests::Kind::asserts;
  tests.entry = field("entry");
  tests.inputs = {field("test")};
  tests.test_preamble = field("prompt");
  Verdict verdict = grade_solution(
      context, *block, {Language::python, whole_program(field("prompt"), tests.entry, block->code)}, tests);
  if (block->first == 0 && verdict.reason.starts_with("compile error")) return no_code("no block of code");
  return verdict;
}

}  // namespace

Benchmark humaneval() {
  Benchmark benchmark;
  benchmark.name = "humaneval";
  benchmark.title = "HumanEval";
  benchmark.judging = Judging::code;
  benchmark.data = {
      .files = {"humaneval/HumanEval.jsonl.gz", "humaneval/HumanEval.jsonl"},
      .url = "https://raw.githubusercontent.com/openai/human-eval/master/data/HumanEval.jsonl.gz",
      .sha256 = "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef",
      .licence = "MIT",
      .records = 164,
  };
  benchmark.samples = 4;
  benchmark.protocol =
      "The model is asked for the whole function; the last block of Python is run on the published tests, 6 "
      "s of processor time each. The "
      "tests call the function in another process, so that a solution cannot pretend to pass. Published "
      "figures of base models "
      "complete the bare prompt and cannot be compared.";
  benchmark.read_item = read_humaneval;
  benchmark.grade = grade_humaneval;
  return benchmark;
}

}  // namespace r1::eval
