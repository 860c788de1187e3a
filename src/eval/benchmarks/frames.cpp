#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/benchmarks/fact_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "grade/judge_reply.h"

namespace r1::eval {
namespace {

constexpr std::string_view kPrompt =
    R"(Decide whether an answer to a question agrees in meaning with the reference answer. Wording and further detail do not matter, as long as everything that the reference says is there and nothing contradicts it.

Question: {}
Reference answer: {}
Answer to check: {}

Reply with "Decision: TRUE" or "Decision: FALSE".)";

std::vector<std::vector<ChatMessage>> judge_questions(const Item& item, const Sample& sample) {
  const auto text = [&](const char* name) { return (*item.fields)[name].get<std::string>(); };
  return {
      user_message(fmt::format(fmt::runtime(kPrompt), text("question"), text("reference"), sample.answer))};
}

Verdict grade_by_judge(const Item&, const Sample& sample, const GradingContext&) {
  if (sample.judge_replies.empty()) return undecided("no judge's reply");
  const std::optional<bool> decision = grade::read_true_or_false(sample.judge_replies.back());
  if (!decision) return undecided("the judge's reply has no decision");
  Verdict verdict;
  verdict.correct = *decision;
  verdict.score = *decision ? 1 : 0;
  verdict.extracted = sample.answer;
  verdict.reason = *decision ? "judged true" : "judged false";
  verdict.answer_class = *decision ? AnswerClass::right : AnswerClass::wrong;
  return verdict;
}

}  // namespace

Benchmark frames() {
  Benchmark benchmark = fact_form();
  benchmark.name = "frames";
  benchmark.title = "FRAMES";
  benchmark.data = {
      .files = {"frames/frames_824.jsonl", "frames/test.tsv"},
      .repository = "google/frames-benchmark",
      .repository_file = "test.tsv",
      .licence = "Apache-2.0",
      .records = 824,
  };
  benchmark.metric = "accuracy";
  benchmark.grade = grade_by_judge;
  benchmark.judge_questions = judge_questions;
  benchmark.metrics = nullptr;
  benchmark.protocol =
      "The question alone, without the articles; a judge model says TRUE or FALSE. Published figures of "
      "systems with retrieval can't "
      "be compared.";
  return benchmark;
}

}  // namespace r1::eval
