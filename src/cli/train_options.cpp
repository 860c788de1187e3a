#include "cli/train_options.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>

#include "base/error.h"
#include "formats/json_file.h"

namespace r1::cli {
namespace {

std::string flag_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

std::string where(const std::string& path, const toml::node& node) {
  return fmt::format("{}:{}", path, node.source().begin.line);
}

std::string text_of(const std::string& path, const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  throw_error(ErrorKind::bad_file, "{}: expected a text, a number, true or false, or a list of them",
              where(path, node));
}

void read_table(CLI::App& command, const std::string& path, const toml::table& table) {
  for (const auto& [key, node] : table) {
    if (const auto* inner = node.as_table()) {
      read_table(command, path, *inner);
      continue;
    }
    const std::string name(key.str());
    CLI::Option* option = command.get_option_no_throw(flag_of(name));
    if (option == nullptr) {
      throw_error(ErrorKind::bad_file, "{}: '{}' is no option of this command (--help lists them)",
                  where(path, node), name);
    }
    if (option->count() > 0) continue;  // given on the command line
    std::vector<std::string> values;
    if (const auto* list = node.as_array()) {
      for (const toml::node& item : *list) values.push_back(text_of(path, item));
    } else {
      values.push_back(text_of(path, node));
    }
    try {
      for (const std::string& value : values) option->add_result(value);
      option->run_callback();
    } catch (const CLI::Error& error) {
      throw_error(ErrorKind::bad_file, "{}: {}: {}", where(path, node), name, error.what());
    }
  }
}

}  // namespace

void add_training_options(CLI::App& command, TrainingOptions& options) {
  visit_training_options(options, [&](const char* name, auto& value, const char* help) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, bool>) {
      command.add_flag(flag_of(name) + ",!--no-" + flag_of(name).substr(2), value, help);
    } else {
      CLI::Option* option = command.add_option(flag_of(name), value, help);
      if constexpr (std::is_same_v<Value, std::vector<std::string>>) option->delimiter(',');
    }
  });
}

void read_training_file(CLI::App& command, const std::string& path) {
  const std::string text = read_text_file(path);
  try {
    read_table(command, path, toml::parse(text, path));
  } catch (const toml::parse_error& error) {
    throw_error(ErrorKind::bad_file, "{}:{}: {}", path, error.source().begin.line,
                std::string(error.description()));
  }
}

}  // namespace r1::cli
