// A mathematical answer as a tree. Trees are shared and never change.
#pragma once

#include <gmpxx.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace r1::grade::math {

enum class Kind {
  number,  // value
  based,   // a numeral in another base: name = its digits, children: the base
  symbol,  // name: "x", "\alpha", "a_n"; "\pi", "e" and "i" have their usual values
  infinity,
  text,         // name: words
  add,          // the sum of the children
  multiply,     // the product of the children
  divide,       // children: numerator, denominator
  negate,       // one child
  power,        // children: base, exponent
  function,     // name: "sqrt", "log", "abs", …; children: arguments
  factorial,    // one child
  percent,      // one child
  degrees,      // one child
  unit,         // name: the unit as written; one child
  plus_minus,   // children: a, b (a ± b) or b alone; name: "+" for ±, "-" for ∓
  list,         // items written side by side, without brackets
  tuple,        // children; name: its two brackets, e.g. "(]"
  set,          // children: the elements
  set_builder,  // children: element, condition
  unite,        // unions of the children
  intersect,    // children
  subtract,     // children: a set without another
  relation,     // children: n + 1 sides; operators: n, e.g. "=", "<", "\in"
  matrix,       // children, row by row; columns
};

struct Expression;
using Node = std::shared_ptr<const Expression>;

struct Expression {
  Kind kind;
  std::vector<Node> children{};
  mpq_class value{};
  bool decimal = false;  // number: written with a decimal point
  int significant = 0;   // number: significant digits as written
  std::string name{};
  std::vector<std::string> operators{};
  int64_t columns = 0;
};

inline Node make(Kind kind, std::vector<Node> children, std::string name = {}) {
  return std::make_shared<const Expression>(
      Expression{.kind = kind, .children = std::move(children), .name = std::move(name)});
}

inline Node make_number(const mpq_class& value) {
  return std::make_shared<const Expression>(Expression{.kind = Kind::number, .value = value});
}

/// Thrown inside of the grader when its budget of steps, depth or size is used up.
struct BudgetExceeded {};

/// Steps that grading one answer may take; one step is some tens of nanoseconds.
class Budget {
 public:
  explicit Budget(int64_t steps) : steps_(steps) {}
  void spend(int64_t steps = 1) {
    if ((steps_ -= steps) < 0) throw BudgetExceeded();
  }

 private:
  int64_t steps_;
};

}  // namespace r1::grade::math
