// Whole-number expressions with + - × ÷ and brackets: what exercises are made of.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace r1::tasks {

/// How numbers and operations are written. Signs and words bring their spaces with them.
struct Notation {
  std::string plus = "+", minus = "-", times = "×", divided = "÷", open = "(", close = ")";
  std::function<std::string(int64_t)> number = [](int64_t value) { return std::to_string(value); };
};

/// A number (operation 0) or one of '+', '-', '*', '/' on two parts. Shared parts are never changed.
struct Expression {
  char operation = 0;
  int64_t value = 0;  // of a number
  std::shared_ptr<const Expression> left, right;
};
using ExpressionPointer = std::shared_ptr<const Expression>;

ExpressionPointer make_number(int64_t value);
ExpressionPointer make_operation(char operation, ExpressionPointer left, ExpressionPointer right);

/// Reads + - * / ( ), numbers, and the names of `variables` (one small letter each).
/// Throws std::logic_error: the texts are the program's own.
ExpressionPointer parse_expression(std::string_view text, const std::map<char, int64_t>& variables = {});

int count_operations(const Expression& expression);

/// False where a division leaves a rest or divides by 0, or a step lies outside [0, limit].
bool is_plain(const Expression& expression, int64_t limit);

/// Needs exact divisions.
int64_t evaluate(const Expression& expression);

/// With as few brackets as the rules of precedence allow.
std::string to_text(const Expression& expression, const Notation& notation = {});

/// The form that is the same for every way to write the problem: terms of sums and factors of products
/// sorted, in ASCII ("15*1200/100", "12+3*5-4").
std::string canonical_form(const Expression& expression);

}  // namespace r1::tasks
