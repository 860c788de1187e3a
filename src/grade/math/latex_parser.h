// The recursive descent parser behind parse(), for the files parser*.cpp: parser.cpp has lists, relations, sums and products,
// parser_factors.cpp factors, numbers and brackets, parser_commands.cpp commands, functions, sets and matrices.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grade/math/expression.h"
#include "grade/math/lexer.h"

namespace r1::grade::math {

inline constexpr int kMaxDepth = 64;
inline constexpr size_t kMaxTokens = 4000;
inline constexpr size_t kMaxDigits = 5000;

/// Thrown where the text is no mathematics that is known here.
struct NotMathematics {};

inline constexpr auto kFunctions = std::to_array<std::string_view>({
    "sin",    "cos",  "tan",     "cot",  "sec", "csc", "arcsin", "arccos", "arctan",
    "arccot", "sinh", "cosh",    "tanh", "exp", "ln",  "lg",     "log",    "abs",
    "floor",  "ceil", "ceiling", "max",  "min", "gcd", "lcm",    "det",
});
inline constexpr auto kGreek = std::to_array<std::string_view>({
    "alpha",  "beta",  "gamma",  "delta", "epsilon", "varepsilon", "zeta",  "eta",     "theta", "vartheta",
    "iota",   "kappa", "lambda", "mu",    "nu",      "xi",         "rho",   "sigma",   "tau",   "phi",
    "varphi", "chi",   "psi",    "omega", "Gamma",   "Delta",      "Theta", "Lambda",  "Xi",    "Pi",
    "Sigma",  "Phi",   "Psi",    "Omega", "ell",     "hbar",       "aleph", "partial", "mho",
});

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

inline bool is_integer_literal(const Node& node) {
  return node->kind == Kind::number && !node->decimal && node->value.get_den() == 1;
}

class LatexParser {
 public:
  LatexParser(std::vector<Token> tokens, Budget& budget) : tokens_(std::move(tokens)), budget_(budget) {}

  Node parse_all();

 private:
  struct Nested {
    explicit Nested(LatexParser& owner) : parser(owner) {
      parser.budget_.spend();
      if (++parser.depth_ > kMaxDepth) throw BudgetExceeded();
    }
    ~Nested() { --parser.depth_; }
    LatexParser& parser;
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

  // --- lists and relations

  bool at_separator() const { return is_sign(',') || is_sign(';') || is_command("and") || is_command("or"); }

  Node parse_list();

  bool at_closing() const { return is_sign(')') || is_sign(']') || is_sign('}') || is_command("}"); }

  /// The relation sign at the cursor, canonical; empty: none.
  std::string relation_sign() const;
  Node parse_relation();
  Node parse_set_expression();

  // --- sums and products

  Node parse_sum();
  Node parse_term();
  Node parse_signed_factor();

  /// "1\frac{1}{2}" and "1 1/2" behind the whole number; null: no mixed number.
  Node parse_mixed_number(const Node& whole);

  /// Words behind a value: its unit, with powers and quotients ("cm^2", "km/h").
  Node parse_unit(const Node& value);

  bool begins_factor() const;

  // --- factors

  Node parse_factor();
  static Node derived(const Node& node);
  static Node with_subscript(const Node& base, const Node& subscript);

  /// A name for what stands in a subscript.
  static std::string written(const Node& node);
  Node parse_exponent();
  Node parse_braced();

  /// What \frac, \sqrt, _ take: a group in braces, or one digit, letter or command.
  Node parse_argument();
  Node parse_primary();
  Node parse_symbol(const std::string& name);
  Node parse_number(const std::string& text);

  /// "\overline{3}" or "\dot{3}" behind a decimal point: what the repeating digits add.
  const mpq_class* parse_repeating_part(long decimals, bool is_decimal);
  Node parse_bracketed();
  Node parse_command();
  Node parse_root_argument();

  /// Behind "\{".
  Node parse_set();
  Node parse_function(const std::string& name);

  /// "2x" of "\sin 2x \cos x": factors side by side, up to the next function or operator.
  Node parse_function_argument();

  /// Behind "\begin".
  Node parse_matrix();

  std::vector<Token> tokens_;
  Budget& budget_;
  size_t at_ = 0;
  int depth_ = 0;
  mpq_class repeating_;
};

}  // namespace r1::grade::math
