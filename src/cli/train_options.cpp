#include "cli/train_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <type_traits>

#include "base/error.h"
#include "cli/option_file.h"
#include "train/options_check.h"
#include "train/policy_presets.h"

namespace r1::cli {
namespace {

// CLI11 reads -1 as the largest unsigned number and what is too large as the largest that fits.
template <typename Number>
std::string check_number(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return "";
  if constexpr (std::is_floating_point_v<Number>) {
    return fmt::format("expected a number, found '{}'", text);
  } else {
    return fmt::format("expected a whole number{} of at most {}, found '{}'",
                       std::is_unsigned_v<Number> ? ", 0 or more," : "", std::numeric_limits<Number>::max(),
                       text);
  }
}

}  // namespace

void add_training_options(Command command, TrainingOptions& options, TrainingStage stage,
                          const std::string& prefix) {
  CLI::App& app = command.app();
  visit_training_options(options, [&](const OptionRow& row, auto& value) {
    using Value = std::decay_t<decltype(value)>;
    const std::string name(row.name), flag = flag_of(prefix + name), help(row.help);
    CLI::Option* option = nullptr;
    if constexpr (std::is_same_v<Value, bool>) {
      option = app.add_flag(flag + ",!--no-" + flag.substr(2), value, help);
    } else if constexpr (std::is_enum_v<Value>) {
      option = app.add_option_function<std::string>(
          flag, [&value, name](const std::string& text) { value = choice_of<Value>(name, text); }, help);
    } else {
      option = app.add_option(flag, value, help);
      if constexpr (std::is_same_v<Value, std::vector<std::string>>) option->delimiter(',');
      if constexpr (std::is_arithmetic_v<Value>) option->check(CLI::Validator(check_number<Value>, ""));
    }
    if (!row.stages.empty() && std::ranges::find(row.stages, stage) == row.stages.end())
      option->group("");  // known, and refused by name
  });
}

void finish_training_options(Command command, std::string path, TrainingOptions& options,
                             TrainingStage stage) {
  // "--data a.jsonl run.toml": a flag that takes a list has taken the file behind it too.
  for (std::vector<std::string>* list :
       {&options.data, &options.eval_data, &options.columns, &options.lora.targets, &options.rewards}) {
    if (!path.empty() || list->size() < 2 || !list->back().ends_with(".toml")) continue;
    path = list->back();
    list->pop_back();
  }
  if (!path.empty()) read_option_file(command, path);
  complete_training_options(command, options, stage);
}

void complete_training_options(Command command, TrainingOptions& options, TrainingStage stage,
                               const std::string& prefix) {
  const auto given = [&](const std::string& name) { return command.count(flag_of(prefix + name)) > 0; };
  if (!given("learning_rate")) options.learning_rate = usual_learning_rate(options, stage);
  apply_policy_preset(options, given);
  check_training_options(options, stage, given);
}

}  // namespace r1::cli
