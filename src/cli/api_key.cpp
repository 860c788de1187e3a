#include "cli/api_key.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "cli/text_file.h"

namespace r1::cli {

std::string read_api_key(const std::string& file, const char* variable) {
  std::string key;
  if (!file.empty()) {
    key = read_text_file(file);
  } else if (const char* given = std::getenv(variable)) {
    key = given;
  }
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) key.pop_back();
  if (key.empty() && !file.empty())
    throw_error(ErrorKind::invalid_argument, "{}: expected a key, found an empty file", file);
  if (!std::ranges::all_of(key, [](char c) { return c > ' ' && c < '\x7f'; }))
    throw_error(ErrorKind::invalid_argument, "{}: the API key: expected visible ASCII characters in one line",
                file.empty() ? variable : file);
  return key;
}

}  // namespace r1::cli
