// r1 train pretrain, sft, dpo, kto, orpo, reward: from data files to a model directory or an adapter; r1
// merge.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_location.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cli/train_options.h"
#include "cli/training_monitor.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "model/vocabulary_loading.h"
#include "train/data/data_set.h"
#include "train/frozen_base.h"
#include "train/low_rank.h"
#include "train/memory_plan.h"
#include "train/new_model.h"
#include "train/report/training_log.h"
#include "train/trainer.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

struct TrainCommand {
  TrainingStage stage = TrainingStage::pretrain;
  std::string name;  // of the stage
  std::string config;
  TrainingOptions options;
  RuntimeOptions runtime;
};

/// The model that is trained, and what is written with it.
struct Subject {
  ParameterStore store;
  std::shared_ptr<const ModelFile> base;  // null: a new model
  std::unique_ptr<Nf4Base> nf4;           // base_type = nf4
  std::shared_ptr<const ModelFile> bound;
  std::unique_ptr<Model> model;
  nlohmann::json config;
  fs::path tokenizer_folder;
  std::unique_ptr<SampleRenderer> renderer;
  std::unique_ptr<LowRankAdapter> adapter;  // tuning = lora: what is trained instead of `store`
  size_t program = 0;                       // bytes resident before there was anything that is planned

  ParameterStore& trained() { return adapter ? adapter->parameters() : store; }

  /// The head of a reward model, "score.weight" as in Qwen2ForSequenceClassification; begins at zero.
  Parameter* score() {
    for (Parameter& parameter : trained().all()) {
      if (parameter.name == "score.weight") return &parameter;
    }
    return nullptr;
  }

  const Decoder& decoder() const {
    const auto* decoder = dynamic_cast<const Decoder*>(model.get());
    if (decoder == nullptr)
      throw_error(ErrorKind::unsupported, "{}: cannot be trained", model->info().architecture);
    return *decoder;
  }
};

// A field of a file of /proc that counts in KiB, in bytes; 0: not there.
size_t read_kibibytes(const char* file_name, std::string_view field) {
  std::ifstream file(file_name);
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(field)) return std::strtoull(line.c_str() + field.size(), nullptr, 10) * 1024;
  }
  return 0;
}

// What the program has without a model, and what comes yet of its own code and buffers.
size_t program_memory() {
  constexpr size_t kRest = size_t{8} << 20;
  return read_kibibytes("/proc/self/status", "VmRSS:") + kRest;
}

// What the program may take in all: what it has already and what is left.
size_t available_memory() {
  const size_t left = read_kibibytes("/proc/meminfo", "MemAvailable:");
  return left == 0 ? 0 : left + read_kibibytes("/proc/self/status", "RssAnon:");
}

// The layer that a tensor belongs to; -1: none.
int64_t layer_of(const std::string& name) {
  constexpr std::string_view kLayers = "model.layers.";
  return name.starts_with(kLayers) ? std::stoll(name.substr(kLayers.size())) : -1;
}

/// A new model with random weights.
void make_subject(const TrainingOptions& options, Subject& own) {
  if (options.tokenizer.empty()) {
    throw_error(ErrorKind::invalid_argument,
                "--model or --tokenizer: expected a model to start from, or the tokenizer of a new one "
                "(r1 train tokenizer makes one)");
  }
  if (options.tuning != "full") {
    throw_error(ErrorKind::invalid_argument, "tuning: expected full for a new model, found '{}'",
                options.tuning);
  }
  own.tokenizer_folder = options.tokenizer;
  const std::string json = read_text_file(own.tokenizer_folder / "tokenizer.json");
  const std::string settings = read_text_file(own.tokenizer_folder / "tokenizer_config.json");
  Tokenizer tokenizer = Tokenizer::from_hub(json, settings);
  own.config = new_model_config(options, tokenizer);
  own.program = program_memory();
  add_new_model(own.config, options, own.store);
  own.bound = ModelFile::in_memory(own.config, own.store.views());
  std::vector<int32_t> ends;
  if (tokenizer.eos()) ends.push_back(*tokenizer.eos());
  own.renderer = std::make_unique<SampleRenderer>(
      std::move(tokenizer), read_chat_template(own.tokenizer_folder).value_or(""), std::move(ends));
}

