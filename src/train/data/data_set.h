// A data set in memory: files read, rendered, tokenised and checked; and the batches that are packed from it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "train/data/data_sample.h"
#include "train/data/render.h"
#include "train/sample.h"
#include "train/stage.h"

namespace r1 {

struct DataSetOptions {
  std::vector<std::string> files;
  ReadOptions read;
  TrainingStage stage = TrainingStage::sft;
  TrainedTurns turns = TrainedTurns::last;
  int64_t sequence_length = 2048;
  LongSamples long_samples = LongSamples::refuse;
};

struct DataSet {
  std::vector<TrainingSample> samples;
  int64_t sequence_length = 0;
  int64_t dropped = 0, cut = 0;  // samples that were too long
  int64_t tokens = 0, trained_tokens = 0;
  int64_t without_thinking = 0;  // samples that are trained behind a closed thinking block

  /// Takes samples out, about `share` of them, spread by `seed`; where share > 0 one at least. Throws
  /// Error(invalid_argument) when one alone would have to be parted.
  DataSet split_off(double share, uint64_t seed);
  void recount();
};

/// Reads all files. Throws Error(bad_file) for the first bad line, for a form that the stage cannot use
/// (pairs for dpo, orpo and reward; labels for kto; text for pretrain; conversations or text for sft), and
/// for no samples at all; Error(context_overflow) for a sample that is too long. Text longer than
/// sequence_length is never too long: it is trained in windows. `progress`: samples so far.
DataSet load_data_set(const DataSetOptions& options, const SampleRenderer& renderer, ThreadPool& pool,
                      const std::function<void(int64_t)>& progress = {});

struct BatchOptions {
  Packing packing = Packing::first_fit;
  int64_t rows = 2048;  // tokens of a batch at most (none: of a sample)
  int64_t samples = 1;  // samples of a batch (none)
  bool shuffle = true;  // a new order each epoch, by the seed
  uint64_t seed = 1;
};

/// Packs conversations and pairs as whole sequences that do not see each other; text (pretrain) as windows of
/// sequence_length tokens cut from all documents end to end. Throws Error(invalid_argument) when a sample has
/// more tokens than `rows`, or an option makes no sense.
std::unique_ptr<BatchSource> make_batches(std::shared_ptr<const DataSet> data, TrainingStage stage,
                                          const BatchOptions& options);

}  // namespace r1
