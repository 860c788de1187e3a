#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/benchmarks/choice_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"

namespace r1::eval {
namespace {

Item read(const nlohmann::json& record, int64_t, const ItemOptions&) {
  const auto target = record.find("target");
  if (target == record.end() || !target->is_object())
    throw_error(ErrorKind::bad_file, "field 'target': expected an object with span1_text and span2_text");
  const std::string label = text_field(record, {"label"});
  if (label != "true" && label != "false")
    throw_error(ErrorKind::bad_file, "field 'label': expected true or false, found '{}'", label);
  std::string prompt = text_field(record, {"text"}) + "\n此处，\"" + text_field(*target, {"span2_text"}) +
                       "\"是否指代\"" + text_field(*target, {"span1_text"}) + "\"？\nA. 是\nB. 否";
  return choice_item(id_of(record), std::move(prompt), {"是", "否"}, label == "true" ? 'A' : 'B');
}

/// The first capital of the answer, as the published protocol has it.
Verdict grade(const Item& item, const Sample& sample, const GradingContext&) {
  for (const char c : sample.answer) {
    if (c < 'A' || c > 'Z') continue;
    return choice_verdict(item, sample, c == 'A' || c == 'B' ? c : '\0');
  }
  return choice_verdict(item, sample, '\0');
}

}  // namespace

Benchmark cluewsc() {
  Benchmark benchmark = choice_form();
  benchmark.name = "cluewsc";
  benchmark.title = "CLUEWSC";
  benchmark.data = {
      .files = {"cluewsc/dev.jsonl"},
      .repository = "clue/clue",
      .config = "cluewsc2020",
      .split = "validation",
      .licence = "published openly by CLUEbenchmark, without a licence file",
      .records = 304,
  };
  benchmark.samples = 4;
  benchmark.read_item = read;
  benchmark.grade = grade;
  benchmark.protocol =
      "The development set, zero-shot; the first capital letter of the answer is the choice.";
  return benchmark;
}

}  // namespace r1::eval
