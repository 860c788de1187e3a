#include "tasks/working.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace r1::tasks {
namespace {

/// Decimal digits, the last one first.
std::vector<int64_t> digits_of(int64_t value) {
  std::vector<int64_t> digits;
  do {
    digits.push_back(value % 10);
    value /= 10;
  } while (value > 0);
  return digits;
}

bool is_power_of_ten(int64_t value) {
  while (value >= 10 && value % 10 == 0) value /= 10;
  return value == 1;
}

/// Takes the zeros off the end; value > 0.
int64_t without_zeros(int64_t value) {
  while (value % 10 == 0) value /= 10;
  return value;
}

void append(std::string& steps, const std::string& step) {
  if (!steps.empty()) steps += ' ';
  steps += step;
}

std::string long_division_steps(int64_t a, int64_t b, int64_t& quotient, int64_t& rest) {
  std::string steps;
  quotient = rest = 0;
  bool started = false;
  const std::vector<int64_t> digits = digits_of(a);
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    const int64_t part = rest * 10 + *digit;
    const int64_t times = part / b;
    rest = part;
    if (times == 0 && !started) continue;  // one more digit is needed to begin
    started = true;
    rest = part - times * b;
    quotient = quotient * 10 + times;
    append(steps, fmt::format("{}×{}={}", b, times, times * b));
    append(steps, fmt::format("{}-{}={}", part, times * b, rest));
  }
  return steps;
}

}  // namespace

void Working::line(std::string_view text) {
  if (detail_ == Detail::none || text.empty()) return;
  if (!text_.empty()) text_ += '\n';
  text_ += text;
}

void Working::operation(const std::string& problem, const std::string& steps, int64_t result) {
  line(steps.empty() || detail_ == Detail::brief ? fmt::format("{}={}", problem, result)
                                                 : fmt::format("{}=[{}]={}", problem, steps, result));
}

int64_t Working::add(int64_t a, int64_t b) {
  std::string steps;
  const bool known = a == 0 || b == 0 || (std::min(a, b) < 10 && std::max(a, b) < 100);
  if (!known) {
    const std::vector<int64_t> x = digits_of(a), y = digits_of(b);
    int64_t carry = 0;
    for (size_t i = 0; i < std::max(x.size(), y.size()); ++i) {
      const int64_t p = i < x.size() ? x[i] : 0, q = i < y.size() ? y[i] : 0;
      const int64_t sum = p + q + carry;
      append(steps, carry != 0 ? fmt::format("{}+{}+1={}", p, q, sum) : fmt::format("{}+{}={}", p, q, sum));
      carry = sum / 10;
    }
  }
  operation(fmt::format("{}+{}", a, b), steps, a + b);
  return a + b;
}

int64_t Working::subtract(int64_t a, int64_t b) {
  if (a < b) {
    line(fmt::format("{}-{}=-({}-{})", a, b, b, a));
    subtract(b, a);
    operation(fmt::format("{}-{}", a, b), "", a - b);
    return a - b;
  }
  std::string steps;
  const bool known = b == 0 || a == b || (b < 10 && a < 100);
  if (!known) {
    const std::vector<int64_t> x = digits_of(a), y = digits_of(b);
    bool borrowed = false;
    for (size_t i = 0; i < x.size(); ++i) {
      const int64_t q = i < y.size() ? y[i] : 0;
      int64_t p = x[i], difference = p - q - (borrowed ? 1 : 0);
      const bool borrows = difference < 0;
      if (borrows) p += 10, difference += 10;
      append(steps, fmt::format("{}{}-{}={}", p, borrowed ? "-1" : "", q, difference));
      borrowed = borrows;
    }
  }
  operation(fmt::format("{}-{}", a, b), steps, a - b);
  return a - b;
}

