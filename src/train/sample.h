// What the trainer is fed: token sequences laid end to end, with the tokens that count marked.
//
// The data side (src/train/data) turns files into TrainingSamples and packs them into TrainingBatches; the
// trainer sees a BatchSource alone. Everything is a function of (seed, epoch, index), so that a run resumed
// at any step sees the same batches: a source has no state that moves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1 {

enum class TrainingStage {
  pretrain,  // raw text: every token is predicted
  sft,       // conversations: the marked tokens are predicted
  dpo,       // pairs: chosen and rejected answers to one prompt
  kto,       // single answers marked desirable or not
  orpo,      // pairs, without a reference model
  reward,    // pairs, a scalar for each sequence
};

/// A whole sequence, the ends of turns included.
struct TokenSequence {
  std::vector<int32_t> tokens;
  /// [tokens]: 1 where the loss counts how well this token is predicted from those before it. The first
  /// token's mark is not used: nothing predicts it.
  std::vector<uint8_t> trained;
};

/// One line of a data set, rendered and tokenised.
struct TrainingSample {
  TokenSequence sequence;  // pretrain, sft, kto: the sequence; pairs: prompt and chosen answer
  TokenSequence rejected;  // pairs: prompt and rejected answer; else empty
  bool desirable = true;   // kto
  std::string source;      // "file:line", for messages
};

/// A run of rows of a TrainingBatch: one sequence, which sees nothing of its neighbours.
struct PackedSequence {
  int64_t first_row = 0;
  int64_t rows = 0;       // ≥ 1
  int64_t sample = 0;     // index in the data set (of a pretraining window: of its first document)
  bool rejected = false;  // the rejected half of a pair; follows its chosen half directly
  bool desirable = true;  // kto
};

/// One forward and backward pass: sequences end to end, no padding.
struct TrainingBatch {
  std::vector<int32_t> tokens;   // [rows]
  std::vector<int32_t> targets;  // [rows]: the token that row r has to predict, -1 where no loss is counted
  std::vector<PackedSequence> sequences;  // in order; their rows add up to tokens.size()

  int64_t rows() const { return static_cast<int64_t>(tokens.size()); }
  int64_t target_count() const {
    int64_t count = 0;
    for (int32_t target : targets) count += target >= 0 ? 1 : 0;
    return count;
  }
};

/// Batches in the order of training. Const after construction, may be asked from any thread.
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

}  // namespace r1
