#include "eval/benchmarks/list.h"
#include "eval/benchmarks/math_form.h"

namespace r1::eval {

Benchmark aime_2024() {
  Benchmark benchmark = math_form();
  benchmark.name = "aime-2024";
  benchmark.title = "AIME 2024";
  benchmark.data = {
      .files = {"aime24/test.jsonl", "aime24/aime24_evalchemy.json"},
      .repository = "HuggingFaceH4/aime_2024",
      .config = "default",
      .split = "train",
      .licence = "Apache-2.0 (the collection); problems © MAA, openly distributed",
      .records = 30,
  };
  benchmark.samples = 64;
  benchmark.protocol =
      "Zero-shot with the boxed directive. pass@1 is the mean over 64 samples, cons@64 the majority among "
      "them. One problem "
      "is 3.3 points.";
  return benchmark;
}

}  // namespace r1::eval
