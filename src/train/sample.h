// What the trainer is fed: token sequences laid end to end, with the tokens that count marked.
//
// The data side (src/train/data) turns files into TrainingSamples and packs them into TrainingBatches; the
// trainer sees a BatchSource alone. Batches of data are a function of (seed, epoch, index), so that a run resumed
// at any step sees the same batches.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1 {

/// A whole sequence, the ends of turns included.
struct TokenSequence {
  std::vector<int32_t> tokens;
  /// [tokens]: 1 where the loss counts how well this token is predicted from those before it. The first
  /// token's mark is not used: nothing predicts it.
  std::vector<uint8_t> trained;
};

/// One line of a data set, rendered and tokenised.
struct TrainingSample {
  TokenSequence sequence;         // pretrain, sft, kto: the sequence; pairs: prompt and chosen answer
  TokenSequence rejected;         // pairs: prompt and rejected answer; else empty
  bool desirable = true;          // kto
  std::string source;             // "file:line", for messages
  bool without_thinking = false;  // a trained answer begins behind a closed, empty thinking block
};

/// A run of rows of a TrainingBatch: one sequence, which sees nothing of its neighbours.
struct PackedSequence {
  int64_t first_row = 0;
  int64_t rows = 0;    // ≥ 1
  int64_t sample = 0;  // index in the data set (of a pretraining window: of its first document)
  /// What the objective is told of the sequence. Of pairs, which follow each other: 1 chosen, 0 rejected; of labelled
  /// answers: 1 desirable, 0 not; else 1.
  double label = 1;
};

/// One forward and backward pass: sequences end to end, no padding.
struct TrainingBatch {
  std::vector<int32_t> tokens;   // [rows]
  std::vector<int32_t> targets;  // [rows]: the token that row r has to predict, -1 where no loss is counted
  std::vector<PackedSequence> sequences;  // in order; their rows add up to tokens.size()

  // Of answers that a policy sampled: the distribution of the targets (nn/cross_entropy.h) and what was drawn.
  float temperature = 1;
  int64_t known_tokens = -1;
  std::vector<std::vector<int32_t>> kept{};  // [rows] or empty
  std::vector<float> sampled_log_probs{};    // [rows] or empty: log p(target) when it was drawn

  int64_t rows() const { return static_cast<int64_t>(tokens.size()); }
  int64_t target_count() const {
    int64_t count = 0;
    for (int32_t target : targets) count += target >= 0 ? 1 : 0;
    return count;
  }
};

/// Batches of a data set, by epoch and place. Const after construction, may be asked from any thread.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// Batches in epoch `epoch` (0, 1, …); packing may make their number differ between epochs. At least 1.
  virtual int64_t batches(int64_t epoch) const = 0;
  /// Batch `index` in [0, batches(epoch)). The same arguments give the same batch, always.
  virtual TrainingBatch batch(int64_t epoch, int64_t index) const = 0;
  /// A hash of what determines the batches (data, seed, options). A checkpoint keeps it and resuming refuses
  /// another.
  virtual uint64_t fingerprint() const = 0;
};

/// The micro-batches of one step after another: of data (train/data_steps.h), or made by the weights as they are now
/// (rollouts).
class StepSource {
 public:
  virtual ~StepSource() = default;
  /// Empty: there is nothing left.
  virtual std::vector<TrainingBatch> next_step() = 0;
};

}  // namespace r1
