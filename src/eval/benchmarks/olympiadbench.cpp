#include <nlohmann/json.hpp>

#include "eval/benchmarks/list.h"
#include "eval/benchmarks/math_form.h"
#include "eval/benchmarks/record_fields.h"

namespace r1::eval {
namespace {

Item read(const nlohmann::json& record, int64_t, const ItemOptions& options) {
  const std::string context = optional_text_field(record, {"context"});
  Item item = math_item(id_of(record), (context.empty() ? "" : context + "\n") + question_of(record),
                        references_of(record), options);
  item.group = optional_text_field(record, {"subfield"});
  return item;
}

}  // namespace

Benchmark olympiadbench() {
  Benchmark benchmark = math_form();
  benchmark.name = "olympiadbench";
  benchmark.title = "OlympiadBench";
  benchmark.data = {
      .files = {"olympiadbench_en/test.jsonl"},
      .url =
          "https://raw.githubusercontent.com/QwenLM/Qwen2.5-Math/main/evaluation/data/olympiadbench/"
          "test.jsonl",
      .sha256 = "bb8c1e38a16ea9eacb77530315a674d883f267fbff79183effc53681b4fcc416",
      .licence = "MIT (OpenBMB/OlympiadBench)",
      .records = 675,
  };
  benchmark.read_item = read;
  benchmark.protocol =
      "The English, open-ended, text-only competition problems in mathematics, zero-shot with the boxed "
      "directive; units of the data "
      "are not demanded.";
  return benchmark;
}

}  // namespace r1::eval
