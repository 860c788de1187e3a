// What a training run trains: a new model with random weights, all or the last layers of a given one, or a
// LoRA adapter over a frozen one. From the options to parameters, and back to files.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "base/thread_pool.h"
#include "model/decoder.h"
#include "train/data/render.h"
#include "train/frozen_base.h"
#include "train/options.h"
#include "train/parameters.h"
#include "train/stage.h"
#include "train/trained_adapter.h"

namespace r1 {

/// One thread at a time.
class TrainedModel {
 public:
  /// `base`: the model to start from, a GGUF file or hub directory; empty: a new one. Throws
  /// Error(invalid_argument) and Error(unsupported) for options that do not go together, and as opening the
  /// files does.
  TrainedModel(const TrainingOptions& options, const std::filesystem::path& base, TrainingStage stage,
               ThreadPool& pool);

  /// The model bound to the trained weights: what an engine needs to sample from them as they are, without a copy. It
  /// lives no longer than this object.
  const std::shared_ptr<const Model>& model() const { return model_; }
  const Decoder& decoder() const { return *decoder_; }
  const SampleRenderer& renderer() const { return *renderer_; }
  const ModelFile* base() const { return base_.get(); }  // null: a new model
  /// The tensors that model() is bound to.
  const std::shared_ptr<const ModelFile>& bound_file() const { return bound_; }
  ParameterStore& parameters() { return adapter_ ? adapter_->parameters() : store_; }
  Adapter* adapter() { return adapter_ ? &adapter_->adapter() : nullptr; }  // null: weights are trained
  /// Reward: the head {1, hidden}, "score.weight" as in Qwen2ForSequenceClassification, zero in the
  /// beginning; else null.
  Parameter* score();
  /// Stages that need one: the policy that training begins from, as it was then. With an adapter it is decoder()
  /// with reference_adapter(). Else null.
  const Decoder* reference() const { return reference_; }
  /// A copy of the adapter that is continued; null: training begins from the bare base.
  const Adapter* reference_adapter() const {
    return reference_adapter_ ? &reference_adapter_->adapter() : nullptr;
  }
  /// Bytes that the process had resident before there was anything of the model.
  size_t program_memory() const { return program_memory_; }

  /// "weights " and a hash of samples of the base's, so that a run is not resumed over others
  /// (TrainerParts::base); empty for a new model.
  std::string base_identity() const;

  /// The adapter's settings: from the options if new, from its files if continued. Null for full fine-tuning.
  const LowRankOptions* low_rank() const { return adapter_ ? &adapter_->options() : nullptr; }

  /// To be called when parameters have changed (TrainerParts::weights_changed).
  void refresh(Context& context);
  /// Writes a PEFT directory or a hub directory. `base_name`: what an adapter says it belongs to.
  /// `answers_without_thinking`: no trained answer has any; the written chat template then closes the thinking block
  /// itself, so that the model is run as it was trained.
  void write(const std::filesystem::path& output, const std::string& base_name, SaveType save_type,
             bool answers_without_thinking) const;
  /// write() has written here before.
  bool is_written(const std::filesystem::path& output) const;

 private:
  void make(const TrainingOptions& options);
  void open(const TrainingOptions& options, ThreadPool& pool);
  void open_adapter(const TrainingOptions& options, ThreadPool& pool);
  void open_weights(const TrainingOptions& options);
  void add_score();
  void load_reference(const TrainingOptions& options);

  ParameterStore store_;
  std::shared_ptr<const ModelFile> base_;
  std::unique_ptr<Nf4Base> nf4_;  // base_type = nf4
  std::shared_ptr<const ModelFile> bound_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Model> reference_model_;
  std::unique_ptr<LowRankAdapter> reference_adapter_;
  const Decoder* decoder_ = nullptr;
  const Decoder* reference_ = nullptr;
  BoxedJson<nlohmann::json> config_;
  std::filesystem::path tokenizer_folder_;
  std::unique_ptr<SampleRenderer> renderer_;
  std::unique_ptr<TrainedAdapter> adapter_;  // what is trained instead of store_
  size_t program_memory_ = 0;
};

}  // namespace r1
