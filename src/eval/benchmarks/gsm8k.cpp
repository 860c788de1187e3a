#include "eval/benchmarks/list.h"
#include "eval/benchmarks/math_form.h"

namespace r1::eval {

Benchmark gsm8k() {
  Benchmark benchmark = math_form();
  benchmark.name = "gsm8k";
  benchmark.title = "GSM8K";
  benchmark.data = {
      .files = {"gsm8k/test.jsonl"},
      .url =
          "https://raw.githubusercontent.com/openai/grade-school-math/master/grade_school_math/data/"
          "test.jsonl",
      .sha256 = "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
      .licence = "MIT",
      .records = 1319,
  };
  benchmark.samples = 4;
  benchmark.protocol =
      "Zero-shot with the boxed directive; the reference is what follows #### in the data. Published figures "
      "of base models "
      "are 8-shot and can't be compared.";
  return benchmark;
}

}  // namespace r1::eval
