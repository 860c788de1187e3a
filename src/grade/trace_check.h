// Checks the equations of a trace.
#pragma once

#include <string_view>

namespace r1::grade {

struct TraceCheck {
  int right = 0, wrong = 0;  // statements a=b, a<b, a>b between numbers, those inside brackets included
};

/// Statements with an unknown or with words are passed over; malformed ones count as wrong. Any text.
TraceCheck check_trace(std::string_view trace);

}  // namespace r1::grade
