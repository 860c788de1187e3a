#include "train/memory_plan.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/training.h"
#include "nn/attention.h"
#include "nn/cross_entropy.h"
#include "train/optimiser.h"

namespace r1 {
namespace {

constexpr size_t kPagesAround = size_t{64} << 10;  // what the system maps of a file when one page is touched

size_t floats(int64_t count) {
  return static_cast<size_t>(count) * sizeof(float);
}

size_t weight_bytes(const TrainingOptions& options, const Decoder& model) {
  const size_t all = model.info().weight_bytes;
  const DecoderWeights& weights = model.weights();
  if (options.tuning == Tuning::full || weights.is_tied()) return all;
  const size_t table = static_cast<size_t>(model.info().vocabulary) * weights.embedding.row_bytes;
  const size_t read =
      static_cast<size_t>(options.batch_tokens) * std::max(kPagesAround, weights.embedding.row_bytes);
  return all - table + std::min(table, read);
}

// Rows in block floating point (kernels/training.h) of a product with a frozen matrix.
size_t rounded_bytes(int64_t rows, int64_t depth) {
  return static_cast<size_t>(kernels::rounded_pairs(rows, depth)) * sizeof(int32_t) +
         floats(kernels::rounded_scales(rows, depth));
}

size_t scratch_bytes(const TrainingOptions& options, const Decoder& model, int threads) {
  const AttentionWidths widths = model.attention_widths();
  const int64_t vocabulary = model.info().vocabulary;
  size_t shared =
      attention_backward_bytes(options.batch_tokens, widths.heads, widths.key_value_heads, widths.columns);
  if (options.tuning != Tuning::full) {
    shared = std::max(shared, rounded_bytes(options.batch_tokens, widths.longest_row));
    if (model.weights().output.weight.dtype != DType::f32)
      shared = std::max(shared, rounded_bytes(logit_chunk_rows(vocabulary), vocabulary));
  }
  constexpr int64_t kAttentionRows = 2 * 64;
  const int64_t length = std::min(options.sequence_length, options.batch_tokens);
  const size_t of_thread = std::max(kernels::integer_product_scratch_bytes(),
                                    kernels::product_scratch_bytes() + floats(kAttentionRows * length));
  return shared + static_cast<size_t>(threads) * of_thread;
}

}  // namespace

MemoryPlan plan_memory(const TrainingOptions& options, const Decoder& model, const ParameterStore& store,
                       const PlanSurroundings& around) {
  const ModelInfo& info = model.info();
  MemoryPlan plan;
  const size_t trained = floats(store.elements());
  const bool lora = options.tuning == Tuning::lora;
  plan.weights = weight_bytes(options, model) + (lora ? trained : 0);
  if (around.reference != nullptr) plan.weights += around.reference->info().weight_bytes;
  plan.gradients = trained;
  plan.optimiser = optimiser_bytes(options, store);
  plan.program = around.program;

  const int64_t rows = options.batch_tokens;
  const KvLayerShape kv = model.kv_layers()[0];
  int64_t kept = model.row_floats();
  // What A sees of each layer's input, or the output before its magnitude: about as much again.
  if (lora && (options.lora.dropout > 0 || options.lora.dora)) kept += model.row_floats();
  const size_t layer = floats(2 * rows * kept);  // and as much for gradients
  // The residual stream, what a block adds to it, the last norm; gradients of these.
  const size_t ends = floats(rows * (6 * info.hidden + kv.heads * (kv.key_columns + kv.value_columns)));
  const int64_t chunk = logit_chunk_rows(info.vocabulary);
  const size_t logits = floats(chunk * (info.vocabulary + 2 * info.hidden));
  const size_t scratch = scratch_bytes(options, model, around.threads);
  auto with = [&](ActivationStorage storage) {
    plan.storage = storage;
    if (storage == ActivationStorage::everything) {
      // Nothing is given back before the end: logits come on top, twice where the loss reads them first.
      plan.activations = ends + layer * static_cast<size_t>(info.layers);
      plan.working = logits * (traits_of(around.stage).needs_log_probs ? 2 : 1) + scratch;
    } else {
      plan.activations = ends + floats(rows * info.layers * info.hidden);
      plan.working = std::max(layer, logits) + scratch;
    }
  };
  with(options.keep == ActivationStorageChoice::layer_inputs ? ActivationStorage::layer_inputs
                                                             : ActivationStorage::everything);
  const bool tight = around.available > 0 && plan.total() > around.available / 2;
  if (options.keep == ActivationStorageChoice::automatic && tight) with(ActivationStorage::layer_inputs);
  if (around.available > 0 && plan.total() > around.available) {
    throw_error(
        ErrorKind::out_of_memory,
        "training needs about {} MiB, {} MiB are available: weights {}, gradients {}, optimiser {}, "
        "activations {}, working memory {}, program {}; a smaller batch_tokens (now {}){}{} lowers it",
        plan.total() >> 20, around.available >> 20, plan.weights >> 20, plan.gradients >> 20,
        plan.optimiser >> 20, plan.activations >> 20, plan.working >> 20, plan.program >> 20,
        options.batch_tokens, plan.storage == ActivationStorage::everything ? " or keep = layer-inputs" : "",
        !lora                                   ? " or tuning = lora"
        : options.base_type == BaseType::stored ? " or base_type = nf4"
                                                : "");
  }
  return plan;
}

}  // namespace r1
