#include "eval/benchmarks/list.h"
#include "eval/benchmarks/math_form.h"

namespace r1::eval {
namespace {

Benchmark competition(std::string name, std::string title, DataSource data) {
  Benchmark benchmark = math_form();
  benchmark.name = std::move(name);
  benchmark.title = std::move(title);
  benchmark.data = std::move(data);
  benchmark.samples = 64;
  benchmark.protocol =
      "Zero-shot with the boxed directive. pass@1 is the mean over 64 samples, cons@64 the majority among "
      "them; one question is "
      "some points.";
  return benchmark;
}

}  // namespace

Benchmark aime_2024() {
  return competition("aime-2024", "AIME 2024",
                     {.files = {"aime24/test.jsonl", "aime24/aime24_evalchemy.json"},
                      .repository = "HuggingFaceH4/aime_2024",
                      .config = "default",
                      .split = "train",
                      .licence = "Apache-2.0 (the collection); problems © MAA, openly distributed",
                      .records = 30});
}

Benchmark aime_2025() {
  return competition(
      "aime-2025", "AIME 2025",
      {.files = {"aime25/aime25.jsonl", "aime25/test.jsonl"},
       .url =
           "https://raw.githubusercontent.com/mlfoundations/evalchemy/main/eval/chat_benchmarks/AIME25/data/"
           "aime25.json",
       .sha256 = "3505b87e8597a1b96821eef78f426382b7bff86c6a4a4cf19b57b24b968adfdb",
       .licence = "Apache-2.0 (the collection); problems © MAA, openly distributed",
       .records = 30});
}

Benchmark cnmo_2024() {
  return competition(
      "cnmo-2024", "CNMO 2024",
      {.files = {"cnmo24/cnmo24.jsonl", "cnmo24.jsonl"},
       .licence = "no published set with a licence is known: bring lines with question and answer"});
}

Benchmark amc_2023() {
  return competition(
      "amc-2023", "AMC 2023",
      {.files = {"amc23/test.jsonl"},
       .url = "https://raw.githubusercontent.com/QwenLM/Qwen2.5-Math/main/evaluation/data/amc23/test.jsonl",
       .sha256 = "43707e1ca784602d8479de24ee8ce36609dbebc46dd152b0b12a46611aa898a4",
       .licence = "MIT (the collection); problems © MAA, openly distributed",
       .records = 40});
}

}  // namespace r1::eval
