// The ops against plain loops in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/random.h"
#include "nn/adapter.h"
#include "nn/elementwise.h"
#include "nn/experts.h"
#include "nn/latent.h"
#include "nn/linear.h"
#include "nn/rope.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

std::vector<float> random_values(int64_t count, uint64_t seed) {
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(2 * random_uniform(seed, i) - 1);
  }
  return values;
}

class OpsTest : public testing::Test {
 protected:
  ThreadPool pool_{2};
  Context fast_{pool_, kernels::select_kernels(), Arithmetic::fast};
  Context exact_{pool_, kernels::select_kernels(), Arithmetic::exact};
};

struct Stored {
  std::vector<std::byte> bytes;
  Linear layer;
};

Stored quantised_layer(DType dtype, int64_t outputs, int64_t inputs, uint64_t seed) {
  Stored stored;
  stored.bytes.resize(row_bytes(dtype, inputs) * outputs);
  quantise_row(dtype, random_values(outputs * inputs, seed), stored.bytes.data());
  stored.layer.weight = {stored.bytes.data(), dtype, outputs, inputs, row_bytes(dtype, inputs), nullptr, {}};
  return stored;
}

std::vector<float> decoded_row(const Weight& weight, int64_t row) {
  std::vector<float> values(weight.inputs);
  dequantise_row(weight.dtype, weight.data + static_cast<size_t>(row) * weight.row_bytes, values);
  return values;
}

// Root mean square of y - (W x + b) over that of W x + b, with the weights decoded.
double relative_error(const Linear& layer, const std::vector<float>& x, int64_t rows, const float* y) {
  double error = 0, size = 0;
  for (int64_t o = 0; o < layer.outputs(); ++o) {
    const std::vector<float> weights = decoded_row(layer.weight, o);
    for (int64_t r = 0; r < rows; ++r) {
      double sum = layer.bias.is_present() ? layer.bias.values[o] : 0;
      for (int64_t i = 0; i < layer.inputs(); ++i) {
        sum += static_cast<double>(weights[i]) * x[r * layer.inputs() + i];
      }
      error += std::pow(y[r * layer.outputs() + o] - sum, 2);
      size += sum * sum;
    }
  }
  return std::sqrt(error / size);
}

// One row: each thread has a share of all jobs' bytes, cut within jobs.
TEST_F(OpsTest, JobsOfOneRowHaveTheSameBitsOnAnyNumberOfThreads) {
  constexpr int64_t kInputs = 512;
  const Stored layers[] = {
      quantised_layer(DType::q4_k, 1029, kInputs, 1), quantised_layer(DType::q8_0, 96, kInputs, 2),
      quantised_layer(DType::q6_k, 7, kInputs, 3), quantised_layer(DType::q4_0, 2048, kInputs, 4)};
  const std::vector<float> x = random_values(kInputs, 5);
  std::vector<std::vector<float>> expected;
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    Context context(pool, kernels::select_kernels(), Arithmetic::fast);
    const Linear* reader = &layers[0].layer;
    const Activations input = make_activations(context, x.data(), 1, kInputs, kInputs, {{&reader, 1}});
    std::vector<std::vector<float>> outputs;
    std::vector<LinearJob> jobs;
    for (const Stored& stored : layers) {
      outputs.emplace_back(stored.layer.outputs(), NAN);
      jobs.push_back(whole_layer(stored.layer, input, outputs.back().data()));
    }
    LinearJob part = jobs[3];  // a part of a layer, and one without rows
    std::vector<float> some(64, NAN);
    part.output = some.data();
    part.output_begin = 1024;
    part.output_end = 1088;
    jobs.push_back(part);
    part.input.rows = 0;
    jobs.push_back(part);
    run_linear_jobs(context, jobs);
    outputs.push_back(some);
    for (const auto& output : outputs) {
      for (float value : output) ASSERT_FALSE(std::isnan(value)) << threads << " threads";
    }
    if (expected.empty()) expected = outputs;
    EXPECT_EQ(outputs, expected) << threads << " threads";
  }
}