void open_subject(const TrainingOptions& options, ThreadPool& pool, Subject& own) {
  own.base = ModelFile::open(locate_model(options.model));
  own.tokenizer_folder = own.base->path();
  Vocabulary vocabulary = load_vocabulary(*own.base);
  own.renderer = std::make_unique<SampleRenderer>(std::move(vocabulary.tokenizer), vocabulary.chat_template,
                                                  vocabulary.end_of_generation);
  own.program = program_memory();
  if (options.tuning == "lora") {
    own.bound = own.base;
    if (options.base_type == "nf4") {
      own.nf4 = std::make_unique<Nf4Base>(own.base, pool);
      own.bound = own.nf4->file();
    } else if (options.base_type != "stored") {
      throw_error(ErrorKind::invalid_argument, "base_type: expected stored or nf4, found '{}'",
                  options.base_type);
    }
    LowRankOptions lora = options.lora;
    lora.seed = options.seed;
    own.adapter = options.adapter.empty()
                      ? LowRankAdapter::create(*own.bound, lora)
                      : LowRankAdapter::open(options.adapter, *own.bound, lora.plus_ratio);
    if (!options.adapter.empty() && (lora.pissa || lora.dora != own.adapter->options().dora)) {
      throw_error(ErrorKind::invalid_argument,
                  "{}: pissa and dora say how a new adapter begins: this one has use_dora = {}",
                  options.adapter, own.adapter->options().dora);
    }
    return;
  }
  if (options.base_type != "stored") {
    throw_error(ErrorKind::invalid_argument, "base_type: '{}' goes with tuning = lora, found {}",
                options.base_type, options.tuning);
  }
  if (own.base->hub() == nullptr) {
    throw_error(
        ErrorKind::unsupported,
        "--model: '{}': a GGUF file is trained with tuning = lora; full and freeze take a hub directory",
        options.model);
  }
  own.config = own.base->hub()->config;
  int64_t layers = 0;
  for (const TensorView& tensor : own.base->tensors()) layers = std::max(layers, layer_of(tensor.name) + 1);
  if (options.tuning != "full" && options.tuning != "freeze") {
    throw_error(ErrorKind::invalid_argument, "tuning: expected full, lora or freeze, found '{}'",
                options.tuning);
  }
  const bool all = options.tuning == "full";
  for (const TensorView& tensor : own.base->tensors()) {
    if (all || layer_of(tensor.name) >= std::max<int64_t>(0, layers - options.trained_layers)) {
      own.store.add_copy(tensor);
      own.base->release(tensor);
    }
  }
  own.bound = ModelFile::with_tensors(own.base, own.store.views());
}

// Pages of the file come in as they are used: rows of the embedding that no sample has, and weights that are
// trained as copies, never do.
ModelLoadOptions as_needed() {
  ModelLoadOptions options;
  options.populate = ModelLoadOptions::Populate::never;
  return options;
}

void load_subject(const TrainingOptions& options, ThreadPool& pool, Subject& own) {
  if (options.model.empty()) {
    make_subject(options, own);
  } else {
    open_subject(options, pool, own);
  }
  own.model = load_model(own.bound, as_needed());
  own.decoder();
}

