#include "train/training_pass.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "nn/cross_entropy.h"
#include "nn/elementwise.h"

namespace r1 {

namespace {

TokenDistribution distribution_of(const TrainingBatch& batch) {
  return {batch.temperature, batch.known_tokens, batch.kept};
}

}  // namespace

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
  State(Context& pass_context, const Decoder& pass_model, const WeightGradients& pass_gradients,
        const TrainingBatch& pass_batch, ActivationStorage pass_storage)
      : context(pass_context),
        model(pass_model),
        gradients(pass_gradients),
        batch(pass_batch),
        storage(pass_storage),
        scope(pass_context.arena()),
        tape(gradients) {
    if (storage == ActivationStorage::everything) hold.emplace(context.arena());
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
  ActivationStorage storage;
  Arena::Scope scope;
  std::optional<Arena::Hold> hold;
  Tape tape;  // of everything, or of what follows the last layer
  KvCache* cache = nullptr;
  std::vector<int32_t> blocks, output_rows;
  std::vector<SequenceSlice> slices;
  DecoderPass pass;
  std::optional<AdapterScope> adapters;
  int64_t elements = 0;        // rows · hidden
  std::vector<float*> inputs;  // ActivationStorage::layer_inputs: of each layer
};

TrainingPass::TrainingPass(Context& context, const Decoder& model, const WeightGradients& gradients,
                           TrainingCache& cache, const TrainingBatch& batch, ActivationStorage storage,
                           const Adapter* adapter)
    : state_(std::make_unique<State>(context, model, gradients, batch, storage)) {
  State& state = *state_;
  const int64_t rows = batch.rows();
  int64_t block_count = 0;
  for (const PackedSequence& sequence : batch.sequences) {
    block_count += KvCache::blocks_for(sequence.rows);
  }
  state.blocks.resize(block_count);
  std::iota(state.blocks.begin(), state.blocks.end(), 0);
  int64_t next = 0;
  for (const PackedSequence& sequence : batch.sequences) {
    const int64_t count = KvCache::blocks_for(sequence.rows);
    state.slices.push_back(
        {sequence.rows, 0, {state.blocks.data() + next, static_cast<size_t>(count)}, adapter});
    next += count;
  }
  state.output_rows.resize(rows);
  std::iota(state.output_rows.begin(), state.output_rows.end(), 0);
  state.cache = &cache.with_blocks(std::max<int64_t>(block_count, 1));
  state.elements = rows * model.info().hidden;

  const bool all = storage == ActivationStorage::everything;
  const TapeScope recording(context, all ? &state.tape : nullptr);
  state.pass = model.begin(context, {batch.tokens, state.slices, state.output_rows}, *state.cache);
  state.adapters.emplace(context, state.pass.plan.adapters);
  for (int64_t layer = 0; layer < model.info().layers; ++layer) {
    if (!all) {
      state.inputs.push_back(context.arena().allocate<float>(state.elements));
      context.backend().copy(state.inputs.back(), state.pass.x, state.elements);
    }
    state.run_layer(layer);
  }
  const TapeScope recording_end(context, &state.tape);
  normed_ = model.end(context, state.pass).values;
}

TrainingPass::~TrainingPass() = default;

std::vector<float> TrainingPass::log_probs() {
  std::vector<float> out(state_->batch.tokens.size());
  token_log_probs(state_->context, state_->model.weights().output, normed_, state_->batch.targets, out.data(),
                  distribution_of(state_->batch));
  return out;
}

void TrainingPass::backward(std::span<const float> coefficients, float* log_probs) {
  token_log_probs_backward(state_->context, state_->tape, state_->model.weights().output, normed_,
                           state_->batch.targets, coefficients.data(), log_probs,
                           distribution_of(state_->batch));
  finish_backward();
}

Tape& TrainingPass::hidden_tape() {
  return state_->tape;
}

void TrainingPass::finish_backward() {
  State& state = *state_;
  state.tape.run_backwards(state.context);
  if (state.storage == ActivationStorage::everything) return;
  float* gradient = state.tape.find(state.pass.x);
  for (int64_t layer = state.model.info().layers - 1; layer >= 0; --layer) {
    const Arena::Hold hold(state.context.arena());
    Tape tape(state.gradients);
    tape.set_rerun(true);
    Backend& backend = state.context.backend();
    backend.copy(state.pass.x, state.inputs[layer], state.elements);
    {
      const TapeScope recording(state.context, &tape);
      state.run_layer(layer);
    }
    const Tape::Target target = tape.add_to(state.context.arena(), state.pass.x, state.elements);
    backend.copy(target.data, gradient, state.elements);
    tape.run_backwards(state.context);
    backend.copy(gradient, target.data, state.elements);
  }
  const Weight& table = state.model.weights().embedding;
  const auto found = state.gradients.find(table.id);
  if (found != state.gradients.end()) {
    state.context.backend().embed_backward(state.batch.tokens, gradient, table.inputs, found->second);
  }
}

}  // namespace r1
