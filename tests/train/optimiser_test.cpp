// Optimisers against steps written out in Python (tools/make_optimiser_fixture.py), and their promises.
#include "train/optimiser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace r1 {
namespace {

struct Shaped {
  const char* name;
  std::vector<int64_t> shape;
};

OptimiserOptions options_of(const std::string& optimiser) {
  OptimiserOptions options;
  options.optimiser = choice_of<OptimiserKind>("optimiser", optimiser);
  options.beta1 = 0.9;
  options.beta2 = 0.95;
  options.epsilon = 1e-8;
  options.weight_decay = 0.1;
  options.momentum = 0.95;
  return options;
}

/// The weights after `steps` steps of rate 0.01; gradients halved and the factor 2.
std::map<std::string, std::vector<float>> run(const std::string& name, const std::vector<Shaped>& shapes,
                                              int steps, int threads = 2) {
  std::map<std::string, std::vector<float>> out;
  ThreadPool pool(threads);
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  uint64_t state = 7;
  auto draw = [&](float* values, int64_t count, double factor) {
    for (int64_t i = 0; i < count; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      const double share = static_cast<double>(state >> 40) / (1 << 24) - 0.5;
      values[i] = static_cast<float>(factor * share / std::pow(4.0, static_cast<double>(i % 5)));
    }
  };
  for (const Shaped& shaped : shapes) {
    ParameterStore store;
    Parameter& parameter = store.add(shaped.name, shaped.shape);
    draw(parameter.values, parameter.count, 1);
    const auto optimiser = make_optimiser(options_of(name), store);
    for (int step = 1; step <= steps; ++step) {
      draw(parameter.gradient, parameter.count, 0.5);
      optimiser->step(context, step, 0.01, 2);
    }
    out[shaped.name].assign(parameter.values, parameter.values + parameter.count);
  }
  return out;
}

const std::vector<Shaped> kMuonShapes{{"wide", {24, 40}}, {"tall", {40, 24}}, {"vector", {40}}};
const std::vector<Shaped> kAdamShapes{{"large", {64, 80}}, {"small", {30, 30}}};

nlohmann::json fixture() {
  return nlohmann::json::parse(std::ifstream(std::string(R1_TEST_FIXTURES) + "/optimisers/steps.json"));
}

TEST(Optimiser, MuonAgreesWithPyTorch) {
  const nlohmann::json expected = fixture();
  for (const auto& [name, weights] : run("muon", kMuonShapes, expected["steps"])) {
    const auto values = expected["muon"][name].get<std::vector<double>>();
    ASSERT_EQ(values.size(), weights.size());
    for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(weights[i], values[i], 2e-6) << name << i;
  }
}

TEST(Optimiser, EightBitAdamWAgreesWithItsDescription) {
  const nlohmann::json expected = fixture();
  for (const auto& [name, weights] : run("adamw-8bit", kAdamShapes, expected["steps"])) {
    const auto values = expected["adamw-8bit"][name].get<std::vector<double>>();
    ASSERT_EQ(values.size(), weights.size());
    // A moment in the middle between two codes may go either way in float32: few weights feel it, and little.
    int64_t others = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(weights[i], values[i], 5e-3) << name << i;
      others += std::fabs(weights[i] - values[i]) > 2e-6 ? 1 : 0;
    }
    EXPECT_LE(others, static_cast<int64_t>(values.size() / 200)) << name;
  }
}

TEST(Optimiser, EightBitAdamWStaysNearAdamW) {
  const auto exact = run("adamw", kAdamShapes, 40);
  const auto coarse = run("adamw-8bit", kAdamShapes, 40);
  EXPECT_EQ(exact.at("small"), coarse.at("small"));  // below 4096 values: kept in float32
  const auto start = run("adamw", kAdamShapes, 0);
  double error = 0, way = 0;
  for (size_t i = 0; i < exact.at("large").size(); ++i) {
    error += std::pow(exact.at("large")[i] - coarse.at("large")[i], 2);
    way += std::pow(exact.at("large")[i] - start.at("large")[i], 2);
  }
  EXPECT_LT(std::sqrt(error / way), 0.12);
  EXPECT_GT(error, 0);
}

TEST(Optimiser, StepsAreTheSameBitsOnAnyNumberOfThreadsAndGoOnFromTheirState) {
  for (const std::string name : {"adamw", "adamw-8bit", "muon"}) {
    EXPECT_EQ(run(name, kAdamShapes, 5, 1), run(name, kAdamShapes, 5, 3)) << name;
    ThreadPool pool(1);
    Context context(pool, kernels::select_kernels(), Arithmetic::exact);
    ParameterStore first, second;
    size_t bytes = 0;
    for (ParameterStore* store : {&first, &second}) {
      for (const Shaped& shaped : kAdamShapes) {
        Parameter& parameter = store->add(shaped.name, shaped.shape);
        for (int64_t i = 0; i < parameter.count; ++i) {
          parameter.values[i] = static_cast<float>(i % 13);
          parameter.gradient[i] = static_cast<float>(i % 7) - 3;
        }
      }
    }
    const auto a = make_optimiser(options_of(name), first);
    const auto b = make_optimiser(options_of(name), second);
    a->step(context, 1, 0.01, 1);
    for (size_t i = 0; i < first.all().size(); ++i) {
      std::memcpy(second.all()[i].values, first.all()[i].values, first.all()[i].count * sizeof(float));
    }
    const std::vector<StateArray> from = a->state(), to = b->state();
    ASSERT_EQ(from.size(), to.size());
    for (size_t i = 0; i < from.size(); ++i) {
      ASSERT_EQ(from[i].name, to[i].name);
      ASSERT_EQ(from[i].bytes.size(), to[i].bytes.size());
      std::memcpy(to[i].bytes.data(), from[i].bytes.data(), from[i].bytes.size());
      bytes += from[i].bytes.size();
    }
    a->step(context, 2, 0.01, 1);
    b->step(context, 2, 0.01, 1);
    for (size_t i = 0; i < first.all().size(); ++i) {
      EXPECT_EQ(
          std::memcmp(first.all()[i].values, second.all()[i].values, first.all()[i].count * sizeof(float)), 0)
          << name;
    }
    EXPECT_GE(optimiser_bytes(options_of(name), first), bytes) << name;
  }
}

}  // namespace
}  // namespace r1
