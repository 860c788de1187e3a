// The ops of latent attention and of mixtures of experts.
#include "nn/elementwise.h"
#include "nn/experts.h"
#include "nn/latent.h"
#include "tests/nn/op_cases.h"

namespace r1::op_cases {
namespace {

constexpr LatentHeads kHeads{3, 10, 16, 4, 16};  // heads, latent, plain, rotary, value
constexpr int64_t kRows = 5;
const std::vector<int32_t> kPositions{0, 1, 2, 0, 1}, kReversed{4, 3, 2, 1, 0};

RopeFrequencies rope() {
  RopeFrequencies rope = plain_rope(kHeads.rotary, 100);
  rope.magnitude = 1.25;
  return rope;
}

Case latent_keys_case() {
  constexpr float kEpsilon = 1e-2F;
  constexpr int64_t kColumns = kHeads.cached();
  Case test_case;
  test_case.name = "LatentKeys";
  test_case.inputs = {{"compressed", kRows * kColumns}, {"norm", kHeads.latent, true}};
  test_case.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    const RopeTable table = make_rope_table(context, rope(), kPositions);
    return {{{finish_latent_keys(context, kHeads, float_vector(in[1]), kEpsilon, table, kRows, in[0]),
              kRows * kColumns}},
            {}};
  };
  test_case.reference = [](const AllDoubles& in) {
    Doubles out = in[0];
    for (int64_t r = 0; r < kRows; ++r) {
      double* row = out.data() + r * kColumns;
      double sum = 0;
      for (int64_t c = 0; c < kHeads.latent; ++c) sum += row[c] * row[c];
      const double root = std::sqrt(sum / kHeads.latent + double{kEpsilon});
      for (int64_t c = 0; c < kHeads.latent; ++c) row[c] *= in[1][c] / root;
      rotate_plainly(RopeStyle::interleaved, rope(), kPositions[r], row + kHeads.latent);
    }
    return out;
  };
  return test_case;
}

// The projections over one weight {heads · (plain + value), latent}, or over two stacks.
LatentProjections projections_of(const std::vector<float*>& in, bool apart) {
  LatentProjections projections;
  if (!apart) {
    projections.together = {float_matrix(in[1], kHeads.heads * (kHeads.plain + kHeads.value), kHeads.latent),
                            {}};
    return projections;
  }
  for (int64_t h = 0; h < kHeads.heads; ++h) {
    projections.keys.push_back({float_matrix(in[1 + h], kHeads.latent, kHeads.plain), {}});
    projections.values.push_back({float_matrix(in[1 + h], kHeads.value, kHeads.latent), {}});
  }
  return projections;
}

std::vector<Input> projection_inputs(const char* name, int64_t columns, bool apart) {
  std::vector<Input> inputs{{name, kRows * kHeads.heads * columns}};
  if (!apart) {
    inputs.push_back({"together", kHeads.heads * (kHeads.plain + kHeads.value) * kHeads.latent, true});
  } else {
    for (const char* head : {"head 0", "head 1", "head 2"}) {
      inputs.push_back({head, kHeads.plain * kHeads.latent, true});
    }
  }
  return inputs;
}

// `by_number`: the rows of the table are named, last first (without a tape alone).
Case absorb_case(bool apart, bool by_number = false) {
  constexpr int64_t kOut = kRows * kHeads.heads * kHeads.cached();
  Case test_case;
  test_case.name = std::string("AbsorbQueries") + (apart ? "Apart" : "") + (by_number ? "ByNumber" : "");
  test_case.has_gradient = !by_number;
  test_case.inputs = projection_inputs("queries", kHeads.query(), apart);
  auto projections = std::make_shared<LatentProjections>();
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    *projections = projections_of(in, apart);
    const RopeTable table = make_rope_table(context, rope(), kPositions);
    float* absorbed = context.arena().allocate<float>(kOut);
    const int32_t* numbers = by_number ? upload(context, kReversed) : nullptr;
    absorb_queries(context, kHeads, *projections, table, numbers, in[0], kRows, absorbed);
    return {{{absorbed, kOut}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    Doubles out(kOut);
    for (int64_t i = 0; i < kRows * kHeads.heads; ++i) {
      const int64_t h = i % kHeads.heads;
      const double* query = in[0].data() + i * kHeads.query();
      double* to = out.data() + i * kHeads.cached();
      for (int64_t c = 0; c < kHeads.latent; ++c) {
        for (int64_t o = 0; o < kHeads.plain; ++o) {
          to[c] += query[o] * (apart ? in[1 + h][c * kHeads.plain + o]
                                     : in[1][(h * (kHeads.plain + kHeads.value) + o) * kHeads.latent + c]);
        }
      }
      std::copy_n(query + kHeads.plain, kHeads.rotary, to + kHeads.latent);
      rotate_plainly(RopeStyle::interleaved, rope(),
                     kPositions[by_number ? kReversed[i / kHeads.heads] : i / kHeads.heads],
                     to + kHeads.latent);
    }
    return out;
  };
  return test_case;
}

Case expand_case(bool apart) {
  constexpr int64_t kOut = kRows * kHeads.heads * kHeads.value;
  Case test_case;
  test_case.name = apart ? "ExpandValuesApart" : "ExpandValues";
  test_case.inputs = projection_inputs("attended", kHeads.latent, apart);
  auto projections = std::make_shared<LatentProjections>();
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    *projections = projections_of(in, apart);
    float* values = context.arena().allocate<float>(kOut);
    expand_values(context, kHeads, *projections, in[0], kRows, values);
    return {{{values, kOut}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    Doubles out(kOut);
    for (int64_t i = 0; i < kRows * kHeads.heads; ++i) {
      const int64_t h = i % kHeads.heads;
      const int64_t first = h * (kHeads.plain + kHeads.value) + kHeads.plain;
      add_product(in[0].data() + i * kHeads.latent,
                  apart ? in[1 + h].data() : in[1].data() + first * kHeads.latent, 1, kHeads.value,
                  kHeads.latent, out.data() + i * kHeads.value);
    }
    return out;
  };
  return test_case;
}

Case routing_case(bool normalise) {
  constexpr int64_t kExperts = 12;
  const RoutingRule rule{kExperts, 3, 4, 2, normalise, 2.5F};
  Case test_case;
  test_case.name = normalise ? "RoutingNormalised" : "Routing";
  test_case.inputs = {{"logits", kRows * kExperts, false, -3, 3}};
  // Far from a tie: an expert that another overtakes has no derivative.
  auto chosen = std::make_shared<std::vector<int32_t>>();
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    const Routing routing = route_by_sigmoid(context, rule, in[0], nullptr, kRows);
    return {{{routing.weights, kRows * rule.chosen}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    if (chosen->empty()) {
      ThreadPool pool(1);
      Context context(pool, kernels::select_kernels(), Arithmetic::exact);
      const std::vector<float> logits(in[0].begin(), in[0].end());
      const Routing routing = route_by_sigmoid(context, rule, logits.data(), nullptr, kRows);
      chosen->assign(routing.experts, routing.experts + kRows * rule.chosen);
    }
    Doubles out;
    for (int64_t r = 0; r < kRows; ++r) {
      Doubles scores;
      double sum = 0;
      for (int64_t k = 0; k < rule.chosen; ++k) {
        scores.push_back(1 / (1 + std::exp(-in[0][r * kExperts + (*chosen)[r * rule.chosen + k]])));
        sum += scores.back();
      }
      for (const double score : scores) out.push_back(2.5 * score / (normalise ? sum : 1));
    }
    return out;
  };
  return test_case;
}

// The choice by biased scores, in the plainest words: sort groups, sort experts.
Doubles plain_routing(const RoutingRule& rule, const double* logits, const double* bias) {
  const auto score = [&](int64_t e) { return 1 / (1 + std::exp(-logits[e])); };
  const int64_t size = rule.experts / rule.groups;
  std::vector<std::pair<double, int64_t>> groups, experts;
  for (int64_t g = 0; g < rule.groups; ++g) {
    Doubles of_group;
    for (int64_t e = g * size; e < (g + 1) * size; ++e) of_group.push_back(score(e) + bias[e]);
    std::sort(of_group.rbegin(), of_group.rend());
    groups.emplace_back(-(of_group[0] + of_group[1]), g);
  }
  std::sort(groups.begin(), groups.end());
  for (int64_t k = 0; k < rule.chosen_groups; ++k) {
    for (int64_t e = groups[k].second * size; e < (groups[k].second + 1) * size; ++e) {
      experts.emplace_back(-score(e) - bias[e], e);
    }
  }
  std::sort(experts.begin(), experts.end());
  experts.resize(static_cast<size_t>(rule.chosen));
  std::sort(experts.begin(), experts.end(), [](auto& a, auto& b) { return a.second < b.second; });
  double sum = 0;
  Doubles weights;
  for (const auto& [_, e] : experts) sum += weights.emplace_back(score(e));
  for (double& weight : weights) weight *= rule.scale / (rule.normalise ? sum : 1);
  return weights;
}

Case biased_routing_case() {
  constexpr int64_t kRouted = 40;
  const RoutingRule rule{64, 6, 8, 3, true, 2.5F};
  Case test_case;
  test_case.name = "RoutingByBiasInGroups";
  test_case.has_gradient = false;
  test_case.inputs = {{"logits", kRouted * rule.experts}, {"bias", rule.experts}};
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    return {{{route_by_sigmoid(context, rule, in[0], in[1], kRouted).weights, kRouted * rule.chosen}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    Doubles out;
    for (int64_t r = 0; r < kRouted; ++r) {
      const Doubles weights = plain_routing(rule, in[0].data() + r * rule.experts, in[1].data());
      out.insert(out.end(), weights.begin(), weights.end());
    }
    return out;
  };
  return test_case;
}

}  // namespace

Case experts_case(const ExpertShape& shape) {
  const int64_t rows = shape.rows, experts = shape.experts, chosen = shape.chosen;
  const int64_t hidden = shape.hidden, width = shape.width;
  const bool with_shared = shape.with_shared;
  const int64_t matrix = width * hidden;
  // Ascending in a row, and of four experts one is every row's.
  std::vector<int32_t> choice{0, 2, 1, 2, 0, 2, 2, 3, 0, 2};
  if (chosen != 2 || rows > 5) {
    choice.clear();
    for (int64_t p = 0; p < rows * chosen; ++p) {
      choice.push_back(
          static_cast<int32_t>((p / chosen * 7 % (experts / chosen)) + p % chosen * (experts / chosen)));
    }
  }
  choice.resize(static_cast<size_t>(rows * chosen));
  const RoutingRule rule{experts, chosen, 1, 1, true, 1.0F};
  Case test_case;
  test_case.name = "ExpertsOf" + std::to_string(rows) + "Rows" + (with_shared ? "AndShared" : "");
  test_case.inputs = {{"x", rows * hidden},
                      {"weights", rows * chosen},
                      {"gate", experts * matrix, true, -1, 1, experts},
                      {"up", experts * matrix, true, -1, 1, experts},
                      {"down", experts * matrix, true, -1, 1, experts}};
  if (with_shared) {
    for (const char* name : {"shared gate", "shared up", "shared down"}) {
      test_case.inputs.push_back({name, matrix, true});
    }
  }
  struct Layers {
    Experts routed;
    SharedExpert shared;
  };
  test_case.multiplications = static_cast<double>(rows * (chosen + (with_shared ? 1 : 0)) * 3 * matrix);
  auto layers = std::make_shared<Layers>();
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    *layers = {};
    for (int64_t e = 0; e < experts; ++e) {
      layers->routed.gate.push_back({float_matrix(in[2] + e * matrix, width, hidden), {}});
      layers->routed.up.push_back({float_matrix(in[3] + e * matrix, width, hidden), {}});
      layers->routed.down.push_back({float_matrix(in[4] + e * matrix, hidden, width), {}});
    }
    if (with_shared) {
      layers->shared = {{float_matrix(in[5], width, hidden), {}},
                        {float_matrix(in[6], width, hidden), {}},
                        {float_matrix(in[7], hidden, width), {}}};
    }
    float* out = context.arena().allocate<float>(rows * hidden);
    expert_feed_forward(context, layers->routed, with_shared ? &layers->shared : nullptr, rule,
                        {on_device(context, choice.data(), std::ssize(choice)), in[1]},
                        floats(in[0], rows, hidden), out);
    return {{{out, rows * hidden}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    Doubles out(rows * hidden);
    auto add_expert = [&](int64_t row, double weight, const double* gate, const double* up,
                          const double* down) {
      Doubles g(width), u(width), y(hidden);
      add_product(in[0].data() + row * hidden, gate, 1, width, hidden, g.data());
      add_product(in[0].data() + row * hidden, up, 1, width, hidden, u.data());
      for (int64_t i = 0; i < width; ++i) g[i] = silu(g[i]) * u[i];
      add_product(g.data(), down, 1, hidden, width, y.data());
      for (int64_t i = 0; i < hidden; ++i) out[row * hidden + i] += weight * y[i];
    };
    for (int64_t p = 0; p < rows * chosen; ++p) {
      const int64_t at = choice[static_cast<size_t>(p)] * matrix;
      add_expert(p / chosen, in[1][p], in[2].data() + at, in[3].data() + at, in[4].data() + at);
    }
    for (int64_t row = 0; with_shared && row < rows; ++row) {
      add_expert(row, 1, in[5].data(), in[6].data(), in[7].data());
    }
    return out;
  };
  return test_case;
}

std::vector<Case> expert_cases() {
  return {latent_keys_case(),       absorb_case(false),
          absorb_case(true),        absorb_case(false, true),
          expand_case(false),       expand_case(true),
          routing_case(true),       routing_case(false),
          biased_routing_case(),    experts_case({.with_shared = true}),
          experts_case({}),         experts_case({.rows = 1, .with_shared = true}),
          experts_case({.rows = 1})};
}

}  // namespace r1::op_cases
