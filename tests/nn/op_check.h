// Runs cases of ops (op_cases.h) on the backends of this machine. Inputs and gradients lie between strips that must
// stay as they were.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "tests/nn/op_cases.h"
#include "tests/nn/reference_backend.h"

namespace r1::op_cases {

inline double sum_of_products(const Doubles& values, const std::vector<float>& factors) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[i] * factors[i];
  return sum;
}

// What a case's op has to give: for inputs drawn from fixed seeds, its outputs, and the derivatives of
// Σ derivatives · outputs by every input.
struct Expected {
  std::vector<std::vector<float>> inputs;
  Doubles outputs;
  std::vector<float> derivatives;  // of each output
  AllDoubles gradients;
};

inline Expected expectation(const Case& test_case) {
  constexpr double kStep = 1e-5;
  Expected out;
  AllDoubles exact;
  for (size_t i = 0; i < test_case.inputs.size(); ++i) {
    const Input& input = test_case.inputs[i];
    std::vector<float>& values = out.inputs.emplace_back(input.count);
    for (int64_t k = 0; k < input.count; ++k) values[k] = draw(100 + i, k, input.from, input.to);
    exact.emplace_back(values.begin(), values.end());
  }
  out.outputs = test_case.reference(exact);
  for (size_t i = 0; i < out.outputs.size(); ++i) {
    out.derivatives.push_back(draw(7, static_cast<int64_t>(i), -1, 1));
  }
  if (!test_case.has_gradient) return out;
  for (Doubles& input : exact) {
    Doubles& differences = out.gradients.emplace_back();
    for (double& value : input) {
      const double before = value;
      value = before + kStep;
      const double above = sum_of_products(test_case.reference(exact), out.derivatives);
      value = before - kStep;
      const double below = sum_of_products(test_case.reference(exact), out.derivatives);
      value = before;
      differences.push_back((above - below) / (2 * kStep));
    }
  }
  return out;
}

// Float32 memory of a device between two strips that no op may write.
class GuardedFloats {
 public:
  GuardedFloats(DeviceMemory& memory, const std::vector<float>& values)
      : memory_(memory),
        count_(static_cast<int64_t>(values.size())),
        bytes_(memory, (values.size() + 2 * kStrip) * sizeof(float), DeviceMemory::Purpose::tensors) {
    std::vector<float> all(values.size() + 2 * kStrip, kSentinel);
    std::copy(values.begin(), values.end(), all.begin() + kStrip);
    memory.upload(bytes_.get(), all.data(), bytes_.size());
  }

  float* data() const { return reinterpret_cast<float*>(bytes_.get()) + kStrip; }

  std::vector<float> read() const {
    std::vector<float> values(static_cast<size_t>(count_));
    memory_.download(values.data(), data(), values.size() * sizeof(float));
    return values;
  }

  bool is_intact() const {
    std::vector<float> all(bytes_.size() / sizeof(float));
    memory_.download(all.data(), bytes_.get(), bytes_.size());
    const auto is_sentinel = [](float value) { return value == kSentinel; };
    return std::all_of(all.begin(), all.begin() + kStrip, is_sentinel) &&
           std::all_of(all.end() - kStrip, all.end(), is_sentinel);
  }

 private:
  static constexpr int64_t kStrip = 64;
  static constexpr float kSentinel = -7654.25F;
  DeviceMemory& memory_;
  int64_t count_;
  DeviceBytes bytes_;
};

// A backend that cases run on.
struct BackendUnderTest {
  std::string name;
  std::function<std::unique_ptr<Context>(ThreadPool&)> make_context;
};

// Every backend of this machine: the CPU with each instruction set, and the reference on memory of its own.
inline const std::vector<BackendUnderTest>& all_backends() {
  static const std::vector<BackendUnderTest> kBackends = [] {
    std::vector<BackendUnderTest> backends;
    for (const auto set :
         {kernels::InstructionSet::scalar, kernels::InstructionSet::avx2, kernels::InstructionSet::avx512}) {
      if (!kernels::is_supported(set)) continue;
      const kernels::KernelTable& table = kernels::select_kernels(set);
      backends.push_back({"cpu, " + std::string(table.name), [&table](ThreadPool& pool) {
                            return std::make_unique<Context>(pool, table, Arithmetic::exact);
                          }});
    }
    backends.push_back({"reference", [](ThreadPool& pool) {
                          static test::FencedMemory memory;
                          return std::make_unique<Context>(pool, kernels::select_kernels(),
                                                           std::make_unique<test::ReferenceBackend>(memory));
                        }});
    return backends;
  }();
  return kBackends;
}

