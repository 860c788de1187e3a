// r1 grade: the final answers of outputs, compared with the right ones.
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "grade/math_answer.h"

namespace r1::cli {
namespace {

using Json = nlohmann::json;

/// A text field; numbers are taken as they are written.
std::string text_field(const Json& line, const char* name, int64_t number) {
  const auto found = line.find(name);
  if (found == line.end())
    throw_error(ErrorKind::invalid_argument, "line {}: field '{}' is missing", number, name);
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number()) return found->dump();
  throw_error(ErrorKind::invalid_argument, "line {}: '{}': expected a text or a number, found {}", number,
              name, found->type_name());
}

void grade_math_lines() {
  int64_t number = 0;
  for (std::string text; std::getline(std::cin, text);) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json line = Json::parse(text, nullptr, false);
    if (!line.is_object())
      throw_error(ErrorKind::invalid_argument, "line {}: expected a JSON object", number);
    const grade::MathVerdict verdict =
        grade::grade_math(text_field(line, "reference", number), text_field(line, "answer", number));
    const Json result{
        {"correct", verdict.correct}, {"extracted", verdict.extracted}, {"reason", verdict.reason}};
    std::cout << result.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
  if (!std::cout.flush()) throw_error(ErrorKind::io, "cannot write the verdicts to standard output");
}

}  // namespace

void add_grade_command(Command app) {
  Command command = app.add_subcommand("grade", "Compare answers with the right ones");
  command->require_subcommand(1);
  Command math = command->add_subcommand("math", "Mathematical answers, by what they mean");
  auto lines = std::make_shared<bool>(false);
  math->add_flag(
          "--jsonl", *lines,
          "standard input: a line {\"reference\", \"answer\"} each; standard output: a line {\"correct\", "
          "\"extracted\", \"reason\"} each")
      ->required();
  math->callback([] { grade_math_lines(); });
}

}  // namespace r1::cli
