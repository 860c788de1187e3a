// The stages of training: what each is trained on and what its objective needs (train/objective.h computes it).
#pragma once

#include <span>
#include <string_view>

namespace r1 {

enum class TrainingStage {
  pretrain,  // raw text: every token is predicted
  sft,       // conversations: the marked tokens are predicted
  dpo,       // pairs: chosen and rejected answers to one prompt
  kto,       // single answers marked desirable or not
  orpo,      // pairs, without a reference model
  reward,    // pairs, a scalar for each sequence
  grpo,      // questions: answers are sampled and rewarded (src/rl)
};

enum class SampleKind {
  text,           // raw text, cut into windows
  conversations,  // or text
  pairs,          // a prompt, a chosen and a rejected answer
  labelled,       // a conversation and whether its answer is desirable
  questions,      // a conversation whose answer can be checked
};

/// One row a stage. Whoever wants to know something of a stage asks here.
struct StageTraits {
  TrainingStage stage = TrainingStage::sft;
  std::string_view name;  // as the command is called
  std::string_view help;
  SampleKind samples = SampleKind::conversations;
  bool needs_reference = false;    // the policy that training begins from
  bool needs_reward_head = false;  // the model gives a score instead of words
  bool needs_log_probs = false;  // the derivatives depend on the log-probabilities: logits are computed twice
};

std::span<const StageTraits> all_stages();
const StageTraits& traits_of(TrainingStage stage);
inline std::string_view name_of(TrainingStage stage) {
  return traits_of(stage).name;
}

}  // namespace r1
