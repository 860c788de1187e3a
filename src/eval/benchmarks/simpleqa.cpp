#include "eval/benchmarks/fact_form.h"
#include "eval/benchmarks/list.h"

namespace r1::eval {

Benchmark simpleqa() {
  Benchmark benchmark = fact_form();
  benchmark.name = "simpleqa";
  benchmark.title = "SimpleQA";
  benchmark.data = {
      .files = {"simpleqa/simple_qa_test_set.csv"},
      .url = "https://openaipublic.blob.core.windows.net/simple-evals/simple_qa_test_set.csv",
      .sha256 = "feee3f7e7db3617e94e8fcf1977b756ec420ef8568f4e0fcbbe0e92e9d5fc032",
      .licence = "MIT (openai/simple-evals)",
      .records = 4326,
  };
  benchmark.protocol =
      "A judge model gives A, B or C (correct, incorrect, not attempted); the share of A. Judge and judge's "
      "prompt differ from "
      "the published ones (GPT-4o; simple-evals), which moves figures by some points.";
  return benchmark;
}

Benchmark chinese_simpleqa() {
  Benchmark benchmark = fact_form();
  benchmark.name = "c-simpleqa";
  benchmark.title = "C-SimpleQA";
  benchmark.data = {
      .files = {"chinese_simpleqa/chinese_simpleqa.jsonl"},
      .repository = "OpenStellarTeam/Chinese-SimpleQA",
      .repository_file = "chinese_simpleqa.jsonl",
      .sha256 = "c626ca34be9bdd2203a45a70af9fed177d48d9f12ba10ebe9bf10f0c6b1eb484",
      .licence = "MIT",
      .records = 3000,
  };
  benchmark.protocol = "As SimpleQA, with a Chinese prompt to the judge.";
  return benchmark;
}

Benchmark judge() {
  Benchmark benchmark = fact_form();
  benchmark.name = "judge";
  benchmark.title = "Your own questions, judged";
  benchmark.protocol =
      "Lines {\"id\", \"question\", \"answer\"}; a judge model gives A, B or C as in SimpleQA; the share of "
      "A.";
  return benchmark;
}

}  // namespace r1::eval
