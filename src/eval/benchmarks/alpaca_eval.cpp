#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "eval/benchmarks/fact_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "grade/judge_reply.h"

namespace r1::eval {
namespace {

// Of our own, with the published names of the two outputs.
constexpr std::string_view kPrompt =
    R"(Two models, m and M, were given the same instruction. Say which output people would prefer: the one that is more helpful, correct and complete.

Instruction:
{}

Output of m:
{}

Output of M:
{}

Reply with the name of the better one, m or M, and nothing else.)";

Item read(const nlohmann::json& record, int64_t line, const ItemOptions& options) {
  Item item;
  item.id = id_of(record);
  item.group = optional_text_field(record, {"dataset"});
  const std::string instruction = text_field(record, {"instruction", "question", "prompt"});
  item.messages = user_message(instruction);
  (*item.fields)["instruction"] = instruction;
  (*item.fields)["baseline"] = text_field(record, {"output", "baseline", "reference"});
  (*item.fields)["model_first"] = random_bits(options.seed, static_cast<uint64_t>(line)) % 2 == 1;
  return item;
}

std::vector<std::vector<ChatMessage>> judge_questions(const Item& item, const Sample& sample) {
  const auto text = [&](const char* name) { return (*item.fields)[name].get<std::string>(); };
  const bool model_first = (*item.fields)["model_first"].get<bool>();
  const std::string baseline = text("baseline");
  return {user_message(fmt::format(fmt::runtime(kPrompt), text("instruction"),
                                   model_first ? sample.answer : baseline,
                                   model_first ? baseline : sample.answer))};
}

Verdict grade_by_judge(const Item& item, const Sample& sample, const GradingContext&) {
  if (sample.judge_replies.empty()) return undecided("no judge's reply");
  const std::optional<double> preference = grade::read_preference(sample.judge_replies.back());
  if (!preference) return undecided("the judge's reply names neither output");
  Verdict verdict;
  // A number is a published preference, whose second output is the model's; a name is of the order in which we asked.
  const std::string& reply = sample.judge_replies.back();
  const bool is_number = reply.find_first_of("mM") == std::string::npos;
  const bool model_first = !is_number && (*item.fields)["model_first"].get<bool>();
  verdict.score = model_first ? 2 - *preference : *preference - 1;
  verdict.correct = verdict.score > 0.5;
  verdict.extracted = sample.answer;
  verdict.reason = verdict.correct ? "preferred" : "not preferred";
  verdict.answer_class = verdict.correct ? AnswerClass::right : AnswerClass::wrong;
  return verdict;
}

}  // namespace

Benchmark alpaca_eval_2() {
  Benchmark benchmark;
  benchmark.name = "alpaca-eval-2";
  benchmark.title = "AlpacaEval 2";
  benchmark.judging = Judging::judge;
  benchmark.data = {
      .files = {"alpaca_eval/alpaca_eval_gpt4_baseline.json"},
      .licence =
          "CC BY-NC 4.0: not fetched; bring alpaca_eval_gpt4_baseline.json of tatsu-lab/alpaca_eval "
          "(instruction, output)",
      .records = 805,
  };
  benchmark.samples = 1;
  benchmark.metric = "win_rate";
  benchmark.read_item = read;
  benchmark.grade = grade_by_judge;
  benchmark.judge_questions = judge_questions;
  benchmark.protocol =
      "A judge model prefers the answer or the baseline's (GPT-4-Turbo), in an order drawn by the seed; a "
      "judge_reply between 1 and 2 "
      "is a published preference. The release's figure is length-controlled, which needs the leaderboard's "
      "two CSV files.";
  return benchmark;
}

}  // namespace r1::eval
