// Settings of the published runs of reinforcement learning. Source: DeepSeek-AI, "DeepSeek-R1 incentivizes reasoning in LLMs
// through reinforcement learning", 2025 (arXiv 2501.12948 v2), supplementary information, hyper-parameters of the stages.
#pragma once

#include <functional>
#include <string>

#include "train/options.h"

namespace r1 {

/// Sets what options.preset names, but for options that somebody gave. PolicyPreset::none changes nothing.
void apply_policy_preset(TrainingOptions& options, const std::function<bool(const std::string& name)>& given);

}  // namespace r1
