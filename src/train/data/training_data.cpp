#include "train/data/training_data.h"

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace r1 {
namespace {

DataSetOptions data_set_options(const TrainingDataOptions& options, TrainingStage stage) {
  DataSetOptions data;
  data.read.format = options.format;
  data.read.columns = column_names(options.columns);
  data.stage = stage;
  data.turns = options.train_on;
  data.sequence_length = options.sequence_length;
  data.long_samples = options.long_samples;
  return data;
}

}  // namespace

TrainingData load_training_data(const TrainingDataOptions& options, TrainingStage stage, uint64_t seed,
                                const SampleRenderer& renderer, ThreadPool& pool) {
  DataSetOptions reading = data_set_options(options, stage);
  BatchOptions batching;
  batching.packing = options.packing;
  batching.rows = options.batch_tokens;
  batching.seed = seed;
  reading.files = options.data;
  DataSet all = load_data_set(reading, renderer, pool);
  TrainingData data;
  if (!options.eval_data.empty()) {
    reading.files = options.eval_data;
    data.held_back = std::make_shared<DataSet>(load_data_set(reading, renderer, pool));
  } else if (options.eval_share > 0) {
    data.held_back = std::make_shared<DataSet>(all.split_off(options.eval_share, seed));
  }
  data.trained = std::make_shared<DataSet>(std::move(all));
  data.batches = make_batches(data.trained, stage, batching);
  if (data.held_back) {
    batching.shuffle = false;
    data.evaluation = make_batches(data.held_back, stage, batching);
  }
  return data;
}

}  // namespace r1