// Gradients of weights are added to what is there.
inline constexpr float kGradientBefore = 0.25F;

inline void check(const Case& test_case, const Expected& expected, Context& context) {
  DeviceMemory& memory = context.backend().memory();
  const Arena::Hold hold(context.arena());
  std::list<GuardedFloats> values, gradients;
  std::vector<float*> addresses;
  for (const std::vector<float>& input : expected.inputs) {
    addresses.push_back(values.emplace_back(memory, input).data());
    gradients.emplace_back(memory, std::vector<float>(input.size(), kGradientBefore));
  }
  WeightGradients weights;
  trained_weights().clear();
  auto gradient = gradients.begin();
  for (size_t i = 0; i < addresses.size(); ++i, ++gradient) {
    const int64_t part = test_case.inputs[i].count / test_case.inputs[i].parts;
    for (int64_t p = 0; test_case.inputs[i].is_weight && p < test_case.inputs[i].parts; ++p) {
      const WeightId id{static_cast<int32_t>(i), static_cast<int32_t>(p)};
      weights[id] = gradient->data() + p * part;
      trained_weights()[addresses[i] + p * part] = {id, weights[id]};
    }
  }
  const bool backwards = test_case.has_gradient && context.backend().supports_training();
  Tape tape(weights);
  Ran ran;
  {
    const TapeScope recording(context, backwards ? &tape : nullptr);
    ran = test_case.run(context, addresses);
  }

  const auto read = [&](const float* from, int64_t count) {
    std::vector<float> out(static_cast<size_t>(count));
    memory.download(out.data(), from, out.size() * sizeof(float));
    return out;
  };
  size_t at = 0;
  for (const Output& output : ran.outputs) {
    const std::vector<float> found = output.on_host
                                         ? std::vector<float>(output.values, output.values + output.count)
                                         : read(output.values, output.count);
    for (int64_t i = 0; i < output.count; ++i) {
      const double value = expected.outputs[at + i];
      ASSERT_NEAR(found[i], value, test_case.tolerance * (1 + std::fabs(value))) << i;
    }
    if (backwards && !ran.backward) {
      const Tape::Target target = tape.add_to(context.arena(), output.values, output.count);
      ASSERT_FALSE(target.accumulate);
      memory.upload(target.data, expected.derivatives.data() + at, output.count * sizeof(float));
    }
    at += output.count;
  }
  ASSERT_EQ(at, expected.outputs.size());
  for (const GuardedFloats& input : values) EXPECT_TRUE(input.is_intact()) << "written beside an input";
  if (!backwards) return;
  if (ran.backward) ran.backward(tape, expected.derivatives.data());
  tape.run_backwards(context);

  gradient = gradients.begin();
  for (size_t i = 0; i < addresses.size(); ++i, ++gradient) {
    const float* address = test_case.inputs[i].is_weight ? gradient->data() : tape.find(addresses[i]);
    ASSERT_NE(address, nullptr) << test_case.inputs[i].name;
    const std::vector<float> found = read(address, test_case.inputs[i].count);
    const Doubles& differences = expected.gradients[i];
    const double before = test_case.inputs[i].is_weight ? double{kGradientBefore} : 0;
    double squares = 0;
    for (const double value : differences) squares += value * value;
    const double typical = std::sqrt(squares / static_cast<double>(differences.size()));
    for (size_t k = 0; k < differences.size(); ++k) {
      EXPECT_NEAR(found[k] - before, differences[k],
                  2 * test_case.tolerance * (typical + std::fabs(differences[k])))
          << test_case.inputs[i].name << "[" << k << "]";
    }
    EXPECT_TRUE(gradient->is_intact()) << "written beside the gradient of " << test_case.inputs[i].name;
  }
  for (const GuardedFloats& input : values) EXPECT_TRUE(input.is_intact()) << "written beside an input";
}

/// Runs the case on every backend that supports it; the number of those.
inline int check_on_all_backends(const Case& test_case) {
  const Expected expected = expectation(test_case);
  int supported = 0;
  for (const BackendUnderTest& backend : all_backends()) {
    SCOPED_TRACE(backend.name);
    ThreadPool pool(2);
    const std::unique_ptr<Context> context = backend.make_context(pool);
    if (!test_case.is_supported(context->backend())) continue;
    ++supported;
    check(test_case, expected, *context);
  }
  return supported;
}

}  // namespace r1::op_cases
