// What a given answer comes to, where a rule can compare others with it.
#pragma once

#include <optional>
#include <string>

namespace r1::grade {

/// The content of the last \boxed{…}, else what follows the last "####", else the whole answer where it is one line of at most 200
/// bytes, without spaces around. Nothing: no rule can compare it.
std::optional<std::string> checkable_answer(const std::string& answer);

}  // namespace r1::grade
