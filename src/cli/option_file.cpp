#include "cli/option_file.h"

#include <algorithm>

#include "cli/option_values.h"

namespace r1::cli {

std::string flag_of(std::string name) {
  std::ranges::replace(name, '_', '-');
  return "--" + name;
}

void read_option_file(Command command, const std::string& path, const std::vector<std::string>& prefixes) {
  for (const OptionValue& value : read_option_values(command.app(), parse_toml(path), path, prefixes)) {
    if (value.option->count() == 0) set_option(value, path);
  }
}

}  // namespace r1::cli
