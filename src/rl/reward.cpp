#include "rl/reward.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "grade/boxed_answer.h"
#include "grade/math_answer.h"
#include "rl/command_reward.h"
#include "rl/model_reward.h"
#include "rl/text_measures.h"
#include "tasks/answer_check.h"

namespace r1::rl {

const double kNoReward = std::numeric_limits<double>::quiet_NaN();

namespace {

constexpr std::string_view kCommand = "command:", kModel = "model:";

/// A reward of each answer by itself.
template <typename Score>
class EachAnswer final : public Reward {
 public:
  explicit EachAnswer(Score how) : score_(std::move(how)) {}
  std::vector<double> score(std::span<const Answer> answers) override {
    std::vector<double> result;
    result.reserve(answers.size());
    for (const Answer& answer : answers) result.push_back(score_(answer));
    return result;
  }

 private:
  Score score_;
};

template <typename Score>
std::unique_ptr<Reward> each(Score score) {
  return std::make_unique<EachAnswer<Score>>(std::move(score));
}

/// What the answer commits itself to. Nothing is guessed from the last number: that would be learnt.
std::optional<std::string> committed_answer(const Answer& answer) {
  if (answer.in_reasoning) return std::nullopt;
  if (const std::optional<std::string_view> tagged = inside_tags(answer.answer, "answer")) {
    if (std::optional<std::string> boxed = grade::boxed_answer(*tagged)) return boxed;
    return std::string(*tagged);
  }
  return grade::boxed_answer(answer.answer);
}

/// A text of the question's record; "" where there is none.
std::string record_text(const Question& question, const char* name) {
  if (!question.fields->is_object()) return "";
  const auto found = question.fields->find(name);
  return found != question.fields->end() && found->is_string() ? found->get<std::string>() : "";
}

double answer_tags_reward(const Answer& answer) {
  const bool thought = !answer.in_reasoning && !is_blank(answer.reasoning) && answer.finished;
  return thought && is_only_tags(answer.answer, "answer") &&
                 answer.reasoning.find("<answer>") == std::string::npos
             ? 1
             : 0;
}

/// Kimi k1.5: λ = 0.5 - (length - shortest) / (longest - shortest) within a group; wrong answers get no more than 0.
class LengthReward final : public Reward {
 public:
  std::vector<double> score(std::span<const Answer> answers) override {
    std::map<int64_t, std::pair<int64_t, int64_t>> range;  // shortest and longest of each group
    for (const Answer& answer : answers) {
      const auto [found, is_new] = range.try_emplace(answer.group, answer.tokens, answer.tokens);
      if (is_new) continue;
      found->second.first = std::min(found->second.first, answer.tokens);
      found->second.second = std::max(found->second.second, answer.tokens);
    }
    std::vector<double> result;
    result.reserve(answers.size());
    for (const Answer& answer : answers) {
      const auto [shortest, longest] = range[answer.group];
      if (shortest == longest) {
        result.push_back(0);
        continue;
      }
      const double value =
          0.5 - static_cast<double>(answer.tokens - shortest) / static_cast<double>(longest - shortest);
      result.push_back(is_right(answer) ? value : std::min(0.0, value));
    }
    return result;
  }
};

std::unique_ptr<Reward> make_reward(Context& context, const std::string& name, const TrainingOptions& options,
                                    const std::function<void(const std::string&)>& remark) {
  if (name.starts_with(kCommand)) {
    return make_command_reward(name.substr(kCommand.size()), options.reward_seconds, remark);
  }
  if (name.starts_with(kModel))
    return make_model_reward(context, name.substr(kModel.size()), options.batch_tokens, remark);
  if (name == "accuracy") return each([](const Answer& answer) { return is_right(answer) ? 1.0 : 0.0; });
  if (name == "format") return each([](const Answer& answer) { return is_well_formed(answer) ? 1.0 : 0.0; });
  if (name == "answer-tags") return each(answer_tags_reward);
  if (name == "language") {
    return each(
        [](const Answer& answer) { return language_share(answer.reasoning, answer.question->language); });
  }
  if (name == "repetition") return each([](const Answer& answer) { return -repeated_share(answer.output); });
  if (name == "overlong") {
    const auto limit = static_cast<double>(options.answer_tokens),
               buffer = static_cast<double>(options.overlong_buffer);
    return each([limit, buffer](const Answer& answer) {
      if (!answer.finished) return -1.0;
      const double over = static_cast<double>(answer.tokens) - (limit - buffer);
      return over <= 0 || buffer <= 0 ? 0.0 : std::max(-1.0, -over / buffer);
    });
  }
  if (name == "length") return std::make_unique<LengthReward>();
  throw_error(ErrorKind::invalid_argument,
              "rewards: expected accuracy, format, answer-tags, language, repetition, overlong, length, "
              "command:PROGRAM or model:FOLDER, found '{}'",
              name);
}

}  // namespace

bool is_right(const Answer& answer) {
  const std::optional<std::string> committed = committed_answer(answer);
  if (!committed || committed->empty()) return false;
  // Generated exercises whose answers have several right forms have checks of their own.
  const Question& question = *answer.question;
  const std::string kind = record_text(question, "kind"), canonical = record_text(question, "canonical");
  if (const std::optional<bool> checked =
          tasks::check_answer({kind, canonical, question.expected, *committed})) {
    return *checked;
  }
  return grade::grade_math(question.expected, "\\boxed{" + *committed + "}").correct;
}

bool is_well_formed(const Answer& answer) {
  const bool thought = !answer.in_reasoning && !is_blank(answer.reasoning) && answer.finished;
  const bool tags_elsewhere = answer.answer.find("think>") != std::string::npos ||
                              answer.reasoning.find("<think>") != std::string::npos;
  return thought && !tags_elsewhere && occurrences(answer.answer, "\\boxed{") == 1;
}

std::vector<WeightedReward> make_rewards(Context& context, const TrainingOptions& options,
                                         const std::function<void(const std::string&)>& remark) {
  std::vector<WeightedReward> rewards;
  rewards.reserve(options.rewards.size());
  std::set<std::string> seen;
  for (const std::string& text : options.rewards) {
    const size_t equals = text.rfind('=');
    WeightedReward made;
    made.name = text.substr(0, equals);
    if (equals != std::string::npos) {
      const char* end = text.data() + text.size();
      const auto [rest, error] = std::from_chars(text.data() + equals + 1, end, made.weight);
      const bool is_weight = error == std::errc() && rest == end && std::isfinite(made.weight);
      if (!is_weight && text.starts_with(kCommand)) {
        made.name = text, made.weight = 1;  // the sign belongs to the command
      } else if (!is_weight) {
        throw_error(ErrorKind::invalid_argument, "rewards: {}: expected a number as its weight, found '{}'",
                    made.name, text.substr(equals + 1));
      }
    }
    if (!seen.insert(made.name).second) {
      throw_error(ErrorKind::invalid_argument, "rewards: '{}': given twice", made.name);
    }
    made.reward = make_reward(context, made.name, options, remark);
    rewards.push_back(std::move(made));
  }
  if (rewards.empty()) throw_error(ErrorKind::invalid_argument, "rewards: expected at least one");
  return rewards;
}

}  // namespace r1::rl
