#include "grammar/regex_syntax.h"

#include <algorithm>

#include "base/error.h"

namespace r1::grammar {
namespace {

constexpr char32_t kLast = 0x10FFFF;
constexpr int kMaxDepth = 100;
constexpr int64_t kMaxRepeat = 100'000;
constexpr size_t kMaxBytes = 20'000;

CharacterRanges normalise(CharacterRanges ranges) {
  std::ranges::sort(ranges);
  CharacterRanges out;
  for (const auto& range : ranges) {
    if (!out.empty() && range.first <= out.back().second + 1) {
      out.back().second = std::max(out.back().second, range.second);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

CharacterRanges complement(const CharacterRanges& ranges) {
  CharacterRanges out;
  char32_t next = 0;
  for (const auto& [low, high] : normalise(ranges)) {
    if (low > next) out.push_back({next, low - 1});
    next = high + 1;
  }
  if (next <= kLast) out.push_back({next, kLast});
  return out;
}

const CharacterRanges kDigits = {{'0', '9'}};
const CharacterRanges kWord = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CharacterRanges kSpace = {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680},
                                {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                                {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const CharacterRanges kDot = complement({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  RegexNode parse() {
    RegexNode node = alternatives(0);
    if (at_ < text_.size()) fail("an unmatched ')'");
    return node;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw_error(ErrorKind::invalid_argument, "regular expression: {} at byte {}", what, at_);
  }
  [[noreturn]] void unsupported(std::string_view what) const {
    throw_error(ErrorKind::unsupported, "regular expression: {} at byte {}: not supported", what, at_);
  }

  bool more() const { return at_ < text_.size(); }
  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }

  char32_t character() {
    const auto first = static_cast<unsigned char>(text_[at_]);
    const int length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first >= 0x80 && (first < 0xC2 || first > 0xF4)) fail("invalid UTF-8");
    if (at_ + static_cast<size_t>(length) > text_.size()) fail("invalid UTF-8");
    char32_t value = length == 1 ? first : first & (0xFFU >> (length + 1));
    for (int i = 1; i < length; ++i) value = value << 6 | (static_cast<unsigned char>(text_[at_ + i]) & 0x3F);
    at_ += length;
    return value;
  }

  RegexNode alternatives(int depth) {
    if (depth > kMaxDepth) fail("groups nested too deeply");
    RegexNode all{RegexNode::Kind::either};
    all.parts.push_back(sequence(depth));
    while (take("|")) all.parts.push_back(sequence(depth));
    return all.parts.size() == 1 ? std::move(all.parts.front()) : std::move(all);
  }

  RegexNode sequence(int depth) {
    RegexNode all{RegexNode::Kind::sequence};
    while (more() && text_[at_] != '|' && text_[at_] != ')') {
      RegexNode part = atom(depth);
      const bool takes = part.kind != RegexNode::Kind::begin && part.kind != RegexNode::Kind::end &&
                         part.kind != RegexNode::Kind::ahead && part.kind != RegexNode::Kind::not_ahead;
      if (takes) part = repeated(std::move(part));
      all.parts.push_back(std::move(part));
    }
    return all;
  }

  RegexNode atom(int depth) {
    if (take("^")) return {RegexNode::Kind::begin};
    if (take("$")) return {RegexNode::Kind::end};
    if (take(".")) return {RegexNode::Kind::characters, kDot};
    if (take("(")) {
      if (take("?")) {
        if (take("<=") || take("<!")) unsupported("look-behind");
        const bool ahead = take("=");
        if (ahead || take("!")) {
          RegexNode look{ahead ? RegexNode::Kind::ahead : RegexNode::Kind::not_ahead};
          look.parts.push_back(alternatives(depth + 1));
          if (!take(")")) fail("a group without an end");
          return look;
        }
        if (take("<") || take("P<")) {
          while (more() && text_[at_] != '>') ++at_;
          if (!take(">")) fail("a group's name without an end");
        } else if (!take(":")) {
          unsupported("this kind of group");
        }
      }
      RegexNode inside = alternatives(depth + 1);
      if (!take(")")) fail("a group without an end");
      return inside;
    }
    if (take("[")) return {RegexNode::Kind::characters, bracket()};
    if (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '?') fail("nothing to repeat");
    CharacterRanges ranges;
    if (take("\\")) {
      ranges = escape(false);
    } else {
      const char32_t c = character();
      ranges = {{c, c}};
    }
    return {RegexNode::Kind::characters, ranges};
  }

  RegexNode repeated(RegexNode part) {
    int64_t low = 1, high = 1;
    if (take("*")) {
      low = 0, high = -1;
    } else if (take("+")) {
      high = -1;
    } else if (take("?")) {
      low = 0;
    } else if (more() && text_[at_] == '{' && bounds(low, high)) {
    } else {
      return part;
    }
    take("?");  // lazy: the same texts match
    if (more() && (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '?'))
      fail("a repeated repetition");
    RegexNode all{RegexNode::Kind::repeat};
    all.low = low, all.high = high;
    all.parts.push_back(std::move(part));
    return all;
  }

  /// {m}, {m,} or {m,n}; anything else is text.
  bool bounds(int64_t& low, int64_t& high) {
    size_t at = at_ + 1;
    const auto number = [&](int64_t& value) {
      const size_t begin = at;
      value = 0;
      while (at < text_.size() && text_[at] >= '0' && text_[at] <= '9' && at - begin < 9)
        value = value * 10 + (text_[at++] - '0');
      return at > begin;
    };
    if (!number(low)) return false;
    high = low;
    if (at < text_.size() && text_[at] == ',') {
      ++at;
      if (!number(high)) high = -1;
    }
    if (at >= text_.size() || text_[at] != '}') return false;
    at_ = at + 1;
    if (low > kMaxRepeat || high > kMaxRepeat) fail("more than 100000 repetitions");
    if (high >= 0 && high < low) fail("a repetition whose bounds are the wrong way round");
    return true;
  }

  char32_t hexadecimal(size_t digits) {
    char32_t value = 0;
    for (size_t i = 0; i < digits; ++i) {
      const char c = at_ < text_.size() ? text_[at_++] : ' ';
      if (c >= '0' && c <= '9')
        value = value * 16 + static_cast<char32_t>(c - '0');
      else if (c >= 'a' && c <= 'f')
        value = value * 16 + static_cast<char32_t>(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F')
        value = value * 16 + static_cast<char32_t>(c - 'A' + 10);
      else
        fail("a malformed escape");
    }
    return value;
  }

  CharacterRanges escape(bool in_class) {
    if (!more()) fail("an escape without a character");
    const char c = text_[at_];
    if (static_cast<unsigned char>(c) >= 0x80) {
      const char32_t value = character();
      return {{value, value}};
    }
    ++at_;
    const auto one = [](char32_t value) { return CharacterRanges{{value, value}}; };
    switch (c) {
      case 'd':
        return kDigits;
      case 'D':
        return complement(kDigits);
      case 'w':
        return kWord;
      case 'W':
        return complement(kWord);
      case 's':
        return kSpace;
      case 'S':
        return complement(kSpace);
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 't':
        return one('\t');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case '0':
        return one(0);
      case 'x':
        return one(hexadecimal(2));
      case 'u': {
        char32_t value = 0;
        if (take("{")) {
          const size_t end = text_.find('}', at_);
          if (end == text_.npos || end - at_ > 6 || end == at_) fail("a malformed escape");
          value = hexadecimal(end - at_);
          ++at_;
        } else {
          value = hexadecimal(4);
          if (value >= 0xD800 && value < 0xDC00 && take("\\u"))
            value = 0x10000 + ((value - 0xD800) << 10) + (hexadecimal(4) - 0xDC00);
        }
        if (value > kLast) fail("a character beyond U+10FFFF");
        return one(value);
      }
      case 'b':
        if (in_class) return one('\b');
        unsupported("\\b");
      case 'B':
        unsupported("\\B");
      case 'p':
      case 'P':
        unsupported("\\p");
      case 'k':
        unsupported("a back-reference");
      default:
        break;
    }
    if (c >= '1' && c <= '9') unsupported("a back-reference");
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) unsupported("this escape");
    return one(static_cast<char32_t>(c));
  }

  CharacterRanges bracket() {
    const bool negated = take("^");
    CharacterRanges ranges;
    const auto item = [&]() -> CharacterRanges {
      if (take("\\")) return escape(true);
      const char32_t c = character();
      return {{c, c}};
    };
    while (true) {
      if (!more()) fail("a class without an end");
      if (take("]")) break;
      const CharacterRanges first = item();
      const bool single = first.size() == 1 && first[0].first == first[0].second;
      if (single && at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
        ++at_;
        const CharacterRanges last = item();
        if (last.size() != 1 || last[0].first != last[0].second || last[0].first < first[0].first)
          fail("a malformed range of characters");
        ranges.push_back({first[0].first, last[0].first});
      } else {
        ranges.insert(ranges.end(), first.begin(), first.end());
      }
    }
    return negated ? complement(ranges) : normalise(ranges);
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

RegexNode parse_regex(std::string_view expression) {
  if (expression.size() > kMaxBytes)
    throw_error(ErrorKind::invalid_argument, "regular expression: {} bytes, {} are allowed",
                expression.size(), kMaxBytes);
  return Parser(expression).parse();
}

}  // namespace r1::grammar
