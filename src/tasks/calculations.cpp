// Bare calculations: one operation, or several with brackets and precedence.
#include <fmt/format.h>

#include <stdexcept>

#include "tasks/notation.h"
#include "tasks/operation_phrases.h"
#include "tasks/problem.h"
#include "tasks/wording.h"

namespace r1::tasks {
namespace {

/// A number of up to `digits` digits, each length equally likely.
int64_t draw_number(Draw& draw, int least_digits, int digits) {
  const int64_t length = draw.between(least_digits, digits);
  int64_t low = 1;
  for (int64_t i = 1; i < length; ++i) low *= 10;
  return draw.between(low, low * 10 - 1);
}

ExpressionPointer binary(char operation, int64_t a, int64_t b) {
  return make_operation(operation, make_number(a), make_number(b));
}

/// Two numbers of two digits, what people ask for most.
ExpressionPointer draw_pair(Draw& draw, char operation) {
  return binary(operation, draw.between(10, 99), draw.between(10, 99));
}

ExpressionPointer draw_addition(Draw& draw, int level) {
  switch (level) {
    case 1: {
      if (draw.chance(0.8)) return draw_pair(draw, '+');
      const int64_t a = draw_number(draw, 1, 2), b = draw.between(0, 9);
      return draw.chance(0.5) ? binary('+', a, b) : binary('+', b, a);
    }
    case 2:
      if (draw.chance(0.75)) return draw_pair(draw, '+');
      return binary('+', draw_number(draw, 1, 3), draw_number(draw, 2, 3));
    case 3:
      return binary('+', draw_number(draw, 2, 4), draw_number(draw, 3, 4));
    default:
      if (draw.chance(0.5))
        return make_operation('+', draw_pair(draw, '+'), make_number(draw.between(1, 99)));
      return make_operation('+', binary('+', draw_number(draw, 2, 4), draw_number(draw, 2, 4)),
                            make_number(draw_number(draw, 2, 3)));
  }
}

ExpressionPointer draw_subtraction(Draw& draw, int level) {
  const auto ordered = [](int64_t a, int64_t b) { return binary('-', std::max(a, b), std::min(a, b)); };
  switch (level) {
    case 1:
      if (draw.chance(0.8)) return ordered(draw.between(10, 99), draw.between(10, 99));
      return ordered(draw_number(draw, 1, 2), draw.between(0, 9));
    case 2:
      if (draw.chance(0.75)) return draw_pair(draw, '-');  // as often below 0
      return ordered(draw_number(draw, 2, 3), draw_number(draw, 2, 3));
    case 3:
      return ordered(draw_number(draw, 3, 4), draw_number(draw, 2, 4));
    default:
      if (draw.chance(0.5)) {
        const int64_t a = draw_number(draw, 1, 3), b = draw_number(draw, 1, 3);
        return binary('-', std::min(a, b), std::max(a, b));  // mostly below 0
      }
      for (;;) {
        auto result = make_operation('-', binary('-', draw_number(draw, 2, 4), draw_number(draw, 2, 3)),
                                     make_number(draw_number(draw, 1, 3)));
        if (is_plain(*result, 9999)) return result;
      }
  }
}

ExpressionPointer draw_multiplication(Draw& draw, int level) {
  const auto either_way = [&](int64_t a, int64_t b) {
    return draw.chance(0.5) ? binary('*', a, b) : binary('*', b, a);
  };
  switch (level) {
    case 1:
      return either_way(draw.between(0, 10), draw.between(1, 9));
    case 2:
      return either_way(draw.between(11, 99), draw.between(2, 9));
    case 3:
      if (draw.chance(0.25)) return either_way(draw.between(2, 99) * 10, draw.between(2, 9) * 10);
      return either_way(draw.between(101, 999), draw.between(2, 9));
    default:
      return either_way(draw.between(11, 99), draw.between(11, 99));
  }
}

ExpressionPointer draw_division(Draw& draw, int level) {
  const int64_t divisor = draw.between(2, 9);
  switch (level) {
    case 1:
      return binary('/', divisor * draw.between(1, 9), divisor);
    case 2:
      return binary('/', divisor * draw.between(11, 99), divisor);
    default:
      if (draw.chance(0.25)) return binary('/', divisor * draw.between(2, 9) * 10, divisor * 10);
      return binary('/', divisor * draw.between(101, 999), divisor);
  }
}

Problem remainder_problem(Task& task) {
  const int64_t b = task.draw.between(2, 9);
  const int64_t a = task.draw.between(b + 1, task.draw.chance(0.5) ? 99 : 999);
  Problem problem{"division", task.level, fmt::format("{}%{}", a, b), {}, {}, {}, {}, task.language};
  static constexpr const char* english[] = {"the remainder when {a} is divided by {b}",
                                            "left over when {a} is divided by {b}",
                                            "the remainder of {a} divided by {b}", "{a} mod {b}"};
  static constexpr const char* chinese[] = {"{a}除以{b}的余数", "{a}除以{b}余几", "{a}除以{b}后的余数"};
  const NumberWriter write = draw_numbers(task);
  const std::string_view pattern = task.is_chinese() ? task.draw.pick(chinese) : task.draw.pick(english);
  std::string phrase = fill(pattern, {{"a", write(a)}, {"b", write(b)}});
  if (pattern.starts_with("left")) phrase = "what is " + phrase;
  const bool is_question = pattern.starts_with("left") || pattern.ends_with("余几");
  problem.question = ask(task, phrase, is_question ? Phrase::question : Phrase::noun);
  Working working(task.detail);
  problem.answer = boxed(task.language, std::to_string(working.remainder(a, b)));
  problem.think = working.text();
  return problem;
}

/// A random tree of `operations`, its numbers fit for the place where they stand.
ExpressionPointer draw_tree(Draw& draw, int operations, int level, bool is_factor) {
  if (operations == 0) {
    if (is_factor) return make_number(draw.between(2, level >= 3 && draw.chance(0.3) ? 99 : 12));
    return make_number(level == 1 ? draw.between(1, 20) : draw_number(draw, 1, level >= 4 ? 3 : 2));
  }
  const int64_t choice = draw.between(0, 9);
  const char operation = choice < 4 ? '+' : choice < 7 ? '-' : choice < 9 ? '*' : '/';
  const auto left = static_cast<int>(draw.between(0, operations - 1));
  const bool factor = operation == '*' || operation == '/';
  return make_operation(operation, draw_tree(draw, left, level, factor),
                        draw_tree(draw, operations - 1 - left, level, factor));
}

/// Whether Working can do it: products with a short factor, divisors of one digit.
bool is_workable(const Expression& node, int level) {
  if (node.operation == 0) return true;
  if (!is_workable(*node.left, level) || !is_workable(*node.right, level)) return false;
  const int64_t a = evaluate(*node.left), b = evaluate(*node.right);
  if (node.operation == '*') return std::min(a, b) <= 10 && std::max(a, b) <= (level >= 3 ? 999 : 99);
  if (node.operation == '/') return b >= 2 && b <= 9 && a > 0;
  return true;
}

ExpressionPointer draw_arithmetic(Draw& draw, int level) {
  const int operations = level <= 2 ? 2 : level;
  Notation plain;
  plain.times = "*", plain.divided = "/";
  for (;;) {
    // As it is read, not as it was drawn: 1+(2+3) is written 1+2+3 and worked from the left.
    const ExpressionPointer drawn = draw_tree(draw, operations, level, false);
    ExpressionPointer tree = parse_expression(to_text(*drawn, plain));
    if (is_plain(*tree, level == 1 ? 99 : 9999) && is_workable(*tree, level)) return tree;
  }
}

/// Sums and differences alone can be said without brackets and rules of precedence.
bool is_chain(const Expression& node) {
  if (node.operation == 0) return true;
  return (node.operation == '+' || node.operation == '-') && is_chain(*node.left) &&
         node.right->operation == 0;
}

std::string draw_question(Task& task, const Expression& expression) {
  const bool is_single = count_operations(expression) == 1;
  const int64_t at = task.draw.between(0, 99);
  if (is_single && at < 28) {
    const OperationPhrase phrase = draw_operation_phrase(task, expression.operation, expression.left->value,
                                                         expression.right->value, draw_numbers(task));
    return ask(task, phrase.text, phrase.form);
  }
  if (at < 55 && (is_single || is_chain(expression))) {
    return ask(task, to_text(expression, draw_words(task)), Phrase::spoken);
  }
  return ask(task, to_text(expression, draw_signs(task)), Phrase::signs);
}

}  // namespace

Problem make_calculation(Task& task, std::string_view kind) {
  if (kind == "division" && task.level == 4) return remainder_problem(task);
  const ExpressionPointer expression = kind == "addition"         ? draw_addition(task.draw, task.level)
                                       : kind == "subtraction"    ? draw_subtraction(task.draw, task.level)
                                       : kind == "multiplication" ? draw_multiplication(task.draw, task.level)
                                       : kind == "division"       ? draw_division(task.draw, task.level)
                                                                  : draw_arithmetic(task.draw, task.level);
  return expression_problem(task, kind, draw_question(task, *expression), expression);
}

}  // namespace r1::tasks
