#include "grade/math/parser.h"

#include <algorithm>
#include <array>
#include <string>

#include "grade/math/lexer.h"

namespace r1::grade::math {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxTokens = 4000;
constexpr size_t kMaxDigits = 5000;

struct NotMathematics {};

constexpr auto kFunctions = std::to_array<std::string_view>({
    "sin",    "cos",  "tan",     "cot",  "sec", "csc", "arcsin", "arccos", "arctan",
    "arccot", "sinh", "cosh",    "tanh", "exp", "ln",  "lg",     "log",    "abs",
    "floor",  "ceil", "ceiling", "max",  "min", "gcd", "lcm",    "det",
});
constexpr auto kGreek = std::to_array<std::string_view>({
    "alpha",  "beta",  "gamma",  "delta", "epsilon", "varepsilon", "zeta",  "eta",     "theta", "vartheta",
    "iota",   "kappa", "lambda", "mu",    "nu",      "xi",         "rho",   "sigma",   "tau",   "phi",
    "varphi", "chi",   "psi",    "omega", "Gamma",   "Delta",      "Theta", "Lambda",  "Xi",    "Pi",
    "Sigma",  "Phi",   "Psi",    "Omega", "ell",     "hbar",       "aleph", "partial", "mho",
});

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_integer_literal(const Node& node) {
  return node->kind == Kind::number && !node->decimal && node->value.get_den() == 1;
}

class Parser {
 public:
  Parser(std::vector<Token> tokens, Budget& budget) : tokens_(std::move(tokens)), budget_(budget) {}

  Node parse_all() {
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

 private:
  struct Nested {
    explicit Nested(Parser& owner) : parser(owner) {
      parser.budget_.spend();
      if (++parser.depth_ > kMaxDepth) throw BudgetExceeded();
    }
    ~Nested() { --parser.depth_; }
    Parser& parser;
  };

  bool ended() const { return at_ >= tokens_.size(); }
  const Token& peek(size_t ahead = 0) const {
    static const Token kEnd{TokenKind::sign, ""};
    return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead] : kEnd;
  }
  bool is_sign(char c, size_t ahead = 0) const {
    const Token& token = peek(ahead);
    return token.kind == TokenKind::sign && token.text.size() == 1 && token.text[0] == c;
  }
  bool is_command(std::string_view name, size_t ahead = 0) const {
    const Token& token = peek(ahead);
    return token.kind == TokenKind::command && token.text == name;
  }
  bool take_sign(char c) { return is_sign(c) && (++at_, true); }
  bool take_command(std::string_view name) { return is_command(name) && (++at_, true); }
  void expect_sign(char c) {
    if (!take_sign(c)) throw NotMathematics();
  }

  // --- lists and relations ---------------------------------------------------------------------------------------

  bool at_separator() const { return is_sign(',') || is_sign(';') || is_command("and") || is_command("or"); }

