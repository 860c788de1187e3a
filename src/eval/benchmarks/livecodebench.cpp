// LiveCodeBench's code generation: the release's jsonl files (test.jsonl … test6.jsonl) as the hub has them.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/json_text.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/code/code_grading.h"
#include "eval/code/output_match.h"
#include "eval/code/test_cases.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

// Modules whose names LiveCodeBench puts in front of every solution (module testing_util).
constexpr const char* kStarImports[] = {
    "string",     "re",        "datetime",  "collections", "heapq", "bisect", "copy", "math",     "random",
    "statistics", "itertools", "functools", "operator",    "io",    "sys",    "json", "builtins", "typing"};
constexpr const char* kImports[] = {"string",   "re",   "datetime", "collections", "heapq",     "bisect",
                                    "copy",     "math", "random",   "statistics",  "itertools", "functools",
                                    "operator", "io",   "sys",      "json"};

std::string preamble() {
  std::string text;
  for (const char* module : kStarImports) text += fmt::format("from {} import *\n", module);
  for (const char* module : kImports) text += fmt::format("import {}\n", module);
  return text + "sys.setrecursionlimit(50000)\n";
}

std::string prompt_for(const std::string& question, const std::string& starter) {
  if (!starter.empty()) {
    return fmt::format("{}\n\nComplete this code; keep its names and arguments.\n\n```python\n{}\n```\n\n{}",
                       question, starter, code_directive(Language::python));
  }
  return fmt::format("{}\n\nThe program reads standard input and writes standard output. {}", question,
                     code_directive(Language::python));
}

std::string function_name(const Json& record) {
  std::string text = optional_text_field(record, {"metadata"});
  const Json metadata = parse_json_or_discard<Json>(text.empty() ? "{}" : text);
  if (!metadata.is_object()) throw_error(ErrorKind::bad_file, "metadata: expected the text of a JSON object");
  const auto name = metadata.find("func_name");
  return name != metadata.end() && name->is_string() ? name->get<std::string>() : "";
}

Item read_livecodebench(const Json& record, int64_t line, const ItemOptions&) {
  Item item;
  item.id = text_field(record, {"question_id", "id"});
  item.line = line;
  item.group = optional_text_field(record, {"difficulty"});
  item.messages = user_message(
      prompt_for(text_field(record, {"question_content"}), optional_text_field(record, {"starter_code"})));
  // Tests stay packed: unpacked, those of all problems are many gigabytes.
  const auto tests = [&](const char* name) { return record.contains(name) ? record[name] : Json(); };
  item.fields = Json{{"entry", function_name(record)},
                     {"date", optional_text_field(record, {"contest_date"}).substr(0, 10)},
                     {"public_test_cases", tests("public_test_cases")},
                     {"private_test_cases", tests("private_test_cases")}};
  if (tests("public_test_cases").is_null() && tests("private_test_cases").is_null()) {
    throw_error(ErrorKind::bad_file, "expected public_test_cases or private_test_cases");
  }
  return item;
}

Verdict grade_livecodebench(const Item& item, const Sample& sample, const GradingContext& context) {
  const std::optional<CodeBlock> block = between_last_fences(sample.answer);
  if (!block) return no_code("no two lines with ```");
  std::vector<TestCase> cases;
  for (const char* name : {"public_test_cases", "private_test_cases"}) {
    const std::vector<TestCase> part = read_test_cases(item.fields->at(name), name);
    cases.insert(cases.end(), part.begin(), part.end());
  }
  if (cases.empty()) return not_run("the problem has no tests");
  CodeTests tests;
  const bool functional = cases.front().functional;
  if (std::any_of(cases.begin(), cases.end(),
                  [&](const TestCase& test) { return test.functional != functional; })) {
    return not_run("the problem has tests of two kinds");
  }
  tests.kind = functional ? CodeTests::Kind::function : CodeTests::Kind::standard_input;
  tests.entry = item.fields->at("entry").get<std::string>();
  if (functional && tests.entry.empty()) return not_run("metadata has no func_name");
  tests.preamble = preamble();
  tests.inputs.reserve(cases.size());
  for (const TestCase& test : cases) tests.inputs.push_back(test.input);
  tests.accept = [&](size_t test, std::string_view output) {
    if (!functional) return same_output(output, cases[test].output);
    const Json value = parse_json_or_discard<Json>(output);
    const Json expected = parse_json_or_discard<Json>(cases[test].output);
    return !value.is_discarded() && !expected.is_discarded() && same_value(value, expected);
  };
  return grade_solution(context, *block, {Language::python, block->code}, tests);
}

/// The mean over items of the mean over samples; nothing: no item.
std::optional<double> mean_score(std::span<const GradedSample> answers, std::string_view first_day,
                                 std::string_view last_day) {
  std::map<std::string, std::pair<double, int64_t>> items;
  for (const GradedSample& answer : answers) {
    const auto date = answer.item->fields->find("date");
    const std::string day = date == answer.item->fields->end() ? "" : date->get<std::string>();
    if (day < first_day || day > last_day) continue;
    auto& [sum, count] = items[answer.item->id];
    sum += answer.verdict->score;
    ++count;
  }
  if (items.empty()) return std::nullopt;
  double total = 0;
  for (const auto& [id, item] : items) total += item.first / static_cast<double>(item.second);
  return total / static_cast<double>(items.size());
}

std::vector<std::pair<std::string, double>> livecodebench_metrics(std::span<const GradedSample> answers) {
  std::vector<std::pair<std::string, double>> metrics{{"pass@1", mean_score(answers, "", "9").value_or(0)}};
  if (const auto window = mean_score(answers, "2024-08-01", "2025-01-31")) {
    metrics.emplace_back("pass@1 of contests 2024-08-01 to 2025-01-31", *window);
  }
  return metrics;
}

}  // namespace

Benchmark livecodebench() {
  Benchmark benchmark;
  benchmark.name = "livecodebench";
  benchmark.title = "LiveCodeBench";
  benchmark.judging = Judging::code;
  benchmark.data = {
      .files = {"livecodebench/test.jsonl", "livecodebench/test6.jsonl", "livecodebench/test5.jsonl",
                "livecodebench/test4.jsonl", "livecodebench/test3.jsonl", "livecodebench/test2.jsonl"},
      .repository = "livecodebench/code_generation_lite",
      .repository_file = "test6.jsonl",
      .licence = "CC (see the data set's card); problems by their contests",
  };
  benchmark.samples = 4;
  benchmark.protocol =
      "All tests of a problem must pass, public and private, Python, 6 s of processor time a test (the "
      "published harness: of wall time); code is what "
      "is between the last two fence lines. A score holds for the data file's release (release_v1 is "
      "test.jsonl, release_v2 adds test2.jsonl, …) and "
      "its dates: the release's table is contests of 2024-08 to 2025-01, reported beside the whole. The "
      "prompt's words are this program's.";
  benchmark.read_item = read_livecodebench;
  benchmark.grade = grade_livecodebench;
  benchmark.metrics = livecodebench_metrics;
  return benchmark;
}

}  // namespace r1::eval
