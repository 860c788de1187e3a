#include "train/data/training_data.h"

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace r1 {
namespace {

// The value that a word of an option stands for; `words` lists them all, for the message.
template <typename Value, size_t kCount>
Value value_of(std::string_view option, const std::string& word,
               const std::pair<std::string_view, Value> (&words)[kCount]) {
  std::string known;
  for (const auto& [name, value] : words) {
    if (name == word) return value;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw_error(ErrorKind::invalid_argument, "{}: expected one of {}, found '{}'", option, known, word);
}

constexpr std::pair<std::string_view, TrainedTurns> kTurns[] = {{"last", TrainedTurns::last},
                                                                {"all", TrainedTurns::all}};
constexpr std::pair<std::string_view, LongSamples> kLongSamples[] = {
    {"refuse", LongSamples::refuse}, {"drop", LongSamples::drop}, {"cut", LongSamples::cut}};
constexpr std::pair<std::string_view, Packing> kPackings[] = {
    {"first-fit", Packing::first_fit}, {"sequential", Packing::sequential}, {"none", Packing::none}};

DataOptions data_options(const TrainingOptions& options, TrainingStage stage) {
  DataOptions data;
  data.read.format = options.format == "auto" ? DataFormat::automatic : data_format_from_name(options.format);
  data.read.columns = column_names(options.columns);
  data.stage = stage;
  data.turns = value_of("train_on", options.train_on, kTurns);
  data.sequence_length = options.sequence_length;
  data.long_samples = value_of("long_samples", options.long_samples, kLongSamples);
  return data;
}

BatchOptions batch_options(const TrainingOptions& options) {
  BatchOptions batch;
  batch.rows = options.batch_tokens;
  batch.seed = options.seed;
  batch.packing = value_of("packing", options.packing, kPackings);
  return batch;
}

}  // namespace

TrainingData load_training_data(const TrainingOptions& options, TrainingStage stage,
                                const SampleRenderer& renderer, ThreadPool& pool) {
  DataOptions reading = data_options(options, stage);
  BatchOptions batching = batch_options(options);
  reading.files = options.data;
  DataSet all = load_data_set(reading, renderer, pool);
  TrainingData data;
  if (!options.eval_data.empty()) {
    reading.files = options.eval_data;
    data.held_back = std::make_shared<DataSet>(load_data_set(reading, renderer, pool));
  } else if (options.eval_share > 0) {
    data.held_back = std::make_shared<DataSet>(all.split_off(options.eval_share, options.seed));
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
