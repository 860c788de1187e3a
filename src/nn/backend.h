// What computes. Ops (nn/*.h) check shapes, allocate results and record their backward; a backend does the
// arithmetic of one device: one call an op, over the whole batch.
//
// A backend is a queue: calls take effect in the order given and may return before they are done; what the
// host reads comes through DeviceMemory, which waits. One thread at a time. docs/devices.md says how to add
// one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "nn/arena.h"
#include "nn/backend_calls.h"

namespace r1 {

enum class Arithmetic {
  fast,   // quantised weights meet rounded activations (the CPU: int8)
  exact,  // float32 activations and weights decoded exactly: the reference arithmetic
  mixed,  // training: exact, but products with weights of other types than float32 in block floating point
};

/// A row's results depend on that row alone, not on the number of rows or on those beside it.
class Backend {
 public:
  Backend(DeviceMemory& memory, Arithmetic arithmetic) : arithmetic_(arithmetic), arena_(memory) {}
  Backend(const Backend&) = delete;
  virtual ~Backend() = default;

  virtual std::string_view name() const = 0;
  DeviceMemory& memory() { return arena_.memory(); }
  Arena& arena() { return arena_; }
  Arithmetic arithmetic() const { return arithmetic_; }

  /// Memory that it keeps from call to call, beside the arena.
  virtual size_t scratch_bytes() const { return 0; }

  /// Whether layers may be stored in this type. What loads a model for the device asks.
  virtual bool supports(DType stored) const = 0;
  /// Whether the backward calls are there.
  virtual bool supports_training() const = 0;

  // Results that are returned lie in the arena.

  /// out [tokens, table.inputs]: rows of the table, decoded.
  virtual void embed(const Weight& table, std::span<const int32_t> tokens, float* out) = 0;
  virtual Activations add_rms_norm(const NormCall& call) = 0;
  virtual Activations swiglu(const SwigluCall& call) = 0;
  /// Float32 rows with what the readers take beside them.
  virtual Activations prepare(const Activations& rows, const Readers& readers) = 0;
  /// Copies of the named rows, in all forms that the input has. `rows` [count].
  virtual Activations gather(const Activations& input, const int32_t* rows, int64_t count) = 0;
  /// to [count, columns] = the named rows of `from` [.., columns].
  virtual void take_rows(float* to, const float* from, const int32_t* rows, int64_t count,
                         int64_t columns) = 0;
  /// All jobs at once; they do not read each other's outputs.
  virtual void linear(std::span<const LinearJob> jobs, std::span<const GroupedJob> groups) = 0;

  /// The cosines and sines, [positions, pairs], computed in double.
  virtual void rope_table(const RopeFrequencies& rope, std::span<const int32_t> positions, float* cosines,
                          float* sines) = 0;
  virtual void rotate(std::span<const RotateCall> calls) = 0;
  virtual void store(std::span<const StoreCall> calls) = 0;
  virtual void attention(const AttentionCall& call) = 0;

  virtual void latent_keys(const LatentKeysCall& call) = 0;
  virtual void absorb_queries(const LatentCall& call) = 0;
  virtual void expand_values(const LatentCall& call) = 0;

  virtual void route(const RouteCall& call) = 0;
  virtual void assign(const AssignCall& call) = 0;
  virtual void sum_experts(const ExpertSumCall& call) = 0;

  virtual void product(const Product& product, int64_t rows, int64_t columns) = 0;
  virtual void copy(float* to, const float* from, int64_t count) = 0;
  virtual void add(float* x, const float* y, int64_t count) = 0;
  virtual void scale(float* x, float factor, int64_t count) = 0;
  virtual void dropout(const DropoutCall& call) = 0;
  virtual void magnitude(const MagnitudeCall& call) = 0;
  virtual void log_probs(const LogProbsCall& call) = 0;

  // Training.

  /// table_gradient [vocabulary, columns] += rows of `gradient` [tokens, columns], in their order.
  virtual void embed_backward(std::span<const int32_t> tokens, const float* gradient, int64_t columns,
                              float* table_gradient) = 0;
  virtual void rms_norm_backward(const NormBackwardCall& call) = 0;
  virtual void swiglu_backward(const SwigluBackwardCall& call) = 0;
  /// to[rows[i]] += from[i] for i in [0, count), in order; rows of `columns` floats.
  virtual void add_rows(float* to, const int32_t* rows, const float* from, int64_t count,
                        int64_t columns) = 0;
  /// sums[c] += Σ_r x[r · stride + c].
  virtual void add_column_sums(const float* x, int64_t rows, int64_t columns, int64_t stride,
                               float* sums) = 0;
  virtual void grouped_backward(const GroupedBackwardCall& call) = 0;
  virtual void attention_backward(const AttentionBackwardCall& call) = 0;
  virtual void latent_keys_backward(const LatentKeysCall& call, const float* keys_gradient,
                                    float* compressed_gradient, float* norm_gradient) = 0;
  virtual void absorb_backward(const LatentBackwardCall& call) = 0;
  virtual void expand_backward(const LatentBackwardCall& call) = 0;
  virtual void route_backward(const RouteBackwardCall& call) = 0;
  virtual void sum_experts_backward(const ExpertSumBackwardCall& call) = 0;
  virtual void magnitude_backward(const MagnitudeBackwardCall& call) = 0;

  // The optimiser's step.

  virtual void combine(const CombineCall& call) = 0;
  /// Of all arrays together, in a fixed order. Waits for the device.
  virtual double sum_of_squares(std::span<const FloatArray> arrays) = 0;
  virtual void adam(const AdamCall& call) = 0;

 private:
  Arithmetic arithmetic_;
  Arena arena_;
};

}  // namespace r1
