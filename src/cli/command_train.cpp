// r1 train pretrain, sft, dpo, kto, orpo, reward: from data files to a model directory or an adapter.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/memory_use.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_location.h"
#include "cli/options.h"
#include "cli/train_options.h"
#include "cli/training_report.h"
#include "formats/output_file.h"
#include "train/data/training_data.h"
#include "train/memory_plan.h"
#include "train/trained_model.h"
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

/// The model to start from; empty: a new one. Refuses what would lose an earlier run.
fs::path check_places(const TrainingOptions& options) {
  if (options.output.empty()) throw_error(ErrorKind::invalid_argument, "--output: expected a directory");
  if (options.data.empty()) throw_error(ErrorKind::invalid_argument, "--data: expected at least one file");
  fs::path base;
  if (!options.model.empty()) {
    base = locate_model(options.model);
    require_apart(options.output, base);
  }
  if (fs::exists(options.output) && !fs::is_directory(options.output))
    throw_error(ErrorKind::invalid_argument, "output: expected a directory, found the file '{}'",
                options.output);
  // A run that was killed before its first checkpoint may have written its best model; --resume begins it
  // anew.
  const bool goes_on = options.resume && fs::exists(fs::path(options.output) / "run.json");
  for (const char* name : {"model.safetensors", "adapter_model.safetensors"}) {
    if (goes_on || options.overwrite || has_checkpoints(options.output)) break;
    if (!fs::exists(fs::path(options.output) / name)) continue;
    throw_error(ErrorKind::invalid_argument, "{}: has a {}, and no checkpoints: --overwrite writes over it",
                options.output, name);
  }
  if (has_checkpoints(options.output) && !options.resume) {
    if (!options.overwrite) {
      throw_error(ErrorKind::invalid_argument,
                  "{}: has checkpoints of a run: --resume continues it, --overwrite begins anew",
                  options.output);
    }
    remove_checkpoints(options.output);
  }
  return base;
}

void print_plan(const MemoryPlan& plan, TrainedModel& model) {
  auto size = [](size_t bytes) { return format_bytes(static_cast<double>(bytes)); };
  const ModelInfo& info = model.decoder().info();
  fmt::print("{}: {} layers, width {}, {} parameters, {} trained\n", info.architecture, info.layers,
             info.hidden, info.parameters, model.parameters().elements());
  fmt::print(
      "memory: about {}: weights {}, gradients {}, optimiser {}, activations {} ({}), working memory {}, "
      "program {}\n",
      size(plan.total()), size(plan.weights), size(plan.gradients), size(plan.optimiser),
      size(plan.activations), plan.keep == Keep::everything ? "all kept" : "layers run twice",
      size(plan.working), size(plan.program));
  std::fflush(stdout);
}

void print_data(const TrainingData& data, const TrainingOptions& options) {
  fmt::print("data: {} samples, {} tokens, {} of them trained; {} batches an epoch\n",
             data.trained->samples.size(), data.trained->tokens, data.trained->trained_tokens,
             data.batches->batches(0));
  if (data.held_back)
    fmt::print("held back: {} samples, {} tokens\n", data.held_back->samples.size(), data.held_back->tokens);
  for (const DataSet* set : {data.trained.get(), data.held_back.get()}) {
    if (set == nullptr || set->dropped + set->cut == 0) continue;
    fmt::print("{}longer than {} tokens: {} samples left out, {} cut\n",
               set == data.trained.get() ? "" : "held back: ", options.sequence_length, set->dropped,
               set->cut);
  }
  std::fflush(stdout);
}

// run.json: what the run is.
nlohmann::ordered_json describe(const TrainCommand& command, TrainedModel& model, const MemoryPlan& plan,
                                const DataSet& data, int64_t steps) {
  const TrainingOptions& options = command.options;
  const ModelInfo& info = model.decoder().info();
  const fs::path output(options.output);
  return {
      {"title", options.name.empty() ? (output.has_filename() ? output : output.parent_path()).filename()
                                     : fs::path(options.name)},
      {"stage", command.name},
      {"tuning", options.tuning},
      {"base", model.base() != nullptr ? nlohmann::ordered_json(model.base()->path().filename()) : nullptr},
      {"architecture", info.architecture},
      {"parameters", info.parameters},
      {"trained_parameters", model.parameters().elements()},
      {"samples", data.samples.size()},
      {"tokens", data.tokens},
      {"total_steps", steps},
      {"memory_bytes", plan.total()}};
}

// What the model answers to the first samples that are held back.
void answer_samples(Context& context, TrainedModel& model, const TrainingOptions& options,
                    const DataSet& held_back, int64_t step, TrainingReport& report) {
  const auto count = std::min<int64_t>(options.samples, static_cast<int64_t>(held_back.samples.size()));
  for (int64_t i = 0; i < count; ++i) {
    report.on_sample(step,
                     answer_sample(context, model.decoder(), model.adapter(), model.renderer().tokenizer(),
                                   held_back.samples[i].sequence, options.sample_tokens));
  }
}

