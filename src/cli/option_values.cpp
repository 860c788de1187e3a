#include "cli/option_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "base/error.h"
#include "cli/option_file.h"
#include "formats/json_file.h"

namespace r1::cli {
namespace {

class TableReader {
 public:
  TableReader(CLI::App& command, const std::string& path, const std::vector<std::string>& prefixes)
      : command_(command), path_(path), prefixes_(prefixes) {}

  void read(const toml::table& table, const std::string& prefix,
            const std::vector<std::string_view>& passed_over) {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (std::ranges::find(passed_over, name) != passed_over.end()) continue;
      if (const auto* inner = node.as_table()) {
        const bool is_prefix = std::ranges::find(prefixes_, name) != prefixes_.end();
        read(*inner, is_prefix ? name + "_" : prefix, {});
      } else {
        read(prefix + name, node);
      }
    }
  }

  std::vector<OptionValue> take() {
    std::ranges::stable_sort(values_, {}, &OptionValue::line);  // TOML tables are sorted by key
    return std::move(values_);
  }

 private:
  void read(const std::string& name, const toml::node& node) {
    CLI::Option* option = name == "help" ? nullptr : command_.get_option_no_throw(flag_of(name));
    if (option == nullptr && name != "help") option = command_.get_option_no_throw(name);  // a positional one
    if (option == nullptr) {
      throw_error(ErrorKind::bad_file, "{}: unknown option '{}' (--help lists them)", where(node), name);
    }
    const int64_t line = node.source().begin.line;
    const auto [first, is_new] = lines_.emplace(option, line);
    if (!is_new) {
      throw_error(ErrorKind::bad_file, "{}:{}: {}: given already in line {}", path_,
                  std::max(line, first->second), name, std::min(line, first->second));
    }
    OptionValue value{option, name, {}, line};
    if (const auto* list = node.as_array(); list != nullptr && option->get_items_expected_max() > 1) {
      value.values.reserve(list->size());
      for (const toml::node& item : *list) value.values.push_back(text_of(*option, name, item));
    } else {
      value.values.push_back(text_of(*option, name, node));
    }
    values_.push_back(std::move(value));
  }

  std::string where(const toml::node& node) const {
    return fmt::format("{}:{}", path_, node.source().begin.line);
  }

  /// As it would be on the command line, of the type that the option has.
  std::string text_of(const CLI::Option& option, const std::string& name, const toml::node& node) const {
    const std::string described = option.get_type_name();  // "INT:NONNEGATIVE"
    const std::string_view type = std::string_view(described).substr(0, described.find(':'));
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
  const std::string& path_;
  const std::vector<std::string>& prefixes_;
  std::map<const CLI::Option*, int64_t> lines_;  // of the keys read
  std::vector<OptionValue> values_;
};

}  // namespace

std::vector<OptionValue> read_option_values(CLI::App& command, const toml::table& table,
                                            const std::string& path, const std::vector<std::string>& prefixes,
                                            const std::vector<std::string_view>& passed_over) {
  TableReader reader(command, path, prefixes);
  reader.read(table, "", passed_over);
  return reader.take();
}

void set_option(const OptionValue& value, const std::string& path) {
  try {
    for (const std::string& text : value.values) value.option->add_result(text);
    value.option->run_callback();
  } catch (const Error& error) {
    throw_error(ErrorKind::bad_file, "{}:{}: {}", path, value.line, error.what());
  } catch (const CLI::Error& error) {
    std::string_view problem = error.what();  // "--NAME: …"
    if (const std::string flag = flag_of(value.name) + ": "; problem.starts_with(flag))
      problem.remove_prefix(flag.size());
    throw_error(ErrorKind::bad_file, "{}:{}: {}: {}", path, value.line, value.name, problem);
  }
}

toml::table parse_toml(const std::string& path) {
  const std::string text = read_text_file(path);
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    throw_error(ErrorKind::bad_file, "{}:{}: {}", path, error.source().begin.line,
                std::string(error.description()));
  }
}

}  // namespace r1::cli
