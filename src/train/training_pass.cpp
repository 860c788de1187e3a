#include "train/training_pass.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "nn/cross_entropy.h"
#include "nn/elementwise.h"

namespace r1 {

KvCache& TrainingCache::with_blocks(int64_t blocks) {
  if (!cache_ || cache_->blocks() < blocks) {
    cache_.reset();
    cache_ =
        std::make_unique<KvCache>(model_.kv_layers(), blocks, KvCache::kTrainingDtype,
                                  KvCache::kTrainingDtype, KvCache::Sharing::one_layer, model_.placement());
  }
  return *cache_;
}

struct TrainingPass::State {
  State(Context& own_context, const Decoder& own_model, const WeightGradients& own_gradients,
        const TrainingBatch& own_batch, Keep own_keep)
      : context(own_context),
        model(own_model),
        gradients(own_gradients),
        batch(own_batch),
        keep(own_keep),
        scope(own_context.arena()),
        tape(gradients) {
    if (keep == Keep::everything) hold.emplace(context.arena());
  }

  /// One layer with its result added to the residual stream.
  void run_layer(int64_t layer) {
    model.run_layer(context, layer, pass, *cache);
    add_in_place(context, pass.x, pass.addend, elements);
    pass.pending = nullptr;
  }

  Context& context;
  const Decoder& model;
  const WeightGradients gradients;
  const TrainingBatch& batch;
  Keep keep;
  Arena::Scope scope;
  std::optional<Arena::Hold> hold;
  Tape tape;  // of everything, or of what follows the last layer
  KvCache* cache = nullptr;
  std::vector<int32_t> blocks, output_rows;
  std::vector<SequenceSlice> slices;
  DecoderPass pass;
  std::optional<AdapterScope> adapters;
  int64_t elements = 0;        // rows · hidden
  std::vector<float*> inputs;  // Keep::layer_inputs: of each layer
};

TrainingPass::TrainingPass(Context& context, const Decoder& model, const WeightGradients& gradients,
                           TrainingCache& cache, const TrainingBatch& batch, Keep keep,
                           const Adapter* adapter)
    : state_(std::make_unique<State>(context, model, gradients, batch, keep)) {
  State& own = *state_;
  const int64_t rows = batch.rows();
  int64_t block_count = 0;
  for (const PackedSequence& sequence : batch.sequences) {
    block_count += KvCache::blocks_for(sequence.rows);
  }
  own.blocks.resize(block_count);
  std::iota(own.blocks.begin(), own.blocks.end(), 0);
  int64_t next = 0;
  for (const PackedSequence& sequence : batch.sequences) {
    const int64_t count = KvCache::blocks_for(sequence.rows);
    own.slices.push_back({sequence.rows, 0, {own.blocks.data() + next, static_cast<size_t>(count)}, adapter});
    next += count;
  }
  own.output_rows.resize(rows);
  std::iota(own.output_rows.begin(), own.output_rows.end(), 0);
  own.cache = &cache.with_blocks(std::max<int64_t>(block_count, 1));
  own.elements = rows * model.info().hidden;

  const bool all = keep == Keep::everything;
  const TapeScope recording(context, all ? &own.tape : nullptr);
  own.pass = model.begin(context, {batch.tokens, own.slices, own.output_rows}, *own.cache);
  own.adapters.emplace(context, own.pass.plan.adapters);
  for (int64_t layer = 0; layer < model.info().layers; ++layer) {
    if (!all) {
      own.inputs.push_back(context.arena().allocate<float>(own.elements));
      context.backend().copy(own.inputs.back(), own.pass.x, own.elements);
    }
    own.run_layer(layer);
  }
  const TapeScope recording_end(context, &own.tape);
  normed_ = model.end(context, own.pass).values;
}

TrainingPass::~TrainingPass() = default;

std::vector<float> TrainingPass::log_probs() {
  std::vector<float> out(state_->batch.tokens.size());
  token_log_probs(state_->context, state_->model.weights().output, normed_, state_->batch.targets,
                  out.data());
  return out;
}

void TrainingPass::backward(std::span<const float> coefficients, float* log_probs) {
  token_log_probs_backward(state_->context, state_->tape, state_->model.weights().output, normed_,
                           state_->batch.targets, coefficients.data(), log_probs);
  finish_backward();
}

Tape& TrainingPass::hidden_tape() {
  return state_->tape;
}

void TrainingPass::finish_backward() {
  State& own = *state_;
  own.tape.run_backwards(own.context);
  if (own.keep == Keep::everything) return;
  float* gradient = own.tape.find(own.pass.x);
  for (int64_t layer = own.model.info().layers - 1; layer >= 0; --layer) {
    const Arena::Hold hold(own.context.arena());
    Tape tape(own.gradients);
    tape.set_rerun(true);
    Backend& backend = own.context.backend();
    backend.copy(own.pass.x, own.inputs[layer], own.elements);
    {
      const TapeScope recording(own.context, &tape);
      own.run_layer(layer);
    }
    const Tape::Target target = tape.add_to(own.context.arena(), own.pass.x, own.elements);
    backend.copy(target.data, gradient, own.elements);
    tape.run_backwards(own.context);
    backend.copy(gradient, target.data, own.elements);
  }
  const Weight& table = own.model.weights().embedding;
  const auto found = own.gradients.find(table.id);
  if (found != own.gradients.end()) {
    own.context.backend().embed_backward(own.batch.tokens, gradient, table.inputs, found->second);
  }
}

}  // namespace r1
