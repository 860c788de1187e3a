#include <map>
#include <nlohmann/json.hpp>

#include "eval/benchmarks/choice_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"

namespace r1::eval {

Benchmark mmlu() {
  Benchmark benchmark = choice_form();
  benchmark.name = "mmlu";
  benchmark.title = "MMLU";
  benchmark.data = {
      .files = {"mmlu/test.jsonl.gz", "mmlu/test.jsonl", "mmlu/mmlu.csv"},
      .repository = "cais/mmlu",
      .config = "all",
      .split = "test",
      .licence = "MIT (hendrycks/test)",
      .records = 14'042,
  };
  benchmark.samples = 1;
  benchmark.grade = grade_simple_evals_choice;
  benchmark.protocol =
      "simple-evals' zero-shot prompt, whose last line is to be 'Answer: $LETTER'; its extraction, else "
      "another explicit "
      "announcement. The share by the published extraction alone is shown beside it.";
  return benchmark;
}

Benchmark mmlu_stem() {
  Benchmark benchmark = choice_form();
  benchmark.name = "mmlu-stem";
  benchmark.title = "MMLU-STEM";
  benchmark.data = {
      .files = {"mmlu_stem/test.jsonl"},
      .url =
          "https://raw.githubusercontent.com/QwenLM/Qwen2.5-Math/main/evaluation/data/mmlu_stem/test.jsonl",
      .sha256 = "fd7c16f96067d285638abb5aaef9cd8a063b11454e14cb64df93141a58691478",
      .licence = "MIT (hendrycks/test)",
      .records = 3018,
  };
  benchmark.samples = 1;
  benchmark.protocol =
      "The mathematics and science subjects of MMLU with simple-evals' prompt. Published figures of base "
      "models are 4-shot and "
      "can't be compared.";
  return benchmark;
}

}  // namespace r1::eval
