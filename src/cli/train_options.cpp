#include "cli/train_options.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <type_traits>

#include "base/error.h"
#include "formats/json_file.h"
#include "train/options_check.h"
#include "train/policy_presets.h"

namespace r1::cli {
namespace {

std::string flag_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

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

/// A TOML file, whose keys become results of a command's options.
class OptionFile {
 public:
  OptionFile(CLI::App& command, const std::string& path) : command_(command), path_(path) {}

  void read(const toml::table& table) {
    for (const auto& [key, node] : table) {
      if (const auto* inner = node.as_table()) {
        read(*inner);
      } else {
        read(std::string(key.str()), node);
      }
    }
  }

 private:
  void read(const std::string& name, const toml::node& node) {
    CLI::Option* option = name == "help" ? nullptr : command_.get_option_no_throw(flag_of(name));
    if (option == nullptr) {
      throw_error(ErrorKind::bad_file, "{}: unknown option '{}' (--help lists them)", where(node), name);
    }
    const auto [first, is_new] = lines_.emplace(option, node.source().begin.line);
    if (!is_new) {
      const int64_t line = node.source().begin.line;
      throw_error(ErrorKind::bad_file, "{}:{}: {}: given already in line {}", path_,
                  std::max(line, first->second), name, std::min(line, first->second));
    }
    if (option->count() > 0) return;  // given on the command line
    std::vector<std::string> values;
    if (const auto* list = node.as_array(); list != nullptr && option->get_items_expected_max() > 1) {
      for (const toml::node& item : *list) values.push_back(text_of(*option, name, item));
    } else {
      values.push_back(text_of(*option, name, node));
    }
    try {
      for (const std::string& value : values) option->add_result(value);
      option->run_callback();
    } catch (const Error& error) {
      throw_error(ErrorKind::bad_file, "{}: {}", where(node), error.what());
    } catch (const CLI::Error& error) {
      std::string_view problem = error.what();  // "--NAME: …"
      if (const std::string flag = flag_of(name) + ": "; problem.starts_with(flag))
        problem.remove_prefix(flag.size());
      throw_error(ErrorKind::bad_file, "{}: {}: {}", where(node), name, problem);
    }
  }

  std::string where(const toml::node& node) const {
    return fmt::format("{}:{}", path_, node.source().begin.line);
  }

  /// As it would be on the command line, of the type that the option has.
  std::string text_of(const CLI::Option& option, const std::string& name, const toml::node& node) const {
    const std::string type = option.get_type_name();
    const bool is_flag = option.get_items_expected_max() == 0;
    const bool whole = type == "INT" || type == "UINT", number = whole || type == "FLOAT";
    if (const auto* flag = node.as_boolean(); flag != nullptr && is_flag)
      return flag->get() ? "true" : "false";
    if (const auto* number_value = node.as_integer(); number_value != nullptr && number)
      return std::to_string(number_value->get());
    if (const auto* number_value = node.as_floating_point(); number_value != nullptr && number && !whole)
      return fmt::format("{}", number_value->get());
    if (const auto* text = node.as_string(); text != nullptr && !is_flag && !number) return text->get();
    std::ostringstream found;
    node.visit([&](const auto& value) { found << value; });
    throw_error(ErrorKind::bad_file, "{}: {}: expected {}, found {}", where(node), name,
                is_flag                               ? "true or false"
                : whole                               ? "a whole number"
                : number                              ? "a number"
                : option.get_items_expected_max() > 1 ? "a text or a list of texts"
                                                      : "a text",
                found.str());
  }

  CLI::App& command_;
  std::string path_;
  std::map<const CLI::Option*, int64_t> lines_;  // of the keys read
};

}  // namespace

void add_training_options(Command command, TrainingOptions& options, TrainingStage stage) {
  CLI::App& app = command.app();
  visit_training_options(options, [&](const OptionRow& row, auto& value) {
    using Value = std::decay_t<decltype(value)>;
    const std::string name(row.name), flag = flag_of(name), help(row.help);
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
  if (!path.empty()) {
    const std::string text = read_text_file(path);
    try {
      OptionFile(command.app(), path).read(toml::parse(text, path));
    } catch (const toml::parse_error& error) {
      throw_error(ErrorKind::bad_file, "{}:{}: {}", path, error.source().begin.line,
                  std::string(error.description()));
    }
  }
  const auto given = [&](const std::string& name) { return command.count(flag_of(name)) > 0; };
  if (!given("learning_rate")) options.learning_rate = usual_learning_rate(options, stage);
  apply_policy_preset(options, given);
  check_training_options(options, stage, given);
}

}  // namespace r1::cli
