#include "grammar/canonical.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace r1::grammar {
namespace {

void make_numbers_alike(nlohmann::json& value) {
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::trunc(number) == number && std::abs(number) < 9e15) value = static_cast<int64_t>(number);
  } else if (value.is_structured()) {
    for (nlohmann::json& part : value) make_numbers_alike(part);
  }
}

std::string text_of(nlohmann::json value) {
  make_numbers_alike(value);
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string canonical(const nlohmann::ordered_json& value) {
  return text_of(value);
}

std::string canonical_text(std::string_view text) {
  nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  return value.is_discarded() ? std::string(text) : text_of(std::move(value));
}

}  // namespace r1::grammar
