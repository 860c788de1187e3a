#include "grade/math/lexer.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "grade/text.h"

namespace r1::grade::math {
namespace {

// Longer ones first where one begins with another.
constexpr auto kReplacements = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"−", "-"},
    {"–", "-"},
    {"—", "-"},
    {"＋", "+"},
    {"－", "-"},
    {"×", "\\times "},
    {"✕", "\\times "},
    {"·", "\\cdot "},
    {"⋅", "\\cdot "},
    {"∙", "\\cdot "},
    {"÷", "\\div "},
    {"／", "/"},
    {"∕", "/"},
    {"⁄", "/"},
    {"＊", "*"},
    {"＝", "="},
    {"≠", "\\ne "},
    {"≤", "\\le "},
    {"≦", "\\le "},
    {"⩽", "\\le "},
    {"≥", "\\ge "},
    {"≧", "\\ge "},
    {"⩾", "\\ge "},
    {"＜", "<"},
    {"＞", ">"},
    {"≈", "\\approx "},
    {"∈", "\\in "},
    {"∉", "\\notin "},
    {"∪", "\\cup "},
    {"∩", "\\cap "},
    {"∅", "\\emptyset "},
    {"±", "\\pm "},
    {"∓", "\\mp "},
    {"∞", "\\infty "},
    {"√", "\\sqrt "},
    {"∛", "\\cbrt "},
    {"π", "\\pi "},
    {"Π", "\\Pi "},
    {"α", "\\alpha "},
    {"β", "\\beta "},
    {"γ", "\\gamma "},
    {"δ", "\\delta "},
    {"ε", "\\epsilon "},
    {"θ", "\\theta "},
    {"λ", "\\lambda "},
    {"μ", "\\mu "},
    {"ρ", "\\rho "},
    {"σ", "\\sigma "},
    {"φ", "\\phi "},
    {"ω", "\\omega "},
    {"Δ", "\\Delta "},
    {"Ω", "\\Omega "},
    {"°", "^\\circ "},
    {"º", "^\\circ "},
    {"℃", "^\\circ "},
    {"²", "^{2}"},
    {"³", "^{3}"},
    {"¹", "^{1}"},
    {"⁴", "^{4}"},
    {"⁵", "^{5}"},
    {"⁶", "^{6}"},
    {"⁷", "^{7}"},
    {"⁸", "^{8}"},
    {"⁹", "^{9}"},
    {"⁰", "^{0}"},
    {"ⁿ", "^{n}"},
    {"⁻", "^-"},
    {"₀", "_{0}"},
    {"₁", "_{1}"},
    {"₂", "_{2}"},
    {"₃", "_{3}"},
    {"₄", "_{4}"},
    {"₅", "_{5}"},
    {"₆", "_{6}"},
    {"₇", "_{7}"},
    {"₈", "_{8}"},
    {"₉", "_{9}"},
    {"½", "\\frac{1}{2}"},
    {"⅓", "\\frac{1}{3}"},
    {"⅔", "\\frac{2}{3}"},
    {"¼", "\\frac{1}{4}"},
    {"¾", "\\frac{3}{4}"},
    {"⅕", "\\frac{1}{5}"},
    {"⅛", "\\frac{1}{8}"},
    {"⅜", "\\frac{3}{8}"},
    {"⅝", "\\frac{5}{8}"},
    {"⅞", "\\frac{7}{8}"},
    {"⅙", "\\frac{1}{6}"},
    {"⅚", "\\frac{5}{6}"},
    {"（", "("},
    {"）", ")"},
    {"［", "["},
    {"］", "]"},
    {"【", "["},
    {"】", "]"},
    {"｛", "\\{"},
    {"｝", "\\}"},
    {"｜", "|"},
    {"∣", "|"},
    {"，", ","},
    {"、", ","},
    {"；", ";"},
    {"：", ":"},
    {"。", ""},
    {"％", "%"},
    {"！", "!"},
    {"．", "."},
    {"　", " "},
    {"\xC2\xA0", " "},
    {"\xE2\x80\x89", " "},
    {"\xE2\x80\x8B", ""},
    {"\xE2\x80\xAF", " "},
    {"￥", ""},
    {"¥", ""},
    {"€", ""},
    {"£", ""},
    {"“", ""},
    {"”", ""},
    {"…", "\\ldots "},
    {"ℝ", "\\mathbb{R}"},
    {"ℤ", "\\mathbb{Z}"},
    {"ℕ", "\\mathbb{N}"},
    {"→", "\\to "},
    {"∠", "\\angle "},
    {"万", "\\times 10^{4} "},
    {"亿", "\\times 10^{8} "},
});