DataSet load_data(const TrainingOptions& options, TrainingStage stage, const std::vector<std::string>& files,
                  const SampleRenderer& renderer, ThreadPool& pool) {
  DataOptions data;
  data.files = files;
  data.read.format = options.format == "auto" ? DataFormat::automatic : data_format_from_name(options.format);
  for (const std::string& column : options.columns) {
    const size_t equals = column.find('=');
    if (equals == std::string::npos) {
      throw_error(ErrorKind::invalid_argument, "columns: expected FIELD=NAME, found '{}'", column);
    }
    data.read.columns[column.substr(0, equals)] = column.substr(equals + 1);
  }
  data.stage = stage;
  if (options.train_on != "last" && options.train_on != "all") {
    throw_error(ErrorKind::invalid_argument, "train_on: expected last or all, found '{}'", options.train_on);
  }
  data.turns = options.train_on == "all" ? TrainedTurns::all : TrainedTurns::last;
  data.sequence_length = options.sequence_length;
  if (options.long_samples == "refuse") {
    data.long_samples = LongSamples::refuse;
  } else if (options.long_samples == "drop") {
    data.long_samples = LongSamples::drop;
  } else if (options.long_samples == "cut") {
    data.long_samples = LongSamples::cut;
  } else {
    throw_error(ErrorKind::invalid_argument, "long_samples: expected refuse, drop or cut, found '{}'",
                options.long_samples);
  }
  return load_data_set(data, renderer, pool);
}

BatchOptions batch_options(const TrainingOptions& options, bool shuffle) {
  BatchOptions batch;
  batch.rows = options.batch_tokens;
  batch.seed = options.seed;
  batch.shuffle = shuffle;
  if (options.packing == "first-fit") {
    batch.packing = Packing::first_fit;
  } else if (options.packing == "sequential") {
    batch.packing = Packing::sequential;
  } else if (options.packing == "none") {
    batch.packing = Packing::none;
  } else {
    throw_error(ErrorKind::invalid_argument, "packing: expected first-fit, sequential or none, found '{}'",
                options.packing);
  }
  return batch;
}

void print_plan(const MemoryPlan& plan, Subject& own) {
  auto size = [](size_t bytes) { return format_bytes(static_cast<double>(bytes)); };
  fmt::print("{}: {} layers, width {}, {} parameters, {} trained\n", own.model->info().architecture,
             own.model->info().layers, own.model->info().hidden, own.model->info().parameters,
             own.trained().elements());
  fmt::print(
      "memory: about {}: weights {}, gradients {}, optimiser {}, activations {} ({}), working memory {}, "
      "program {}\n",
      size(plan.total()), size(plan.weights), size(plan.gradients), size(plan.optimiser),
      size(plan.activations), plan.keep == Keep::everything ? "all kept" : "layers run twice",
      size(plan.working), size(plan.program));
  std::fflush(stdout);
}

LogEntry log_entry(const StepReport& report) {
  LogEntry entry;
  entry.step = report.step;
  entry.epoch = report.epoch;
  entry.seconds = report.seconds;
  entry.loss = report.loss;
  entry.learning_rate = report.learning_rate;
  entry.gradient_norm = report.gradient_norm;
  entry.tokens_per_second = report.tokens_per_second;
  entry.total_tokens = report.tokens;
  entry.metrics = report.metrics;
  return entry;
}

LogEntry log_entry(const EvaluationReport& report, const StepReport& last) {
  LogEntry entry;
  entry.step = report.step;
  entry.epoch = report.epoch;
  entry.seconds = last.seconds;
  entry.evaluation_loss = report.loss;
  entry.total_tokens = last.tokens;
  return entry;
}

// run.json: what the run is.
nlohmann::ordered_json describe(const TrainCommand& command, Subject& own, const MemoryPlan& plan,
                                const DataSet& data, int64_t steps) {
  const TrainingOptions& options = command.options;
  const fs::path output(options.output);
  return {{"title", options.name.empty() ? (output.has_filename() ? output : output.parent_path()).filename()
                                         : fs::path(options.name)},
          {"stage", command.name},
          {"tuning", options.tuning},
          {"base", own.base ? nlohmann::ordered_json(own.base->path().filename()) : nullptr},
          {"architecture", own.model->info().architecture},
          {"parameters", own.model->info().parameters},
          {"trained_parameters", own.trained().elements()},
          {"samples", data.samples.size()},
          {"tokens", data.tokens},
          {"total_steps", steps},
          {"memory_bytes", plan.total()}};
}

