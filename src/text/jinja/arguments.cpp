#include "text/jinja/builtins.h"

namespace r1::jinja {

Bound::Bound(Runtime& runtime, std::string_view function, const Arguments& arguments,
             std::initializer_list<std::string_view> names, std::size_t required)
    : runtime_(runtime), function_(function), values_(names.size()), given_(names.size()) {
  if (arguments.positional.size() > names.size())
    runtime.raise("TypeError", fmt::format("{}() takes at most {} argument(s) ({} given)", function,
                                           names.size(), arguments.positional.size()));
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    values_[i] = arguments.positional[i];
    given_[i] = true;
  }
  for (const auto& [key, value] : arguments.keyword) {
    std::size_t i = 0;
    for (const std::string_view name : names) {
      if (name == key) break;
      ++i;
    }
    if (i == names.size())
      runtime.raise("TypeError", fmt::format("{}() got an unexpected keyword argument '{}'", function, key));
    if (given_[i])
      runtime.raise("TypeError", fmt::format("{}() got multiple values for argument '{}'", function, key));
    values_[i] = value;
    given_[i] = true;
  }
  std::size_t i = 0;
  for (const std::string_view name : names) {
    if (i < required && !given_[i])
      runtime.raise("TypeError", fmt::format("{}() missing required argument '{}'", function, name));
    ++i;
  }
}

bool Bound::flag(std::size_t i, bool fallback) const {
  return given_[i] ? is_true(values_[i]) : fallback;
}

std::int64_t Bound::integer(std::size_t i, std::int64_t fallback) const {
  return given_[i] ? to_index(runtime_, values_[i]) : fallback;
}

std::string Bound::text(std::size_t i, std::string fallback) const {
  if (!given_[i]) return fallback;
  if (!values_[i].is_string())
    runtime_.raise("TypeError", fmt::format("{}() needs a str, not {}", function_, type_name(values_[i])));
  return values_[i].text();
}

}  // namespace r1::jinja
