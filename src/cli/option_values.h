// Values of options as TOML has them. TOML and CLI11 are slow to compile: for the two readers of TOML files alone.
#pragma once

#include <toml++/toml.h>
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1::cli {

/// One key of a table with its option.
struct OptionValue {
  CLI::Option* option = nullptr;
  std::string name;                 // of the option, as the file spells it
  std::vector<std::string> values;  // as they would be on the command line; of a flag "true" or "false"
  int64_t line = 0;                 // of the file, 1-based
};

/// The keys of a table and of the tables in it (`prefixes`: see read_option_file), in their order; those of the table itself that are in `passed_over`
/// are left out. `path`: for errors. Throws Error(bad_file) "file:line: …" for an unknown key, one that is given twice, or a
/// wrong type.
std::vector<OptionValue> read_option_values(CLI::App& command, const toml::table& table,
                                            const std::string& path, const std::vector<std::string>& prefixes,
                                            const std::vector<std::string_view>& passed_over = {});

/// Gives an option its values, with the checks that it has. Throws Error(bad_file).
void set_option(const OptionValue& value, const std::string& path);

/// Throws Error(bad_file) with the line.
toml::table parse_toml(const std::string& path);

}  // namespace r1::cli
