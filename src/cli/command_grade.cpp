// r1 grade: outputs of models, judged by rules. One JSON object a line in, one out.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "grade/choice.h"
#include "grade/drop_f1.h"
#include "grade/instructions/instruction.h"
#include "grade/math_answer.h"

namespace r1::cli {
namespace {

using Json = nlohmann::json;

const Json& field(const Json& line, const char* name) {
  const auto found = line.find(name);
  if (found == line.end()) throw_error(ErrorKind::invalid_argument, "field '{}' is missing", name);
  return *found;
}

/// A text; numbers are taken as they are written.
std::string text_of(const Json& value, const char* name) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number()) return value.dump();
  throw_error(ErrorKind::invalid_argument, "'{}': expected a text or a number, found {}", name,
              value.type_name());
}

std::string text_field(const Json& line, const char* name) {
  return text_of(field(line, name), name);
}

Json grade_math_line(const Json& line) {
  const grade::MathVerdict verdict =
      grade::grade_math(text_field(line, "reference"), text_field(line, "answer"));
  return {{"correct", verdict.correct}, {"extracted", verdict.extracted}, {"reason", verdict.reason}};
}

Json grade_choice_line(const Json& line) {
  const std::string reference = text_field(line, "reference");
  if (reference.size() != 1 || reference[0] < 'A' || reference[0] > 'J') {
    throw_error(ErrorKind::invalid_argument, "'reference': expected a letter from A to J, found '{}'",
                reference);
  }
  const char last = std::max(
      reference[0], line.contains("choices")
                        ? static_cast<char>('A' + std::clamp<size_t>(line["choices"].size(), 1, 10) - 1)
                        : 'D');
  const std::optional<char> chosen = grade::chosen_letter(text_field(line, "answer"), last);
  return {{"correct", chosen == reference[0]},
          {"extracted", chosen ? std::string(1, *chosen) : ""},
          {"reason", !chosen                  ? "not extracted"
                     : chosen == reference[0] ? "equal"
                                              : "different"}};
}

Json grade_drop_line(const Json& line) {
  std::vector<std::vector<std::string>> references;
  const Json& given = field(line, "reference");  // a text, or several of which the best counts
  for (const Json& reference : given.is_array() ? given : Json::array({given}))
    references.push_back({text_of(reference, "reference")});
  const std::string answer = grade::drop_answer(text_field(line, "answer"));
  const grade::DropScore score = grade::score_drop(references, {answer});
  return {{"correct", score.exact_match == 1},
          {"extracted", answer},
          {"reason", score.exact_match == 1 ? "equal" : "different"},
          {"f1", score.f1}};
}

Json grade_instructions_line(const Json& line) {
  const Json& ids = field(line, "instruction_id_list");
  const Json& arguments = field(line, "kwargs");
  if (!ids.is_array() || !arguments.is_array() || ids.size() != arguments.size() || ids.empty()) {
    throw_error(ErrorKind::invalid_argument,
                "'instruction_id_list' and 'kwargs': expected two lists of one length");
  }
  const std::string answer = text_field(line, "answer");
  Json strict = Json::array(), loose = Json::array();
  bool all_strict = true, all_loose = true;
  for (size_t i = 0; i < ids.size(); ++i) {
    const grade::Instruction instruction =
        grade::read_instruction(text_of(ids[i], "instruction_id_list"), arguments[i]);
    strict.push_back(grade::follows(instruction, answer));
    loose.push_back(grade::follows_loosely(instruction, answer));
    all_strict &= strict.back().get<bool>();
    all_loose &= loose.back().get<bool>();
  }
  return {{"correct", all_strict},
          {"loose", all_loose},
          {"instructions_strict", strict},
          {"instructions_loose", loose}};
}

void grade_lines(Json (*grade_line)(const Json&)) {
  int64_t number = 0;
  for (std::string text; std::getline(std::cin, text);) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      const Json line = Json::parse(text, nullptr, false);
      if (!line.is_object()) throw_error(ErrorKind::invalid_argument, "expected a JSON object");
      std::cout << grade_line(line).dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    } catch (const Error& error) {
      std::cout.flush();
      throw_error(error.kind(), "standard input, line {}: {}", number, error.what());
    }
  }
  if (!std::cout.flush()) throw_error(ErrorKind::io, "cannot write the verdicts to standard output");
}

}  // namespace

void add_grade_command(Command app) {
  Command command = app.add_subcommand(
      "grade", "Judge outputs by rules: JSON lines from standard input to standard output");
  command->require_subcommand(1);
  struct Kind {
    const char *name, *help;
    Json (*grade_line)(const Json&);
  };
  static constexpr Kind kKinds[] = {
      {"math",
       R"(mathematical answers by what they mean: {"reference", "answer"} → {"correct", "extracted", "reason"})",
       grade_math_line},
      {"choice", R"(multiple choice: {"reference": "B", "answer", optional "choices": […]})",
       grade_choice_line},
      {"drop", R"(DROP's F1 and exact match: {"reference": text or list, "answer"})", grade_drop_line},
      {"instructions", R"(IF-Eval's checks: {"instruction_id_list", "kwargs", "answer"})",
       grade_instructions_line},
  };
  for (const Kind& kind : kKinds) {
    Command grader = command->add_subcommand(kind.name, kind.help);
    auto lines = std::make_shared<bool>(false);
    grader->add_flag("--jsonl", *lines, "lines of JSON (the only form)");
    grader->callback([lines, &kind] { grade_lines(kind.grade_line); });
  }
}

}  // namespace r1::cli
