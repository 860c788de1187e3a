#include "grade/math/latex_parser.h"

namespace r1::grade::math {

Node LatexParser::parse_factor() {
  Nested nested(*this);
  Node base = parse_primary();
  for (;;) {
    if (is_sign('^')) {
      ++at_;
      if (is_command("circ") || (is_sign('{') && is_command("circ", 1) && is_sign('}', 2))) {
        at_ += is_command("circ") ? 1 : 3;
        if (peek().text == "C" || peek().text == "F") ++at_;
        base = make(Kind::degrees, {base});
      } else if (is_command("prime") || is_sign('\'')) {
        ++at_;
        base = derived(base);
      } else {
        base = make(Kind::power, {base, parse_exponent()});
      }
    } else if (is_sign('\'')) {
      ++at_;
      base = derived(base);
    } else if (is_sign('!')) {
      ++at_;
      base = make(Kind::factorial, {base});
    } else if (is_sign('%')) {
      ++at_;
      base = make(Kind::percent, {base});
    } else if (is_command("degree") || is_command("degrees")) {
      ++at_;
      base = make(Kind::degrees, {base});
    } else if (is_sign('_')) {
      ++at_;
      base = with_subscript(base, parse_argument());
    } else {
      return base;
    }
  }
}

Node LatexParser::derived(const Node& node) {
  if (node->kind != Kind::symbol) throw NotMathematics();
  return make(Kind::symbol, {}, node->name + "'");
}

Node LatexParser::with_subscript(const Node& base, const Node& subscript) {
  if (base->kind == Kind::number && subscript->kind == Kind::number && !base->decimal) {
    return make(Kind::based, {subscript}, base->name);
  }
  if (base->kind != Kind::symbol) throw NotMathematics();
  return make(Kind::symbol, {}, base->name + "_" + written(subscript));
}

std::string LatexParser::written(const Node& node) {
  if (node->kind == Kind::number) return node->value.get_str();
  std::string text = node->name.empty() ? "(" + std::to_string(static_cast<int>(node->kind)) : node->name;
  for (const Node& child : node->children) text += "," + written(child);
  return text;
}

Node LatexParser::parse_exponent() {
  if (take_sign('-')) return make(Kind::negate, {parse_exponent()});
  if (take_sign('+')) return parse_exponent();
  if (is_sign('{')) return parse_braced();
  if (is_sign('(')) return parse_primary();
  Node node = parse_primary();
  if (is_sign('^')) {  // 2^3^4
    ++at_;
    return make(Kind::power, {node, parse_exponent()});
  }
  return node;
}

Node LatexParser::parse_braced() {
  expect_sign('{');
  if (take_sign('}')) throw NotMathematics();
  const Node node = parse_list();
  if (is_sign('|') || is_command("mid") || is_command("vert")) {  // {x | x > 0}, its backslashes lost
    ++at_;
    const Node condition = parse_list();
    expect_sign('}');
    return make(Kind::set_builder, {node, condition});
  }
  expect_sign('}');
  return node->kind == Kind::list ? make(Kind::set, node->children) : node;
}

Node LatexParser::parse_argument() {
  if (is_sign('{')) {
    expect_sign('{');
    Node node = parse_list();
    expect_sign('}');
    return node;
  }
  if (peek().kind == TokenKind::number) {
    Token& token = tokens_[at_];
    if (token.text.size() > 1 && token.text.find_first_not_of("0123456789") == std::string::npos) {
      Node digit = parse_number(token.text.substr(0, 1));
      token.text.erase(0, 1);
      return digit;
    }
  }
  return parse_primary();
}

Node LatexParser::parse_primary() {
  Nested nested(*this);
  if (ended()) throw NotMathematics();
  const Token token = peek();
  switch (token.kind) {
    case TokenKind::number:
      ++at_;
      return parse_number(token.text);
    case TokenKind::letter:
      ++at_;
      return parse_symbol(token.text);
    case TokenKind::text: {
      std::string words = token.text;
      ++at_;
      while (peek().kind == TokenKind::text) words += " " + tokens_[at_++].text;
      return make(Kind::text, {}, words);
    }
    case TokenKind::sign:
      return parse_bracketed();
    case TokenKind::command:
      return parse_command();
  }
  throw NotMathematics();
}

Node LatexParser::parse_symbol(const std::string& name) {
  // f(x), g(n): an unknown function
  if ((name == "f" || name == "g" || name == "h") && is_sign('(')) {
    expect_sign('(');
    const Node arguments = parse_list();
    expect_sign(')');
    return make(Kind::function, {arguments}, name);
  }
  // C_n^k, A_n^k, P_n^k
  if ((name == "C" || name == "A" || name == "P") && is_sign('_')) {
    const size_t start = at_;
    ++at_;
    const Node lower = parse_argument();
    if (take_sign('^'))
      return make(Kind::function, {lower, parse_argument()}, name == "C" ? "binom" : "permutations");
    at_ = start;
  }
  return make(Kind::symbol, {}, name);
}

Node LatexParser::parse_number(const std::string& text) {
  if (text.size() > kMaxDigits) throw BudgetExceeded();
  budget_.spend(static_cast<int64_t>(text.size()));
  std::string digits = text;
  long exponent = 0;
  if (const size_t e = digits.find('e'); e != std::string::npos) {
    exponent = std::stol(digits.substr(e + 1));
    digits.resize(e);
  }
  Expression number{.kind = Kind::number};
  number.name = digits;
  const size_t point = digits.find('.');
  number.decimal = point != std::string::npos;
  size_t decimals = 0;
  if (number.decimal) {
    decimals = digits.size() - point - 1;
    digits.erase(point, 1);
  }
  if (digits.empty()) throw NotMathematics();
  const size_t first = digits.find_first_not_of('0');
  number.significant = first == std::string::npos ? 1 : static_cast<int>(digits.size() - first);
  number.value = mpq_class(mpz_class(digits, 10));
  mpz_class scale;
  if (exponent > 2000 || exponent < -2000) throw BudgetExceeded();
  const long shift = exponent - static_cast<long>(decimals);
  mpz_ui_pow_ui(scale.get_mpz_t(), 10, static_cast<unsigned long>(shift < 0 ? -shift : shift));
  if (shift < 0) {
    number.value /= scale;
  } else {
    number.value *= scale;
  }
  if (const mpq_class* repeating = parse_repeating_part(static_cast<long>(decimals), number.decimal))
    number.value += *repeating;
  return std::make_shared<const Expression>(std::move(number));
}

const mpq_class* LatexParser::parse_repeating_part(long decimals, bool is_decimal) {
  if (!is_decimal || !(is_command("overline") || is_command("dot") || is_command("bar"))) return nullptr;
  std::string digits;
  while (is_command("overline") || is_command("dot") || is_command("bar")) {
    ++at_;
    expect_sign('{');
    if (peek().kind != TokenKind::number) throw NotMathematics();
    digits += peek().text;
    ++at_;
    expect_sign('}');
  }
  if (digits.size() > 200 || digits.find_first_not_of("0123456789") != std::string::npos)
    throw NotMathematics();
  mpz_class shift, nines;
  mpz_ui_pow_ui(shift.get_mpz_t(), 10, static_cast<unsigned long>(decimals));
  mpz_ui_pow_ui(nines.get_mpz_t(), 10, digits.size());
  nines -= 1;
  repeating_ = mpq_class(mpz_class(digits, 10), nines * shift);
  repeating_.canonicalize();
  return &repeating_;
}

Node LatexParser::parse_bracketed() {
  const char open = peek().text[0];
  if (open == '{') return parse_braced();
  if (open == '|') {
    ++at_;
    const Node inside = parse_sum();
    expect_sign('|');
    return make(Kind::function, {inside}, "abs");
  }
  if (open != '(' && open != '[') throw NotMathematics();
  ++at_;
  Node inside = parse_list();
  if (!is_sign(')') && !is_sign(']')) throw NotMathematics();
  const char close = peek().text[0];
  ++at_;
  if (inside->kind == Kind::list) return make(Kind::tuple, inside->children, {open, close});
  if ((open == '(') != (close == ')')) throw NotMathematics();
  return inside;
}

}  // namespace r1::grade::math