// Commands that say nothing about the value.
constexpr auto kIgnoredCommands = std::to_array<std::string_view>({
    "left",       "right",       "middle",     "big",      "Big",     "bigg",    "Bigg",    "bigl",
    "bigr",       "Bigl",        "Bigr",       "biggl",    "biggr",   "Biggl",   "Biggr",   "displaystyle",
    "textstyle",  "scriptstyle", "limits",     "nolimits", "quad",    "qquad",   "hspace",  "thinspace",
    "enspace",    "mathstrut",   "rm",         "bf",       "it",      "hfill",   "newline", "nonumber",
    "tiny",       "small",       "large",      "Large",    "phantom", "overset", "angle",   "triangle",
    "therefore",  "because",     "boldsymbol", "bm",       "mathbf",  "mathit",  "mathsf",  "mathcal",
    "mathnormal", "ensuremath",  "bold",
});

constexpr auto kWords = std::to_array<std::string_view>({
    "arcsin", "arccos", "arctan", "arccot", "sinh",     "cosh",  "tanh",  "sqrt",  "cbrt", "sin",
    "cos",    "tan",    "cot",    "sec",    "csc",      "log",   "exp",   "floor", "ceil", "ceiling",
    "abs",    "ln",     "lg",     "pi",     "infinity", "infty", "inf",   "oo",    "max",  "min",
    "gcd",    "lcm",    "binom",  "frac",   "and",      "or",    "theta", "alpha", "beta", "cup",
});

const std::set<std::string_view>& units() {
  static const std::set<std::string_view> kUnits{
      "mm",      "cm",         "dm",          "km",          "meter",     "meters",     "metre",
      "metres",  "centimeter", "centimeters", "centimetres", "kilometer", "kilometers", "kilometres",
      "inch",    "inches",     "foot",        "feet",        "ft",        "yard",       "yards",
      "mile",    "miles",      "mph",         "kmh",         "kph",       "kg",         "mg",
      "gram",    "grams",      "kilogram",    "kilograms",   "pound",     "pounds",     "lb",
      "lbs",     "ounce",      "ounces",      "oz",          "ton",       "tons",       "liter",
      "liters",  "litre",      "litres",      "ml",          "mL",        "gallon",     "gallons",
      "second",  "seconds",    "sec",         "secs",        "minute",    "minutes",    "mins",
      "hour",    "hours",      "hr",          "hrs",         "day",       "days",       "week",
      "weeks",   "month",      "months",      "year",        "years",     "cent",       "cents",
      "dollar",  "dollars",    "USD",         "yuan",        "RMB",       "degree",     "degrees",
      "deg",     "radian",     "radians",     "rad",         "unit",      "units",      "square",
      "squared", "sq",         "cubic",       "cubed",       "percent",   "people",     "persons",
      "person",  "students",   "student",     "ways",        "way",       "points",     "point",
      "times",   "apples",     "books",       "miles/hour",  "Hz",        "kW",         "kWh",
      "mol",     "pcs",        "pieces",      "items",       "boxes",     "元",         "米",
      "厘米",    "千米",       "分米",        "毫米",        "公里",      "千克",       "克",
      "吨",      "升",         "毫升",        "秒",          "分钟",      "分",         "小时",
      "时",      "天",         "日",          "年",          "月",        "岁",         "个",
      "人",      "名",         "只",          "本",          "件",        "张",         "条",
      "辆",      "棵",         "支",          "块",          "次",        "种",         "页",
      "平方米",  "平方厘米",   "平方千米",    "立方米",      "立方厘米",  "立方分米",   "平方分米",
      "公顷",    "度",         "倍",          "角",          "袋",        "箱",         "盒",
      "瓶",      "朵",         "把",          "台",          "套",        "双",         "层",
      "排",      "行",         "道",          "位",          "头",        "匹",         "间",
      "元钱",    "千米/时",    "米/秒",       "颗",          "根",        "束",         "杯",
      "篇",      "周",         "题",
  };
  return kUnits;
}

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// Words that mean nothing behind "\\", a new row, without a backslash of their own.
bool begins_with_common_command(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kCommon = {
      "sqrt", "frac", "dfrac", "tfrac", "boxed", "text", "mathrm", "cdot", "times", "infty", "left", "right"};
  size_t end = 0;
  while (end < text.size() && is_letter(text[end])) ++end;
  return contains(kCommon, text.substr(0, end));
}

