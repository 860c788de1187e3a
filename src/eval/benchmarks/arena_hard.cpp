#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "eval/benchmarks/fact_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/bradley_terry.h"
#include "grade/judge_reply.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

// Of a verdict: the model's share of each game, and whether the judge was sure.
constexpr std::array<const char*, 2> kShare{"game 1", "game 2"};
constexpr std::array<const char*, 2> kStrong{"game 1 strong", "game 2 strong"};

// Of our own, with the published labels.
constexpr std::string_view kJudgeSystem =
    R"(You compare the answers of two assistants, A and B, to a user's prompt, and say which is better.

First write your own answer to the prompt. Then compare both answers with it and point out their mistakes. A good answer is correct, does what the prompt asks, and keeps to what matters; asking back is right where the prompt is ambiguous. Consider creativity where it is asked for, and what is missing.

End with exactly one of these verdicts:
[[A>>B]] A is much better
[[A>B]] A is somewhat better
[[A=B]] both are about equal
[[B>A]] B is somewhat better
[[B>>A]] B is much better)";

/// The assistant's last answer in a record of arena-hard-auto's answers, whose messages may be written as Python writes them.
std::string answer_of(const Json& record) {
  if (const Json* messages = find_field(record, {"messages"})) {
    const Json list =
        messages->is_string() ? python_value(messages->get_ref<const std::string&>()) : *messages;
    if (list.is_array() && !list.empty() && list.back().is_object() && list.back().contains("content")) {
      const Json& content = list.back()["content"];
      return content.is_object() ? text_field(content, {"answer"}) : text_of(content, "content");
    }
  }
  return optional_text_field(record, {"answer", "output", "baseline"});
}

Item read(const Json& record, int64_t, const ItemOptions& options) {
  Item item;
  item.id = id_of(record);
  item.group = optional_text_field(record, {"cluster", "category"});
  item.messages = user_message(question_of(record));
  for (const BoxedJson<Json>& baseline : options.examples) {
    if (id_of(*baseline) == item.id) (*item.fields)["baseline"] = answer_of(*baseline);
  }
  (*item.fields)["question"] = question_of(record);
  return item;
}

std::vector<std::vector<ChatMessage>> judge_questions(const Item& item, const Sample& sample) {
  if (!item.fields->contains("baseline")) return {};
  const auto question = (*item.fields)["question"].get<std::string>();
  const auto baseline = (*item.fields)["baseline"].get<std::string>();
  const auto game = [&](const std::string& a, const std::string& b) {
    // The frame of the published template.
    std::vector<ChatMessage> messages = user_message(fmt::format(
        "<|User Prompt|>\n{}\n\n<|The Start of Assistant A's Answer|>\n{}\n<|The End of Assistant A's "
        "Answer|>\n\n<|The Start of Assistant B's Answer|>\n{}\n<|The End of Assistant B's Answer|>",
        question, a, b));
    ChatMessage system;
    system.role = "system";
    system.content = std::string(kJudgeSystem);
    messages.insert(messages.begin(), system);
    return messages;
  };
  return {game(baseline, sample.answer), game(sample.answer, baseline)};
}

/// Both games or none, as in the published script: a reply without a verdict takes the other one with it.
Verdict grade_games(const Item&, const Sample& sample, const GradingContext&) {
  if (sample.judge_replies.size() != 2)
    return undecided(
        fmt::format("expected the judge's replies to two games, found {}", sample.judge_replies.size()));
  Verdict verdict;
  double points = 0, weight = 0;
  for (size_t game = 0; game < 2; ++game) {
    const std::optional<grade::GameVerdict> result = grade::read_game(sample.judge_replies[game]);
    if (!result) return undecided(fmt::format("game {}: the judge's reply has no verdict", game + 1));
    const double share = game == 0 ? 1 - result->share : result->share;  // the model is B in the first game
    const double game_weight = result->strong ? kStrongWinWeight : 1;
    points += share * game_weight;
    weight += game_weight;
    verdict.metrics[kShare[game]] = share;
    verdict.metrics[kStrong[game]] = result->strong ? 1 : 0;
  }
  verdict.score = points / weight;
  verdict.correct = verdict.score > 0.5;
  verdict.extracted = sample.answer;
  verdict.reason = verdict.score > 0.5 ? "won" : verdict.score < 0.5 ? "lost" : "tied";
  verdict.answer_class = verdict.score >= 0.5 ? AnswerClass::right : AnswerClass::wrong;
  return verdict;
}

std::vector<std::pair<std::string, double>> metrics(std::span<const GradedSample> answers) {
  std::vector<ArenaGame> games;
  games.reserve(2 * answers.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto& values = answers[i].verdict->metrics;
    for (size_t game = 0; game < 2; ++game) {
      if (values.contains(kShare[game]))
        games.push_back({i, values.at(kShare[game]), values.at(kStrong[game]) != 0});
    }
  }
  if (games.empty()) return {{"win_rate", 0}};
  const Estimate score = arena_hard_score(games);
  return {{"win_rate", score.value},
          {"win_rate_low", score.low},
          {"win_rate_high", score.high},
          {"games", static_cast<double>(games.size())}};
}

}  // namespace

Benchmark arena_hard() {
  Benchmark benchmark;
  benchmark.name = "arena-hard";
  benchmark.title = "ArenaHard";
  benchmark.judging = Judging::judge;
  benchmark.data = {
      .files = {"arena_hard_v0.1/question.jsonl"},
      .url =
          "https://raw.githubusercontent.com/lmarena/arena-hard-auto/main/data/arena-hard-v0.1/"
          "question.jsonl",
      .sha256 = "2650242d2883f22b2abd498f273b6a7e02253cce533f5c91a858e1d44aa3002f",
      .licence = "Apache-2.0",
      .records = 500,
      .examples_file = "arena_hard_v0.1/baseline_gpt-4-0314.jsonl",
  };
  benchmark.samples = 1;
  benchmark.metric = "win_rate";
  benchmark.read_item = read;
  benchmark.grade = grade_games;
  benchmark.metrics = metrics;
  benchmark.judge_questions = judge_questions;
  benchmark.protocol =
      "v0.1: two games against gpt-4-0314's published answers, which lie beside the data, the second with "
      "the sides swapped; a strong "
      "verdict counts three times; interval of 100 bootstraps. The release's judge was GPT-4-Turbo-1106: "
      "another judge gives other "
      "figures.";
  return benchmark;
}

}  // namespace r1::eval
