// Cases of ops: each is run on every backend and held against the op written out plainly in float64, its
// backward against central differences of that. Inputs and gradients lie between strips that must stay as
// they were.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "nn/linear.h"
#include "nn/rope.h"
#include "nn/tape.h"
#include "tests/nn/reference_backend.h"

namespace r1::op_cases {

using Doubles = std::vector<double>;
using AllDoubles = std::vector<Doubles>;  // one for each input

struct Input {
  const char* name;
  int64_t count;
  bool is_weight = false;  // its gradient is summed in a place of its own; else the tape keeps it
  double from = -1, to = 1;
  int64_t parts = 1;  // equal weights, each with an id of its own
};

struct Output {
  const float* values;
  int64_t count;
  bool on_host = false;
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
  double tolerance = 1e-5;                              // of outputs; of gradients twice that
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

// The weights among a running case's inputs, by their addresses.
struct TrainedWeight {
  WeightId id;
  float* gradient = nullptr;
};
inline std::map<const float*, TrainedWeight>& trained_weights() {
  static std::map<const float*, TrainedWeight> weights;
  return weights;
}
inline TrainedWeight trained_weight(const float* values) {
  const auto found = trained_weights().find(values);
  return found == trained_weights().end() ? TrainedWeight() : found->second;
}

// A copy of the host's values on the context's device, in its arena.
template <typename T>
T* on_device(Context& context, const T* values, int64_t count) {
  T* copy = context.arena().allocate<T>(count);
  context.backend().memory().upload(copy, values, static_cast<size_t>(count) * sizeof(T));
  return copy;
}

inline Weight float_matrix(const float* values, int64_t outputs, int64_t inputs) {
  return {reinterpret_cast<const std::byte*>(values),
          DType::f32,
          outputs,
          inputs,
          inputs * sizeof(float),
          nullptr,
          trained_weight(values).id};
}

inline WeightVector float_vector(const float* values) {
  return {values, trained_weight(values).id};
}

inline Activations floats(const float* values, int64_t rows, int64_t columns) {
  return {values, rows, columns, columns, {}, RowSet::all};
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

inline void check(const Case& own, const Expected& expected, Context& context) {
  DeviceMemory& memory = context.backend().memory();
  const Arena::Hold hold(context.arena());
  std::list<GuardedFloats> values, gradients;
  std::vector<float*> addresses;
  for (const std::vector<float>& input : expected.inputs) {
    addresses.push_back(values.emplace_back(memory, input).data());
    gradients.emplace_back(memory, std::vector<float>(input.size()));
  }
  WeightGradients weights;
  trained_weights().clear();
  auto gradient = gradients.begin();
  for (size_t i = 0; i < addresses.size(); ++i, ++gradient) {
    const int64_t part = own.inputs[i].count / own.inputs[i].parts;
    for (int64_t p = 0; own.inputs[i].is_weight && p < own.inputs[i].parts; ++p) {
      const WeightId id{static_cast<int32_t>(i), static_cast<int32_t>(p)};
      weights[id] = gradient->data() + p * part;
      trained_weights()[addresses[i] + p * part] = {id, weights[id]};
    }
  }
  Tape tape(weights);
  Ran ran;
  {
    const TapeScope recording(context, &tape);
    ran = own.run(context, addresses);
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
      ASSERT_NEAR(found[i], value, own.tolerance * (1 + std::fabs(value))) << i;
    }
    if (!ran.backward) {
      const Tape::Target target = tape.add_to(context.arena(), output.values, output.count);
      ASSERT_FALSE(target.accumulate);
      memory.upload(target.data, expected.derivatives.data() + at, output.count * sizeof(float));
    }
    at += output.count;
  }
  ASSERT_EQ(at, expected.outputs.size());
  if (ran.backward) ran.backward(tape, expected.derivatives.data());
  tape.run_backwards(context);

  gradient = gradients.begin();
  for (size_t i = 0; i < addresses.size(); ++i, ++gradient) {
    const float* address = own.inputs[i].is_weight ? gradient->data() : tape.find(addresses[i]);
    ASSERT_NE(address, nullptr) << own.inputs[i].name;
    const std::vector<float> found = read(address, own.inputs[i].count);
    const Doubles& differences = expected.gradients[i];
    double squares = 0;
    for (const double value : differences) squares += value * value;
    const double typical = std::sqrt(squares / static_cast<double>(differences.size()));
    for (size_t k = 0; k < differences.size(); ++k) {
      EXPECT_NEAR(found[k], differences[k], 2 * own.tolerance * (typical + std::fabs(differences[k])))
          << own.inputs[i].name << "[" << k << "]";
    }
    EXPECT_TRUE(gradient->is_intact()) << "written beside the gradient of " << own.inputs[i].name;
  }
  for (const GuardedFloats& input : values) EXPECT_TRUE(input.is_intact()) << "written beside an input";
}

inline void check_on_all_backends(const Case& own) {
  const Expected expected = expectation(own);
  for (const BackendUnderTest& backend : all_backends()) {
    SCOPED_TRACE(backend.name);
    ThreadPool pool(2);
    const std::unique_ptr<Context> context = backend.make_context(pool);
    if (context->backend().supports_training()) check(own, expected, *context);
  }
}

}  // namespace r1::op_cases
