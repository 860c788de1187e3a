// How much memory a training run will need, known before its first step.
#pragma once

#include <cstddef>

#include "model/decoder.h"
#include "train/options.h"
#include "train/parameters.h"
#include "train/stage.h"
#include "train/training_pass.h"

namespace r1 {

/// What a run has besides its options. Not owned.
struct PlanSurroundings {
  TrainingStage stage = TrainingStage::sft;
  const Decoder* reference = nullptr;  // a model of its own beside the trained one: dpo, kto in full tuning
  int threads = 1;
  size_t program = 0;    // bytes that the process has apart from all that is planned
  size_t available = 0;  // bytes that the run may take in all; 0: not known
};

/// Bytes. What is in use at once, so that total() is the peak of resident memory.
struct MemoryPlan {
  size_t weights = 0;  // of the model, frozen ones included, of an adapter and of a reference model
  size_t gradients = 0;
  size_t optimiser = 0;
  size_t activations = 0;  // kept from forward to backward, with keys and values
  size_t working = 0;      // what comes and goes: a layer's run or logits, whichever is more; scratch
  size_t program = 0;
  ActivationStorage storage = ActivationStorage::layer_inputs;
  size_t total() const { return weights + gradients + optimiser + activations + working + program; }
};

/// Plans for batches of options.batch_tokens rows, and decides what is kept (options.keep). An embedding that
/// is neither trained nor the output matrix counts with the rows of one batch: its other pages come and go.
/// Throws Error(out_of_memory) with what to change when the total is more than is available.
MemoryPlan plan_memory(const TrainingOptions& options, const Decoder& model, const ParameterStore& store,
                       const PlanSurroundings& around = {});

}  // namespace r1
