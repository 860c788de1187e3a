// The CPU as a backend: every call is a loop over pieces on the threads of a pool, each piece a kernel's call
// (kernels/kernels.h). Results are the same bits on any number of threads and every instruction set.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/training.h"
#include "nn/backend.h"

namespace r1 {

/// The backend of host_memory(). The pool and the table must outlive it.
std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, const kernels::KernelTable& table,
                                          Arithmetic arithmetic);

namespace cpu {

/// A loop over fewer elements than this runs on the caller: starting the pool would cost more.
inline constexpr int64_t kSmallLoop = 16384;

/// How layers of a weight's type take their input.
enum Form : int32_t {
  kFloats,   // float32 rows
  kInt8,     // kernels::QuantisedRows
  kRefined,  // the same twice: the int8 rows, then the int8-quantised rest. The sum of both products has
             // about 15 bits of precision
};

/// The int8 rows of prepared ones (not of their rests).
kernels::QuantisedRows quantised_rows(const PreparedRows& prepared, int64_t columns, int64_t row = 0);

/// A stored weight as the kernels take it.
inline kernels::WeightMatrix matrix_of(const Weight& weight) {
  return {weight.data, weight.dtype, weight.outputs, weight.inputs, weight.row_bytes, weight.block_scales};
}

/// Rotates the first 2 · pairs elements of a head in place for row `row` of the table; back: by the
/// transpose.
void rotate_head(RopeStyle style, const RopeTable& table, int64_t row, bool back, float* head);

class CpuBackend final : public Backend {
 public:
  CpuBackend(ThreadPool& pool, const kernels::KernelTable& table, Arithmetic arithmetic);
  ~CpuBackend() override;

  std::string_view name() const override { return "cpu"; }
  size_t scratch_bytes() const override;
  bool supports(DType stored) const override;
  bool supports_training() const override { return true; }

  void embed(const Weight& table, std::span<const int32_t> tokens, float* out) override;
  Activations add_rms_norm(const NormCall& call) override;
  Activations swiglu(const SwigluCall& call) override;
  Activations prepare(const Activations& rows, const Readers& readers) override;
  Activations gather(const Activations& input, const int32_t* rows, int64_t count) override;
  void take_rows(float* to, const float* from, const int32_t* rows, int64_t count, int64_t columns) override;
  void linear(std::span<const LinearJob> jobs, std::span<const GroupedJob> groups) override;

  void rope_table(const RopeFrequencies& rope, std::span<const int32_t> positions, float* cosines,
                  float* sines) override;
  void rotate(std::span<const RotateCall> calls) override;
  void store(std::span<const StoreCall> calls) override;
  void attention(const AttentionCall& call) override;

  void latent_keys(const LatentKeysCall& call) override;
  void absorb_queries(const LatentCall& call) override;
  void expand_values(const LatentCall& call) override;

  void route(const RouteCall& call) override;
  void assign(const AssignCall& call) override;
  void sum_experts(const ExpertSumCall& call) override;

  void product(const Product& product, int64_t rows, int64_t columns) override;
  void copy(float* to, const float* from, int64_t count) override;
  void add(float* x, const float* y, int64_t count) override;
  void scale(float* x, float factor, int64_t count) override;
  void dropout(const DropoutCall& call) override;
  void magnitude(const MagnitudeCall& call) override;
  void log_probs(const LogProbsCall& call) override;

  void embed_backward(std::span<const int32_t> tokens, const float* gradient, int64_t columns,
                      float* table_gradient) override;
  void rms_norm_backward(const NormBackwardCall& call) override;
  void swiglu_backward(const SwigluBackwardCall& call) override;
  void add_rows(float* to, const int32_t* rows, const float* from, int64_t count, int64_t columns) override;
  void add_column_sums(const float* x, int64_t rows, int64_t columns, int64_t stride, float* sums) override;
  void grouped_backward(const GroupedBackwardCall& call) override;
  void attention_backward(const AttentionBackwardCall& call) override;
  void latent_keys_backward(const LatentKeysCall& call, const float* keys_gradient,
                            float* compressed_gradient, float* norm_gradient) override;
  void absorb_backward(const LatentBackwardCall& call) override;
  void expand_backward(const LatentBackwardCall& call) override;
  void route_backward(const RouteBackwardCall& call) override;
  void sum_experts_backward(const ExpertSumBackwardCall& call) override;
  void magnitude_backward(const MagnitudeBackwardCall& call) override;
  void combine(const CombineCall& call) override;
  double sum_of_squares(std::span<const FloatArray> arrays) override;
  void adam(const AdamCall& call) override;

 private:
  struct Scratch;
  struct SplitChunk;

  /// 64-byte aligned scratch of at least `bytes` for all threads together, until the next call.
  std::byte* shared_scratch(size_t bytes);
  /// 64-byte aligned scratch of at least `bytes` that thread `thread` has to itself until its next call.
  std::byte* thread_scratch(int thread, size_t bytes);

  /// parallel_for of the pool without a copy of `body` (std::function would allocate for large captures).
  /// With `worth` false the loop runs on the caller: for loops of less than some microseconds.
  template <typename Body>
  void parallel_for(int64_t count, bool worth, const Body& body) {
    if (!worth) {
      for (int64_t index = 0; index < count; ++index) body(index, 0);
      return;
    }
    pool_->parallel_for(count, std::cref(body));
  }

  // Forms (forms.cpp).
  bool takes_int8(const Weight& weight) const;
  Form form_for(const Readers& readers) const;
  bool reads_floats(const Readers& readers) const;
  PreparedRows allocate_rows(Form form, int64_t rows, int64_t columns);
  std::span<Activations> prepare_pieces(const float* values, int64_t rows, int64_t columns, int64_t stride,
                                        int64_t columns_apart, int64_t pieces, bool int8);
  void quantise_refined(const float* x, const PreparedRows& out, int64_t row, int64_t columns, int thread);

  // Products (linear.cpp, product.cpp).
  bool is_rounded(const Weight& weight) const;
  bool runs_as_product(const LinearJob& job) const;
  void run_as_product(const LinearJob& job);
  void run_panel(const LinearJob& job, int64_t begin, int64_t end, int thread);
  void run_refined_panel(const LinearJob& job, int64_t begin, int64_t end, int thread);
  void run_streamed_jobs(std::span<const LinearJob> jobs);
  void run_panels(std::span<const LinearJob> jobs);
  void run_jobs(std::span<const LinearJob> jobs);
  template <typename Multiply>
  void run_pieces(const kernels::Product& product, int64_t rows, int64_t columns, bool worth,
                  const Multiply& multiply);
  void run_integer_product(const kernels::Product& product, int64_t rows, int64_t columns, bool worth);

  void attend_in_segments(const kernels::AttentionShape& shape,
                          std::span<const kernels::AttentionSlice> slices, std::span<SplitChunk> chunks,
                          int64_t heads, std::span<float* const> partials, size_t scratch_bytes);

  ThreadPool* pool_;
  const kernels::KernelTable* table_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace cpu
}  // namespace r1
