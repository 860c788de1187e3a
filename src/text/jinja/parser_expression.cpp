#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/parser.h"

namespace r1::jinja {

namespace {

// Deeper expressions come from hostile templates only: a chain of 200 operators, say.
constexpr int kMaxDepth = 250;

std::string describe(const Token& token) {
  switch (token.type) {
    case TokenType::data:
      return "template data / text";
    case TokenType::variable_begin:
      return "begin of print statement";
    case TokenType::variable_end:
      return "end of print statement";
    case TokenType::block_begin:
      return "begin of statement block";
    case TokenType::block_end:
      return "end of statement block";
    case TokenType::end:
      return "end of template";
    case TokenType::name:
    case TokenType::op:
      return token.text;
    case TokenType::string:
      return "string";
    case TokenType::integer:
      return "integer";
    case TokenType::floating:
      return "float";
  }
  return {};
}

std::string describe(TokenType type) {
  Token token;
  token.type = type;
  return type == TokenType::name ? "name" : describe(token);
}

}  // namespace

bool Parser::skip_op(std::string_view symbol) {
  if (!current().is_op(symbol)) return false;
  next();
  return true;
}

bool Parser::skip_name(std::string_view word) {
  if (!current().is_name(word)) return false;
  next();
  return true;
}

void Parser::expect_op(std::string_view symbol) {
  if (skip_op(symbol)) return;
  if (current().type == TokenType::end)
    fail("unexpected end of template, expected '" + std::string(symbol) + "'.");
  fail("expected token '" + std::string(symbol) + "', got '" + describe(current()) + "'");
}

void Parser::expect_name(std::string_view word) {
  if (skip_name(word)) return;
  if (current().type == TokenType::end)
    fail("unexpected end of template, expected '" + std::string(word) + "'.");
  fail("expected token '" + std::string(word) + "', got '" + describe(current()) + "'");
}

Token Parser::expect(TokenType type) {
  if (current().type == type) return next();
  if (current().type == TokenType::end)
    fail("unexpected end of template, expected '" + describe(type) + "'.");
  fail("expected token '" + describe(type) + "', got '" + describe(current()) + "'");
}

bool Parser::at_tuple_end(std::string_view end_word) const {
  const Token& token = current();
  return token.type == TokenType::variable_end || token.type == TokenType::block_end || token.is_op(")") ||
         (!end_word.empty() && token.is_name(end_word));
}

ExpressionPtr Parser::make(ExpressionType type, int line) const {
  auto node = std::make_unique<Expression>();
  node->type = type;
  node->line = line;
  return node;
}

ExpressionPtr Parser::finish(ExpressionPtr node) const {
  int depth = 0;
  const auto add = [&](const ExpressionPtr& child) {
    if (child) depth = std::max(depth, child->depth);
  };
  add(node->operand);
  for (const ExpressionPtr& item : node->items) add(item);
  for (const auto& [name, value] : node->keyword) add(value);
  add(node->star_arguments);
  add(node->star_keywords);
  node->depth = depth + 1;
  if (node->depth > kMaxDepth)
    throw JinjaError(ErrorKind::invalid_argument, "RecursionError",
                     fmt::format("an expression of more than {} levels", kMaxDepth), node->line);
  return node;
}

ExpressionPtr Parser::parse_expression(bool with_condition) {
  const Nesting nesting(*this);
  return with_condition ? parse_condition() : parse_or();
}

ExpressionPtr Parser::parse_condition() {
  const Nesting nesting(*this);
  const std::size_t first_assertion = assertions_.size();
  ExpressionPtr node = parse_or();
  while (current().is_name("if")) {
    const int line = next().line;
    ExpressionPtr condition = make(ExpressionType::conditional, line);
    ExpressionPtr test = parse_or();
    ExpressionPtr otherwise = skip_name("else") ? parse_condition() : nullptr;
    condition->items.push_back(std::move(test));
    condition->items.push_back(std::move(node));
    condition->items.push_back(std::move(otherwise));
    node = finish(std::move(condition));
    assertions_.resize(std::min(assertions_.size(), first_assertion));  // unknown filters fail when they run
  }
  return node;
}

ExpressionPtr Parser::parse_or() {
  ExpressionPtr left = parse_and();
  while (current().is_name("or")) {
    ExpressionPtr node = make(ExpressionType::logical_or, next().line);
    node->items.push_back(std::move(left));
    node->items.push_back(parse_and());
    left = finish(std::move(node));
  }
  return left;
}

ExpressionPtr Parser::parse_and() {
  ExpressionPtr left = parse_not();
  while (current().is_name("and")) {
    ExpressionPtr node = make(ExpressionType::logical_and, next().line);
    node->items.push_back(std::move(left));
    node->items.push_back(parse_not());
    left = finish(std::move(node));
  }
  return left;
}

ExpressionPtr Parser::parse_not() {
  if (!current().is_name("not")) return parse_compare();
  const Nesting nesting(*this);
  ExpressionPtr node = make(ExpressionType::logical_not, next().line);
  node->operand = parse_not();
  return finish(std::move(node));
}

ExpressionPtr Parser::parse_compare() {
  ExpressionPtr first = parse_sum();
  ExpressionPtr node;
  static constexpr std::string_view kOperators[] = {"==", "!=", "<", "<=", ">", ">="};
  while (true) {
    std::string symbol;
    if (current().type == TokenType::op &&
        std::find(std::begin(kOperators), std::end(kOperators), current().text) != std::end(kOperators)) {
      symbol = next().text;
    } else if (skip_name("in")) {
      symbol = "in";
    } else if (current().is_name("not") && look().is_name("in")) {
      next();
      next();
      symbol = "not in";
    } else {
      break;
    }
    if (!node) {
      node = make(ExpressionType::compare, current().line);
      node->operand = std::move(first);
    }
    node->names.push_back(std::move(symbol));
    node->items.push_back(parse_sum());
  }
  return node ? finish(std::move(node)) : std::move(first);
}

ExpressionPtr Parser::parse_sum() {
  ExpressionPtr left = parse_concat();
  while (current().is_op("+") || current().is_op("-")) {
    ExpressionPtr node = make(ExpressionType::binary, current().line);
    node->name = next().text;
    node->items.push_back(std::move(left));
    node->items.push_back(parse_concat());
    left = finish(std::move(node));
  }
  return left;
}

ExpressionPtr Parser::parse_concat() {
  ExpressionPtr first = parse_product();
  if (!current().is_op("~")) return first;
  ExpressionPtr node = make(ExpressionType::concat, current().line);
  node->items.push_back(std::move(first));
  while (skip_op("~")) node->items.push_back(parse_product());
  return finish(std::move(node));
}

ExpressionPtr Parser::parse_product() {
  ExpressionPtr left = parse_power();
  while (current().is_op("*") || current().is_op("/") || current().is_op("//") || current().is_op("%")) {
    ExpressionPtr node = make(ExpressionType::binary, current().line);
    node->name = next().text;
    node->items.push_back(std::move(left));
    node->items.push_back(parse_power());
    left = finish(std::move(node));
  }
  return left;
}

ExpressionPtr Parser::parse_power() {
  ExpressionPtr left = parse_unary();
  while (current().is_op("**")) {
    ExpressionPtr node = make(ExpressionType::binary, next().line);
    node->name = "**";
    node->items.push_back(std::move(left));
    node->items.push_back(parse_unary());
    left = finish(std::move(node));
  }
  return left;
}

ExpressionPtr Parser::parse_unary(bool with_filter) {
  const Nesting nesting(*this);
  ExpressionPtr node;
  if (current().is_op("-") || current().is_op("+")) {
    node = make(current().is_op("-") ? ExpressionType::negate : ExpressionType::plus, current().line);
    next();
    node->operand = parse_unary(false);
    node = finish(std::move(node));
  } else {
    node = parse_primary();
  }
  node = parse_postfix(std::move(node));
  return with_filter ? parse_filters_and_tests(std::move(node)) : std::move(node);
}

ExpressionPtr Parser::parse_primary(bool with_namespace) {
  const Token token = current();
  ExpressionPtr node = make(ExpressionType::constant, token.line);
  if (token.type == TokenType::name) {
    next();
    if (token.text == "true" || token.text == "True" || token.text == "false" || token.text == "False") {
      node->value = Value::boolean(token.text == "true" || token.text == "True");
    } else if (token.text == "none" || token.text == "None") {
      node->value = Value::none();
    } else if (with_namespace && current().is_op(".")) {
      next();
      node->type = ExpressionType::namespace_ref;
      node->name = token.text;
      node->names.push_back(expect(TokenType::name).text);
    } else {
      node->type = ExpressionType::name;
      node->name = token.text;
      names_.insert(token.text);
      for (Statement* macro : macros_) {
        macro->uses_caller |= token.text == "caller";
        macro->uses_kwargs |= token.text == "kwargs";
        macro->uses_varargs |= token.text == "varargs";
      }
    }
    return node;
  }
  if (token.type == TokenType::string) {
    std::string text;
    while (current().type == TokenType::string) text += next().text;
    node->value = Value::string(std::move(text));
    return node;
  }
  if (token.type == TokenType::integer) {
    next();
    node->value = Value::integer(token.integer);
    return node;
  }
  if (token.type == TokenType::floating) {
    next();
    node->value = Value::floating(token.floating);
    return node;
  }
  if (skip_op("(")) {
    node = parse_tuple(true, {}, true);
    expect_op(")");
    return node;
  }
  if (token.is_op("[")) return parse_list();
  if (token.is_op("{")) return parse_dict();
  fail("unexpected '" + describe(token) + "'", token.line);
}

ExpressionPtr Parser::parse_tuple(bool with_condition, std::string_view end_word, bool in_parentheses) {
  const int line = current().line;
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) expect_op(",");
    if (at_tuple_end(end_word)) break;
    items.push_back(parse_expression(with_condition));
    if (!current().is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return std::move(items[0]);
    if (!in_parentheses) fail("Expected an expression, got '" + describe(current()) + "'");
  }
  ExpressionPtr node = make(ExpressionType::tuple, line);
  node->items = std::move(items);
  return finish(std::move(node));
}

