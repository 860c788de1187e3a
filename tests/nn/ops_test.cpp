// The ops against plain loops in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/random.h"
#include "nn/elementwise.h"
#include "nn/experts.h"
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
  stored.layer.weight = {stored.bytes.data(), dtype, outputs, inputs, row_bytes(dtype, inputs), nullptr};
  return stored;
}

// Root mean square of y - (W x + b) over that of W x + b, with the weights decoded.
double relative_error(const Linear& layer, const std::vector<float>& x, int64_t rows, const float* y) {
  std::vector<float> weights(layer.inputs());
  double error = 0, size = 0;
  for (int64_t o = 0; o < layer.outputs(); ++o) {
    decode_weight_row(layer.weight, o, weights);
    for (int64_t r = 0; r < rows; ++r) {
      double sum = layer.bias != nullptr ? layer.bias[o] : 0;
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
    const Activations input = make_activations(context, x.data(), 1, kInputs, kInputs, true);
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
  stored.layer.bias = bias.data();
  const std::vector<float> x = random_values(kRows * kInputs, 3);
  std::vector<float> y(kRows * kOutputs);
  linear(exact_, stored.layer, make_activations(exact_, x.data(), kRows, kInputs, kInputs, false), y.data());
  EXPECT_LT(relative_error(stored.layer, x, kRows, y.data()), 1e-6);
  linear(fast_, stored.layer, make_activations(fast_, x.data(), kRows, kInputs, kInputs, true), y.data());
  const double once = relative_error(stored.layer, x, kRows, y.data());
  EXPECT_LT(once, 8e-3);  // rounding errors of max/127/sqrt(12) against values of size max/sqrt(3): 4e-3
  linear(fast_, stored.layer, make_refined_activations(fast_, x.data(), kRows, kInputs, kInputs), y.data());
  EXPECT_LT(relative_error(stored.layer, x, kRows, y.data()), once / 100);
}

TEST_F(OpsTest, TransposedJobsWeighRows) {
  constexpr int64_t kRows = 3, kUsed = 24, kColumns = 64, kFirst = 8;
  const Stored stored = quantised_layer(DType::q8_0, 40, kColumns, 4);
  const std::vector<float> x = random_values(kRows * kUsed, 5);
  std::vector<float> y(kRows * kColumns);
  const TransposedJob job{&stored.layer.weight, kFirst, kUsed, x.data(), kUsed, y.data(), kColumns};
  run_transposed_jobs(exact_, {&job, 1}, kRows);
  std::vector<float> weights(kColumns);
  std::vector<double> expected(kRows * kColumns);
  for (int64_t o = 0; o < kUsed; ++o) {
    decode_weight_row(stored.layer.weight, kFirst + o, weights);
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t c = 0; c < kColumns; ++c) {
        expected[r * kColumns + c] += static_cast<double>(x[r * kUsed + o]) * weights[c];
      }
    }
  }
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-5);
}

// The rule in the plainest words: sort groups, sort experts.
std::set<int32_t> plain_choice(const RoutingRule& rule, const float* logits, const float* bias) {
  std::vector<double> scores(rule.experts);
  for (int64_t e = 0; e < rule.experts; ++e) scores[e] = 1 / (1 + std::exp(-double{logits[e]})) + bias[e];
  const int64_t size = rule.experts / rule.groups;
  std::vector<std::pair<double, int64_t>> groups;
  for (int64_t g = 0; g < rule.groups; ++g) {
    std::vector<double> own(scores.begin() + g * size, scores.begin() + (g + 1) * size);
    std::sort(own.rbegin(), own.rend());
    groups.emplace_back(-(own[0] + own[1]), g);
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
    const int32_t* own = routing.experts + r * rule.chosen;
    EXPECT_TRUE(std::is_sorted(own, own + rule.chosen));
    EXPECT_EQ(std::set<int32_t>(own, own + rule.chosen),
              plain_choice(rule, logits.data() + r * rule.experts, bias.data()));
    auto score = [&](int64_t k) { return 1 / (1 + std::exp(-double{logits[r * rule.experts + own[k]]})); };
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
      rotate(style, table, 2 * i + 1, q.data());
      rotate(style, table, 2 * i, k.data());
      for (int c = 0; c < 16; ++c) products[i] += static_cast<double>(q[c]) * k[c];
    }
    EXPECT_NEAR(products[0], products[1], 1e-5);
  }
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
