// Programming tasks of one's own: {"question", "tests": [{"input", "output"}]} for programs, {"question", "test", "entry_point"} for a
// Python function; MBPP's fields are read too.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "eval/benchmarks/code_item.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/code/code_grading.h"
#include "eval/code/output_match.h"
#include "eval/code/test_cases.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

/// The test's Python code: a text, or MBPP's list of assertions with its setup. Empty: none.
std::string test_code(const Json& record) {
  std::string code = optional_text_field(record, {"test_setup_code"});
  if (!code.empty()) code += "\n";
  const Json* test = find_field(record, {"test", "test_list", "test_code"});
  if (test == nullptr) return "";
  if (!test->is_array()) return code + text_of(*test, "test");
  for (const Json& line : *test) code += text_of(line, "test_list") + "\n";
  return code;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The first function that is called in the test and is none of Python's: MBPP does not name its function.
std::string called_function(std::string_view test) {
  constexpr std::string_view kKnown[] = {
      "set",   "sorted", "list",  "tuple", "len",  "abs",   "round", "str",      "int",
      "float", "sum",    "max",   "min",   "dict", "all",   "any",   "isclose",  "Counter",
      "check", "assert", "range", "bool",  "type", "print", "repr",  "frozenset"};
  for (size_t at = test.find("assert"); at != std::string_view::npos && at < test.size(); ++at) {
    if (test[at] != '(') continue;
    size_t first = at;
    while (first > 0 && is_name_character(test[first - 1])) --first;
    const std::string_view name = test.substr(first, at - first);
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) continue;
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) return std::string(name);
  }
  return "";
}

double limit_field(const Json& record, std::initializer_list<std::string_view> names, double otherwise,
                   double largest) {
  const Json* field = find_field(record, names);
  if (field == nullptr) return otherwise;
  const double value = field->is_number() ? field->get<double>() : NAN;
  if (!(value > 0) || value > largest) {
    throw_error(ErrorKind::bad_file, "{}: expected a number above 0 and up to {}, found {}", *names.begin(),
                largest, field->dump().substr(0, 40));
  }
  return value;
}

std::optional<Language> wanted_language(const Json& record) {
  std::string name = optional_text_field(record, {"language", "lang"});
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (name.empty()) return std::nullopt;
  const std::optional<Language> language = language_named(name);
  if (!language) throw_error(ErrorKind::bad_file, "language: expected python or cpp, found {}", name);
  return language;
}

Item read_code(const Json& record, int64_t line, const ItemOptions&) {
  Item item;
  item.id = id_of(record);
  item.line = line;
  item.group = group_of(record);
  Json fields;
  std::string question =
      find_field(record, {"text"}) != nullptr && find_field(record, {"question", "prompt"}) == nullptr
          ? text_field(record, {"text"})
          : question_of(record);
  const std::string test = test_code(record);
  const std::optional<Language> language = wanted_language(record);
  if (!test.empty()) {
    std::string entry = optional_text_field(record, {"entry_point", "function", "func_name"});
    if (entry.empty()) entry = called_function(test);
    if (entry.empty())
      throw_error(ErrorKind::bad_file, "expected entry_point: the function that the test calls");
    fields = {{"test", test}, {"entry", entry}};
    question += fmt::format("\n\nThe function's name is {}. {}", entry, code_directive(Language::python));
  } else {
    fields = read_program_fields(record);
    question += "\n\nThe program reads standard input and writes standard output. ";
    question += language ? code_directive(*language)
                         : "Write the solution in Python 3 or C++20, in one block of code that begins with "
                           "```python or ```cpp.";
  }
  item.messages = user_message(std::move(question));
  item.fields = std::move(fields);
  return item;
}

bool is_code(std::string_view label) {
  return language_named(label).has_value();
}

}  // namespace

Json read_program_fields(const Json& record) {
  const Json* tests = find_field(record, {"tests", "test_cases", "official_tests"});
  if (tests == nullptr)
    throw_error(ErrorKind::bad_file, "expected tests ({{input, output}}) or test with entry_point");
  if (read_test_cases(*tests, "tests").empty())
    throw_error(ErrorKind::bad_file, "tests: expected at least one");
  Json fields{{"tests", *tests},
              {"time_limit", limit_field(record, {"time_limit", "time_limit_seconds"}, 6, 3600)},
              {"memory_limit", limit_field(record, {"memory_limit", "memory_limit_mb"}, 2048, 65536)}};
  if (const auto language = wanted_language(record))
    fields["language"] = *language == Language::cpp ? "cpp" : "python";
  return fields;
}

Verdict grade_code_item(const Item& item, const Sample& sample, const GradingContext& context) {
  const Json& fields = *item.fields;
  const std::optional<CodeBlock> block = last_code_block(sample.answer, is_code);
  if (!block) return no_code("no block of code");
  Solution solution{language_of(*block), block->code};
  TestLimits limits;
  limits.cpu_seconds = fields.value("time_limit", 6.0);
  limits.wall_seconds = 5 * limits.cpu_seconds;
  limits.memory_bytes = static_cast<int64_t>(fields.value("memory_limit", 2048.0) * (1 << 20));
  limits.total_memory_bytes = limits.memory_bytes * 3 / 2;
  CodeTests tests;
  std::vector<TestCase> cases;
  if (fields.contains("test")) {
    tests.kind = CodeTests::Kind::asserts;
    tests.entry = fields["entry"].get<std::string>();
    tests.inputs = {fields["test"].get<std::string>()};
    solution.language = Language::python;
  } else {
    if (fields.contains("language") && block->label.empty()) {
      solution.language = fields["language"] == "cpp" ? Language::cpp : Language::python;
    }
    cases = read_test_cases(fields["tests"], "tests");
    tests.inputs.reserve(cases.size());
    for (const TestCase& test : cases) tests.inputs.push_back(test.input);
    tests.accept = [&](size_t test, std::string_view output) {
      return same_output(output, cases[test].output);
    };
  }
  return grade_solution(context, *block, solution, tests, limits);
}

Benchmark code() {
  Benchmark benchmark;
  benchmark.name = "code";
  benchmark.title = "Code (your own data)";
  benchmark.judging = Judging::code;
  benchmark.samples = 1;
  benchmark.protocol =
      "Records {\"question\", \"tests\": [{\"input\", \"output\"}]} for programs in Python or C++, or "
      "{\"question\", \"test\", \"entry_point\"} for a "
      "Python function; optional: language, time_limit (seconds), memory_limit (MiB). The last block of code "
      "is run on all tests.";
  benchmark.read_item = read_code;
  benchmark.grade = grade_code_item;
  return benchmark;
}

}  // namespace r1::eval
