// Tokens of a mathematical answer: LaTeX, plain text or a mixture.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1::grade::math {

enum class TokenKind { number, letter, command, sign, text };

struct Token {
  TokenKind kind;
  std::string text;           // number: digits and at most one point; command: without its backslash
  bool space_before = false;  // white space stands before the token
};

struct LexerOptions {
  bool grouped_thousands = true;  // "1,234" is one number, not two
};

/// The text with Unicode's signs, full-width forms and LaTeX's spacing and sizing commands replaced by their plain
/// equivalents; without dollar signs.
std::string plain_latex(std::string_view text);

/// Any text; never throws. `plain`: what plain_latex() returned.
std::vector<Token> tokenize(std::string_view plain, const LexerOptions& options);

/// Whether a run of letters is the name of a unit of measurement ("cm", "hours", "元").
bool is_unit(std::string_view word);

}  // namespace r1::grade::math
