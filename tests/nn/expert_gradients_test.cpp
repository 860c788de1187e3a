// The ops of latent attention and of mixtures of experts against central differences (op_cases.h).
#include "nn/elementwise.h"
#include "nn/experts.h"
#include "nn/latent.h"
#include "tests/nn/op_cases.h"

namespace r1 {
namespace {

using namespace op_cases;

constexpr LatentHeads kHeads{3, 10, 16, 4, 16};  // heads, latent, plain, rotary, value
constexpr int64_t kRows = 5;
const std::vector<int32_t> kPositions{0, 1, 2, 0, 1};

RopeFrequencies rope() {
  RopeFrequencies own = plain_rope(kHeads.rotary, 100);
  own.magnitude = 1.25;
  return own;
}

Case latent_keys_case() {
  constexpr float kEpsilon = 1e-2F;
  constexpr int64_t kColumns = kHeads.cached();
  Case own;
  own.name = "LatentKeys";
  own.inputs = {{"compressed", kRows * kColumns}, {"norm", kHeads.latent, true}};
  own.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    const RopeTable table = make_rope_table(context, rope(), kPositions);
    return {{{finish_latent_keys(context, kHeads, float_vector(in[1]), kEpsilon, table, kRows, in[0]),
              kRows * kColumns}},
            {}};
  };
  own.reference = [](const AllDoubles& in) {
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
  return own;
}

// The projections over one weight {heads · (plain + value), latent}, or over two stacks.
LatentProjections projections_of(const std::vector<float*>& in, bool apart) {
  LatentProjections own;
  if (!apart) {
    own.together = {float_matrix(in[1], kHeads.heads * (kHeads.plain + kHeads.value), kHeads.latent), {}};
    return own;
  }
  for (int64_t h = 0; h < kHeads.heads; ++h) {
    own.keys.push_back({float_matrix(in[1 + h], kHeads.latent, kHeads.plain), {}});
    own.values.push_back({float_matrix(in[1 + h], kHeads.value, kHeads.latent), {}});
  }
  return own;
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

Case absorb_case(bool apart) {
  constexpr int64_t kOut = kRows * kHeads.heads * kHeads.cached();
  Case own;
  own.name = apart ? "AbsorbQueriesApart" : "AbsorbQueries";
  own.inputs = projection_inputs("queries", kHeads.query(), apart);
  auto projections = std::make_shared<LatentProjections>();
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    *projections = projections_of(in, apart);
    const RopeTable table = make_rope_table(context, rope(), kPositions);
    float* absorbed = context.arena().allocate<float>(kOut);
    absorb_queries(context, kHeads, *projections, table, nullptr, in[0], kRows, absorbed);
    return {{{absorbed, kOut}}, {}};
  };
  own.reference = [=](const AllDoubles& in) {
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
      rotate_plainly(RopeStyle::interleaved, rope(), kPositions[i / kHeads.heads], to + kHeads.latent);
    }
    return out;
  };
  return own;
}

Case expand_case(bool apart) {
  constexpr int64_t kOut = kRows * kHeads.heads * kHeads.value;
  Case own;
  own.name = apart ? "ExpandValuesApart" : "ExpandValues";
  own.inputs = projection_inputs("mixed", kHeads.latent, apart);
  auto projections = std::make_shared<LatentProjections>();
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    *projections = projections_of(in, apart);
    float* values = context.arena().allocate<float>(kOut);
    expand_values(context, kHeads, *projections, in[0], kRows, values);
    return {{{values, kOut}}, {}};
  };
  own.reference = [=](const AllDoubles& in) {
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
  return own;
}

Case routing_case(bool normalise) {
  constexpr int64_t kExperts = 12;
  const RoutingRule rule{kExperts, 3, 4, 2, normalise, 2.5F};
  Case own;
  own.name = normalise ? "RoutingNormalised" : "Routing";
  own.inputs = {{"logits", kRows * kExperts, false, -3, 3}};
  // Far from a tie: an expert that another overtakes has no derivative.
  auto chosen = std::make_shared<std::vector<int32_t>>();
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    const Routing routing = route_by_sigmoid(context, rule, in[0], nullptr, kRows);
    return {{{routing.weights, kRows * rule.chosen}}, {}};
  };
  own.reference = [=](const AllDoubles& in) {
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
  return own;
}

// Four experts of which two are chosen; one of them for all rows.
Case experts_case(int64_t rows, bool with_shared) {
  constexpr int64_t kExperts = 4, kChosen = 2, kHidden = 9, kWidth = 7, kMatrix = kWidth * kHidden;
  static const int32_t kChoice[] = {0, 2, 1, 2, 0, 2, 2, 3, 0, 2};
  const RoutingRule rule{kExperts, kChosen, 1, 1, true, 1.0F};
  Case own;
  own.name = "ExpertsOf" + std::to_string(rows) + "Rows" + (with_shared ? "AndShared" : "");
  own.inputs = {{"x", rows * kHidden},
                {"weights", rows * kChosen},
                {"gate", kExperts * kMatrix, true, -1, 1, kExperts},
                {"up", kExperts * kMatrix, true, -1, 1, kExperts},
                {"down", kExperts * kMatrix, true, -1, 1, kExperts}};
  if (with_shared) {
    for (const char* name : {"shared gate", "shared up", "shared down"}) {
      own.inputs.push_back({name, kMatrix, true});
    }
  }
  struct Layers {
    Experts experts;
    SharedExpert shared;
  };
  auto layers = std::make_shared<Layers>();
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    *layers = {};
    for (int64_t e = 0; e < kExperts; ++e) {
      layers->experts.gate.push_back({float_matrix(in[2] + e * kMatrix, kWidth, kHidden), {}});
      layers->experts.up.push_back({float_matrix(in[3] + e * kMatrix, kWidth, kHidden), {}});
      layers->experts.down.push_back({float_matrix(in[4] + e * kMatrix, kHidden, kWidth), {}});
    }
    if (with_shared) {
      layers->shared = {{float_matrix(in[5], kWidth, kHidden), {}},
                        {float_matrix(in[6], kWidth, kHidden), {}},
                        {float_matrix(in[7], kHidden, kWidth), {}}};
    }
    float* out = context.arena().allocate<float>(rows * kHidden);
    expert_feed_forward(context, layers->experts, with_shared ? &layers->shared : nullptr, rule,
                        {on_device(context, kChoice, std::ssize(kChoice)), in[1]},
                        floats(in[0], rows, kHidden), out);
    return {{{out, rows * kHidden}}, {}};
  };
  own.reference = [=](const AllDoubles& in) {
    Doubles out(rows * kHidden);
    auto add_expert = [&](int64_t row, double weight, const double* gate, const double* up,
                          const double* down) {
      Doubles g(kWidth), u(kWidth), y(kHidden);
      add_product(in[0].data() + row * kHidden, gate, 1, kWidth, kHidden, g.data());
      add_product(in[0].data() + row * kHidden, up, 1, kWidth, kHidden, u.data());
      for (int64_t i = 0; i < kWidth; ++i) g[i] = silu(g[i]) * u[i];
      add_product(g.data(), down, 1, kHidden, kWidth, y.data());
      for (int64_t i = 0; i < kHidden; ++i) out[row * kHidden + i] += weight * y[i];
    };
    for (int64_t p = 0; p < rows * kChosen; ++p) {
      const int64_t at = kChoice[p] * kMatrix;
      add_expert(p / kChosen, in[1][p], in[2].data() + at, in[3].data() + at, in[4].data() + at);
    }
    for (int64_t row = 0; with_shared && row < rows; ++row) {
      add_expert(row, 1, in[5].data(), in[6].data(), in[7].data());
    }
    return out;
  };
  return own;
}

class ExpertGradientsTest : public testing::TestWithParam<Case> {};

TEST_P(ExpertGradientsTest, AreTheCentralDifferences) {
  check_on_all_backends(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Ops, ExpertGradientsTest,
                         testing::Values(latent_keys_case(), absorb_case(false), absorb_case(true),
                                         expand_case(false), expand_case(true), routing_case(true),
                                         routing_case(false), experts_case(5, true), experts_case(5, false),
                                         experts_case(1, true), experts_case(1, false)),
                         [](const auto& own) { return own.param.name; });

}  // namespace
}  // namespace r1
