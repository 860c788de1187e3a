// The cases of ops, one list for tests and benchmark: op_cases_test.cpp runs each on every backend, holds it against
// the op written out plainly in float64 and its backward against central differences of that; bench/op_bench.cpp
// takes the time of the same ops in the shapes of a model.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/random.h"
#include "nn/linear.h"
#include "nn/rope.h"
#include "nn/tape.h"

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
  bool has_gradient = true;                             // false: the op has no backward, or none in this form
  std::optional<DType> stored = {};                     // the type of stored weights that the op reads
  double multiplications = 0;                           // of a run, for the benchmark's rate; 0: not counted

  bool is_supported(const Backend& backend) const { return !stored || backend.supports(*stored); }
};

// Prints the name, not the bytes.
inline void PrintTo(const Case& test_case, std::ostream* out) {
  *out << test_case.name;
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

// Stored bytes where the device reads them: as they lie if it can, else a copy in its arena.
inline const std::byte* stored_on_device(Context& context, const std::vector<std::byte>& bytes) {
  DeviceBytes owner;
  const std::byte* placed = context.backend().memory().place(bytes.data(), bytes.size(), owner);
  return owner.get() == nullptr ? placed : on_device(context, bytes.data(), std::ssize(bytes));
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
    const double rotated_a = a * cosine - b * sine;
    b = a * sine + b * cosine;
    a = rotated_a;
  }
}

// The cases by subject. Every maker takes the shape, so that the benchmark has its own.

enum class LowRank { plain, dropout, magnitude };
Case linear_case(int64_t rows, int64_t outputs, int64_t inputs);
/// A frozen weight of a stored type: the gradient goes through to the input.
Case stored_linear_case(DType dtype, int64_t rows, int64_t outputs, int64_t inputs);
Case low_rank_case(LowRank kind);
Case norm_case(int64_t rows, int64_t columns, bool with_addend);
Case addition_case(int64_t count);
Case swiglu_case(int64_t rows, int64_t columns);
/// `by_number`: the table's rows are in reverse and named.
Case rotation_case(RopeStyle style, int64_t rows, int64_t heads, int64_t columns, bool by_number = false);
Case embed_case();
/// nn/cross_entropy.h's TokenDistribution; `kept`: of six rows, or empty.
Case log_probs_case(const std::string& name, float temperature = 1, int64_t known = -1,
                    const std::vector<std::vector<int32_t>>& kept = {});

struct AttentionShape {
  std::string name = {};
  int64_t heads = 4, key_value_heads = 2, key_columns = 6, value_columns = 4;
  bool shared = false;  // the values are the first columns of the keys (latent attention)
  int64_t window = 0;   // 0: none
  DType cache = DType::f32;
  struct Sequence {
    int64_t rows = 0, first_position = 0;
  };
  std::vector<Sequence> sequences = {{3}, {66}, {1}};  // for the edges of blocks of keys and of rows
};
/// With a gradient where the cache is float32 and every sequence begins at its first token.
Case attention_case(const AttentionShape& shape);

/// Four experts or more of which some are chosen, `rows` rows.
struct ExpertShape {
  int64_t rows = 5, experts = 4, chosen = 2, hidden = 9, width = 7;
  bool with_shared = false;
};
Case experts_case(const ExpertShape& shape);

std::vector<Case> dense_cases();
std::vector<Case> attention_cases();
std::vector<Case> expert_cases();
std::vector<Case> row_cases();    // ops that copy and look up
std::vector<Case> timed_cases();  // in the shapes of DeepSeek-R1-Distill-Qwen-1.5B

}  // namespace r1::op_cases
