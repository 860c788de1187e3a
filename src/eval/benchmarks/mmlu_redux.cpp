#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/benchmarks/choice_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kColumns =
    "question;choices;answer;error_type;source;correct_answer;potential_reason";

/// Some of the published files separate their columns by ';'. Read with ',' their records have one field, named after all columns, and the
/// rest in a list. Puts such a record together again (question, choices, answer, error_type, …) where it is whole.
Json repaired(const Json& record) {
  const auto joined = record.find(std::string(kColumns));
  if (joined == record.end()) return record;
  std::string text = text_of(*joined, "question");
  if (const auto rest = record.find("null"); rest != record.end() && rest->is_array()) {
    for (const Json& part : *rest) text += "," + text_of(part, "question");
  }
  const size_t open = text.find(";["), close = text.rfind("];");
  if (open == std::string::npos || close == std::string::npos || close < open) return record;
  Json fixed = record;
  fixed["question"] = text.substr(0, open);
  fixed["choices"] = text.substr(open + 1, close - open);
  std::string_view rest = std::string_view(text).substr(close + 2);
  for (const char* name : {"answer", "error_type", "source", "correct_answer"}) {
    const size_t end = std::min(rest.find(';'), rest.size());
    fixed[name] = std::string(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return fixed;
}

/// "Wrong Groundtruth" and "wrong_groundtruth " are one label.
std::string plain_label(std::string label) {
  for (char& c : label) c = static_cast<char>(c == '_' ? ' ' : c >= 'A' && c <= 'Z' ? c + 32 : c);
  while (!label.empty() && label.back() == ' ') label.pop_back();
  return label;
}

Item read(const Json& published, int64_t line, const ItemOptions& options) {
  const Json record = repaired(published);
  if (!record.contains("question")) {
    Item item;
    item.excluded = "damaged record";
    return item;
  }
  Item item = read_choice_item(record, line, options);
  const std::string label = plain_label(optional_text_field(record, {"error_type"}));
  // "expert" stands in the column of errors where a source belongs: nobody found an error.
  if (!label.empty() && label != "ok" && label != "expert") item.excluded = label;
  item.group = optional_text_field(record, {"subject"});
  return item;
}

}  // namespace

Benchmark mmlu_redux() {
  Benchmark benchmark = choice_form();
  benchmark.name = "mmlu-redux";
  benchmark.title = "MMLU-Redux";
  benchmark.data = {
      .files = {"mmlu_redux/mmlu_redux.jsonl"},
      .repository = "edinburgh-dawg/mmlu-redux-2.0",
      .config = "all",
      .split = "test",
      .licence = "CC BY 4.0",
      .records = 5700,
  };
  benchmark.samples = 1;
  benchmark.read_item = read;
  benchmark.grade = grade_simple_evals_choice;
  benchmark.protocol =
      "Zero-shot with simple-evals' prompt. Only questions whose annotators found no error are asked and "
      "scored; the others "
      "are counted by their label. The release used ZeroEval's JSON prompt.";
  return benchmark;
}

}  // namespace r1::eval
