// Holding the backward of ops against central differences in float64 of the op written out plainly. The op
// itself runs in float32, on every instruction set of the machine.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "nn/linear.h"
#include "nn/rope.h"
#include "nn/tape.h"

namespace r1::op_gradients {

using Doubles = std::vector<double>;
using AllDoubles = std::vector<Doubles>;  // one for each input

struct Input {
  const char* name;
  int64_t count;
  bool is_weight = false;  // its gradient is summed in a place of its own; else the tape keeps it
  double from = -1, to = 1;
  int64_t parts = 1;  // equal weights, each found by its own address
};

struct Output {
  const float* values;
  int64_t count;
};

struct Ran {
  std::vector<Output> outputs;
  // For ops whose backward is called, not recorded: given the derivatives by the first output.
  std::function<void(Tape&, const float*)> backward;
};

struct Case {
  std::string name;
  std::vector<Input> inputs;
  std::function<Ran(Context&, const std::vector<float*>&)> run;
  std::function<Doubles(const AllDoubles&)> reference;  // all outputs end to end
};

// Prints the name, not the bytes.
inline void PrintTo(const Case& own, std::ostream* out) {
  *out << own.name;
}

inline float draw(uint64_t seed, int64_t i, double from, double to) {
  return static_cast<float>(from + (to - from) * random_uniform(seed, static_cast<uint64_t>(i)));
}

// Memory that lives as long as the program: the cases' constants.
inline float* constants(int64_t count, uint64_t seed) {
  static std::vector<std::unique_ptr<std::vector<float>>> all;
  all.push_back(std::make_unique<std::vector<float>>(count));
  for (int64_t i = 0; i < count; ++i) (*all.back())[i] = draw(seed, i, -1, 1);
  return all.back()->data();
}

inline kernels::WeightMatrix float_matrix(const float* values, int64_t outputs, int64_t inputs) {
  return {reinterpret_cast<const std::byte*>(values),
          DType::f32,
          outputs,
          inputs,
          inputs * sizeof(float),
          nullptr};
}

inline Activations floats(const float* values, int64_t rows, int64_t columns) {
  return {values, rows, columns, columns, {}, false};
}

// y [rows, outputs] += x Wᵀ
inline void add_product(const double* x, const double* w, int64_t rows, int64_t outputs, int64_t inputs,
                        double* y) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t i = 0; i < inputs; ++i) y[r * outputs + o] += x[r * inputs + i] * w[o * inputs + i];
    }
  }
}

inline double silu(double x) {
  return x / (1 + std::exp(-x));
}

inline void rotate_plainly(RopeStyle style, const RopeFrequencies& rope, int64_t position, double* head) {
  const size_t pairs = rope.inverse.size();
  for (size_t i = 0; i < pairs; ++i) {
    double& a = head[style == RopeStyle::interleaved ? 2 * i : i];
    double& b = head[style == RopeStyle::interleaved ? 2 * i + 1 : i + pairs];
    const double cosine = std::cos(position * rope.inverse[i]) * rope.magnitude;
    const double sine = std::sin(position * rope.inverse[i]) * rope.magnitude;
    const double turned = a * cosine - b * sine;
    b = a * sine + b * cosine;
    a = turned;
  }
}

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

inline Expected expectation(const Case& own) {
  constexpr double kStep = 1e-5;
  Expected out;
  AllDoubles exact;
  for (size_t i = 0; i < own.inputs.size(); ++i) {
    const Input& input = own.inputs[i];
    std::vector<float>& values = out.inputs.emplace_back(input.count);
    for (int64_t k = 0; k < input.count; ++k) values[k] = draw(100 + i, k, input.from, input.to);
    exact.emplace_back(values.begin(), values.end());
  }
  out.outputs = own.reference(exact);
  for (size_t i = 0; i < out.outputs.size(); ++i) {
    out.derivatives.push_back(draw(7, static_cast<int64_t>(i), -1, 1));
  }
  for (Doubles& input : exact) {
    Doubles& differences = out.gradients.emplace_back();
    for (double& value : input) {
      const double before = value;
      value = before + kStep;
      const double above = sum_of_products(own.reference(exact), out.derivatives);
      value = before - kStep;
      const double below = sum_of_products(own.reference(exact), out.derivatives);
      value = before;
      differences.push_back((above - below) / (2 * kStep));
    }
  }
  return out;
}

inline void check(const Case& own, const Expected& expected, const kernels::KernelTable& table) {
  SCOPED_TRACE(table.name);
  ThreadPool pool(2);
  Context context(pool, table, Arithmetic::exact);
  const Arena::Hold hold(context.arena());
  std::vector<std::vector<float>> values = expected.inputs;
  std::vector<std::vector<float>> gradients;
  std::vector<float*> addresses;
  WeightGradients weights;
  for (std::vector<float>& input : values) {
    gradients.emplace_back(input.size());
    addresses.push_back(input.data());
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t part = own.inputs[i].count / own.inputs[i].parts;
    for (int64_t p = 0; own.inputs[i].is_weight && p < own.inputs[i].parts; ++p) {
      weights[values[i].data() + p * part] = gradients[i].data() + p * part;
    }
  }
  Tape tape(weights);
  context.set_tape(&tape);
  const Ran ran = own.run(context, addresses);
  context.set_tape(nullptr);

  size_t at = 0;
  for (const Output& output : ran.outputs) {
    for (int64_t i = 0; i < output.count; ++i) {
      const double value = expected.outputs[at + i];
      ASSERT_NEAR(output.values[i], value, 1e-5 + 1e-5 * std::fabs(value)) << i;
    }
    if (!ran.backward) {
      const Tape::Target target = tape.add_to(context.arena(), output.values, output.count);
      ASSERT_FALSE(target.accumulate);
      std::copy_n(expected.derivatives.data() + at, output.count, target.data);
    }
    at += output.count;
  }
  ASSERT_EQ(at, expected.outputs.size());
  if (ran.backward) ran.backward(tape, expected.derivatives.data());
  tape.run_backwards(context);

  for (size_t i = 0; i < values.size(); ++i) {
    const float* found = own.inputs[i].is_weight ? gradients[i].data() : tape.find(addresses[i]);
    ASSERT_NE(found, nullptr) << own.inputs[i].name;
    const Doubles& differences = expected.gradients[i];
    double squares = 0;
    for (const double value : differences) squares += value * value;
    const double typical = std::sqrt(squares / static_cast<double>(differences.size()));
    for (size_t k = 0; k < differences.size(); ++k) {
      EXPECT_NEAR(found[k], differences[k], 2e-5 * (typical + std::fabs(differences[k])))
          << own.inputs[i].name << "[" << k << "]";
    }
  }
}

inline void check_on_all_sets(const Case& own) {
  const Expected expected = expectation(own);
  for (const auto set :
       {kernels::InstructionSet::scalar, kernels::InstructionSet::avx2, kernels::InstructionSet::avx512}) {
    if (kernels::is_supported(set)) check(own, expected, kernels::select_kernels(set));
  }
}

}  // namespace r1::op_gradients
