#include "train/corpus/trace_check.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace r1::corpus {
namespace {

constexpr double kTolerance = 1e-9;  // relative; numbers of the exercises are far below 2^53
constexpr int kMaximumDepth = 32;

/// Sums, products, brackets and decimals. Nothing for texts that are none of these.
class Calculator {
 public:
  explicit Calculator(std::string_view text) : text_(text) {}

  std::optional<double> run() {
    const double value = sum(0);
    if (failed_ || !text_.empty() || !std::isfinite(value)) return std::nullopt;
    return value;
  }

 private:
  bool take(std::string_view sign) {
    if (!text_.starts_with(sign)) return false;
    text_.remove_prefix(sign.size());
    return true;
  }

  double sum(int depth) {
    const bool negative = take("-");
    double value = product(depth);
    if (negative) value = -value;
    while (!failed_) {
      if (take("+")) {
        value += product(depth);
      } else if (take("-")) {
        value -= product(depth);
      } else {
        break;
      }
    }
    return value;
  }

  double product(int depth) {
    double value = atom(depth);
    while (!failed_) {
      if (take("×") || take("*")) {
        value *= atom(depth);
      } else if (take("÷") || take("/")) {
        value /= atom(depth);
      } else {
        break;
      }
    }
    return value;
  }

  double atom(int depth) {
    if (take("(")) {
      if (depth >= kMaximumDepth) return fail();
      const double value = sum(depth + 1);
      return take(")") ? value : fail();
    }
    if (text_.empty() || text_.front() < '0' || text_.front() > '9') return fail();
    double value = 0;
    const auto [end, error] =
        std::from_chars(text_.data(), text_.data() + text_.size(), value, std::chars_format::fixed);
    if (error != std::errc()) return fail();
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return value;
  }

  double fail() {
    failed_ = true;
    return 0;
  }

  std::string_view text_;
  bool failed_ = false;
};

bool is_equal(double a, double b) {
  return std::abs(a - b) <= kTolerance * std::max({1.0, std::abs(a), std::abs(b)});
}

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
    const std::optional<double> value = Calculator(text.substr(0, end)).run();
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

std::optional<std::string> boxed_answer(std::string_view text) {
  constexpr std::string_view kBoxed = "\\boxed{";
  const size_t start = text.rfind(kBoxed);
  if (start == std::string_view::npos) return std::nullopt;
  int depth = 1;
  std::string answer;
  for (const char c : text.substr(start + kBoxed.size())) {
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (depth == 0) return answer;
    if (c != ' ' && c != '\n') answer += c;
  }
  return std::nullopt;
}

bool same_answer(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const std::optional<double> x = Calculator(a).run(), y = Calculator(b).run();
  const auto is_number = [](std::string_view text) {  // "45-3" is a calculation, not an answer
    if (text.starts_with('-')) text.remove_prefix(1);
    return text.find_first_not_of("0123456789.") == std::string_view::npos;
  };
  return x && y && is_number(a) && is_number(b) && is_equal(*x, *y);
}

}  // namespace r1::corpus
