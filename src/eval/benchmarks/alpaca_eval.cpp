#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "eval/benchmarks/fact_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/length_controlled.h"
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

double number_field(const nlohmann::json& record, const char* name) {
  const std::string text = text_field(record, {name});
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw_error(ErrorKind::bad_file, "{}: expected a number, found '{}'", name, text);
  return value;
}

/// What df_gamed.csv says of an instruction: its difficulty, and the baseline against gamed versions of itself.
void add_gamed(Item& item, int64_t line, const ItemOptions& options) {
  for (const auto& example : options.examples) {
    if (number_field(*example, "index") != static_cast<double>(line)) continue;
    (*item.fields)["difficulty"] = number_field(*example, "instruction_difficulty");
    (*item.fields)["gamed"].push_back(
        {number_field(*example, "preference"), number_field(*example, "std_delta_len")});
  }
}

Item read(const nlohmann::json& record, int64_t line, const ItemOptions& options) {
  Item item;
  item.id = id_of(record);
  item.group = optional_text_field(record, {"dataset"});
  const std::string instruction = text_field(record, {"instruction", "question", "prompt"});
  item.messages = user_message(instruction);
  (*item.fields)["instruction"] = instruction;
  (*item.fields)["baseline"] = text_field(record, {"output", "baseline", "reference"});
  (*item.fields)["model_first"] = random_bits(options.seed, static_cast<uint64_t>(line)) % 2 == 1;
  add_gamed(item, line, options);
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

/// Characters, as the published form counts them.
double length_of(std::string_view text) {
  return static_cast<double>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

/// The length-controlled rate where the difficulties of all instructions are known, and the plain one.
std::vector<std::pair<std::string, double>> metrics(std::span<const GradedSample> answers) {
  std::vector<LengthComparison> pairs, gamed;
  std::map<std::string, Scores> scores;
  bool known = true;
  for (const GradedSample& answer : answers) {
    const nlohmann::json& fields = *answer.item->fields;
    Scores& of_item = scores[answer.item->id];
    of_item.push_back(answer.verdict->score);
    known = known && fields.contains("difficulty");
    if (!known) continue;
    const auto difficulty = fields["difficulty"].get<double>();
    if (of_item.size() == 1) {
      for (const nlohmann::json& game : fields["gamed"])
        gamed.push_back({game[0].get<double>(), game[1].get<double>(), difficulty});
    }
    if (answer.verdict->answer_class == AnswerClass::unknown) continue;  // the published form leaves them out
    const double baseline = length_of(fields["baseline"].get_ref<const std::string&>());
    pairs.push_back({answer.verdict->score, baseline - length_of(answer.sample->answer), difficulty});
  }
  std::vector<Scores> questions;
  questions.reserve(scores.size());
  for (auto& [id, of_item] : scores) questions.push_back(std::move(of_item));
  const Estimate plain = mean_score(questions);
  std::vector<std::pair<std::string, double>> values;
  if (known && !pairs.empty()) {
    const Estimate rate = length_controlled_win_rate(pairs, gamed);
    values = {{"length_controlled_win_rate", rate.value},
              {"length_controlled_win_rate_low", rate.low},
              {"length_controlled_win_rate_high", rate.high}};
  }
  values.emplace_back("win_rate", plain.value);
  return values;
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
      .examples_file = "alpaca_eval/df_gamed.csv",
  };
  benchmark.samples = 1;
  benchmark.metric = "win_rate";
  benchmark.read_item = read;
  benchmark.grade = grade_by_judge;
  benchmark.metrics = metrics;
  benchmark.judge_questions = judge_questions;
  benchmark.protocol =
      "A judge model prefers the answer or the baseline's (GPT-4-Turbo), in an order drawn by the seed; a "
      "judge_reply between 1 and 2 "
      "is a published preference. The release's figure is length-controlled: computed where df_gamed.csv "
      "of tatsu-lab/alpaca_eval lies beside the data.";
  return benchmark;
}

}  // namespace r1::eval