TEST_F(OpsTest, LinearAgreesWithPlainSumsInEachArithmetic) {
  constexpr int64_t kRows = 5, kOutputs = 200, kInputs = 512;
  Stored stored = quantised_layer(DType::q8_0, kOutputs, kInputs, 1);
  const std::vector<float> bias = random_values(kOutputs, 2);
  stored.layer.bias.values = bias.data();
  const std::vector<float> x = random_values(kRows * kInputs, 3);
  std::vector<float> y(kRows * kOutputs);
  const Linear* reader = &stored.layer;
  const auto run = [&](Context& context, Rounding rounding) {
    linear(context, stored.layer,
           make_activations(context, x.data(), kRows, kInputs, kInputs, {{&reader, 1}, rounding}), y.data());
  };
  run(exact_, Rounding::plain);
  EXPECT_LT(relative_error(stored.layer, x, kRows, y.data()), 1e-6);
  run(fast_, Rounding::plain);
  const double once = relative_error(stored.layer, x, kRows, y.data());
  EXPECT_LT(once, 8e-3);  // rounding errors of max/127/sqrt(12) against values of size max/sqrt(3): 4e-3
  // A weight in 8 bits: finer rounding of the activations pays.
  for (const Rounding rounding : {Rounding::careful, Rounding::finest}) {
    run(fast_, rounding);
    EXPECT_LT(relative_error(stored.layer, x, kRows, y.data()), once / 100);
  }
}

TEST_F(OpsTest, GatheredRowsGiveTheBitsOfTheirOriginals) {
  constexpr int64_t kRows = 6, kOutputs = 48, kInputs = 256;
  const Stored stored = quantised_layer(DType::q8_0, kOutputs, kInputs, 8);
  const std::vector<float> x = random_values(kRows * kInputs, 9);
  const Linear* reader = &stored.layer;
  const std::vector<int32_t> rows{4, 0, 5};
  for (const Rounding rounding : {Rounding::plain, Rounding::careful, Rounding::finest}) {
    const Activations all =
        make_activations(fast_, x.data(), kRows, kInputs, kInputs, {{&reader, 1}, rounding});
    std::vector<float> y(kRows * kOutputs), some(rows.size() * kOutputs);
    linear(fast_, stored.layer, all, y.data());
    linear(fast_, stored.layer, gather_rows(fast_, all, rows.data(), std::ssize(rows)), some.data());
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_TRUE(std::equal(some.begin() + i * kOutputs, some.begin() + (i + 1) * kOutputs,
                             y.begin() + rows[i] * kOutputs));
    }
  }
}

TEST_F(OpsTest, QueriesAreAbsorbedThroughAStoredProjection) {
  constexpr LatentHeads kHeads{2, 64, 16, 2, 16};
  constexpr int64_t kRows = 3;
  LatentProjections projections;
  const Stored stored = quantised_layer(DType::q8_0, 2 * 32, kHeads.latent, 4);
  projections.together = stored.layer;
  const std::vector<float> queries = random_values(kRows * 2 * kHeads.query(), 5);
  const std::vector<int32_t> positions{0, 1, 2};
  const RopeTable table = make_rope_table(exact_, plain_rope(kHeads.rotary, 100), positions);
  std::vector<float> absorbed(kRows * 2 * kHeads.cached());
  absorb_queries(exact_, kHeads, projections, table, nullptr, queries.data(), kRows, absorbed.data());
  for (int64_t i = 0; i < kRows * 2; ++i) {
    std::vector<double> expected(kHeads.latent);
    for (int64_t o = 0; o < kHeads.plain; ++o) {
      const std::vector<float> weights = decoded_row(stored.layer.weight, i % 2 * 32 + o);
      for (int64_t c = 0; c < kHeads.latent; ++c) {
        expected[c] += static_cast<double>(queries[i * kHeads.query() + o]) * weights[c];
      }
    }
    for (int64_t c = 0; c < kHeads.latent; ++c)
      EXPECT_NEAR(absorbed[i * kHeads.cached() + c], expected[c], 1e-5);
  }
}

