#include "tasks/expression.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace r1::tasks {
namespace {

int precedence(const Expression& expression) {
  switch (expression.operation) {
    case 0:
      return 3;
    case '*':
    case '/':
      return 2;
    default:
      return 1;
  }
}

class Parser {
 public:
  Parser(std::string_view text, const std::map<char, int64_t>& variables)
      : text_(text), variables_(variables) {}

  ExpressionPointer parse() {
    ExpressionPointer result = sum();
    if (at_ != text_.size()) fail();
    return result;
  }

 private:
  [[noreturn]] void fail() const { throw std::logic_error("expression: " + std::string(text_)); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  ExpressionPointer sum() {
    ExpressionPointer left = product();
    while (peek() == '+' || peek() == '-') {
      const char operation = text_[at_++];
      left = make_operation(operation, left, product());
    }
    return left;
  }

  ExpressionPointer product() {
    ExpressionPointer left = atom();
    while (peek() == '*' || peek() == '/') {
      const char operation = text_[at_++];
      left = make_operation(operation, left, atom());
    }
    return left;
  }

  ExpressionPointer atom() {
    if (peek() == '(') {
      ++at_;
      ExpressionPointer inner = sum();
      if (peek() != ')') fail();
      ++at_;
      return inner;
    }
    if (peek() >= 'a' && peek() <= 'z') {
      const auto found = variables_.find(text_[at_++]);
      if (found == variables_.end()) fail();
      return make_number(found->second);
    }
    if (peek() < '0' || peek() > '9') fail();
    int64_t value = 0;
    while (peek() >= '0' && peek() <= '9') value = value * 10 + (text_[at_++] - '0');
    return make_number(value);
  }

  std::string_view text_;
  const std::map<char, int64_t>& variables_;
  size_t at_ = 0;
};

/// The terms of a sum and the factors of a product, with those that are taken away or divided by apart.
struct Parts {
  std::vector<std::string> plain, inverse;

  std::string join(char operation, char inverse_operation) {
    const auto order = [](const std::string& a, const std::string& b) {
      return a.size() != b.size() ? a.size() < b.size() : a < b;
    };
    std::sort(plain.begin(), plain.end(), order);
    std::sort(inverse.begin(), inverse.end(), order);
    std::string text;
    for (const std::string& part : plain) text += (text.empty() ? "" : std::string(1, operation)) + part;
    for (const std::string& part : inverse) text += inverse_operation + part;
    return text;
  }
};

void collect(const Expression& expression, char operation, char inverse_operation, bool inverted,
             Parts& parts) {
  if (expression.operation == operation || expression.operation == inverse_operation) {
    collect(*expression.left, operation, inverse_operation, inverted, parts);
    collect(*expression.right, operation, inverse_operation,
            inverted != (expression.operation == inverse_operation), parts);
    return;
  }
  std::string text = canonical_form(expression);
  if (operation == '*' && precedence(expression) == 1) text = "(" + text + ")";
  (inverted ? parts.inverse : parts.plain).push_back(std::move(text));
}

}  // namespace

ExpressionPointer make_number(int64_t value) {
  return std::make_shared<Expression>(Expression{0, value, nullptr, nullptr});
}

ExpressionPointer make_operation(char operation, ExpressionPointer left, ExpressionPointer right) {
  return std::make_shared<Expression>(Expression{operation, 0, std::move(left), std::move(right)});
}

ExpressionPointer parse_expression(std::string_view text, const std::map<char, int64_t>& variables) {
  return Parser(text, variables).parse();
}

int count_operations(const Expression& expression) {
  return expression.operation == 0
             ? 0
             : 1 + count_operations(*expression.left) + count_operations(*expression.right);
}

int64_t evaluate(const Expression& expression) {
  if (expression.operation == 0) return expression.value;
  const int64_t left = evaluate(*expression.left), right = evaluate(*expression.right);
  switch (expression.operation) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    default:
      if (right == 0 || left % right != 0) throw std::logic_error("inexact: " + to_text(expression));
      return left / right;
  }
}

bool is_plain(const Expression& expression, int64_t limit) {
  if (expression.operation == 0) return expression.value >= 0 && expression.value <= limit;
  if (!is_plain(*expression.left, limit) || !is_plain(*expression.right, limit)) return false;
  if (expression.operation == '/') {
    const int64_t divisor = evaluate(*expression.right);
    if (divisor == 0 || evaluate(*expression.left) % divisor != 0) return false;
  }
  const int64_t value = evaluate(expression);
  return value >= 0 && value <= limit;
}

std::string to_text(const Expression& expression, const Notation& notation) {
  if (expression.operation == 0) return notation.number(expression.value);
  const auto part = [&](const Expression& child, bool is_right) {
    const bool weaker = precedence(child) < precedence(expression);
    const bool regroups = is_right && precedence(child) == precedence(expression) &&
                          (expression.operation == '-' || expression.operation == '/' ||
                           child.operation == '-' || child.operation == '/');
    std::string text = to_text(child, notation);
    return weaker || regroups ? notation.open + text + notation.close : text;
  };
  const std::string& sign = expression.operation == '+'   ? notation.plus
                            : expression.operation == '-' ? notation.minus
                            : expression.operation == '*' ? notation.times
                                                          : notation.divided;
  return part(*expression.left, false) + sign + part(*expression.right, true);
}

std::string canonical_form(const Expression& expression) {
  if (expression.operation == 0) return std::to_string(expression.value);
  const bool is_sum = precedence(expression) == 1;
  Parts parts;
  collect(expression, is_sum ? '+' : '*', is_sum ? '-' : '/', false, parts);
  return is_sum ? parts.join('+', '-') : parts.join('*', '/');
}

}  // namespace r1::tasks