  Node parse_list() {
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

  bool at_closing() const { return is_sign(')') || is_sign(']') || is_sign('}') || is_command("}"); }

  /// The relation sign at the cursor, canonical; empty: none.
  std::string relation_sign() const {
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
    if (name == "in" || name == "notin" || name == "equiv" || name == "sim" || name == "to" ||
        name == "perp" || name == "parallel" || name == "subset" || name == "subseteq" ||
        name == "rightarrow" || name == "Rightarrow" || name == "cong" || name == "iff" || name == "propto") {
      return name;
    }
    return "";
  }

  Node parse_relation() {
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

  Node parse_set_expression() {
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

  // --- sums and products -----------------------------------------------------------------------------------------

  Node parse_sum() {
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

  Node parse_term() {
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
          left = left->kind == Kind::symbol && right->kind == Kind::tuple
                     ? right
                     : make(Kind::multiply, {left, right});
        }
      } else {
        return left;
      }
    }
  }

  Node parse_signed_factor() {
    if (take_sign('-')) return make(Kind::negate, {parse_signed_factor()});
    if (take_sign('+')) return parse_signed_factor();
    return parse_factor();
  }

  /// "1\frac{1}{2}" and "1 1/2" behind the whole number; null: no mixed number.
  Node parse_mixed_number(const Node& whole) {
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

  /// Words behind a value: its unit, with powers and quotients ("cm^2", "km/h").
  Node parse_unit(const Node& value) {
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

  bool begins_factor() const {
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
               token.text == "cfrac" || token.text == "sqrt" || token.text == "cbrt" ||
               token.text == "binom" || token.text == "dbinom" || token.text == "tbinom" ||
               token.text == "pi" || token.text == "infty" || token.text == "lfloor" ||
               token.text == "lceil" || token.text == "lvert" || token.text == "overline" ||
               token.text == "bar" || token.text == "vec" || token.text == "overrightarrow" ||
               token.text == "hat" || token.text == "begin" || contains(kFunctions, token.text) ||
               contains(kGreek, token.text);
    }
    return false;
  }

  // --- factors ---------------------------------------------------------------------------------------------------

  Node parse_factor() {
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

  static Node derived(const Node& node) {
    if (node->kind != Kind::symbol) throw NotMathematics();
    return make(Kind::symbol, {}, node->name + "'");
  }

  static Node with_subscript(const Node& base, const Node& subscript) {
    if (base->kind == Kind::number && subscript->kind == Kind::number && !base->decimal) {
      return make(Kind::based, {subscript}, base->name);
    }
    if (base->kind != Kind::symbol) throw NotMathematics();
    return make(Kind::symbol, {}, base->name + "_" + written(subscript));
  }

  /// A name for what stands in a subscript.
  static std::string written(const Node& node) {
    if (node->kind == Kind::number) return node->value.get_str();
    std::string text = node->name.empty() ? "(" + std::to_string(static_cast<int>(node->kind)) : node->name;
    for (const Node& child : node->children) text += "," + written(child);
    return text;
  }

  Node parse_exponent() {
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

  Node parse_braced() {
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

  /// What \frac, \sqrt, _ take: a group in braces, or one digit, letter or command.
  Node parse_argument() {
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

  Node parse_primary() {
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

  Node parse_symbol(const std::string& name) {
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

  Node parse_number(const std::string& text) {
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

  /// "\overline{3}" or "\dot{3}" behind a decimal point: what the repeating digits add.
  const mpq_class* parse_repeating_part(long decimals, bool is_decimal) {
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

  Node parse_bracketed() {
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

  Node parse_command() {
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
    if (name == "infty" || name == "infinity" || name == "inf" || name == "oo")
      return make(Kind::infinity, {});
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

  Node parse_root_argument() {
    if (is_sign('{')) return parse_argument();
    return parse_primary();
  }

  Node parse_set() {  // behind "\{"
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
      const Node rest = condition.operators.empty()
                            ? condition.children[0]
                            : std::make_shared<const Expression>(std::move(condition));
      return make(Kind::set_builder, {inside->children[0], rest});
    }
    return make(Kind::set, inside->kind == Kind::list ? inside->children : std::vector<Node>{inside});
  }

  Node parse_function(const std::string& name) {
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
                         exponent->children[0]->value == 1 &&
                         (name == "sin" || name == "cos" || name == "tan");
    if (inverse) return make(Kind::function, call->children, "arc" + name);
    return make(Kind::power, {call, exponent});
  }

  /// "2x" of "\sin 2x \cos x": factors side by side, up to the next function or operator.
  Node parse_function_argument() {
    if (take_sign('-')) return make(Kind::negate, {parse_function_argument()});
    Node argument = parse_factor();
    while (begins_factor() && peek().kind != TokenKind::number && !is_sign('(') && !is_sign('[') &&
           !(peek().kind == TokenKind::command && contains(kFunctions, peek().text))) {
      argument = make(Kind::multiply, {argument, parse_factor()});
    }
    return argument;
  }

  Node parse_matrix() {  // behind "\begin"
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

  std::vector<Token> tokens_;
  Budget& budget_;
  size_t at_ = 0;
  int depth_ = 0;
  mpq_class repeating_;
};

}  // namespace

Node parse(std::string_view text, const Reading& reading, Budget& budget) {
  budget.spend(static_cast<int64_t>(text.size()));
  const std::string plain = plain_latex(text);
  std::vector<Token> tokens = tokenize(plain, {.grouped_thousands = reading.grouped_thousands});
  try {
    return Parser(std::move(tokens), budget).parse_all();
  } catch (const NotMathematics&) {
    return nullptr;
  }
}

}  // namespace r1::grade::math