ExpressionPtr Parser::parse_list() {
  ExpressionPtr node = make(ExpressionType::list, next().line);
  while (!current().is_op("]")) {
    if (!node->items.empty()) expect_op(",");
    if (current().is_op("]")) break;
    node->items.push_back(parse_expression());
  }
  expect_op("]");
  return finish(std::move(node));
}

ExpressionPtr Parser::parse_dict() {
  ExpressionPtr node = make(ExpressionType::dict, next().line);
  while (!current().is_op("}")) {
    if (!node->items.empty()) expect_op(",");
    if (current().is_op("}")) break;
    node->items.push_back(parse_expression());
    expect_op(":");
    node->items.push_back(parse_expression());
  }
  expect_op("}");
  return finish(std::move(node));
}

ExpressionPtr Parser::parse_postfix(ExpressionPtr node) {
  while (true) {
    if (current().is_op(".") || current().is_op("[")) {
      node = parse_subscript(std::move(node));
    } else if (current().is_op("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr Parser::parse_filters_and_tests(ExpressionPtr node) {
  while (true) {
    if (current().is_op("|")) {
      node = parse_filter(std::move(node));
    } else if (current().is_name("is")) {
      node = parse_test(std::move(node));
    } else if (current().is_op("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr Parser::parse_subscript(ExpressionPtr operand) {
  const Token token = next();
  ExpressionPtr node = make(ExpressionType::subscript, token.line);
  node->operand = std::move(operand);
  if (token.is_op(".")) {
    const Token attribute = next();
    if (attribute.type == TokenType::name) {
      node->type = ExpressionType::attribute;
      node->name = attribute.text;
    } else if (attribute.type == TokenType::integer) {
      ExpressionPtr index = make(ExpressionType::constant, attribute.line);
      index->value = Value::integer(attribute.integer);
      node->items.push_back(std::move(index));
    } else {
      fail("expected name or number", attribute.line);
    }
    return finish(std::move(node));
  }
  std::vector<ExpressionPtr> items;
  while (!current().is_op("]")) {
    if (!items.empty()) expect_op(",");
    items.push_back(parse_subscript_item());
  }
  expect_op("]");
  if (items.size() == 1) {
    node->items.push_back(std::move(items[0]));
  } else {
    for (const ExpressionPtr& item : items)
      if (item->type == ExpressionType::slice)
        throw JinjaError(ErrorKind::unsupported, "TemplateSyntaxError",
                         "slices of several dimensions are not supported", token.line);
    ExpressionPtr tuple = make(ExpressionType::tuple, token.line);
    tuple->items = std::move(items);
    node->items.push_back(finish(std::move(tuple)));
  }
  return finish(std::move(node));
}

ExpressionPtr Parser::parse_subscript_item() {
  const int line = current().line;
  ExpressionPtr start;
  if (!current().is_op(":")) {
    start = parse_expression();
    if (!current().is_op(":")) return start;
  }
  next();
  ExpressionPtr node = make(ExpressionType::slice, line);
  node->items.push_back(std::move(start));
  const auto at_end = [&] { return current().is_op("]") || current().is_op(","); };
  node->items.push_back(current().is_op(":") || at_end() ? nullptr : parse_expression());
  node->items.push_back(skip_op(":") && !at_end() ? parse_expression() : nullptr);
  return finish(std::move(node));
}

ExpressionPtr Parser::parse_call(ExpressionPtr operand) {
  ExpressionPtr node = make(ExpressionType::call, current().line);
  node->operand = std::move(operand);
  parse_call_arguments(*node);
  return finish(std::move(node));
}

void Parser::parse_call_arguments(Expression& call) {
  const int line = current().line;
  expect_op("(");
  const auto ensure = [&](bool valid) {
    if (!valid) fail("invalid syntax for function call expression", line);
  };
  for (bool first = true; !current().is_op(")"); first = false) {
    if (!first) {
      expect_op(",");
      if (current().is_op(")")) break;
    }
    if (skip_op("*")) {
      ensure(!call.star_arguments && !call.star_keywords);
      call.star_arguments = parse_expression();
    } else if (skip_op("**")) {
      ensure(!call.star_keywords);
      call.star_keywords = parse_expression();
    } else if (current().type == TokenType::name && look().is_op("=")) {
      ensure(!call.star_keywords);
      std::string name = next().text;
      next();
      for (const auto& [other, value] : call.keyword)
        if (other == name)
          throw JinjaError(ErrorKind::invalid_argument, "SyntaxError", "keyword argument repeated: " + name,
                           line);
      call.keyword.emplace_back(std::move(name), parse_expression());
    } else {
      ensure(!call.star_arguments && !call.star_keywords && call.keyword.empty());
      call.items.push_back(parse_expression());
    }
  }
  expect_op(")");
}

ExpressionPtr Parser::parse_filter(ExpressionPtr node, bool start_inline) {
  while (current().is_op("|") || start_inline) {
    if (!start_inline) next();
    start_inline = false;
    const Token token = expect(TokenType::name);
    ExpressionPtr filter = make(ExpressionType::filter, token.line);
    filter->name = token.text;
    while (skip_op(".")) filter->name += "." + expect(TokenType::name).text;
    filter->operand = std::move(node);
    if (current().is_op("(")) parse_call_arguments(*filter);
    if (!soft_ && !is_filter(filter->name))
      note_assertion("No filter named '" + filter->name + "'.", token.line);
    node = finish(std::move(filter));
  }
  return node;
}

ExpressionPtr Parser::parse_test(ExpressionPtr operand) {
  ExpressionPtr node = make(ExpressionType::test, next().line);
  const bool negated = skip_name("not");
  node->operand = std::move(operand);
  node->name = expect(TokenType::name).text;
  while (skip_op(".")) node->name += "." + expect(TokenType::name).text;
  const Token& token = current();
  const bool starts_argument = token.type == TokenType::name || token.type == TokenType::string ||
                               token.type == TokenType::integer || token.type == TokenType::floating ||
                               token.is_op("[") || token.is_op("{");
  if (token.is_op("(")) {
    parse_call_arguments(*node);
  } else if (starts_argument && !token.is_name("else") && !token.is_name("or") && !token.is_name("and")) {
    if (token.is_name("is")) fail("You cannot chain multiple tests with is");
    const Nesting nesting(*this);
    node->items.push_back(parse_postfix(parse_primary()));
  }
  if (!soft_ && !is_test(node->name)) note_assertion("No test named '" + node->name + "'.", node->line);
  const int line = node->line;
  node = finish(std::move(node));
  if (!negated) return node;
  ExpressionPtr inverse = make(ExpressionType::logical_not, line);
  inverse->operand = std::move(node);
  return finish(std::move(inverse));
}

std::string Parser::parse_target_name() {
  const Token token = expect(TokenType::name);
  static constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(kConstants), std::end(kConstants), token.text) != std::end(kConstants))
    fail("can't assign to 'name'", token.line);
  return token.text;
}

ExpressionPtr Parser::parse_assign_target(std::string_view end_word, bool with_namespace) {
  const int line = current().line;
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) expect_op(",");
    if (at_tuple_end(end_word)) break;
    items.push_back(parse_primary(with_namespace));
    if (!current().is_op(",")) break;
    is_tuple = true;
  }
  ExpressionPtr target;
  if (is_tuple) {
    target = make(ExpressionType::tuple, line);
    target->items = std::move(items);
    target = finish(std::move(target));
  } else if (!items.empty()) {
    target = std::move(items[0]);
  } else {
    fail("Expected an expression, got '" + describe(current()) + "'");
  }
  check_target(*target);
  return target;
}

void Parser::check_target(const Expression& target) {
  switch (target.type) {
    case ExpressionType::name:
      if (target.name == "loop" && any_loops_ > 0)
        note_assertion("Can't assign to special loop variable in for-loop target", target.line);
      return;
    case ExpressionType::namespace_ref:
      return;
    case ExpressionType::tuple:
      for (const ExpressionPtr& item : target.items) check_target(*item);
      return;
    case ExpressionType::constant:
      fail("can't assign to 'const'", target.line);
    case ExpressionType::list:
      fail("can't assign to 'list'", target.line);
    case ExpressionType::dict:
      fail("can't assign to 'dict'", target.line);
    default:
      fail("can't assign to this expression", target.line);
  }
}

}  // namespace r1::jinja
