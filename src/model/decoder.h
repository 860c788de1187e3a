// What the transformer decoders have in common: the residual stream, the packed batch's plan, the dense
// blocks. An architecture derives from Decoder and says what its attention and its feed-forward are.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "formats/model_config.h"
#include "model/architectures.h"
#include "model/model.h"
#include "model/weight_binder.h"
#include "nn/adapter.h"
#include "nn/attention.h"
#include "nn/elementwise.h"
#include "nn/rope.h"

namespace r1 {

/// Rows of a batch that go through a layer: all of them, or (in the last layer) those whose logits are
/// wanted.
struct ActiveRows {
  int64_t count = 0;
  bool all = true;                // the whole batch: row i is i
  const int32_t* rows = nullptr;  // else: ascending

  /// Runs of neighbouring rows of one sequence; queries and output are filled in by the attention block.
  std::span<const kernels::AttentionSlice> slices;

  int64_t row(int64_t index) const { return all ? index : rows[index]; }
};

/// What all layers need to know of a batch. Memory from the context's arena.
struct BatchPlan {
  int64_t rows = 0;
  const int32_t* positions = nullptr;        // [rows]
  const int32_t* cache_blocks = nullptr;     // [rows]: where a row's key and value go
  const int32_t* block_positions = nullptr;  // [rows]: … and which token of that block it is
  RopeTable rope;
  ActiveRows all, wanted;
  const AdapterRows* adapters = nullptr;  // null: no row has one
};

/// While it lives, linear layers add the adapters of the plan's rows.
class AdapterScope {
 public:
  AdapterScope(Context& context, const BatchPlan& plan);
  ~AdapterScope();
  AdapterScope(const AdapterScope&) = delete;

 private:
  Context& context_;
};

/// Where layer `layer` of the cache keeps row `row`'s head 0.
std::byte* cache_row(const KvCache::Plane& plane, const BatchPlan& plan, int64_t row);

/// Copies of `slices` with queries and outputs set to rows of `stride` floats. Memory from the arena.
std::span<const kernels::AttentionSlice> attach(Context& context, const ActiveRows& active,
                                                const float* queries, int64_t query_stride, float* output,
                                                int64_t output_stride);

/// What a decoder's head and residual stream are made of.
struct DecoderWeights {
  kernels::WeightMatrix embedding;              // {vocabulary, hidden}
  std::vector<const float*> attention_norm;     // a layer: [hidden]
  std::vector<const float*> feed_forward_norm;  // a layer: [hidden]
  const float* output_norm = nullptr;           // [hidden]
  Linear output;                                // {vocabulary, hidden}; the embedding where tied
  float epsilon = 0;
};

/// A batch on its way through a decoder's layers. Memory from the context's arena, or the caller's.
struct DecoderPass {
  BatchPlan plan;
  float* x = nullptr;       // [rows, hidden]: the residual stream; after the last layer [wanted, hidden]
  float* addend = nullptr;  // [rows, hidden]: what the last block gives to it
  const float* pending = nullptr;  // addend where it is not yet added to x, else null
};

/// For memory plans: what backward of attention and of a layer's products take beside row_floats.
struct AttentionWidths {
  int64_t heads = 0, key_value_heads = 0;
  int64_t columns = 0;      // of a key and its value (of a key alone where it holds the value)
  int64_t longest_row = 0;  // the longest row of a layer that is multiplied by a matrix
};

class Decoder : public Model {
 public:
  const ModelInfo& info() const override { return info_; }
  void forward(Context& context, const Batch& batch, KvCache& cache, float* logits,
               const std::function<bool()>& cancelled) const override;

  // The pieces of forward, which training runs one by one (train/step.h). With a tape in the context all
  // rows must be wanted, all sequences begin at position 0, and each layer is entered with nothing pending.
  // An AdapterScope has to live from begin to the end of the pass where slices have adapters.

  /// Checks the batch, makes its plan and embeds its tokens.
  DecoderPass begin(Context& context, const Batch& batch, const KvCache& cache) const;
  /// Runs one layer; its feed-forward's result is left pending.
  void run_layer(Context& context, int64_t layer, DecoderPass& pass, KvCache& cache) const;
  /// The normed rows whose logits are wanted.
  Activations end(Context& context, DecoderPass& pass) const;
  const DecoderWeights& weights() const { return weights_; }
  /// Floats that a layer's ops keep of one row while a tape records, of the widest layer: for memory plans.
  virtual int64_t row_floats() const = 0;
  /// Heads and columns of a row's queries, keys and values, and the longest row that meets a layer's matrix.
  virtual AttentionWidths attention_widths() const = 0;

 protected:
  explicit Decoder(std::shared_ptr<const ModelFile> file) : binder_(std::move(file)) {}

  /// Which forms of the normed rows a layer's attention and feed-forward take.
  virtual WantedForms attention_forms(const Context& context, int64_t layer) const = 0;
  virtual WantedForms feed_forward_forms(const Context& context, int64_t layer) const = 0;

  /// Stores keys and values of all rows of the batch and writes the attention's contribution of the active
  /// rows to out [active, hidden]. normed: all rows.
  virtual void attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                         const Activations& normed, KvCache& cache, float* out) const = 0;
  /// out [rows, hidden] of normed rows.
  virtual void feed_forward(Context& context, int64_t layer, const Activations& normed, float* out) const = 0;

  /// Binds embedding, norms and output (tied where the file has none or says so), fills in info_ from them
  /// and the rope frequencies' GGUF factors.
  void bind_head(const ModelConfig& config);
  /// To call when all is bound: counts the weights (`idle`: those that a token does not meet) and checks that
  /// no tensor of the file was left without a place.
  void finish(const ModelSource& source, int64_t idle_elements = 0, size_t idle_bytes = 0);

  WeightBinder binder_;
  ModelInfo info_;
  DecoderWeights weights_;
  RopeFrequencies rope_;
};

/// Attention with heads that share keys in equal groups; rotary positions over whole heads.
struct GroupedQueryAttention {
  Linear query, key, value, output;
  int64_t heads = 0;
  int64_t key_value_heads = 0;
  int64_t head_columns = 0;
  RopeStyle style = RopeStyle::half_split;

  WantedForms forms(const Context& context) const;
  void run(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
           const Activations& normed, KvCache& cache, float* out) const;
};

/// down(silu(gate(x)) · up(x)).
struct GatedFeedForward {
  Linear gate, up, down;

  WantedForms forms(const Context& context) const;
  void run(Context& context, const Activations& normed, float* out) const;
};

/// The forms in which `layers`, the projections of attention's input, take the normed rows; refined rows are
/// made of floats by refine_attention_input.
WantedForms attention_input_forms(const Context& context, std::span<const Linear* const> layers);
/// `normed` as it is, or refined where `layer`, one of the projections, gains by it.
Activations refine_attention_input(Context& context, const Linear& layer, const Activations& normed);

}  // namespace r1
