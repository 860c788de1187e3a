// What the transformer decoders have in common: the residual stream, the layers' order, embedding and head.
// An architecture derives from Decoder and says what its attention and its feed-forward are
// (docs/adding-a-model.md).
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <unordered_set>
#include <vector>

#include "formats/model_config.h"
#include "model/architectures.h"
#include "model/batch_plan.h"
#include "model/model.h"
#include "model/weight_binder.h"
#include "nn/context.h"

namespace r1 {

/// What a decoder's head and residual stream are made of.
struct DecoderWeights {
  Weight embedding;                             // {vocabulary, hidden}
  std::vector<WeightVector> attention_norm;     // a layer: [hidden]
  std::vector<WeightVector> feed_forward_norm;  // a layer: [hidden]
  WeightVector output_norm;                     // [hidden]
  Linear output;                                // {vocabulary, hidden}; the embedding where tied
  float epsilon = 0;

  bool is_tied() const { return output.weight.id == embedding.id; }
};

/// A batch on its way through a decoder's layers. Memory from the context's arena, or the caller's.
struct DecoderPass {
  BatchPlan plan;
  DeviceMemory* memory = nullptr;  // where x and addend are now
  int64_t rows = 0;                // of x: the batch's; after the last layer those whose logits are wanted
  float* x = nullptr;              // [rows, hidden]: the residual stream
  float* addend = nullptr;         // [rows, hidden]: what the last block gives to it
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
  const Placement& placement() const override { return binder_.placement(); }
  /// What the weights were bound from: weight_id gives a tensor's id.
  const ModelFile& file() const { return binder_.file(); }
  void forward(Context& context, const Batch& batch, KvCache& cache, float* logits,
               const std::function<bool()>& cancelled) const override;
  void hidden_states(Context& context, const Batch& batch, KvCache& cache, float* states) const override;

  // The pieces of forward, which training runs one by one (train/training_pass.h). With a tape in the context
  // all rows must be wanted, all sequences begin at position 0, all layers lie on one device, and each layer
  // is entered with nothing pending. An AdapterScope (of the plan's adapters) has to live from begin to the
  // end of the pass where slices have adapters.

  /// Checks the batch, makes its plan and embeds its tokens. An adapter with a term for a weight that is none
  /// of this model's layers is Error(invalid_argument).
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
  Decoder(std::shared_ptr<const ModelFile> file, const Placement& placement)
      : binder_(std::move(file), placement) {}

  /// The layers that read the normed rows of a decoder layer, in the architecture's own memory.
  struct LayerReaders {
    std::vector<const Linear*> attention, feed_forward;
  };

  /// Stores keys and values of all rows of the batch and writes the attention's contribution of the active
  /// rows to out [active, hidden]. normed: all rows.
  virtual void attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                         const Activations& normed, KvCache& cache, float* out) const = 0;
  /// out [rows, hidden] of normed rows.
  virtual void feed_forward(Context& context, int64_t layer, const Activations& normed, float* out) const = 0;

  /// Binds embedding, norms and output (tied where the file has none or says so), fills in info_ from them
  /// and the rope frequencies' GGUF factors.
  void bind_head(const ModelConfig& config);
  /// To call when all is bound: what reads each layer's rows; counts the weights (`idle`: those that a token does
  /// not meet) and checks that no tensor of the file was left without a place.
  void finish(const ModelSource& source, std::vector<LayerReaders> readers, int64_t idle_elements = 0,
              size_t idle_bytes = 0);
  /// Layers that adapters may add to: those that run whole, on rows of the batch.
  void accept_adapters(std::initializer_list<const Linear*> layers);

  WeightBinder binder_;
  ModelInfo info_;
  DecoderWeights weights_;
  RopeFrequencies rope_;

 private:
  class PassScope;

  void check_adapters(const Batch& batch) const;
  void move_to(Context& context, DeviceMemory& memory, DecoderPass& pass) const;
  /// Runs all layers; false: no rows are wanted. The pass's memory is that of `ends` then.
  bool run(Context& context, DecoderPass& pass, KvCache& cache, const std::function<bool()>& cancelled) const;

  std::vector<LayerReaders> readers_;
  std::unordered_set<WeightId, WeightIdHash> adaptable_;
};

}  // namespace r1
