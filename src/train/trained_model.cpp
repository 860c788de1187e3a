#include "train/trained_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/memory_use.h"
#include "base/random.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "formats/vocabulary.h"
#include "model/model.h"
#include "train/new_model.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

// What the program has, and what comes yet of its own code and buffers.
size_t memory_of_program() {
  constexpr size_t kRest = size_t{8} << 20;
  return read_memory_use().resident + kRest;
}

// The layer that a tensor belongs to; -1: none.
int64_t layer_of(const std::string& name) {
  constexpr std::string_view kLayers = "model.layers.";
  if (!name.starts_with(kLayers)) return -1;
  int64_t layer = -1;
  std::from_chars(name.data() + kLayers.size(), name.data() + name.size(), layer);
  return layer;
}

// Pages of the file come in as they are used: rows of the embedding that no sample has, and weights that are
// trained as copies, never do.
std::unique_ptr<Model> load_as_needed(const std::shared_ptr<const ModelFile>& file) {
  ModelLoadOptions options;
  options.populate = ModelLoadOptions::Populate::never;
  return load_model(file, options);
}

const Decoder& as_decoder(const Model& model) {
  const auto* decoder = dynamic_cast<const Decoder*>(&model);
  if (decoder == nullptr)
    throw_error(ErrorKind::unsupported, "{}: cannot be trained", model.info().architecture);
  return *decoder;
}

}  // namespace

TrainedModel::TrainedModel(const TrainingOptions& options, const fs::path& base, TrainingStage stage,
                           ThreadPool& pool) {
  if (base.empty()) {
    make(options);
  } else {
    base_ = ModelFile::open(base);
    open(options, pool);
  }
  model_ = load_as_needed(bound_);
  decoder_ = &as_decoder(*model_);
  if (traits_of(stage).needs_reward_head) add_score();
  if (traits_of(stage).needs_reference) load_reference(options);
}

void TrainedModel::make(const TrainingOptions& options) {
  if (options.tokenizer.empty()) {
    throw_error(ErrorKind::invalid_argument,
                "--model or --tokenizer: expected a model to start from, or the tokenizer of a new one "
                "(r1 train tokenizer makes one)");
  }
  if (options.tuning != Tuning::full) {
    throw_error(ErrorKind::invalid_argument, "tuning: expected full for a new model, found '{}'",
                text_of(options.tuning));
  }
  tokenizer_folder_ = options.tokenizer;
  const std::string json = read_text_file(tokenizer_folder_ / "tokenizer.json");
  const std::string settings = read_text_file(tokenizer_folder_ / "tokenizer_config.json");
  Tokenizer tokenizer = Tokenizer::from_hub(json, settings);
  config_ = new_model_config(options, tokenizer);
  program_memory_ = memory_of_program();
  add_new_model(*config_, options, options.seed, store_);
  bound_ = ModelFile::in_memory(*config_, store_.views());
  std::vector<int32_t> ends;
  if (tokenizer.eos()) ends.push_back(*tokenizer.eos());
  renderer_ = std::make_unique<SampleRenderer>(
      std::move(tokenizer), read_chat_template(tokenizer_folder_).value_or(""), std::move(ends));
}

void TrainedModel::open(const TrainingOptions& options, ThreadPool& pool) {
  tokenizer_folder_ = base_->path();
  Vocabulary vocabulary = load_vocabulary(*base_);
  renderer_ = std::make_unique<SampleRenderer>(std::move(vocabulary.tokenizer), vocabulary.chat_template,
                                               vocabulary.end_of_generation);
  program_memory_ = memory_of_program();
  if (options.tuning == Tuning::lora) {
    open_adapter(options, pool);
  } else {
    open_weights(options);
  }
}

void TrainedModel::open_adapter(const TrainingOptions& options, ThreadPool& pool) {
  bound_ = base_;
  if (options.base_type == BaseType::nf4) {
    nf4_ = std::make_unique<Nf4Base>(base_, pool);
    bound_ = nf4_->file();
  }
  LowRankOptions lora = options.lora;
  lora.seed = options.seed;
  adapter_ = options.adapter.empty() ? TrainedAdapter::create(*bound_, lora)
                                     : TrainedAdapter::open(options.adapter, *bound_, lora.plus_ratio);
  if (!options.adapter.empty() && options.lora.dropout > 0) adapter_->set_dropout(options.lora.dropout);
  if (adapter_->options().dora && adapter_->options().dropout > 0) {
    throw_error(ErrorKind::unsupported, "{}: lora_dropout: training DoRA with dropout ({}) is not supported",
                options.adapter, adapter_->options().dropout);
  }
}

