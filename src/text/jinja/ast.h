// The parsed template. Depth is bounded by the parser, so that walking and freeing a tree cannot overflow the
// stack.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace r1::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

enum class ExpressionType {
  constant,     // value
  name,         // name
  list,         // items
  tuple,        // items
  dict,         // items: key, value, key, value, …
  attribute,    // operand.name
  subscript,    // operand[items[0]]
  slice,        // operand of a subscript: items are start, stop, step; each may be null
  call,         // operand(items, keyword, …)
  filter,       // operand|name(items, …); operand is null in filter blocks
  test,         // operand is name(items, …)
  conditional,  // items: test, then, else (may be null)
  logical_and,  // items: left, right
  logical_or,
  logical_not,    // operand
  negate,         // operand
  plus,           // operand
  binary,         // items: left, right; name is the operator
  concat,         // items
  compare,        // operand and items; operators in names
  namespace_ref,  // assignment target name.names[0]
};

struct Expression {
  ExpressionType type = ExpressionType::constant;
  int line = 0;
  int depth = 1;
  Value value;
  std::string name;
  std::vector<std::string> names;
  ExpressionPtr operand;
  std::vector<ExpressionPtr> items;
  std::vector<std::pair<std::string, ExpressionPtr>> keyword;
  ExpressionPtr star_arguments;  // *x
  ExpressionPtr star_keywords;   // **x
};

struct Statement;
using StatementPtr = std::unique_ptr<Statement>;
using Body = std::vector<StatementPtr>;

enum class StatementType {
  data,        // text
  output,      // expression
  for_loop,    // target, expression (iterable), test, body, otherwise, recursive
  if_chain,    // branches; a branch without test is the else
  set,         // target, expression
  set_block,   // target, expression (filters or null), body
  with,        // assignments, body
  macro,       // name, parameters, body
  call_block,  // expression (a call), parameters, body
  filter,      // expression (filters without operand), body
  scope,       // body in its own scope (block, autoescape false)
  break_loop,
  continue_loop,
};

struct Branch {
  ExpressionPtr test;
  Body body;
};

struct Parameter {
  std::string name;
  ExpressionPtr fallback;
};

struct Statement {
  StatementType type = StatementType::data;
  int line = 0;
  std::string text;  // data; name of a macro
  ExpressionPtr target;
  ExpressionPtr expression;
  ExpressionPtr test;
  Body body;
  Body otherwise;
  std::vector<Branch> branches;
  std::vector<Parameter> parameters;
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> assignments;
  bool recursive = false;
  bool hides_context =
      false;  // set_block: the first mention of its name, whose body sees no variable of the context
  // Macros take these only when their body names them.
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;
};

}  // namespace r1::jinja
