#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/benchmarks/code_item.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/code/code_grading.h"
#include "eval/elo.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

/// The statement in one text, or in the parts that the hub's sets of Codeforces problems have.
std::string statement_of(const Json& record) {
  std::string text = optional_text_field(record, {"question", "statement", "description"});
  if (text.empty()) throw_error(ErrorKind::bad_file, "expected question, statement or description");
  for (const auto& [field, title] : {std::pair("input_format", "Input"), std::pair("output_format", "Output"),
                                     std::pair("note", "Note")}) {
    if (const std::string part = optional_text_field(record, {field}); !part.empty()) {
      text += fmt::format("\n\n{}\n\n{}", title, part);
    }
  }
  const Json* examples = find_field(record, {"examples"});
  if (examples == nullptr || !examples->is_array()) return text;
  for (const Json& example : *examples) {
    text += fmt::format("\n\nExample input:\n{}\nExample output:\n{}", text_field(example, {"input"}),
                        text_field(example, {"output"}));
  }
  return text;
}

std::string problem_id(const Json& record) {
  const std::string contest = optional_text_field(record, {"contest_id", "contestId"});
  const std::string index = optional_text_field(record, {"index"});
  return contest.empty() || index.empty() ? id_of(record) : contest + "/" + index;
}

Item read_codeforces(const Json& record, int64_t line, const ItemOptions&) {
  Item item;
  item.id = problem_id(record);
  item.line = line;
  item.group = optional_text_field(record, {"contest_id", "contestId"});
  Json fields = read_program_fields(record);
  const Json* rating = find_field(record, {"rating", "difficulty"});
  if (rating != nullptr) {
    if (!rating->is_number() || !std::isfinite(rating->get<double>())) {
      throw_error(ErrorKind::bad_file, "rating: expected a number, found {}", rating->dump().substr(0, 40));
    }
    fields["rating"] = *rating;
  }
  if (find_field(record, {"checker", "generated_checker"}) != nullptr) {
    item.excluded = "needs a checker: several outputs are right";
  }
  item.messages = user_message(fmt::format(
      "{}\n\nThe program reads standard input and writes standard output; its limits are {} s and {} MiB a "
      "test. {}",
      statement_of(record), fields["time_limit"].get<double>(), fields["memory_limit"].get<double>(),
      code_directive(fields.value("language", "cpp") == "cpp" ? Language::cpp : Language::python)));
  item.fields = std::move(fields);
  return item;
}

/// pass@1 as the mean over problems, and the rating that the solved problems speak for.
std::vector<std::pair<std::string, double>> codeforces_metrics(std::span<const GradedSample> answers) {
  struct Problem {
    const Item* item = nullptr;
    double solved = 0, samples = 0;
  };
  std::map<std::string, Problem> problems;
  for (const GradedSample& answer : answers) {
    Problem& problem = problems[answer.item->id];
    problem.item = answer.item;
    problem.solved += answer.verdict->score;
    ++problem.samples;
  }
  double total = 0;
  std::vector<RatedProblem> rated;
  for (const auto& [id, problem] : problems) {
    const double share = problem.solved / problem.samples;
    total += share;
    if (const auto rating = problem.item->fields->find("rating"); rating != problem.item->fields->end()) {
      rated.push_back({rating->get<double>(), share});
    }
  }
  std::vector<std::pair<std::string, double>> metrics;
  metrics.emplace_back("pass@1", problems.empty() ? 0 : total / static_cast<double>(problems.size()));
  if (rated.empty()) return metrics;
  const Rating rating = elo_rating(rated);
  if (std::isfinite(rating.value)) metrics.emplace_back("elo", rating.value);
  if (std::isfinite(rating.low)) metrics.emplace_back("elo_low", rating.low);
  if (std::isfinite(rating.high)) metrics.emplace_back("elo_high", rating.high);
  return metrics;
}

}  // namespace

Benchmark codeforces() {
  Benchmark benchmark;
  benchmark.name = "codeforces";
  benchmark.title = "Codeforces";
  benchmark.judging = Judging::code;
  benchmark.data = {.files = {"codeforces/contests.jsonl"}, .licence = "the user's own contest file"};
  benchmark.samples = 4;
  benchmark.protocol =
      "A contest file of one's own: a problem a line with statement, tests, rating and limits. The published "
      "percentile needs Codeforces' private tests "
      "and the results of the contests' field, which nobody else has: it is not computed. elo is the rating "
      "of the greatest likelihood from the solved "
      "problems' ratings (each solved with probability 1/2 by a solver of its rating), with its 95% "
      "interval; it is no rating of the site.";
  benchmark.read_item = read_codeforces;
  benchmark.grade = grade_code_item;
  benchmark.metrics = codeforces_metrics;
  return benchmark;
}

}  // namespace r1::eval