// The rule in the plainest words: sort groups, sort experts.
std::set<int32_t> plain_choice(const RoutingRule& rule, const float* logits, const float* bias) {
  std::vector<double> scores(rule.experts);
  for (int64_t e = 0; e < rule.experts; ++e) scores[e] = 1 / (1 + std::exp(-double{logits[e]})) + bias[e];
  const int64_t size = rule.experts / rule.groups;
  std::vector<std::pair<double, int64_t>> groups;
  for (int64_t g = 0; g < rule.groups; ++g) {
    std::vector<double> of_group(scores.begin() + g * size, scores.begin() + (g + 1) * size);
    std::sort(of_group.rbegin(), of_group.rend());
    groups.emplace_back(-(of_group[0] + of_group[1]), g);
  }
  std::sort(groups.begin(), groups.end());
  std::vector<std::pair<double, int32_t>> experts;
  for (int64_t k = 0; k < rule.chosen_groups; ++k) {
    for (int64_t i = 0; i < size; ++i) {
      const int64_t e = groups[k].second * size + i;
      experts.emplace_back(-scores[e], static_cast<int32_t>(e));
    }
  }
  std::sort(experts.begin(), experts.end());
  std::set<int32_t> chosen;
  for (int64_t k = 0; k < rule.chosen; ++k) chosen.insert(experts[k].second);
  return chosen;
}

TEST_F(OpsTest, RoutingChoosesByBiasedAndWeighsByPlainScores) {
  const RoutingRule rule{64, 6, 8, 3, true, 2.5F};
  constexpr int64_t kRows = 40;
  const std::vector<float> logits = random_values(kRows * rule.experts, 6);
  const std::vector<float> bias = random_values(rule.experts, 7);
  Arena::Scope scope(exact_.arena());
  const Routing routing = route_by_sigmoid(exact_, rule, logits.data(), bias.data(), kRows);
  for (int64_t r = 0; r < kRows; ++r) {
    const int32_t* chosen = routing.experts + r * rule.chosen;
    EXPECT_TRUE(std::is_sorted(chosen, chosen + rule.chosen));
    EXPECT_EQ(std::set<int32_t>(chosen, chosen + rule.chosen),
              plain_choice(rule, logits.data() + r * rule.experts, bias.data()));
    auto score = [&](int64_t k) { return 1 / (1 + std::exp(-double{logits[r * rule.experts + chosen[k]]})); };
    double sum = 0;
    for (int64_t k = 0; k < rule.chosen; ++k) sum += score(k);
    for (int64_t k = 0; k < rule.chosen; ++k) {
      EXPECT_NEAR(routing.weights[r * rule.chosen + k], 2.5 * score(k) / sum, 1e-6);
    }
  }
}

TEST_F(OpsTest, RoutingSurvivesValuesThatAreNoNumbers) {
  const RoutingRule rule{16, 4, 4, 2, true, 1.0F};
  const std::vector<float> logits(16, std::nanf(""));
  Arena::Scope scope(exact_.arena());
  const Routing routing = route_by_sigmoid(exact_, rule, logits.data(), nullptr, 1);
  for (int64_t k = 0; k < rule.chosen; ++k) {
    EXPECT_GE(routing.experts[k], 0);
    EXPECT_LT(routing.experts[k], 16);
  }
}

