#include "text/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "text/jinja/unicode.h"

namespace r1::jinja {

void raise_syntax_error(std::string message, int line) {
  throw JinjaError(ErrorKind::invalid_argument, "TemplateSyntaxError", std::move(message), line);
}

namespace {

std::u32string normalise_newlines(std::u32string_view source, bool keep_trailing_newline) {
  std::u32string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!keep_trailing_newline && !out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::u32string source, const JinjaOptions& options) : source_(std::move(source)), options_(options) {}

  std::vector<Token> run() {
    while (position_ < source_.size()) root();
    add(TokenType::end);
    return std::move(tokens_);
  }

 private:
  char32_t at(std::size_t i) const { return i < source_.size() ? source_[i] : U'\0'; }
  bool starts_with(std::size_t i, std::u32string_view text) const {
    return source_.compare(i < source_.size() ? i : source_.size(), text.size(), text) == 0;
  }
  std::size_t skip_spaces(std::size_t i) const {
    while (i < source_.size() && is_space(source_[i])) ++i;
    return i;
  }
  void advance(std::size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + position_, source_.begin() + to, U'\n'));
    line_starting_ = to > position_ && source_[to - 1] == '\n';
    position_ = to;
  }
  void add(TokenType type, std::string text = {}) {
    Token token;
    token.type = type;
    token.line = line_;
    token.text = std::move(text);
    tokens_.push_back(std::move(token));
  }

  // The text before a tag, shortened by the tag's sign or by lstrip_blocks.
  void add_data(std::size_t end, char32_t sign, bool is_variable) {
    std::u32string_view text = std::u32string_view(source_).substr(position_, end - position_);
    if (sign == '-') {
      while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    } else if (sign != '+' && options_.lstrip_blocks && !is_variable) {
      const std::size_t newline = text.rfind(U'\n');
      const std::size_t line_start = newline == text.npos ? 0 : newline + 1;
      if ((line_start > 0 || line_starting_) && line_start < text.size() &&
          std::all_of(text.begin() + line_start, text.end(), is_space))
        text = text.substr(0, line_start);
    }
    if (!text.empty()) add(TokenType::data, encode_utf8(text));
  }

  // Position after "-%}", "+%}" or "%}" at i, with the whitespace they take along; 0 when there is no end
  // here.
  std::size_t match_end(std::size_t i, std::u32string_view symbol, bool allow_plus, bool trim) const {
    if (at(i) == '-' && starts_with(i + 1, symbol)) return skip_spaces(i + 1 + symbol.size());
    if (allow_plus && at(i) == '+' && starts_with(i + 1, symbol)) return i + 1 + symbol.size();
    if (!starts_with(i, symbol)) return 0;
    i += symbol.size();
    return trim && at(i) == '\n' ? i + 1 : i;
  }

  // "{% raw %}" at i: the position after it, or 0.
  std::size_t match_raw(std::size_t i, std::u32string_view word, bool end_of_raw) const {
    i += 2;
    if (at(i) == '-' || at(i) == '+') ++i;
    i = skip_spaces(i);
    if (!starts_with(i, word)) return 0;
    i = skip_spaces(i + word.size());
    return match_end(i, U"%}", end_of_raw, end_of_raw && options_.trim_blocks);
  }

  void root() {
    std::size_t tag = position_;
    for (;; ++tag) {
      tag = source_.find(U'{', tag);
      if (tag == source_.npos || tag + 1 >= source_.size()) {
        add_text_to_end();
        return;
      }
      const char32_t next = source_[tag + 1];
      if (next == '{' || next == '%' || next == '#') break;
    }
    const char32_t type = source_[tag + 1];
    const char32_t sign = at(tag + 2) == '-' || at(tag + 2) == '+' ? at(tag + 2) : U'\0';
    add_data(tag, sign, type == '{');
    if (const std::size_t after_raw = type == '%' ? match_raw(tag, U"raw", false) : 0) {
      advance(after_raw);
      raw();
      return;
    }
    advance(tag + 2 + (sign != 0));
    if (type == '#') {
      comment();
    } else {
      inside_tag(type == '{');
    }
  }

  void add_text_to_end() {
    add(TokenType::data, encode_utf8(std::u32string_view(source_).substr(position_)));
    advance(source_.size());
  }

  void comment() {
    for (std::size_t i = position_; i < source_.size(); ++i) {
      // A sign belongs to the end only when "#}" follows directly.
      if (source_[i] != '#' && source_[i] != '-' && source_[i] != '+') continue;
      if (const std::size_t end = match_end(i, U"#}", true, options_.trim_blocks)) {
        advance(end);
        return;
      }
    }
    raise_syntax_error("Missing end of comment tag", line_);
  }

  void raw() {
    for (std::size_t i = position_; (i = source_.find(U"{%", i)) != source_.npos; ++i) {
      if (const std::size_t end = match_raw(i, U"endraw", true)) {
        const char32_t sign = at(i + 2) == '-' || at(i + 2) == '+' ? at(i + 2) : U'\0';
        add_data(i, sign, false);
        advance(end);
        return;
      }
    }
    raise_syntax_error("Missing end of raw directive", line_);
  }

  void inside_tag(bool is_variable) {
    add(is_variable ? TokenType::variable_begin : TokenType::block_begin);
    brackets_.clear();
    while (position_ < source_.size()) {
      if (brackets_.empty()) {
        const std::size_t end = is_variable ? match_end(position_, U"}}", false, false)
                                            : match_end(position_, U"%}", true, options_.trim_blocks);
        if (end) {
          add(is_variable ? TokenType::variable_end : TokenType::block_end);
          advance(end);
          return;
        }
      }
      token();
    }
  }

  void token() {
    const char32_t c = source_[position_];
    if (is_space(c)) {
      advance(skip_spaces(position_));
    } else if (is_decimal(c) && (number_float() || number_integer())) {
    } else if (is_word(c)) {
      name();
    } else if (c == '\'' || c == '"') {
      string_literal(c);
    } else {
      op();
    }
  }

  bool is_ascii_digit(std::size_t i) const { return at(i) >= '0' && at(i) <= '9'; }

  // (\d+_)*\d+ from i; the position after it, or i.
  std::size_t match_digits(std::size_t i) const {
    if (!is_ascii_digit(i)) return i;
    while (is_ascii_digit(i) || (at(i) == '_' && is_ascii_digit(i + 1))) ++i;
    return i;
  }

  std::string number_text(std::size_t end) const {
    std::string text;
    for (std::size_t i = position_; i < end; ++i)
      if (source_[i] != '_') text += static_cast<char>(source_[i]);
    return text;
  }

  bool number_float() {
    if (position_ > 0 && source_[position_ - 1] == '.') return false;
    std::size_t i = match_digits(position_);
    if (i == position_) return false;
    bool is_float = false;
    if (at(i) == '.' && is_ascii_digit(i + 1)) {
      i = match_digits(i + 1);
      is_float = true;
    }
    if (at(i) == 'e' || at(i) == 'E') {
      const std::size_t digits = i + 1 + (at(i + 1) == '+' || at(i + 1) == '-');
      if (is_ascii_digit(digits)) {
        i = match_digits(digits);
        is_float = true;
      }
    }
    if (!is_float) return false;
    add(TokenType::floating);
    tokens_.back().floating = std::strtod(number_text(i).c_str(), nullptr);
    advance(i);
    return true;
  }

  bool number_integer() {
    if (!is_ascii_digit(position_)) return false;
    const auto is_digit_of = [&](std::size_t i, int base) {
      const char32_t c = at(i);
      if (c >= '0' && c <= '9') return static_cast<int>(c - '0') < base;
      return base == 16 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
    };
    int base = 10;
    std::size_t i = position_;
    const char32_t prefix = at(i + 1) | 0x20;
    if (at(i) == '0' && (prefix == 'b' || prefix == 'o' || prefix == 'x')) {
      const int wanted = prefix == 'b' ? 2 : prefix == 'o' ? 8 : 16;
      if (is_digit_of(i + 2, wanted) || (at(i + 2) == '_' && is_digit_of(i + 3, wanted))) {
        base = wanted;
        i += 2;
      }
    }
    const bool zero = base == 10 && at(i) == '0';  // a decimal starting with 0 has only zeros
    const std::size_t digits = i;
    while (is_digit_of(i, zero ? 1 : base) || (at(i) == '_' && is_digit_of(i + 1, zero ? 1 : base))) ++i;
    std::string text;
    for (std::size_t k = digits; k < i; ++k)
      if (source_[k] != '_') text += static_cast<char>(source_[k]);
    add(TokenType::integer, text);
    const auto result = std::from_chars(text.data(), text.data() + text.size(), tokens_.back().integer, base);
    if (result.ec != std::errc())
      throw JinjaError(ErrorKind::unsupported, "OverflowError", "integer literal outside 64 bits", line_);
    advance(i);
    return true;
  }

  void name() {
    std::size_t end = position_;
    while (end < source_.size() && (is_word(source_[end]) || utf8_mark(source_[end]))) ++end;
    const auto text = std::u32string_view(source_).substr(position_, end - position_);
    if (!is_identifier(text)) raise_syntax_error("Invalid character in identifier", line_);
    add(TokenType::name, encode_utf8(text));
    advance(end);
  }

  // Marks may follow in an identifier though they are no word characters.
  static bool utf8_mark(char32_t c) { return c >= 0x300 && is_identifier(std::u32string{U'a', c}); }

  void string_literal(char32_t quote) {
    std::size_t end = position_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) unexpected_character();
    std::string text = unescape(std::u32string_view(source_).substr(position_ + 1, end - position_ - 1));
    add(TokenType::string, std::move(text));
    advance(end + 1);
  }

  std::string unescape(std::u32string_view body) const {
    std::string out;
    for (std::size_t i = 0; i < body.size(); ++i) {
      if (body[i] != '\\') {
        append_utf8(out, body[i]);
        continue;
      }
      if (++i >= body.size()) raise_syntax_error("\\ at end of string", line_);
      const char32_t c = body[i];
      static constexpr std::u32string_view kNames = U"\\'\"abfnrtv";
      static constexpr std::string_view kValues = "\\'\"\a\b\f\n\r\t\v";
      if (const std::size_t found = kNames.find(c); found != kNames.npos) {
        out += kValues[found];
      } else if (c == '\n') {  // a continued line
      } else if (c >= '0' && c <= '7') {
        char32_t value = 0;
        std::size_t digits = 0;
        for (; digits < 3 && i + digits < body.size() && body[i + digits] >= '0' && body[i + digits] <= '7';
             ++digits)
          value = value * 8 + (body[i + digits] - '0');
        i += digits - 1;
        append_utf8(out, value);
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        std::string hex;
        for (std::size_t k = i + 1; k < body.size() && hex.size() < digits && body[k] < 0x80 &&
                                    std::isxdigit(static_cast<int>(body[k]));
             ++k)
          hex += static_cast<char>(body[k]);
        const unsigned long value = std::strtoul(hex.c_str(), nullptr, 16);
        if (hex.size() < digits) raise_syntax_error("truncated escape in a string", line_);
        if (value > 0x10FFFF) raise_syntax_error("illegal Unicode character", line_);
        if (value >= 0xD800 && value < 0xE000) raise_syntax_error("a surrogate is no character", line_);
        append_utf8(out, static_cast<char32_t>(value));
        i += digits;
      } else if (c == 'N') {
        throw JinjaError(ErrorKind::unsupported, "TemplateSyntaxError", "\\N{name} escapes are not supported",
                         line_);
      } else {  // an unknown escape stays as it is
        out += '\\';
        append_utf8(out, c);
      }
    }
    return out;
  }

  void op() {
    static constexpr std::array<std::u32string_view, 6> kTwo = {U"//", U"**", U"==", U"!=", U">=", U"<="};
    static constexpr std::u32string_view kOne = U"+-/*%~[](){}><=.:|,;";
    const char32_t c = source_[position_];
    for (const std::u32string_view two : kTwo) {
      if (starts_with(position_, two)) {
        add(TokenType::op, encode_utf8(two));
        advance(position_ + 2);
        return;
      }
    }
    if (kOne.find(c) == kOne.npos) unexpected_character();
    const std::string text(1, static_cast<char>(c));
    if (c == '{' || c == '(' || c == '[') {
      brackets_ += c == '{' ? '}' : c == '(' ? ')' : ']';
    } else if (c == '}' || c == ')' || c == ']') {
      if (brackets_.empty()) raise_syntax_error("unexpected '" + text + "'", line_);
      const char expected = brackets_.back();
      brackets_.pop_back();
      if (expected != text[0])
        raise_syntax_error("unexpected '" + text + "', expected '" + std::string(1, expected) + "'", line_);
    }
    add(TokenType::op, text);
    advance(position_ + 1);
  }

  [[noreturn]] void unexpected_character() const {
    const char32_t c = source_[position_];
    const std::string quote = c == '\'' ? "\"" : "'";
    raise_syntax_error("unexpected char " + quote + (c == '\\' ? "\\\\" : encode_utf8({&c, 1})) + quote +
                           " at " + std::to_string(position_),
                       line_);
  }

  const std::u32string source_;
  const JinjaOptions& options_;
  std::size_t position_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::string brackets_;  // closing brackets that are still awaited
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const JinjaOptions& options) {
  if (source.size() > options.max_source_bytes)
    throw JinjaError(
        ErrorKind::invalid_argument, "LimitError",
        fmt::format("the source has {} bytes, the limit is {}", source.size(), options.max_source_bytes), 0);
  if (!is_valid_utf8(source)) raise_syntax_error("the source is not valid UTF-8", 0);
  return Lexer(normalise_newlines(decode_utf8(source), options.keep_trailing_newline), options).run();
}

}  // namespace r1::jinja
