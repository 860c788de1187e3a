// Answers in \boxed{…}.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace r1::grade {

/// The content of the last \boxed{…}, without spaces; nothing when there is none.
std::optional<std::string> boxed_answer(std::string_view text);

/// The same number (1.50 and 1.5), or the same text.
bool same_answer(std::string_view a, std::string_view b);

}  // namespace r1::grade