TrainingLogOptions log_options(const TrainingOptions& options, int64_t steps) {
  TrainingLogOptions own;
  own.directory = options.output;
  own.total_steps = steps;
  own.epochs = options.epochs;
  own.batch_size = options.accumulation;
  own.logging_steps = options.log_steps;
  own.evaluation_steps = options.eval_steps;
  own.save_steps = options.save_steps;
  own.title = options.name.empty() ? options.output : options.name;
  own.remark = [](const std::string& text) { fmt::print(stderr, "r1: {}\n", text); };
  return own;
}

void train(TrainCommand& command) {
  const TrainingOptions& options = command.options;
  if (options.output.empty()) throw_error(ErrorKind::invalid_argument, "--output: expected a directory");
  if (options.data.empty()) throw_error(ErrorKind::invalid_argument, "--data: expected at least one file");
  if (!options.model.empty()) require_apart(options.output, locate_model(options.model));
  if (has_checkpoints(options.output) && !options.resume) {
    if (!options.overwrite) {
      throw_error(ErrorKind::invalid_argument,
                  "{}: has checkpoints of a run: --resume continues it, --overwrite begins anew",
                  options.output);
    }
    remove_checkpoints(options.output);
  }
  ThreadPool pool(options.threads);
  Context context(pool, select_kernels(command.runtime), Arithmetic::mixed);
  Subject own;
  load_subject(options, pool, own);
  if (command.stage == TrainingStage::reward) {
    const int64_t hidden = own.model->info().hidden;
    if (own.adapter) {
      own.adapter->score(hidden);
    } else if (own.score() == nullptr) {
      own.store.add("score.weight", {1, hidden});
    }
  }
  TrainerParts parts;
  parts.stage = command.stage;
  parts.adapter = own.adapter ? &own.adapter->adapter() : nullptr;
  std::unique_ptr<Model> reference;
  if (command.stage == TrainingStage::dpo || command.stage == TrainingStage::kto) {
    parts.reference = &own.decoder();  // with LoRA: the model without the adapter
    if (!own.adapter) {
      if (!own.base) {
        throw_error(ErrorKind::invalid_argument, "--model: this stage needs a model to start from");
      }
      reference = load_model(own.base, as_needed());
      parts.reference = dynamic_cast<const Decoder*>(reference.get());
    }
  }
  const MemoryPlan plan = plan_memory(
      options, own.decoder(), own.trained(),
      {command.stage, reference ? parts.reference : nullptr, pool.size(), own.program, available_memory()});
  print_plan(plan, own);

  auto data = std::make_shared<DataSet>(load_data(options, command.stage, options.data, *own.renderer, pool));
  std::shared_ptr<DataSet> held_back;
  if (!options.eval_data.empty()) {
    held_back =
        std::make_shared<DataSet>(load_data(options, command.stage, options.eval_data, *own.renderer, pool));
  } else if (options.eval_share > 0) {
    held_back = std::make_shared<DataSet>(data->split_off(options.eval_share, options.seed));
  }
  const std::unique_ptr<BatchSource> batches =
      make_batches(data, command.stage, batch_options(options, true));
  const std::unique_ptr<BatchSource> evaluation =
      held_back ? make_batches(held_back, command.stage, batch_options(options, false)) : nullptr;
  fmt::print("data: {} samples, {} tokens, {} of them trained; {} batches an epoch\n", data->samples.size(),
             data->tokens, data->trained_tokens, batches->batches(0));

  const InterruptGuard guard;
  ProgressBar bar("train", "steps");
  auto write_model = [&] {
    if (own.adapter) {
      own.adapter->write(options.output, options.model);
      return;
    }
    std::vector<TensorView> tensors(own.bound->tensors().begin(), own.bound->tensors().end());
    if (command.stage == TrainingStage::reward && own.bound->find("score.weight") == nullptr) {
      tensors.push_back(own.store.views().back());
    }
    write_hub_directory(options.output, own.config, own.tokenizer_folder, tensors, options.save_type,
                        own.base.get());
  };
  TrainerHooks hooks;
  auto last_report = std::make_shared<StepReport>();
  hooks.on_step = [&](const StepReport& report) {
    *last_report = report;
    bar.update(static_cast<uint64_t>(report.step), static_cast<uint64_t>(report.steps),
               fmt::format("loss {:.4f}, {:.0f} tokens/s", report.loss, report.tokens_per_second));
  };
  std::optional<TrainingLog> log;  // both begun once it is known whether the run goes on
  std::optional<TrainingMonitor> monitor;
  hooks.on_log = [&](const StepReport& report) {
    log->add(log_entry(report));
    fmt::print("step {}/{} epoch {:.3f} loss {:.4f} rate {:.3g} norm {:.3f} {:.0f} tokens/s {:.0f} s left\n",
               report.step, report.steps, report.epoch, report.loss, report.learning_rate,
               report.gradient_norm, report.tokens_per_second, report.seconds_left);
    std::fflush(stdout);
  };
  hooks.on_evaluation = [&](const EvaluationReport& report) {
    log->add(log_entry(report, *last_report));
    if (report.best) log->set_best(report.step, report.loss, options.save_best ? options.output : "");
    log->save();
    fmt::print("evaluation at step {}: loss {:.4f} over {} tokens{}\n", report.step, report.loss,
               report.targets, report.best ? ", the best so far" : "");
    std::fflush(stdout);
    if (command.stage == TrainingStage::reward) return;  // says nothing
    const auto count = std::min<int64_t>(options.samples, static_cast<int64_t>(held_back->samples.size()));
    for (int64_t i = 0; i < count; ++i) {
      monitor->add(
          report.step,
          answer_sample(context, own.decoder(), own.adapter ? &own.adapter->adapter() : nullptr,
                        own.renderer->tokenizer(), held_back->samples[i].sequence, options.sample_tokens));
    }
  };
  hooks.remark = [](const std::string& text) { fmt::print(stderr, "r1: {}\n", text); };
  hooks.stop_requested = [] { return InterruptGuard::interrupted(); };
  const bool best_only = evaluation != nullptr && options.save_best;
  if (best_only) hooks.save_best = write_model;

  if (command.stage == TrainingStage::reward) parts.score = own.score();
  if (own.adapter) parts.weights_changed = [&](Context& used) { own.adapter->refresh(used); };
  Trainer trainer(context, own.decoder(), own.trained(), options, *batches, evaluation.get(), plan.keep,
                  hooks, parts);
  if (options.resume) {
    if (trainer.resume()) {
      fmt::print("resumed at step {} of {}\n", trainer.state().step, trainer.steps());
    } else {
      fmt::print(stderr, "r1: {}: no good checkpoint: beginning anew\n", options.output);
    }
  }
  log.emplace(log_options(options, trainer.steps()), trainer.state().step);
  monitor.emplace(options.output, describe(command, own, plan, *data, trainer.steps()), trainer.state().step);
  std::optional<TrainingPageServer> page;
  if (options.ui) {
    page.emplace(options.output, options.ui_port);
    fmt::print("the run's page: {}\n", page->address());
    std::fflush(stdout);
  }
  const TrainingEnd end = trainer.run();
  bar.finish();
  log->save();
  if (!best_only || !fs::exists(fs::path(options.output) /
                                (own.adapter ? "adapter_model.safetensors" : "model.safetensors")))
    write_model();
  monitor->finish(end == TrainingEnd::finished  ? "finished"
                  : end == TrainingEnd::stopped ? "interrupted"
                                                : "stopped early");
  const RunState& state = trainer.state();
  fmt::print("{}: {} after {} of {} steps, {} tokens, {:.0f} s\n", options.output,
             end == TrainingEnd::finished  ? "done"
             : end == TrainingEnd::stopped ? "interrupted (--resume continues)"
                                           : "stopped early: evaluations no longer improve",
             state.step, trainer.steps(), state.tokens, state.seconds);
}