std::string with_replacements(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  for (size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      out += text[at++];
      continue;
    }
    const std::string_view rest = text.substr(at);
    const auto* found = std::find_if(kReplacements.begin(), kReplacements.end(),
                                     [&](const auto& entry) { return rest.starts_with(entry.first); });
    if (found != kReplacements.end()) {
      out += found->second;
      at += found->first.size();
      continue;
    }
    // Full-width letters and digits: U+FF10 to U+FF5A.
    const auto byte = [&](size_t index) { return static_cast<unsigned char>(rest[index]); };
    if (rest.size() >= 3 && byte(0) == 0xEF && (byte(1) == 0xBC || byte(1) == 0xBD)) {
      const int code = ((byte(1) & 0x3F) << 6 | (byte(2) & 0x3F)) | 0xF000;
      const int ascii = code - 0xFEE0;
      if (ascii > ' ' && ascii < 127) {
        out += static_cast<char>(ascii);
        at += 3;
        continue;
      }
    }
    out += text[at++];
  }
  return out;
}

}  // namespace

bool is_unit(std::string_view word) {
  return units().contains(word);
}

std::string plain_latex(std::string_view text) {
  const std::string replaced = with_replacements(text);
  std::string out;
  out.reserve(replaced.size());
  const std::string_view view = replaced;
  const auto digit_before = [&] { return !out.empty() && is_digit(out.back()); };
  for (size_t at = 0; at < view.size();) {
    const std::string_view rest = view.substr(at);
    if (rest[0] == '$') {
      ++at;
      continue;
    }
    // A comma that separates thousands for certain: "10,\!080", "10{,}080".
    if (digit_before() && (rest.starts_with(",\\!") || rest.starts_with("{,}"))) {
      at += 3;
      while (at < view.size() && view[at] == ' ') ++at;
      continue;
    }
    if (rest[0] != '\\') {
      out += rest[0] == '~' ? ' ' : rest[0];
      ++at;
      continue;
    }
    if (rest.size() == 1) break;
    const char next = rest[1];
    if (next == '!') {  // negative space
      at += 2;
      continue;
    }
    if (next == ',' || next == ';' || next == ':' || next == ' ' ||
        next == '>') {  // thin spaces; "\," also in numbers
      const bool inside_number = digit_before() && rest.size() > 2 && is_digit(rest[2]) && next == ',';
      if (!inside_number) out += ' ';
      at += 2;
      continue;
    }
    if (next == '(' || next == ')' || next == '[' || next == ']') {  // delimiters of formulas
      out += ' ';
      at += 2;
      continue;
    }
    if (next == '$') {  // a currency
      at += 2;
      continue;
    }
    if (next == '%') {
      out += '%';
      at += 2;
      continue;
    }
    if (next == '\\' && begins_with_common_command(rest.substr(2))) {  // escaped once too often: "4\\sqrt{2}"
      ++at;
      continue;
    }
    if (!is_letter(next)) {  // "\{", "\\", "\|", "\_"
      out += rest.substr(0, 2);
      at += 2;
      continue;
    }
    size_t end = 1;
    while (end < rest.size() && is_letter(rest[end])) ++end;
    const std::string_view command = rest.substr(1, end - 1);
    at += end;
    if (command == "color" || command == "textcolor") {  // "\\color{red}{17}"
      const size_t open = view.find_first_not_of(' ', at);
      const size_t close = open != std::string_view::npos && view[open] == '{' ? view.find('}', open) : open;
      if (close != std::string_view::npos && view[close] == '}') at = close + 1;
      continue;
    }
    if (contains(kIgnoredCommands, command)) {
      if ((command == "left" || command == "right") && at < view.size() && view[at] == '.')
        ++at;  // no bracket
      out += ' ';
      continue;
    }
    out += '\\';
    out += command;
    out += ' ';  // ends the command whatever follows
  }
  return out;
}

