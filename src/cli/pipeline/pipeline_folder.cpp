#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/option_file.h"
#include "cli/pipeline/pipeline.h"
#include "formats/download.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "formats/sha256.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

// Change how a stage runs and what it keeps on the way, and nothing of what it leaves.
constexpr auto kIndifferent =
    std::to_array<std::string_view>({"threads", "save_steps", "keep_checkpoints", "log_steps", "batch",
                                     "concurrency", "timeout", "api_key_file", "student_threads",
                                     "student_save_steps", "student_keep_checkpoints", "student_log_steps"});

/// Of a folder: models, tokenizers and adapters, without logs and checkpoints.
bool is_content(const fs::path& file) {
  constexpr auto kEndings = std::to_array<std::string_view>({".safetensors", ".jinja", ".gguf", ".jsonl"});
  constexpr auto kNames =
      std::to_array<std::string_view>({"config.json", "generation_config.json", "tokenizer.json",
                                       "tokenizer_config.json", "adapter_config.json"});
  constexpr auto kLogs =
      std::to_array<std::string_view>({"trainer_log.jsonl", "rollouts.jsonl", "samples.jsonl"});
  const std::string name = file.filename().string(), ending = file.extension().string();
  if (std::ranges::find(kLogs, name) != kLogs.end()) return false;
  return std::ranges::find(kNames, name) != kNames.end() ||
         std::ranges::find(kEndings, ending) != kEndings.end();
}

}  // namespace

std::string content_hash_of(const fs::path& path) {
  if (!fs::is_directory(path)) return content_hash(path, false);
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    if (entry.is_regular_file() && is_content(entry.path())) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::string text;
  for (const fs::path& file : files)
    text.append(content_hash(file, false)).append("  ").append(file.filename().string()).append("\n");
  return sha256(text);
}

namespace {

/// Positional values first: a flag that takes a list would take them too.
void append_arguments(std::vector<std::string>& arguments, std::vector<StageOption> options,
                      const PipelineFolder& folder) {
  std::ranges::stable_sort(options, {}, &StageOption::place);
  for (const bool positional : {true, false}) {
    for (const StageOption& option : options) {
      if (option.positional != positional) continue;
      for (const std::string& value : option.values) {
        const std::string resolved = folder.resolve(value);
        arguments.push_back(positional ? resolved : flag_of(option.name) + "=" + resolved);
      }
    }
  }
}

}  // namespace

PipelineFolder::PipelineFolder(const Recipe& recipe, fs::path output)
    : recipe_(recipe), output_(std::move(output)) {}

fs::path PipelineFolder::output_of(const RecipeStage& stage) const {
  return folder_of(stage) / *fs::path(stage.kind->product).begin();
}

StageRecord PipelineFolder::read_record(const RecipeStage& stage) const {
  const fs::path path = folder_of(stage) / "stage.json";
  StageRecord record;
  if (!fs::exists(path)) return record;
  const nlohmann::json json = read_json(path);
  if (!json.is_object()) throw_error(ErrorKind::bad_file, "{}: expected an object", path.string());
  record.hash = json.value("hash", "");
  record.product_hash = json.value("product", "");
  record.evaluation_begun = json.value("evaluation_begun", "");
  record.evaluation_hash = json.value("evaluation", "");
  record.seconds = json.value("seconds", 0.0);
  record.evaluation_seconds = json.value("evaluation_seconds", 0.0);
  return record;
}

void PipelineFolder::write_record(const RecipeStage& stage, const StageRecord& record) const {
  const nlohmann::ordered_json json{{"name", stage.name},
                                    {"kind", stage.kind->name},
                                    {"hash", record.hash},
                                    {"product", record.product_hash},
                                    {"evaluation_begun", record.evaluation_begun},
                                    {"evaluation", record.evaluation_hash},
                                    {"seconds", record.seconds},
                                    {"evaluation_seconds", record.evaluation_seconds}};
  OutputFile file(folder_of(stage) / "stage.json");
  file.write(json.dump(1) + "\n");
  file.finish();
}

const RecipeStage& PipelineFolder::stage_named(const std::string& name) const {
  return *std::ranges::find(recipe_.stages, name, &RecipeStage::name);
}

fs::path PipelineFolder::path_of(const Reference& reference) const {
  const RecipeStage& stage = stage_named(reference.stage);
  return reference.file.empty() ? product_of(stage) : folder_of(stage) / reference.file;
}

std::string PipelineFolder::resolve(const std::string& value) const {
  const auto reference = reference_of(value);
  return reference ? reference->before + path_of(*reference).string() + reference->behind : value;
}

std::vector<std::string> PipelineFolder::command_of(const RecipeStage& stage, bool continues) const {
  std::vector<std::string> arguments(stage.kind->command.begin(), stage.kind->command.end());
  std::vector<StageOption> options = stage.options;
  const bool file_is_positional = stage.kind->name == "quantize" || stage.kind->name == "convert";
  constexpr int64_t kBehindAll = 1 << 20;
  options.push_back({std::string(stage.kind->output_option),
                     file_is_positional,
                     kBehindAll,
                     {output_of(stage).string()},
                     0});
  append_arguments(arguments, std::move(options), *this);
  arguments.insert(arguments.end(), stage.kind->fixed.begin(), stage.kind->fixed.end());
  if (continues)
    arguments.insert(arguments.end(), stage.kind->continued.begin(), stage.kind->continued.end());
  return arguments;
}

std::vector<std::string> PipelineFolder::evaluation_command_of(const RecipeStage& stage) const {
  std::vector<std::string> arguments{"eval", "questions"};
  append_arguments(arguments, recipe_.evaluation, *this);
  arguments.push_back("--model=" + product_of(stage).string());
  arguments.push_back("--out=" + evaluation_of(stage).string());
  return arguments;
}

/// Adds a line a value: what it says, or the content of what it names. False: an input is not there yet.
bool PipelineFolder::append_options(std::string& text, const std::vector<StageOption>& options) const {
  for (const StageOption& option : options) {
    if (std::ranges::find(kIndifferent, option.name) != kIndifferent.end()) continue;
    for (const std::string& value : option.values) {
      text.append(option.name).append("=");
      const auto reference = reference_of(value);
      const fs::path path = reference ? path_of(*reference) : fs::path(value);
      text.append(reference ? reference->before + reference->behind : value);
      std::error_code ignored;
      const bool exists = fs::exists(path, ignored);
      if (reference && (!exists || read_record(stage_named(reference->stage)).product_hash.empty()))
        return false;
      if (exists) text.append(" ").append(content_hash_of(path));
      text.append("\n");
    }
  }
  return true;
}

std::string PipelineFolder::hash_of(const RecipeStage& stage) const {
  std::string text(stage.kind->name);
  text += "\n";
  return append_options(text, stage.options) ? sha256(text) : "";
}

std::string PipelineFolder::evaluation_hash_of(const RecipeStage& stage) const {
  const StageRecord record = read_record(stage);
  std::string text = record.product_hash + "\n";
  return !record.product_hash.empty() && append_options(text, recipe_.evaluation) ? sha256(text) : "";
}

StageState PipelineFolder::state_of(const RecipeStage& stage) const {
  const StageRecord record = read_record(stage);
  if (record.hash.empty()) return StageState::absent;
  if (record.hash != hash_of(stage)) return StageState::changed;
  if (record.product_hash.empty()) return StageState::interrupted;
  return fs::exists(product_of(stage)) ? StageState::done : StageState::changed;
}

}  // namespace r1::cli