struct WatchOptions {
  std::string folder;
  int64_t port = 8090;
};

void watch(const WatchOptions& options) {
  const TrainingPageServer page(options.folder, options.port);
  fmt::print("the run's page: {} (Ctrl-C ends it, not the run)\n", page.address());
  std::fflush(stdout);
  const InterruptGuard guard;
  while (!InterruptGuard::interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

struct MergeOptions {
  std::string model, adapter, output, type = "auto";
};

void merge(const MergeOptions& options) {
  const auto base = ModelFile::open(locate_model(options.model));
  if (base->hub() == nullptr) {
    throw_error(ErrorKind::unsupported,
                "{}: merging takes a hub directory (r1 convert makes GGUF of the result)", options.model);
  }
  require_apart(options.output, base->path());
  const auto adapter = LowRankAdapter::open(options.adapter, *base);
  ParameterStore sums;
  write_hub_directory(options.output, base->hub()->config, base->path(), adapter->merged(*base, sums),
                      options.type, base.get());
  fmt::print("{}: {} of {} tensors changed\n", options.output, sums.all().size(), base->tensors().size());
}

void add_stage(CLI::App& parent, const char* name, const char* help, TrainingStage stage) {
  auto own = std::make_shared<TrainCommand>();
  own->stage = stage;
  own->name = name;
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_option("config", own->config, "TOML file with options (flags go before it)")
      ->check(CLI::ExistingFile);
  add_training_options(*command, own->options);
  command->add_option("--kernels", own->runtime.instruction_set, "instruction set of the kernels")
      ->check(CLI::IsMember({"best", "scalar", "avx2", "avx512"}));
  command->callback([own, command] {
    if (!own->config.empty()) read_training_file(*command, own->config);
    train(*own);
  });
}

void add_watch(CLI::App& parent) {
  auto options = std::make_shared<WatchOptions>();
  CLI::App* command = parent.add_subcommand("watch", "Serve the page of a run that another process trains");
  command->add_option("folder", options->folder, "the run's output directory")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--port", options->port, "port on this machine; 0: any free one")
      ->check(CLI::Range(0, 65535));
  command->callback([options] { watch(*options); });
}

}  // namespace

void add_train_command(CLI::App& app) {
  const std::vector<CLI::App*> present =
      app.get_subcommands([](const CLI::App* command) { return command->get_name() == "train"; });
  CLI::App* parent =
      present.empty() ? app.add_subcommand("train", "Train models and tokenizers") : present[0];
  parent->require_subcommand(1);
  add_stage(*parent, "pretrain", "Train on raw text, a new model or a given one", TrainingStage::pretrain);
  add_stage(*parent, "sft", "Train on conversations: the answers are learnt", TrainingStage::sft);
  add_stage(*parent, "dpo", "Train on pairs: Direct Preference Optimization", TrainingStage::dpo);
  add_stage(*parent, "kto", "Train on answers labelled good or bad", TrainingStage::kto);
  add_stage(*parent, "orpo", "Train on pairs without a reference model", TrainingStage::orpo);
  add_stage(*parent, "reward", "Train a reward model on pairs", TrainingStage::reward);
  add_watch(*parent);
}

void add_merge_command(CLI::App& app) {
  auto options = std::make_shared<MergeOptions>();
  CLI::App* command = app.add_subcommand("merge", "Add a LoRA adapter to a model's weights");
  command->add_option("model", options->model, "hub directory of the base")->required();
  command->add_option("adapter", options->adapter, "PEFT directory")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("-o,--output", options->output, "directory to write")->required();
  command->add_option("--type", options->type,
                      "type of the written weights: auto (the base's), f32, bf16, f16");
  command->callback([options] { merge(*options); });
}

}  // namespace r1::cli
