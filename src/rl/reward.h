// Rewards of sampled answers: each looks at all answers of a step and gives a number for each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nn/context.h"
#include "rl/question.h"
#include "train/options.h"

namespace r1::rl {

/// What rewards read of an answer.
struct Answer {
  const Question* question = nullptr;
  int64_t group = 0;          // answers to the same question in a step share it
  std::string output;         // all generated text, tags included
  std::string reasoning;      // between the tags of thinking, or all of it where they were never closed
  std::string answer;         // behind the thinking
  bool in_reasoning = false;  // the thinking was never closed
  bool finished = false;      // the model ended it itself
  int64_t tokens = 0;
};

/// The boxed answer behind the thinking, or the one in <answer> tags, is equal to the expected one.
bool is_right(const Answer& answer);
/// Thinking that is not empty was closed once, and exactly one boxed answer follows.
bool is_well_formed(const Answer& answer);

/// Rewards are finite, or kNoReward: the answer could not be judged, and is not learnt from. One thread.
class Reward {
 public:
  virtual ~Reward() = default;
  virtual std::vector<double> score(std::span<const Answer> answers) = 0;
};

/// Not a number.
extern const double kNoReward;

struct WeightedReward {
  std::string name;
  double weight = 1;
  std::unique_ptr<Reward> reward;
};

/// From "accuracy=1", "command:./judge --strict=0.5". Names:
///   accuracy     1 where the boxed answer, or the one in <answer> tags, is equal to the expected one, else 0
///   format       1 where thinking that is not empty was closed once and exactly one boxed answer follows, else 0
///   answer-tags  1 for <think>…</think> <answer>…</answer> and nothing besides (R1-Zero's template), else 0
///   language     share of the thinking's words that are in the question's language (DeepSeek-AI 2025, section 2.3.2)
///   repetition   minus the share of word triples that were there before
///   overlong     0, falling to -1 over the last overlong_buffer tokens before answer_tokens (DAPO, equation 13)
///   length       shorter right answers of a group before longer ones, ±0.5 (Kimi k1.5, section 2.3.3)
///   command:P    what program P says (rl/command_reward.h)
///   model:FOLDER what a reward model says (rl/model_reward.h), in passes of `batch_tokens` with `context`
/// Throws Error(invalid_argument) for an unknown name or a weight that is no number, and as opening a model does. `remark`:
/// failures of commands.
std::vector<WeightedReward> make_rewards(Context& context, const TrainingOptions& options,
                                         const std::function<void(const std::string&)>& remark);

}  // namespace r1::rl
