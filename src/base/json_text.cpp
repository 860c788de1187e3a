#include "base/json_text.h"

#include <nlohmann/json.hpp>

namespace r1 {

template <class Json>
Json parse_json_text(std::string_view text) {
  return Json::parse(text);
}

template <class Json>
Json parse_json_or_discard(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

template nlohmann::json parse_json_text(std::string_view text);
template nlohmann::ordered_json parse_json_text(std::string_view text);
template nlohmann::json parse_json_or_discard(std::string_view text);
template nlohmann::ordered_json parse_json_or_discard(std::string_view text);

}  // namespace r1