std::vector<Token> tokenize(std::string_view plain, const LexerOptions& options) {
  std::vector<Token> tokens;
  bool space = false;
  const auto push = [&](TokenKind kind, std::string_view text) {
    tokens.push_back({kind, std::string(text), space});
    space = false;
  };
  for (size_t at = 0; at < plain.size();) {
    const char c = plain[at];
    const std::string_view rest = plain.substr(at);
    if (is_space(c)) {
      space = true;
      ++at;
      continue;
    }
    if (is_digit(c) || (c == '.' && rest.size() > 1 && is_digit(rest[1]))) {
      std::string number;
      size_t end = at;
      while (end < plain.size() && is_digit(plain[end])) number += plain[end++];
      // Groups of three digits, separated by commas or single spaces.
      const auto group_at = [&](size_t place) {
        return place + 3 < plain.size() && is_digit(plain[place + 1]) && is_digit(plain[place + 2]) &&
               is_digit(plain[place + 3]) && (place + 4 >= plain.size() || !is_digit(plain[place + 4]));
      };
      if (!number.empty() && number.size() <= 3) {
        while (end < plain.size() && group_at(end) &&
               ((plain[end] == ',' && options.grouped_thousands && number[0] != '0') || plain[end] == ' ')) {
          number += plain.substr(end + 1, 3);
          end += 4;
        }
      }
      if (end + 1 < plain.size() && plain[end] == '.' && is_digit(plain[end + 1])) {
        number += plain[end++];
        while (end < plain.size() && is_digit(plain[end])) number += plain[end++];
      } else if (end < plain.size() && plain[end] == '.' && !number.empty() &&
                 plain.substr(end + 1).starts_with("\\")) {
        number += plain[end++];  // "0.\overline{3}"
      }
      // "3e5", "1.2E-7"
      if (end < plain.size() && (plain[end] == 'e' || plain[end] == 'E')) {
        size_t exponent = end + 1;
        if (exponent < plain.size() && (plain[exponent] == '-' || plain[exponent] == '+')) ++exponent;
        size_t stop = exponent;
        while (stop < plain.size() && is_digit(plain[stop])) ++stop;
        if (stop > exponent && stop - exponent <= 4 && (stop >= plain.size() || !is_letter(plain[stop]))) {
          number += 'e';
          number += plain.substr(end + 1, stop - end - 1);
          end = stop;
        }
      }
      push(TokenKind::number, number);
      at = end;
      continue;
    }
    if (c == '\\' && rest.size() > 1) {
      size_t end = 1;
      while (end < rest.size() && is_letter(rest[end])) ++end;
      if (end == 1) {
        push(TokenKind::command, rest.substr(1, 1));
        at += 2;
        continue;
      }
      const std::string_view command = rest.substr(1, end - 1);
      at += end;
      const bool is_text = command == "text" || command == "mbox" || command == "textbf" ||
                           command == "textrm" || command == "textit" || command == "mathrm" ||
                           command == "operatorname" || command == "hbox" || command == "texttt" ||
                           command == "textsf";
      while (at < plain.size() && is_text && is_space(plain[at])) ++at;
      if (is_text && at < plain.size() && plain[at] == '{') {
        int depth = 0;
        size_t stop = at;
        for (; stop < plain.size(); ++stop) {
          depth += plain[stop] == '{' ? 1 : plain[stop] == '}' ? -1 : 0;
          if (depth == 0) break;
        }
        std::string_view content = plain.substr(at + 1, stop > at ? stop - at - 1 : 0);
        at = stop < plain.size() ? stop + 1 : stop;
        while (!content.empty() && is_space(content.front())) content.remove_prefix(1);
        while (!content.empty() && is_space(content.back())) content.remove_suffix(1);
        const bool is_mathematical =  // "\text{3}", "\mathrm{e}", "\mathrm{i}", "\text{(C)}" stay text
            content.size() == 1 ||
            (!content.empty() && content.find_first_not_of("0123456789.+-/,^() ") == std::string_view::npos);
        if (is_mathematical) {
          for (Token& token : tokenize(content, options)) tokens.push_back(std::move(token));
        } else if (contains(kWords, content) && (content != "min" || command == "operatorname")) {
          push(TokenKind::command, content);
        } else if (!content.empty()) {
          push(TokenKind::text, content);
        }
        continue;
      }
      push(TokenKind::command, command);
      continue;
    }
    if (is_letter(c)) {
      size_t end = 0;
      while (end < rest.size() && is_letter(rest[end])) ++end;
      std::string_view word = rest.substr(0, end);
      at += end;
      while (!word.empty()) {
        const auto* known = std::find_if(kWords.begin(), kWords.end(),
                                         [&](std::string_view name) { return word.starts_with(name); });
        if (known != kWords.end() && (word.size() == known->size() || known->size() >= 3) &&
            *known != "and" && *known != "inf") {
          push(TokenKind::command, *known);
          word.remove_prefix(known->size());
          continue;
        }
        if (word == "and" || word == "or" || word == "inf") {
          push(TokenKind::command, word);
          break;
        }
        if (word.size() >= 2 && is_unit(word)) {
          push(TokenKind::text, word);
          break;
        }
        if (word.size() >= 4) {
          push(TokenKind::text, word);
          break;
        }
        push(TokenKind::letter, word.substr(0, 1));
        word.remove_prefix(1);
      }
      continue;
    }
    if (static_cast<unsigned char>(c) >= 0x80) {  // a run of other writing
      size_t end = 0;
      while (end < rest.size() && static_cast<unsigned char>(rest[end]) >= 0x80) ++end;
      const std::string_view word = rest.substr(0, end);
      if (word == "和" || word == "与" || word == "及") {
        push(TokenKind::command, "and");
      } else if (word == "或" || word == "或者") {
        push(TokenKind::command, "or");
      } else {
        push(TokenKind::text, word);
      }
      at += end;
      continue;
    }
    if (rest.starts_with("<=") || rest.starts_with("=<")) {
      push(TokenKind::command, "le");
      at += 2;
    } else if (rest.starts_with(">=")) {
      push(TokenKind::command, "ge");
      at += 2;
    } else if (rest.starts_with("!=")) {
      push(TokenKind::command, "ne");
      at += 2;
    } else if (rest.starts_with("**")) {
      push(TokenKind::sign, "^");
      at += 2;
    } else if (rest.starts_with("+/-")) {
      push(TokenKind::command, "pm");
      at += 3;
    } else {
      push(TokenKind::sign, rest.substr(0, 1));
      ++at;
    }
  }
  return tokens;
}

}  // namespace r1::grade::math
