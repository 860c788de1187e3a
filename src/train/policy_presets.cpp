#include "train/policy_presets.h"

#include <utility>

namespace r1 {

void apply_policy_preset(TrainingOptions& options,
                         const std::function<bool(const std::string& name)>& given) {
  if (options.preset == PolicyPreset::none) return;
  const auto set = [&](const char* name, auto& value, auto published) {
    if (!given(name)) value = std::move(published);
  };
  // R1-Zero: 32 questions × 16 answers a step, 8,192 answers a rollout in 16 mini-batches; here a step has one change of the
  // weights of the same size, which is the same order of samples and updates without their delay.
  set("questions", options.questions, int64_t{32});
  set("group", options.group, int64_t{16});
  set("minibatches", options.minibatches, int64_t{1});
  set("inner_epochs", options.inner_epochs, int64_t{1});
  set("answer_tokens", options.answer_tokens, int64_t{32'768});
  set("learning_rate", options.learning_rate, 3e-6);
  set("schedule", options.schedule, Schedule::constant);
  set("kl", options.kl, 0.001);
  set("reference_steps", options.reference_steps, int64_t{400});
  set("temperature", options.temperature, 1.0);
  std::vector<std::string> rewards{"accuracy=1", "format=1"};
  if (options.preset != PolicyPreset::r1_zero) {
    rewards.emplace_back("language=1");
    set("clip_low", options.clip_low, 1.0);  // 1 - 10 is below 0: no lower limit
    set("clip_high", options.clip_high, 10.0);
  }
  if (options.preset == PolicyPreset::r1_all_scenarios) set("temperature", options.temperature, 0.7);
  set("rewards", options.rewards, std::move(rewards));
}

}  // namespace r1