int64_t Working::multiply(int64_t a, int64_t b) {
  const std::string problem = fmt::format("{}×{}", a, b);
  if (a <= 1 || b <= 1 || (a < 10 && b < 10) || is_power_of_ten(a) || is_power_of_ten(b)) {
    operation(problem, "", a * b);
    return a * b;
  }
  const int64_t x = without_zeros(a), y = without_zeros(b);
  if (x != a || y != b) {
    if (x < 10 && y < 10) {
      operation(problem, fmt::format("{}×{}={}", x, y, x * y), a * b);
    } else {
      line(fmt::format("{}={}×{}×{}", problem, x, y, a / x * (b / y)));
      multiply(x, y);
      operation(problem, "", a * b);
    }
    return a * b;
  }
  const int64_t large = std::max(a, b), small = std::min(a, b);
  if (small >= 10) {
    const int64_t ones = small % 10, tens = small - ones;
    line(fmt::format("{}={}×{}+{}×{}", problem, large, tens, large, ones));
    const int64_t p = multiply(large, tens), q = multiply(large, ones);
    add(p, q);
    operation(problem, "", a * b);
    return a * b;
  }
  std::string steps;
  int64_t carry = 0;
  for (const int64_t digit : digits_of(large)) {
    int64_t product = digit * small;
    append(steps, fmt::format("{}×{}={}", digit, small, product));
    if (carry != 0) append(steps, fmt::format("{}+{}={}", product, carry, product + carry));
    product += carry;
    carry = product / 10;
  }
  operation(problem, steps, a * b);
  return a * b;
}

int64_t Working::divide(int64_t a, int64_t b) {
  if (b <= 0 || a % b != 0) throw std::logic_error(fmt::format("working: {}÷{} is not exact", a, b));
  const std::string problem = fmt::format("{}÷{}", a, b);
  if (a == 0 || is_power_of_ten(b)) {
    operation(problem, "", a / b);
    return a / b;
  }
  if (b >= 10) {
    int64_t x = a, y = b;
    while (x % 10 == 0 && y % 10 == 0) x /= 10, y /= 10;
    if (y >= 10) throw std::logic_error(fmt::format("working: {}÷{} has a divisor of two digits", a, b));
    line(fmt::format("{}={}÷{}", problem, x, y));
    return divide(x, y);
  }
  std::string steps;
  if (a > 9 * b) {
    int64_t quotient = 0, rest = 0;
    steps = long_division_steps(a, b, quotient, rest);
  }
  operation(problem, steps, a / b);
  return a / b;
}

int64_t Working::remainder(int64_t a, int64_t b) {
  int64_t quotient = 0, rest = 0;
  const std::string steps = long_division_steps(a, b, quotient, rest);
  line(fmt::format("{}÷{}", a, b));
  if (detail_ == Detail::full) line(steps);
  line(fmt::format("{}={}×{}+{}", a, b, quotient, rest));
  return rest;
}

namespace {

bool is_ready(const Expression& node) {
  return node.operation != 0 && node.left->operation == 0 && node.right->operation == 0;
}

/// How urgent the operation is: inside brackets first, then × and ÷.
void find_next(const ExpressionPointer& node, int urgency, const Expression*& best, int& best_urgency) {
  if (node->operation == 0) return;
  const bool is_product = node->operation == '*' || node->operation == '/';
  if (is_ready(*node)) {
    const int node_urgency = urgency * 2 + (is_product ? 1 : 0);
    if (node_urgency > best_urgency) best = node.get(), best_urgency = node_urgency;
    return;
  }
  const auto is_bracketed = [&](const Expression& child, bool is_right) {
    const bool child_is_sum = child.operation == '+' || child.operation == '-';
    if (child.operation == 0) return false;
    if (is_product && child_is_sum) return true;
    return is_right &&
           ((node->operation == '-' && child_is_sum) || (node->operation == '/' && !child_is_sum) ||
            (child.operation == '-' && !is_product) || (child.operation == '/' && is_product));
  };
  find_next(node->left, urgency + (is_bracketed(*node->left, false) ? 1 : 0), best, best_urgency);
  find_next(node->right, urgency + (is_bracketed(*node->right, true) ? 1 : 0), best, best_urgency);
}

ExpressionPointer replace(const ExpressionPointer& node, const Expression* old, int64_t value) {
  if (node.get() == old) return make_number(value);
  if (node->operation == 0) return node;
  return make_operation(node->operation, replace(node->left, old, value), replace(node->right, old, value));
}

}  // namespace

int64_t Working::solve(const ExpressionPointer& expression) {
  ExpressionPointer rest = expression;
  while (rest->operation != 0) {
    if (count_operations(*rest) > 1) line(to_text(*rest));
    const Expression* next = nullptr;
    int urgency = -1;
    find_next(rest, 0, next, urgency);
    const int64_t a = next->left->value, b = next->right->value;
    const int64_t value = next->operation == '+'   ? add(a, b)
                          : next->operation == '-' ? subtract(a, b)
                          : next->operation == '*' ? multiply(a, b)
                                                   : divide(a, b);
    rest = replace(rest, next, value);
  }
  return rest->value;
}

}  // namespace r1::tasks