// Positions beyond those that a model has seen are not wrong, but it has to learn them.
void remark_on_length(const TrainingOptions& options, TrainingStage stage, const DataSet& data,
                      int64_t context) {
  int64_t longest = stage == TrainingStage::pretrain ? std::min(options.sequence_length, data.tokens) : 0;
  for (const TrainingSample& sample : data.samples) {
    if (stage == TrainingStage::pretrain) break;
    longest = std::max<int64_t>({longest, static_cast<int64_t>(sample.sequence.tokens.size()),
                                 static_cast<int64_t>(sample.rejected.tokens.size())});
  }
  if (longest <= context) return;
  fmt::print(stderr, "r1: sequence_length: sequences of {} tokens are trained, the model is made for {}\n",
             longest, context);
}

void train(const TrainCommand& command) {
  TrainingOptions options = command.options;
  const fs::path base = check_places(options);
  ThreadPool pool(options.threads);
  Context context(pool, select_kernels(command.runtime), Arithmetic::mixed);
  TrainedModel model(options, base, command.stage, pool);
  if (model.low_rank() != nullptr) options.lora = *model.low_rank();
  const bool second_model = model.reference() != nullptr && model.reference() != &model.decoder();
  const MemoryPlan plan = plan_memory(options, model.decoder(), model.parameters(),
                                      {command.stage, second_model ? model.reference() : nullptr, pool.size(),
                                       model.program_memory(), available_memory()});
  print_plan(plan, model);
  const TrainingData data = load_training_data(options, command.stage, model.renderer(), pool);
  print_data(data, options);
  remark_on_length(options, command.stage, *data.trained, model.decoder().info().context_length);

  const InterruptGuard guard;
  TrainingReport report(options);
  const bool best_only = data.evaluation != nullptr && options.save_best;
  auto write_model = [&] { model.write(options.output, options.model, options.save_type); };
  TrainerHooks hooks;
  hooks.on_step = [&](const StepReport& step) { report.on_step(step); };
  hooks.on_log = [&](const StepReport& step) { report.on_log(step); };
  hooks.on_evaluation = [&](const EvaluationReport& evaluation) {
    report.on_evaluation(evaluation);
    if (command.stage == TrainingStage::reward) return;  // says nothing
    answer_samples(context, model, options, *data.held_back, evaluation.step, report);
  };
  hooks.remark = [](const std::string& text) { fmt::print(stderr, "r1: {}\n", text); };
  hooks.stop_requested = [] { return InterruptGuard::interrupted(); };
  if (best_only) hooks.save_best = write_model;
  TrainerParts parts;
  parts.stage = command.stage;
  parts.adapter = model.adapter();
  parts.reference = model.reference();
  parts.score = model.score();
  parts.base = model.base_identity();
  parts.weights_changed = [&](Context& used) { model.refresh(used); };
  Trainer trainer(context, model.decoder(), model.parameters(), options, *data.batches, data.evaluation.get(),
                  plan.keep, hooks, parts);
  if (options.resume && !trainer.resume())
    fmt::print(stderr, "r1: {}: no good checkpoint: beginning anew\n", options.output);
  const int64_t begun = trainer.state().step;
  report.begin(describe(command, model, plan, *data.trained, trainer.steps()), begun, trainer.steps());
  const TrainingEnd end = trainer.run();
  const bool best_is_written = trainer.state().best_step > 0 && model.is_written(options.output);
  if (!best_only || !best_is_written) write_model();
  report.end(end, trainer.state());
}

void add_stage(Command parent, const char* name, const char* help, TrainingStage stage) {
  auto own = std::make_shared<TrainCommand>();
  own->stage = stage;
  own->name = name;
  Command command = parent.add_subcommand(name, help);
  command->add_option("config", own->config, "TOML file with options; flags win over it")
      ->check(existing_file());
  add_training_options(command, own->options, stage);
  command->add_option("--kernels", own->runtime.instruction_set, "instruction set of the kernels")
      ->check(one_of({"best", "scalar", "avx2", "avx512"}));
  command->callback([own, command, stage] {
    finish_training_options(command, own->config, own->options, stage);
    train(*own);
  });
}

}  // namespace

void add_train_command(Command app) {
  Command parent = app.add_subcommand("train", "Train models and tokenizers");
  parent->require_subcommand(1);
  add_stage(parent, "pretrain", "Train on raw text, a new model or a given one", TrainingStage::pretrain);
  add_stage(parent, "sft", "Train on conversations: the answers are learnt", TrainingStage::sft);
  add_stage(parent, "dpo", "Train on pairs: Direct Preference Optimization", TrainingStage::dpo);
  add_stage(parent, "kto", "Train on answers labelled good or bad", TrainingStage::kto);
  add_stage(parent, "orpo", "Train on pairs without a reference model", TrainingStage::orpo);
  add_stage(parent, "reward", "Train a reward model on pairs", TrainingStage::reward);
  add_train_tokenizer_command(parent);
  add_train_watch_command(parent);
}

}  // namespace r1::cli
