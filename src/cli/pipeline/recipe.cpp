#include "cli/pipeline/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "cli/option_file.h"
#include "cli/option_values.h"
#include "cli/train_options.h"

namespace r1::cli {
namespace {

/// Letters, digits, '-', '_' and '.': names are folders.
bool is_name(const std::string& text) {
  return !text.empty() && text.front() != '.' && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

class RecipeReader {
 public:
  RecipeReader(Command root, const std::string& path) : root_(root), path_(path) {}

  Recipe read() {
    const toml::table table = parse_toml(path_);
    Recipe recipe;
    recipe.path = path_;
    recipe.title = std::filesystem::path(path_).stem().string();
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (name == "output" || name == "title") {
        (name == "output" ? recipe.output : recipe.title) = text(name, node);
      } else if (name != "evaluation" && name != "stage") {
        throw_error(ErrorKind::bad_file, "{}: expected output, title, [evaluation] or [[stage]], found '{}'",
                    where(node), name);
      }
    }
    read_stages(table, recipe);
    if (const toml::node* node = table.get("evaluation")) {
      const toml::table* evaluation = node->as_table();
      if (evaluation == nullptr)
        throw_error(ErrorKind::bad_file, "{}: expected a table [evaluation]", where(*node));
      static const StageKind kEvaluation{"evaluation", {"eval"}, "out", "evaluation"};
      recipe.evaluation = read_options(kEvaluation, *evaluation, {});
      check_references(recipe, recipe.evaluation, recipe.stages.size());
    }
    for (RecipeStage& stage : recipe.stages) stage.evaluate = stage.evaluate && !recipe.evaluation.empty();
    return recipe;
  }

 private:
  std::string where(const toml::node& node) const {
    return fmt::format("{}:{}", path_, node.source().begin.line);
  }

  std::string text(const std::string& name, const toml::node& node) const {
    const auto* value = node.as_string();
    if (value == nullptr) throw_error(ErrorKind::bad_file, "{}: {}: expected a text", where(node), name);
    return value->get();
  }

  void read_stages(const toml::table& table, Recipe& recipe) {
    const toml::node* node = table.get("stage");
    const toml::array* list = node == nullptr ? nullptr : node->as_array();
    if (list == nullptr || list->empty()) {
      throw_error(ErrorKind::bad_file, "{}: expected stages, each a table [[stage]]", path_);
    }
    for (const toml::node& item : *list) {
      const toml::table* stage = item.as_table();
      if (stage == nullptr) throw_error(ErrorKind::bad_file, "{}: expected a table [[stage]]", where(item));
      RecipeStage made = read_stage(*stage, recipe);
      check_references(recipe, made.options, recipe.stages.size());
      recipe.stages.push_back(std::move(made));
    }
  }

  RecipeStage read_stage(const toml::table& table, const Recipe& recipe) {
    RecipeStage stage;
    stage.line = table.source().begin.line;
    for (const char* key : {"name", "kind"}) {
      if (!table.contains(key))
        throw_error(ErrorKind::bad_file, "{}: expected a stage with name and kind, found none of '{}'",
                    where(table), key);
    }
    stage.name = text("name", *table.get("name"));
    if (!is_name(stage.name)) {
      throw_error(ErrorKind::bad_file, "{}: name: expected letters, digits, '-', '_' and '.', found '{}'",
                  where(*table.get("name")), stage.name);
    }
    if (std::ranges::find(recipe.stages, stage.name, &RecipeStage::name) != recipe.stages.end())
      throw_error(ErrorKind::bad_file, "{}: the stage '{}': given twice", where(*table.get("name")),
                  stage.name);
    const std::string kind = text("kind", *table.get("kind"));
    stage.kind = find_stage_kind(kind);
    if (stage.kind == nullptr) {
      std::string names;
      for (const StageKind& known : stage_kinds()) names.append(names.empty() ? "" : ", ").append(known.name);
      throw_error(ErrorKind::bad_file, "{}: kind: expected one of {}, found '{}'", where(*table.get("kind")),
                  names, kind);
    }
    stage.options = read_options(*stage.kind, table, {"name", "kind", "evaluate"});
    read_training(stage);
    const bool is_adapter = stage.stage && stage.training.tuning == Tuning::lora;
    stage.evaluate = stage.kind->leaves_model && !is_adapter;
    if (const toml::node* node = table.get("evaluate")) {
      const auto* asked = node->as_boolean();
      if (asked == nullptr)
        throw_error(ErrorKind::bad_file, "{}: evaluate: expected true or false", where(*node));
      if (asked->get() && !stage.evaluate)
        throw_error(ErrorKind::bad_file, "{}: evaluate: the stage leaves no model that can be asked{}",
                    where(*node), is_adapter ? ": merge the adapter first" : "");
      stage.evaluate = asked->get();
    }
    return stage;
  }

  /// Training options are checked together, as the command will do.
  void read_training(RecipeStage& stage) const {
    const auto stages = all_stages();
    const auto found = std::ranges::find(stages, stage.kind->name, &StageTraits::name);
    if (found == stages.end()) return;
    stage.stage = found->stage;
    CLI::App scratch;
    add_training_options(Command(&scratch), stage.training, found->stage);
    for (const StageOption& option : stage.options) {
      CLI::Option* known = scratch.get_option_no_throw(flag_of(option.name));
      if (known != nullptr) set_option({known, option.name, option.values, option.line}, path_);
    }
    try {
      complete_training_options(Command(&scratch), stage.training, found->stage);
    } catch (const Error& error) {
      throw_error(ErrorKind::bad_file, "{}:{}: stage '{}': {}", path_, stage.line, stage.name, error.what());
    }
  }

  std::vector<StageOption> read_options(const StageKind& kind, const toml::table& table,
                                        const std::vector<std::string_view>& passed_over) const {
    CLI::App* command = &root_.app();
    for (const std::string_view word : kind.command) command = command->get_subcommand(std::string(word));
    const std::vector<CLI::Option*> known = command->get_options();
    std::vector<StageOption> options;
    for (const OptionValue& value : read_option_values(*command, table, path_, {"student"}, passed_over)) {
      if (is_set_by_pipeline(kind, *value.option, value.name)) {
        throw_error(ErrorKind::bad_file, "{}:{}: {}: set by the pipeline", path_, value.line, value.name);
      }
      const bool refers =
          std::ranges::any_of(value.values, [](const std::string& v) { return reference_of(v).has_value(); });
      if (!refers) {
        set_option(value, path_);
        value.option->clear();
      }
      const auto place = std::ranges::find(known, value.option) - known.begin();
      options.push_back({value.name, value.option->get_positional(), place, value.values, value.line});
    }
    return options;
  }

  static bool is_set_by_pipeline(const StageKind& kind, const CLI::Option& option, const std::string& name) {
    constexpr auto kSet =
        std::to_array<std::string_view>({"resume", "overwrite", "config", "samples_only", "task", "ui",
                                         "ui_port", "student_ui", "student_ui_port"});
    return option.check_lname(std::string(kind.output_option)) || name == kind.output_option ||
           std::ranges::find(kSet, name) != kSet.end();
  }

  void check_references(const Recipe& recipe, const std::vector<StageOption>& options, size_t earlier) const {
    for (const StageOption& option : options) {
      for (const std::string& value : option.values) {
        const auto reference = reference_of(value);
        if (!reference) continue;
        const auto end = recipe.stages.begin() + static_cast<std::ptrdiff_t>(earlier);
        if (std::ranges::find(recipe.stages.begin(), end, reference->stage, &RecipeStage::name) != end)
          continue;
        std::string names;
        for (auto stage = recipe.stages.begin(); stage != end; ++stage)
          names.append(names.empty() ? "" : ", ").append(stage->name);
        throw_error(ErrorKind::bad_file, "{}:{}: {}: expected '@' and an earlier stage ({}), found '{}'",
                    path_, option.line, option.name, names.empty() ? "there is none" : names, value);
      }
    }
  }

  Command root_;
  const std::string& path_;
};

}  // namespace

std::string RecipeStage::value(std::string_view option) const {
  const auto found = std::ranges::find(options, option, &StageOption::name);
  return found == options.end() || found->values.empty() ? "" : found->values.front();
}

std::optional<Reference> reference_of(const std::string& value) {
  const size_t at = value.starts_with('@') ? 0 : value.find(":@") + 1;  // npos + 1: 0
  if (value.empty() || value[at] != '@') return std::nullopt;
  Reference reference;
  reference.before = value.substr(0, at);
  const size_t equals = at > 0 ? std::min(value.find('=', at), value.size()) : value.size();
  const std::string target = value.substr(at + 1, equals - at - 1);
  const size_t slash = std::min(target.find('/'), target.size());
  reference.stage = target.substr(0, slash);
  if (slash < target.size()) reference.file = target.substr(slash + 1);
  reference.behind = value.substr(equals);
  return reference;
}

Recipe read_recipe(Command root, const std::string& path) {
  return RecipeReader(root, path).read();
}

}  // namespace r1::cli