void TrainedModel::open_weights(const TrainingOptions& options) {
  if (base_->hub() == nullptr) {
    throw_error(
        ErrorKind::unsupported,
        "--model: '{}': a GGUF file is trained with tuning = lora; full and freeze take a hub directory",
        options.model);
  }
  config_ = base_->hub()->config;
  int64_t layers = 0;
  for (const TensorView& tensor : base_->tensors()) layers = std::max(layers, layer_of(tensor.name) + 1);
  if (options.tuning == Tuning::freeze && options.trained_layers > layers) {
    throw_error(ErrorKind::invalid_argument, "trained_layers: expected 1 to {}, the model's layers, found {}",
                layers, options.trained_layers);
  }
  const int64_t first =
      options.tuning == Tuning::full ? -1 : std::max<int64_t>(0, layers - options.trained_layers);
  for (const TensorView& tensor : base_->tensors()) {
    if (layer_of(tensor.name) < first) continue;
    store_.add_copy(tensor);
    base_->release(tensor);
  }
  bound_ = ModelFile::with_tensors(base_, store_.views());
}

void TrainedModel::add_score() {
  const int64_t hidden = model_->info().hidden;
  if (score() == nullptr) {  // neither trained with the weights nor read with the adapter
    const TensorView* stored = base_ ? base_->find(kRewardHead) : nullptr;
    if (stored == nullptr) {
      parameters().add(kRewardHead, {1, hidden});
    } else {
      parameters().add_copy(*stored);
    }
  }
  if (score()->count != hidden) {
    throw_error(ErrorKind::unsupported, "{}: expected one row of {} values, found {} values", kRewardHead,
                hidden, score()->count);
  }
}

Parameter* TrainedModel::score() {
  for (Parameter& parameter : parameters().all()) {
    if (parameter.name == kRewardHead) return &parameter;
  }
  return nullptr;
}

void TrainedModel::load_reference(const TrainingOptions& options) {
  reference_ = decoder_;
  if (adapter_) {
    // What training begins from: the base, with the adapter as it is before the first step.
    if (!options.adapter.empty()) reference_adapter_ = LowRankAdapter::open(options.adapter, *bound_);
    return;
  }
  if (!base_) throw_error(ErrorKind::invalid_argument, "--model: this stage needs a model to start from");
  reference_model_ = load_as_needed(base_);
  reference_ = &as_decoder(*reference_model_);
}

std::string TrainedModel::base_identity() const {
  if (!base_) return "";
  constexpr size_t kSample = 64;  // bytes from the middle of each tensor: reading all takes minutes
  uint64_t hash = 0;
  for (const TensorView& tensor : base_->tensors()) {
    const size_t count = std::min(kSample, tensor.bytes);
    const std::byte* middle = tensor.data + (tensor.bytes - count) / 2;
    for (size_t i = 0; i < count; ++i) hash = mix_bits(hash ^ static_cast<uint64_t>(middle[i]));
  }
  return fmt::format("weights {:016x}", hash);
}

void TrainedModel::refresh(Context& context) {
  if (adapter_) adapter_->refresh(context);
}

void TrainedModel::write(const fs::path& output, const std::string& base_name, SaveType save_type,
                         bool answers_without_thinking) const {
  const std::string chat_template = answers_without_thinking ? renderer_->template_without_thinking() : "";
  if (adapter_) {
    adapter_->write(output, base_name);
    const fs::path template_path = output / "chat_template.jinja";
    if (chat_template.empty()) return;
    OutputFile file(template_path);
    file.write(chat_template);
    file.finish();
    return;
  }
  std::vector<TensorView> tensors(bound_->tensors().begin(), bound_->tensors().end());
  put_reward_head(store_, tensors);
  std::vector<int32_t> ends;
  if (const auto end = renderer_->end_token()) ends.push_back(*end);
  write_hub_directory(output, {*config_, tokenizer_folder_, ends, chat_template}, tensors, save_type,
                      base_.get());
}

bool TrainedModel::is_written(const fs::path& output) const {
  return fs::exists(output / (adapter_ ? "adapter_model.safetensors" : "model.safetensors"));
}

}  // namespace r1
