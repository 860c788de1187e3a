#include "grade/math/latex_parser.h"

namespace r1::grade::math {

Node LatexParser::parse_command() {
  const std::string name = peek().text;
  ++at_;
  if (name == "{") return parse_set();
  if (name == "|") {
    const Node inside = parse_sum();
    if (!take_command("|")) throw NotMathematics();
    return make(Kind::function, {inside}, "abs");
  }
  if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac") {
    const Node numerator = parse_argument();
    return make(Kind::divide, {numerator, parse_argument()});
  }
  if (name == "binom" || name == "dbinom" || name == "tbinom") {
    const Node upper = parse_argument();
    return make(Kind::function, {upper, parse_argument()}, "binom");
  }
  if (name == "sqrt") {
    if (take_sign('[')) {
      const Node degree = parse_sum();
      expect_sign(']');
      return make(Kind::function, {parse_root_argument(), degree}, "root");
    }
    return make(Kind::function, {parse_root_argument()}, "sqrt");
  }
  if (name == "cbrt") return make(Kind::function, {parse_root_argument(), make_number(3)}, "root");
  if (name == "pi") return make(Kind::symbol, {}, "\\pi");
  if (name == "infty" || name == "infinity" || name == "inf" || name == "oo") return make(Kind::infinity, {});
  if (name == "emptyset" || name == "varnothing") return make(Kind::set, {});
  if (name == "lfloor" || name == "lceil" || name == "lvert" || name == "lVert") {
    const Node inside = parse_sum();
    if (!take_command("r" + name.substr(1))) throw NotMathematics();
    return make(Kind::function, {inside}, name == "lfloor" ? "floor" : name == "lceil" ? "ceil" : "abs");
  }
  if (name == "overline" || name == "bar" || name == "vec" || name == "overrightarrow" || name == "hat" ||
      name == "widehat" || name == "tilde" || name == "dot" || name == "textcircled") {
    return make(Kind::symbol, {}, "\\" + name + written(parse_argument()));
  }
  if (name == "mathbb") return make(Kind::symbol, {}, "\\mathbb" + written(parse_argument()));
  if (name == "boxed" || name == "fbox") return parse_argument();
  if (name == "begin") return parse_matrix();
  if (contains(kFunctions, name)) return parse_function(name == "ceiling" ? "ceil" : name);
  if (contains(kGreek, name))
    return make(Kind::symbol, {},
                "\\" + (name == "varepsilon" ? "epsilon"
                        : name == "varphi"   ? "phi"
                                             : name));
  if (name == "circ") return make(Kind::symbol, {}, "\\circ");
  if (name == "ldots" || name == "dots" || name == "cdots") return make(Kind::symbol, {}, "\\ldots");
  throw NotMathematics();
}

Node LatexParser::parse_root_argument() {
  if (is_sign('{')) return parse_argument();
  return parse_primary();
}

Node LatexParser::parse_set() {
  if (take_command("}")) return make(Kind::set, {});
  const Node inside = parse_list();
  if (is_sign('|') || is_command("mid") || is_command("vert") || is_sign(':')) {
    ++at_;
    const Node condition = parse_list();
    if (!take_command("}")) throw NotMathematics();
    return make(Kind::set_builder, {inside, condition});
  }
  if (!take_command("}")) throw NotMathematics();
  // "\{x : x > 0\}": the colon was read as a relation
  if (inside->kind == Kind::relation && inside->operators[0] == ":") {
    Expression condition = *inside;
    condition.children.erase(condition.children.begin());
    condition.operators.erase(condition.operators.begin());
    const Node rest = condition.operators.empty() ? condition.children[0]
                                                  : std::make_shared<const Expression>(std::move(condition));
    return make(Kind::set_builder, {inside->children[0], rest});
  }
  return make(Kind::set, inside->kind == Kind::list ? inside->children : std::vector<Node>{inside});
}

Node LatexParser::parse_function(const std::string& name) {
  Node base, exponent;
  for (bool more = true; more;) {
    more = false;
    if (take_sign('_')) base = parse_argument(), more = true;
    if (take_sign('^')) exponent = is_sign('{') ? parse_braced() : parse_argument(), more = true;
  }
  std::vector<Node> arguments;
  if (is_sign('(') || is_sign('[')) {
    const Node inside = parse_primary();
    if (inside->kind == Kind::tuple) {
      arguments = inside->children;
    } else {
      arguments = {inside};
    }
  } else {
    arguments = {parse_function_argument()};
  }
  if (name == "log" && base) arguments.push_back(base);
  Node call = make(Kind::function, std::move(arguments), name);
  if (!exponent) return call;
  const bool inverse = exponent->kind == Kind::negate && exponent->children[0]->kind == Kind::number &&
                       exponent->children[0]->value == 1 && (name == "sin" || name == "cos" || name == "tan");
  if (inverse) return make(Kind::function, call->children, "arc" + name);
  return make(Kind::power, {call, exponent});
}

Node LatexParser::parse_function_argument() {
  if (take_sign('-')) return make(Kind::negate, {parse_function_argument()});
  Node argument = parse_factor();
  while (begins_factor() && peek().kind != TokenKind::number && !is_sign('(') && !is_sign('[') &&
         !(peek().kind == TokenKind::command && contains(kFunctions, peek().text))) {
    argument = make(Kind::multiply, {argument, parse_factor()});
  }
  return argument;
}

Node LatexParser::parse_matrix() {
  expect_sign('{');
  std::string kind;
  while (!ended() && !is_sign('}')) kind += tokens_[at_++].text;
  expect_sign('}');
  if (kind.find("matrix") == std::string::npos && kind != "array" && kind != "cases" && kind != "aligned")
    throw NotMathematics();
  if (kind == "array" && take_sign('{')) {
    while (!ended() && !is_sign('}')) ++at_;
    expect_sign('}');
  }
  Expression matrix{.kind = Kind::matrix};
  int64_t columns = 0;
  for (;;) {
    if (take_command("end")) break;
    if (ended()) throw NotMathematics();
    matrix.children.push_back(parse_relation());
    ++columns;
    if (take_sign('&')) continue;
    const bool row_ended = take_command("\\");
    if (row_ended || is_command("end")) {
      if (matrix.columns != 0 && matrix.columns != columns) throw NotMathematics();
      matrix.columns = columns;
      columns = 0;
      continue;
    }
    throw NotMathematics();
  }
  expect_sign('{');
  while (!ended() && !is_sign('}')) ++at_;
  expect_sign('}');
  if (matrix.children.empty()) throw NotMathematics();
  if (kind == "cases" || kind == "aligned") return make(Kind::list, matrix.children);
  return std::make_shared<const Expression>(std::move(matrix));
}

}  // namespace r1::grade::math
