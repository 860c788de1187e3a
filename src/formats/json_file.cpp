#include "formats/json_file.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_depth.h"
#include "base/json_keys.h"
#include "base/mapped_file.h"

namespace r1 {

std::string read_text_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

nlohmann::json parse_json(std::string_view text, const std::string& name) {
  using nlohmann::json;
  if (is_nested_deeper(text, kMaxJsonLevels))
    throw_error(ErrorKind::bad_file, "{}: JSON nested deeper than {} levels", name, kMaxJsonLevels);
  const auto refuse_twice = [&](const std::string& place) {
    throw_error(ErrorKind::bad_file, "{}: key '{}' occurs twice", name, place);
  };
  try {
    return json::parse(text, UniqueKeys<json, decltype(refuse_twice)>(refuse_twice));
  } catch (const json::exception& exception) {
    throw_error(ErrorKind::bad_file, "{}: no sound JSON: {}", name, exception.what());
  }
}

nlohmann::json read_json(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse_json({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path.string());
}

std::string short_json(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 80) + "…";
  return text;
}

}  // namespace r1
