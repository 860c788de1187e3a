#include "formats/json_file.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"

namespace r1 {
namespace {

constexpr int kMaximumDepth = 64;

}  // namespace

std::string read_text_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

nlohmann::json parse_json(std::string_view text, const std::string& name) {
  using nlohmann::json;
  std::vector<std::unordered_set<std::string>> keys;  // of the objects and arrays around the current place
  auto check = [&](int depth, json::parse_event_t event, json& value) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        if (depth >= kMaximumDepth) {
          throw_error(ErrorKind::bad_file, "{}: JSON nested deeper than {} levels", name, kMaximumDepth);
        }
        keys.emplace_back();
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        keys.pop_back();
        break;
      case json::parse_event_t::key:
        if (!keys.back().insert(value.get<std::string>()).second) {
          throw_error(ErrorKind::bad_file, "{}: key '{}' occurs twice", name,
                      value.get<std::string>().substr(0, 80));
        }
        break;
      case json::parse_event_t::value:
        break;
    }
    return true;
  };
  try {
    return json::parse(text, check);
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
