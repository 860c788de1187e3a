#include "eval/benchmarks/list.h"
#include "eval/benchmarks/math_form.h"

namespace r1::eval {

Benchmark math_500() {
  Benchmark benchmark = math_form();
  benchmark.name = "math-500";
  benchmark.title = "MATH-500";
  benchmark.data = {
      .files = {"math500/test.jsonl", "math500.jsonl"},
      .repository = "HuggingFaceH4/MATH-500",
      .repository_file = "test.jsonl",
      .licence = "MIT (hendrycks/math; the split by openai/prm800k, MIT)",
      .records = 500,
  };
  benchmark.samples = 4;
  benchmark.protocol =
      "Zero-shot with the boxed directive; the box is compared with the reference by meaning, exactly. The "
      "release's figure "
      "(97.3 for R1) is the mean over samples.";
  return benchmark;
}

}  // namespace r1::eval
