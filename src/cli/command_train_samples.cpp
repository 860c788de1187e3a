#include "cli/command_train_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/memory_use.h"
#include "cli/interrupt.h"
#include "cli/training_report.h"
#include "cli/training_run.h"
#include "train/data/training_data.h"
#include "train/memory_plan.h"
#include "train/trained_model.h"
#include "train/trainer.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

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

// Answers to the first samples that are held back.
void report_answers(Context& context, TrainedModel& model, const TrainingOptions& options,
                    const DataSet& held_back, int64_t step, TrainingReport& report) {
  std::vector<const TokenSequence*> samples;
  for (const TrainingSample& sample : held_back.samples) {
    if (static_cast<int64_t>(samples.size()) == options.samples) break;
    samples.push_back(&sample.sequence);
  }
  for (const SampleAnswer& answer :
       answer_samples(context, model.model(), model.adapter(), model.renderer().tokenizer(), samples,
                      options.sample_tokens))
    report.on_sample(step, answer);
}

// Positions beyond those that a model has seen are not wrong, but it has to learn them.
void remark_on_length(const TrainingOptions& options, TrainingStage stage, const DataSet& data,
                      int64_t context) {
  const bool windows = traits_of(stage).samples == SampleKind::text;
  int64_t longest = windows ? std::min(options.sequence_length, data.tokens) : 0;
  for (const TrainingSample& sample : data.samples) {
    if (windows) break;
    longest = std::max<int64_t>({longest, static_cast<int64_t>(sample.sequence.tokens.size()),
                                 static_cast<int64_t>(sample.rejected.tokens.size())});
  }
  if (longest <= context) return;
  fmt::print(stderr, "r1: sequence_length: sequences of {} tokens are trained, the model is made for {}\n",
             longest, context);
}

/// Whether no trained answer has thinking. A model that thinks before it answers would be run as it was not trained.
bool remark_on_thinking(const DataSet& data) {
  const auto samples = static_cast<int64_t>(data.samples.size());
  if (data.without_thinking == 0) return false;
  if (data.without_thinking == samples) {
    fmt::print(stderr,
               "r1: no sample has thinking: answers are trained behind a closed <think> block, and the chat "
               "template "
               "that is written closes it too\n");
    return true;
  }
  fmt::print(
      stderr,
      "r1: {} of {} samples have no thinking: their answers are trained behind a closed <think> block\n",
      data.without_thinking, samples);
  return false;
}

}  // namespace

void train_on_samples(TrainingStage stage, TrainingOptions options, const RuntimeOptions& runtime) {
  const fs::path base = check_training_places(options, stage);
  ThreadPool pool(options.threads);
  Context context(pool, select_kernels(runtime), Arithmetic::mixed);
  TrainedModel model(options, base, stage, pool);
  if (model.low_rank() != nullptr) options.lora = *model.low_rank();
  const bool second_model = model.reference() != nullptr && model.reference() != &model.decoder();
  const MemoryPlan plan = plan_memory(options, model.decoder(), model.parameters(),
                                      {stage, second_model ? model.reference() : nullptr, pool.size(),
                                       model.program_memory(), available_memory()});
  print_memory_plan(plan, model);
  const TrainingData data = load_training_data(options, stage, options.seed, model.renderer(), pool);
  print_data(data, options);
  remark_on_length(options, stage, *data.trained, model.decoder().info().context_length);

  const InterruptGuard guard;
  TrainingReport report(options);
  const bool best_only = data.evaluation != nullptr && options.save_best;
  const bool without_thinking = remark_on_thinking(*data.trained);
  auto write_model = [&] { model.write(options.output, options.model, options.save_type, without_thinking); };
  TrainerHooks hooks;
  hooks.on_step = [&](const StepReport& step) { report.on_step(step); };
  hooks.on_log = [&](const StepReport& step) { report.on_log(step); };
  hooks.on_evaluation = [&](const EvaluationReport& evaluation) {
    report.on_evaluation(evaluation);
    if (traits_of(stage).needs_reward_head) return;  // has no words
    report_answers(context, model, options, *data.held_back, evaluation.step, report);
  };
  hooks.remark = [](const std::string& text) { fmt::print(stderr, "r1: {}\n", text); };
  hooks.stop_requested = [] { return InterruptGuard::interrupted(); };
  if (best_only) hooks.save_best = write_model;
  TrainerParts parts;
  parts.stage = stage;
  parts.adapter = model.adapter();
  parts.reference = model.reference();
  parts.reference_adapter = model.reference_adapter();
  parts.score = model.score();
  parts.base = model.base_identity();
  parts.weights_changed = [&](Context& used) { model.refresh(used); };
  Trainer trainer(context, model.decoder(), model.parameters(), options, *data.batches, data.evaluation.get(),
                  plan.storage, hooks, parts);
  if (options.resume && !trainer.resume())
    fmt::print(stderr, "r1: {}: no good checkpoint: beginning anew\n", options.output);
  const int64_t begun = trainer.state().step;
  nlohmann::ordered_json description = describe_training_run(options, stage, model, plan, trainer.steps());
  description["samples"] = data.trained->samples.size();
  description["tokens"] = data.trained->tokens;
  report.begin(description, begun, trainer.steps());
  const TrainingEnd end = trainer.run();
  const bool best_is_written = trainer.state().best_step > 0 && model.is_written(options.output);
  const bool writes_best = best_only && best_is_written;
  if (!writes_best) write_model();
  report.end(end, trainer.state(), writes_best);
}

}  // namespace r1::cli
