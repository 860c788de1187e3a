// A reward by a model that `r1 train reward` trained.
#pragma once

#include <filesystem>
#include <memory>

#include "nn/context.h"
#include "rl/reward.h"

namespace r1::rl {

/// The scalar that the model's head gives to the last token of the conversation, rendered by the model's own template: what
/// `r1 train reward` compares (Bradley–Terry: differences count, not the scale). `folder`: a hub directory with score.weight.
/// `batch_rows`: tokens of one pass; an answer that is longer gets no reward. The context must outlive it. Throws Error for a
/// model without such a head, and as opening a model does.
std::unique_ptr<Reward> make_model_reward(Context& context, const std::filesystem::path& folder,
                                          int64_t batch_rows,
                                          const std::function<void(const std::string&)>& remark);

}  // namespace r1::rl