TEST(RopeTest, LinearScalingAndFactorsDivideFrequencies) {
  RopeFrequencies rope = plain_rope(8, 10000);
  const RopeFrequencies plain = rope;
  apply_linear_scaling(rope, 4);
  for (size_t i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(rope.inverse[i], plain.inverse[i] / 4);
  const std::vector<float> factors{1, 2, 4, 8};
  apply_frequency_factors(rope, factors);
  for (size_t i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(rope.inverse[i], plain.inverse[i] / 4 / double{factors[i]});
}

TEST(RopeTest, Llama3ScalingKeepsShortAndDividesLongWavelengths) {
  RopeFrequencies rope = plain_rope(128, 500000);
  const RopeFrequencies plain = rope;
  apply_llama3_scaling(rope, {8, 1, 4, 8192});
  EXPECT_EQ(rope.inverse[0], plain.inverse[0]);
  EXPECT_DOUBLE_EQ(rope.inverse[63], plain.inverse[63] / 8);
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_LE(rope.inverse[i], plain.inverse[i] * (1 + 1e-12));
    EXPECT_GE(rope.inverse[i], plain.inverse[i] / 8 * (1 - 1e-12));
  }
}

TEST(RopeTest, YarnOfR1BlendsBetweenPairs10And23) {
  // 64 · ln(4096 / (32 · 2π)) / (2 ln 10000) = 10.47: from 10; with one turn 22.51: to 23.
  RopeFrequencies rope = plain_rope(64, 10000);
  const RopeFrequencies plain = rope;
  apply_yarn_scaling(rope, 64, 10000, {40, 4096, 32, 1});
  EXPECT_DOUBLE_EQ(rope.inverse[10], plain.inverse[10]);
  EXPECT_LT(rope.inverse[11], plain.inverse[11]);
  EXPECT_GT(rope.inverse[22], plain.inverse[22] / 40);
  EXPECT_DOUBLE_EQ(rope.inverse[23], plain.inverse[23] / 40);
}

TEST_F(OpsTest, RotatedProductsDependOnDistanceAlone) {
  const RopeFrequencies rope = plain_rope(16, 10000);
  Arena::Scope scope(exact_.arena());
  const std::vector<int32_t> positions{3, 10, 1003, 1010};
  const RopeTable table = make_rope_table(exact_, rope, positions);
  for (RopeStyle style : {RopeStyle::interleaved, RopeStyle::half_split}) {
    const std::vector<float> query = random_values(16, 8), key = random_values(16, 9);
    double products[2] = {};
    for (int i = 0; i < 2; ++i) {
      std::vector<float> q = query, k = key;
      const int32_t places[] = {2 * i + 1, 2 * i};
      const RotateCall calls[] = {{style, table, places, q.data(), 1, 1, 16, 16},
                                  {style, table, places + 1, k.data(), 1, 1, 16, 16}};
      rotate(exact_, calls);
      for (int c = 0; c < 16; ++c) products[i] += static_cast<double>(q[c]) * k[c];
    }
    EXPECT_NEAR(products[0], products[1], 1e-5);
  }
}

// What is kept makes up for what is not; and the factors are a function of the place alone.
TEST(DropoutTest, KeepsTheMeanAndIsTheSameInPieces) {
  constexpr int64_t kCount = 200000;
  const Dropout dropout{0.25, 7};
  std::vector<float> factors(kCount), part(100), other(kCount);
  dropout_factors(dropout, 3, 0, kCount, factors.data());
  double sum = 0;
  for (const float factor : factors) {
    ASSERT_TRUE(factor == 0 || factor == 4.0F / 3) << factor;
    sum += factor;
  }
  EXPECT_NEAR(sum / kCount, 1, 0.01);
  dropout_factors(dropout, 3, 1234, 100, part.data());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), factors.begin() + 1234));
  dropout_factors(dropout, 4, 0, kCount, other.data());
  EXPECT_NE(factors, other) << "of another term";
  dropout_factors({0.25, 8}, 3, 0, kCount, other.data());
  EXPECT_NE(factors, other) << "of another stream";
}

TEST(ArenaTest, PassesLikeTheOneBeforeAllocateNothing) {
  Arena arena;
  size_t reserved = 0;
  for (int pass = 0; pass < 3; ++pass) {
    Arena::Scope scope(arena);
    for (int64_t count : {1, 1000, 3'000'000, 77, 500'000}) {
      float* values = arena.allocate<float>(count);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(values) % 64, 0U);
      values[0] = values[count - 1] = 1;
    }
    if (pass == 0) reserved = arena.reserved_bytes();
    EXPECT_EQ(arena.reserved_bytes(), reserved);
  }
}

}  // namespace
}  // namespace r1
