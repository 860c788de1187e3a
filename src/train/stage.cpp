#include "train/stage.h"

#include <array>

namespace r1 {
namespace {

using enum TrainingStage;

// In the order of the enumeration.
constexpr std::array<StageTraits, 7> kStages = {{
    {.stage = pretrain,
     .name = "pretrain",
     .help = "Train on raw text, a new model or a given one",
     .samples = SampleKind::text},
    {.stage = sft,
     .name = "sft",
     .help = "Train on conversations: the answers are learnt",
     .samples = SampleKind::conversations},
    {.stage = dpo,
     .name = "dpo",
     .help = "Train on pairs: Direct Preference Optimization",
     .samples = SampleKind::pairs,
     .needs_reference = true,
     .needs_log_probs = true},
    {.stage = kto,
     .name = "kto",
     .help = "Train on answers labelled good or bad",
     .samples = SampleKind::labelled,
     .needs_reference = true,
     .needs_log_probs = true},
    {.stage = orpo,
     .name = "orpo",
     .help = "Train on pairs without a reference model",
     .samples = SampleKind::pairs,
     .needs_log_probs = true},
    {.stage = reward,
     .name = "reward",
     .help = "Train a reward model on pairs",
     .samples = SampleKind::pairs,
     .needs_reward_head = true,
     .needs_log_probs = true},
    {.stage = grpo,
     .name = "grpo",
     .help = "Reinforcement learning: answers are sampled, rewarded by rules, and learnt from",
     .samples = SampleKind::questions,
     .needs_log_probs = true},
}};

}  // namespace

std::span<const StageTraits> all_stages() {
  return kStages;
}

const StageTraits& traits_of(TrainingStage stage) {
  return kStages.at(static_cast<size_t>(stage));
}

}  // namespace r1
