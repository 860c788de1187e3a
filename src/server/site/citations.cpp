#include "server/site/citations.h"

#include <array>

namespace r1::site {
namespace {

constexpr std::string_view kBegin = "[citation:";
constexpr std::array<std::string_view, 4> kDividers{",", "，", "、", ";"};

/// One to four digits at `at`, which moves behind them; -1 for none.
int read_number(std::string_view text, size_t& at) {
  int number = -1;
  for (int digits = 0; digits < 4 && at < text.size() && text[at] >= '0' && text[at] <= '9'; ++digits, ++at) {
    number = (number < 0 ? 0 : number) * 10 + (text[at] - '0');
  }
  return number;
}

/// The mark at the beginning of `text`; an empty one when there is none.
AnswerPart read_mark(std::string_view text, int sources) {
  AnswerPart mark{0, 0, {}};
  if (!text.starts_with(kBegin)) return mark;
  size_t at = kBegin.size();
  while (true) {
    if (at < text.size() && text[at] == ' ') ++at;
    const int number = read_number(text, at);
    if (number < 0 || at == text.size()) return {0, 0, {}};
    mark.numbers.push_back({number, number >= 1 && number <= sources});
    if (text[at] == ']') {
      mark.end = at + 1;
      return mark;
    }
    size_t divider = 0;
    for (const std::string_view one : kDividers) {
      if (text.substr(at).starts_with(one)) divider = one.size();
    }
    if (divider == 0) return {0, 0, {}};
    at += divider;
  }
}

}  // namespace

std::vector<AnswerPart> parse_citations(std::string_view answer, int sources) {
  std::vector<AnswerPart> parts;
  size_t text = 0;
  for (size_t at = answer.find('['); at != std::string_view::npos; at = answer.find('[', at)) {
    AnswerPart mark = read_mark(answer.substr(at), sources);
    if (mark.numbers.empty()) {
      ++at;
      continue;
    }
    if (at > text) parts.push_back({text, at, {}});
    mark.begin = at;
    text = at = mark.end += mark.begin;
    parts.push_back(std::move(mark));
  }
  if (text < answer.size()) parts.push_back({text, answer.size(), {}});
  return parts;
}

}  // namespace r1::site
