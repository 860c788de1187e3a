// Cuts a template into tokens; applies whitespace control, trim_blocks and lstrip_blocks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja.h"

namespace r1::jinja {

enum class TokenType {
  data,
  variable_begin,
  variable_end,
  block_begin,
  block_end,
  name,
  string,
  integer,
  floating,
  op,  // text says which
  end,
};

struct Token {
  TokenType type = TokenType::end;
  int line = 0;
  std::string text;  // data, names, operators and unescaped strings, UTF-8
  long long integer = 0;
  double floating = 0;

  bool is_op(std::string_view symbol) const { return type == TokenType::op && text == symbol; }
  bool is_name(std::string_view word) const { return type == TokenType::name && text == word; }
};

[[noreturn]] void raise_syntax_error(std::string message, int line);

/// All tokens of a source, the last of type end. Throws JinjaError of type TemplateSyntaxError.
std::vector<Token> tokenize(std::string_view source, const JinjaOptions& options);

}  // namespace r1::jinja
