#include "grade/math/parser.h"

#include "grade/math/latex_parser.h"

namespace r1::grade::math {

Node LatexParser::parse_all() {
  if (tokens_.size() > kMaxTokens) throw BudgetExceeded();
  while (!tokens_.empty() &&
         (tokens_.back().text == "." || tokens_.back().text == "," || tokens_.back().text == ";") &&
         tokens_.back().kind == TokenKind::sign) {
    tokens_.pop_back();
  }
  if (tokens_.empty()) throw NotMathematics();
  Node node = parse_list();
  if (at_ != tokens_.size()) throw NotMathematics();
  return node;
}

Node LatexParser::parse_list() {
  Nested nested(*this);
  std::vector<Node> items{parse_relation()};
  bool several = false;
  while (at_separator()) {
    while (at_separator()) ++at_;  // ", and"
    if (ended() || at_closing()) break;
    items.push_back(parse_relation());
    several = true;
  }
  return several ? make(Kind::list, std::move(items)) : items[0];
}

std::string LatexParser::relation_sign() const {
  const Token& token = peek();
  if (token.kind == TokenKind::sign) {
    if (token.text == "=" || token.text == "<" || token.text == ">" || token.text == ":") return token.text;
    return "";
  }
  if (token.kind != TokenKind::command) return "";
  const std::string& name = token.text;
  if (name == "le" || name == "leq" || name == "leqslant" || name == "leqq") return "<=";
  if (name == "ge" || name == "geq" || name == "geqslant" || name == "geqq") return ">=";
  if (name == "lt") return "<";
  if (name == "gt") return ">";
  if (name == "ne" || name == "neq") return "!=";
  if (name == "approx" || name == "simeq" || name == "doteq") return "=";
  if (name == "in" || name == "notin" || name == "equiv" || name == "sim" || name == "to" || name == "perp" ||
      name == "parallel" || name == "subset" || name == "subseteq" || name == "rightarrow" ||
      name == "Rightarrow" || name == "cong" || name == "iff" || name == "propto") {
    return name;
  }
  return "";
}

Node LatexParser::parse_relation() {
  Nested nested(*this);
  std::vector<Node> sides{parse_set_expression()};
  std::vector<std::string> operators;
  for (std::string sign = relation_sign(); !sign.empty(); sign = relation_sign()) {
    ++at_;
    operators.push_back(sign);
    sides.push_back(parse_set_expression());
  }
  if (operators.empty()) return sides[0];
  Expression relation{.kind = Kind::relation, .children = std::move(sides)};
  relation.operators = std::move(operators);
  return std::make_shared<const Expression>(std::move(relation));
}

Node LatexParser::parse_set_expression() {
  Node left = parse_sum();
  for (;;) {
    if (take_command("cup")) {
      left = make(Kind::unite, {left, parse_sum()});
    } else if (take_command("cap")) {
      left = make(Kind::intersect, {left, parse_sum()});
    } else if (take_command("setminus") || take_command("backslash")) {
      left = make(Kind::subtract, {left, parse_sum()});
    } else {
      return left;
    }
  }
}

Node LatexParser::parse_sum() {
  Nested nested(*this);
  std::vector<Node> terms;
  if (take_sign('+')) {
    terms.push_back(parse_term());
  } else if (is_command("pm") || is_command("mp")) {
    const std::string sign = is_command("pm") ? "+" : "-";
    ++at_;
    terms.push_back(make(Kind::plus_minus, {parse_term()}, sign));
  } else {
    terms.push_back(parse_term());
  }
  const auto sum = [&] { return terms.size() == 1 ? terms[0] : make(Kind::add, std::move(terms)); };
  for (;;) {
    if (take_sign('+')) {
      terms.push_back(parse_term());
    } else if (take_sign('-')) {
      terms.push_back(make(Kind::negate, {parse_term()}));
    } else if (is_command("pm") || is_command("mp")) {
      const std::string sign = is_command("pm") ? "+" : "-";
      ++at_;
      const Node left = sum();
      terms = {make(Kind::plus_minus, {left, parse_term()}, sign)};
    } else {
      return sum();
    }
  }
}

Node LatexParser::parse_term() {
  Nested nested(*this);
  if (take_sign('-')) return make(Kind::negate, {parse_term()});
  if (take_sign('+')) return parse_term();
  Node left = parse_factor();
  for (;;) {
    budget_.spend();
    if (is_sign('*') || is_command("cdot") || is_command("times") || is_command("ast")) {
      ++at_;
      left = make(Kind::multiply, {left, parse_signed_factor()});
    } else if (is_sign('/') || is_command("div")) {
      ++at_;
      left = make(Kind::divide, {left, parse_signed_factor()});
    } else if (peek().kind == TokenKind::text) {
      left = parse_unit(left);
    } else if (begins_factor()) {
      if (const Node mixed = parse_mixed_number(left)) {
        left = mixed;
      } else if (peek().kind == TokenKind::number && tokens_[at_ - 1].kind == TokenKind::number) {
        throw NotMathematics();  // two numbers side by side
      } else {
        const Node right = parse_factor();
        // "A(2, -3)" names a point.
        left = left->kind == Kind::symbol && right->kind == Kind::tuple ? right
                                                                        : make(Kind::multiply, {left, right});
      }
    } else {
      return left;
    }
  }
}

Node LatexParser::parse_signed_factor() {
  if (take_sign('-')) return make(Kind::negate, {parse_signed_factor()});
  if (take_sign('+')) return parse_signed_factor();
  return parse_factor();
}

Node LatexParser::parse_mixed_number(const Node& whole) {
  if (!is_integer_literal(whole) || tokens_[at_ - 1].kind != TokenKind::number) return nullptr;
  const size_t start = at_;
  if (is_command("frac") || is_command("dfrac") || is_command("tfrac") || is_command("cfrac")) {
    ++at_;
    const Node numerator = parse_argument(), denominator = parse_argument();
    if (is_integer_literal(numerator) && is_integer_literal(denominator) && denominator->value != 0) {
      return make_number(whole->value + numerator->value / denominator->value);
    }
  } else if (peek().kind == TokenKind::number && peek(1).text == "/" && peek(2).kind == TokenKind::number) {
    const Node numerator = parse_number(tokens_[at_].text);
    const Node denominator = parse_number(tokens_[at_ + 2].text);
    at_ += 3;
    if (is_integer_literal(numerator) && is_integer_literal(denominator) && denominator->value != 0) {
      return make_number(whole->value + numerator->value / denominator->value);
    }
  }
  at_ = start;
  return nullptr;
}

Node LatexParser::parse_unit(const Node& value) {
  std::string unit;
  while (peek().kind == TokenKind::text) {
    if (!unit.empty()) unit += ' ';
    unit += peek().text;
    ++at_;
    if (take_sign('^')) {
      const Node power = parse_argument();
      if (power->kind == Kind::number) unit += "^" + power->value.get_str();
    }
    if (is_sign('/') && (peek(1).kind == TokenKind::text || peek(1).kind == TokenKind::letter)) {
      unit += '/';
      ++at_;
      if (peek().kind == TokenKind::letter) {
        unit += peek().text;
        ++at_;
      }
    }
    if (is_sign('.')) ++at_;
  }
  return make(Kind::unit, {value}, unit);
}

bool LatexParser::begins_factor() const {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::number:
    case TokenKind::letter:
      return true;
    case TokenKind::text:
      return false;
    case TokenKind::sign:
      return token.text == "(" || token.text == "[" || token.text == "{";
    case TokenKind::command:
      return token.text == "frac" || token.text == "dfrac" || token.text == "tfrac" ||
             token.text == "cfrac" || token.text == "sqrt" || token.text == "cbrt" || token.text == "binom" ||
             token.text == "dbinom" || token.text == "tbinom" || token.text == "pi" ||
             token.text == "infty" || token.text == "lfloor" || token.text == "lceil" ||
             token.text == "lvert" || token.text == "overline" || token.text == "bar" ||
             token.text == "vec" || token.text == "overrightarrow" || token.text == "hat" ||
             token.text == "begin" || contains(kFunctions, token.text) || contains(kGreek, token.text);
  }
  return false;
}

Node parse(std::string_view text, const Reading& reading, Budget& budget) {
  budget.spend(static_cast<int64_t>(text.size()));
  const std::string plain = plain_latex(text);
  std::vector<Token> tokens = tokenize(plain, {.grouped_thousands = reading.grouped_thousands});
  try {
    return LatexParser(std::move(tokens), budget).parse_all();
  } catch (const NotMathematics&) {
    return nullptr;
  }
}

}  // namespace r1::grade::math
