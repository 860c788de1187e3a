// Mixture of experts: choosing experts by sigmoid scores, and running the chosen ones.
// Source: DeepSeek-V3 technical report (2024), section 2.1.2, and its inference code's gate.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/context.h"

namespace r1 {

struct Routing {
  const int32_t* experts = nullptr;  // [rows, chosen], ascending in a row
  const float* weights = nullptr;    // [rows, chosen]
};

/// scores = sigmoid(logits); experts are chosen by score + bias (equal ones: the lower number), weighed by
/// the score alone. logits: [rows, experts]; bias: [experts] or null. Memory from the arena.
Routing route_by_sigmoid(Context& context, const RoutingRule& rule, const float* logits, const float* bias,
                         int64_t rows);

/// One layer's routed experts, [experts] each, of one shape.
struct Experts {
  std::vector<Linear> gate, up, down;
};

struct SharedExpert {
  Linear gate, up, down;
};

/// The layers that read an expert block's input, the router aside.
std::vector<const Linear*> expert_readers(const Experts& experts, const SharedExpert* shared);

/// out [rows, hidden] = shared expert(input) + Σ weight · expert(input) over the row's experts in ascending
/// order. Shared expert: or null. Each row's result depends on that row alone. `input` is
/// made for expert_readers.
/// The observer (may be null) is told which experts are read.
void expert_feed_forward(Context& context, const Experts& experts, const SharedExpert* shared,
                         const RoutingRule& rule, const Routing& routing, const Activations& input,
                         float* out, ExpertObserver* observer = nullptr);

}  // namespace r1
