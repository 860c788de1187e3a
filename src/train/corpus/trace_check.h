// Checks what a model wrote: the equations of its trace, and its boxed answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace r1::corpus {

struct TraceCheck {
  int right = 0, wrong = 0;  // statements a=b, a<b, a>b between numbers, those inside brackets included
};

/// Statements with an unknown or with words are passed over; malformed ones count as wrong. Any text.
TraceCheck check_trace(std::string_view trace);

/// What stands in the last \boxed{…}, without spaces; nothing when there is none.
std::optional<std::string> boxed_answer(std::string_view text);

/// The same number (1.50 and 1.5), or the same text.
bool same_answer(std::string_view a, std::string_view b);

}  // namespace r1::corpus
