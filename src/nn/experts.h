// Mixture of experts: choosing experts by sigmoid scores, and running the chosen ones.
// Source: DeepSeek-V3 technical report (2024), section 2.1.2, and its inference code's gate.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/context.h"
#include "nn/linear.h"

namespace r1 {

struct RoutingRule {
  int64_t experts = 0;
  int64_t chosen = 0;         // experts for a row
  int64_t groups = 1;         // equal groups of neighbouring experts
  int64_t chosen_groups = 1;  // groups that may be chosen from: those with the largest sum of two best
  bool normalise = true;      // weights divided by their sum
  float scale = 1;            // weights multiplied by this
};

struct Routing {
  const int32_t* experts = nullptr;  // [rows, chosen], ascending in a row
  const float* weights = nullptr;    // [rows, chosen]
};

/// scores = sigmoid(logits); experts are chosen by score + bias (equal ones: the lower number), weighed by
/// the score alone. logits: [rows, experts]; bias: [experts] or null.
Routing route_by_sigmoid(Context& context, const RoutingRule& rule, const float* logits, const float* bias,
                         int64_t rows);

/// One layer's routed experts, [experts] each.
struct Experts {
  std::vector<Linear> gate, up, down;
};

/// out [rows, hidden] = shared expert(input) + Σ weight · expert(input) over the row's experts in ascending
/// order. Shared expert: three layers, or null. Each row's result depends on that row alone. `input` must
/// have the forms that the layers take.
struct SharedExpert {
  Linear gate, up, down;
};
void expert_feed_forward(Context& context, const Experts& experts, const SharedExpert* shared,
                         const RoutingRule& rule, const Routing& routing, const Activations& input,
                         float* out);

class Tape;
/// What the backward of route_by_sigmoid needs: from the gradient of the weights to that of the logits.
struct RoutingRecord {
  RoutingRule rule;
  Routing routing;
  const float* logits = nullptr;  // [rows, experts]
  int64_t rows = 0;
};
void routing_backward(Context& context, Tape& tape, const RoutingRecord& record);

/// … of the weighted sum of the experts' results: from the gradient of out to those of results and weights.
struct ExpertSumRecord {
  const float* out = nullptr;        // [rows, hidden]
  const float* results = nullptr;    // [rows · chosen, hidden]
  const float* weights = nullptr;    // [rows, chosen]
  const int32_t* pair_of = nullptr;  // [rows, chosen]: the row's place in results
  int64_t rows = 0, chosen = 0, hidden = 0;
  bool has_shared = false;
};
void expert_sum_backward(Context& context, Tape& tape, const ExpertSumRecord& record);

}  // namespace r1
