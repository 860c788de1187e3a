#include "grade/trace_check.h"

#include <algorithm>
#include <optional>
#include <string>

#include "grade/calculator.h"

namespace r1::grade {
namespace {

/// Letters other than of operators: an unknown, a word.
bool has_letters(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    if (c < 0x80) continue;
    const std::string_view rest = text.substr(i);
    if (!rest.starts_with("×") && !rest.starts_with("÷")) return true;
    ++i;
  }
  return false;
}

/// One statement without brackets for steps: "a=b", "a=b=c", "a<b".
void check_statement(std::string_view text, TraceCheck& check) {
  if (text.find_first_of("=<>") == std::string_view::npos || has_letters(text)) return;
  std::optional<double> left;
  char relation = 0;
  while (true) {
    const size_t end = std::min(text.find_first_of("=<>"), text.size());
    const std::optional<double> value = calculate(text.substr(0, end));
    if (relation != 0) {
      const bool holds = left && value &&
                         (relation == '='   ? is_equal(*left, *value)
                          : relation == '<' ? *left < *value && !is_equal(*left, *value)
                                            : *left > *value && !is_equal(*left, *value));
      ++(holds ? check.right : check.wrong);
    }
    if (end == text.size()) return;
    relation = text[end];
    left = value;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

TraceCheck check_trace(std::string_view trace) {
  TraceCheck check;
  // A statement runs to a space or newline; "a=[steps]=b" goes on behind its steps.
  std::string outer, inner;
  bool inside = false;
  for (const char c : std::string(trace) + "\n") {
    if (c == '[' && !inside) {
      inside = true;
      if (outer.ends_with('=')) outer.pop_back();
    } else if (inside && (c == ']' || c == ' ' || c == '\n')) {
      check_statement(inner, check);
      inner.clear();
      if (c == '\n') outer.clear();  // the steps never ended
      if (c != ' ') inside = false;
    } else if (!inside && (c == ' ' || c == '\n')) {
      if (outer.starts_with("位数")) outer.erase(0, std::string_view("位数").size());
      check_statement(outer, check);
      outer.clear();
    } else {
      (inside ? inner : outer) += c;
    }
  }
  return check;
}

}  // namespace r1::grade
