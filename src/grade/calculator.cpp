#include "grade/calculator.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace r1::grade {
namespace {

constexpr double kTolerance = 1e-9;
constexpr int kMaximumDepth = 32;

/// Sums, products, powers, brackets and decimals. Nothing for texts that are none of these.
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
    double value = power(depth);
    while (!failed_) {
      if (take("×") || take("*")) {
        value *= power(depth);
      } else if (take("÷") || take("/")) {
        value /= power(depth);
      } else {
        break;
      }
    }
    return value;
  }

  /// One exponent: "2^3^2" is nothing that exercises have.
  double power(int depth) {
    const double base = atom(depth);
    return take("^") ? std::pow(base, atom(depth)) : base;
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

}  // namespace

std::optional<double> calculate(std::string_view text) {
  return Calculator(text).run();
}

bool is_equal(double a, double b) {
  return std::abs(a - b) <= kTolerance * std::max({1.0, std::abs(a), std::abs(b)});
}

}  // namespace r1::grade
