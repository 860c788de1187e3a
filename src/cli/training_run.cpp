#include "cli/training_run.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/memory_use.h"
#include "cli/model_location.h"
#include "cli/progress_bar.h"
#include "formats/output_file.h"
#include "train/checkpoint.h"

namespace r1::cli {

namespace fs = std::filesystem;

fs::path check_training_places(const TrainingOptions& options, TrainingStage stage) {
  if (options.output.empty()) throw_error(ErrorKind::invalid_argument, "--output: expected a directory");
  if (options.data.empty()) throw_error(ErrorKind::invalid_argument, "--data: expected at least one file");
  fs::path base;
  if (!options.model.empty()) {
    base = locate_model(options.model);
    require_apart(options.output, base);
  }
  if (!options.adapter.empty() && traits_of(stage).needs_reference)
    require_apart(options.output, options.adapter);
  if (fs::exists(options.output) && !fs::is_directory(options.output))
    throw_error(ErrorKind::invalid_argument, "output: expected a directory, found the file '{}'",
                options.output);
  // A run that was killed before its first checkpoint may have written its best model; --resume begins it
  // anew.
  const bool goes_on = options.resume && fs::exists(fs::path(options.output) / "run.json");
  for (const char* name :
       {"model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors"}) {
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

void print_memory_plan(const MemoryPlan& plan, TrainedModel& model, size_t rollouts) {
  auto size = [](size_t bytes) { return format_bytes(static_cast<double>(bytes)); };
  const ModelInfo& info = model.decoder().info();
  fmt::print("{}: {} layers, width {}, {} parameters, {} trained\n", info.architecture, info.layers,
             info.hidden, info.parameters, model.parameters().elements());
  fmt::print(
      "memory: about {}: weights {}, gradients {}, optimiser {}, activations {} ({}), working memory {}, "
      "program {}\n",
      size(plan.total()), size(plan.weights), size(plan.gradients), size(plan.optimiser),
      size(plan.activations), plan.storage == ActivationStorage::everything ? "all kept" : "layers run twice",
      size(plan.working), size(plan.program));
  if (rollouts > 0) fmt::print("and {} for the keys and values of sampled answers\n", size(rollouts));
  std::fflush(stdout);
}

nlohmann::ordered_json describe_training_run(const TrainingOptions& options, TrainingStage stage,
                                             TrainedModel& model, const MemoryPlan& plan, int64_t steps) {
  const ModelInfo& info = model.decoder().info();
  const fs::path output(options.output);
  return {
      {"title", options.name.empty() ? (output.has_filename() ? output : output.parent_path()).filename()
                                     : fs::path(options.name)},
      {"stage", name_of(stage)},
      {"tuning", text_of(options.tuning)},
      {"base", model.base() != nullptr ? nlohmann::ordered_json(model.base()->path().filename()) : nullptr},
      {"architecture", info.architecture},
      {"parameters", info.parameters},
      {"trained_parameters", model.parameters().elements()},
      {"total_steps", steps},
      {"memory_bytes", plan.total()}};
}

}  // namespace r1::cli
