#include "tasks/answer_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tasks/expression.h"

namespace r1::tasks {
namespace {

constexpr size_t kLongestAnswer = 200;  // bytes; nothing that is right is longer

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// ASCII signs, small letters, no spaces and no TeX around.
std::string plain(std::string_view given) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 15> signs = {{{"×", "*"},
                                                                                           {"\\times", "*"},
                                                                                           {"\\cdot", "*"},
                                                                                           {"·", "*"},
                                                                                           {"÷", "/"},
                                                                                           {"\\div", "/"},
                                                                                           {"−", "-"},
                                                                                           {"–", "-"},
                                                                                           {"（", "("},
                                                                                           {"）", ")"},
                                                                                           {"、", ","},
                                                                                           {"，", ","},
                                                                                           {";", ","},
                                                                                           {"\\text{", ""},
                                                                                           {"$", ""}}};
  std::string text(given);
  for (const auto& [from, to] : signs) text = replaced(std::move(text), from, to);
  std::string result;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\t') continue;
    result += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  return result;
}

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find_first_of(separators);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

struct Rational {
  int64_t top = 0, bottom = 1;
  bool operator==(const Rational&) const = default;
};

/// "5", "5/6", "\frac{5}{6}" as they are, not in lowest terms.
std::optional<Rational> read_rational(std::string text) {
  for (const std::string_view command : {"\\dfrac{", "\\tfrac{", "\\frac{"}) {
    if (!text.starts_with(command) || !text.ends_with('}')) continue;
    text = replaced(text.substr(command.size(), text.size() - command.size() - 1), "}{", "/");
  }
  const std::vector<std::string> parts = split(text, "/");
  if (parts.size() > 2 || !is_digits(parts[0]) || !is_digits(parts.back())) return std::nullopt;
  const Rational value{std::stoll(parts[0]), parts.size() == 2 ? std::stoll(parts[1]) : 1};
  if (value.bottom == 0) return std::nullopt;
  return value;
}

bool same_fraction(std::string_view canonical, const std::string& expected, const std::string& given) {
  const std::optional<Rational> a = read_rational(expected), b = read_rational(given);
  if (!a || !b) return false;
  if (canonical.starts_with("simplify(")) return *a == *b;  // lowest terms are what is asked for
  return a->top * b->bottom == b->top * a->bottom;
}

bool is_prime(int64_t n) {
  for (int64_t divisor = 2; divisor * divisor <= n; ++divisor) {
    if (n % divisor == 0) return false;
  }
  return n >= 2;
}

/// "2*2*3", "2^2*3" in any order.
bool is_prime_product(std::string_view canonical, const std::string& given) {
  constexpr std::string_view kOpen = "factor(";
  if (!canonical.starts_with(kOpen)) return false;
  const std::string number(canonical.substr(kOpen.size(), canonical.size() - kOpen.size() - 1));
  if (!is_digits(number)) return false;
  int64_t rest = std::stoll(number);
  std::string text = replaced(replaced(given, "{", ""), "}", "");
  if (text.starts_with(number + "=")) text.erase(0, number.size() + 1);
  for (const std::string& part : split(text, "*x,")) {
    const std::vector<std::string> power = split(part, "^");
    if (power.size() > 2 || !is_digits(power[0]) || !is_digits(power.back())) return false;
    const int64_t prime = std::stoll(power[0]);
    const int64_t exponent = power.size() == 2 ? std::stoll(power[1]) : 1;
    if (!is_prime(prime) || exponent > 30) return false;
    for (int64_t i = 0; i < exponent; ++i) {
      if (rest % prime != 0) return false;
      rest /= prime;
    }
  }
  return rest == 1;
}

void collect_numbers(const Expression& expression, std::vector<int64_t>& numbers) {
  if (expression.operation == 0) return numbers.push_back(expression.value);
  collect_numbers(*expression.left, numbers);
  collect_numbers(*expression.right, numbers);
}

/// The value as a fraction; nothing where it divides by 0. Four numbers of three digits cannot overflow.
std::optional<Rational> value_of(const Expression& expression) {
  if (expression.operation == 0) return Rational{expression.value, 1};
  const std::optional<Rational> a = value_of(*expression.left), b = value_of(*expression.right);
  if (!a || !b) return std::nullopt;
  Rational value;
  switch (expression.operation) {
    case '+':
      value = {a->top * b->bottom + b->top * a->bottom, a->bottom * b->bottom};
      break;
    case '-':
      value = {a->top * b->bottom - b->top * a->bottom, a->bottom * b->bottom};
      break;
    case '*':
      value = {a->top * b->top, a->bottom * b->bottom};
      break;
    default:
      value = {a->top * b->bottom, a->bottom * b->top};
  }
  if (value.bottom == 0) return std::nullopt;
  const int64_t divisor = std::gcd(value.top, value.bottom) * (value.bottom < 0 ? -1 : 1);
  return Rational{value.top / divisor, value.bottom / divisor};
}

/// Every number once, and the target reached; "=target" may stand behind.
bool reaches_target(std::string_view canonical, std::string given) {
  constexpr std::string_view kOpen = "countdown(";
  const size_t semicolon = canonical.find(';');
  if (!canonical.starts_with(kOpen) || semicolon == std::string_view::npos) return false;
  const std::string target(canonical.substr(semicolon + 1, canonical.size() - semicolon - 2));
  if (!is_digits(target)) return false;
  std::vector<int64_t> allowed;
  for (const std::string& number : split(canonical.substr(kOpen.size(), semicolon - kOpen.size()), ",")) {
    if (!is_digits(number) || number.size() > 3) return false;
    allowed.push_back(std::stoll(number));
  }
  if (allowed.size() > 4) return false;  // value_of
  if (given.ends_with("=" + target)) given.erase(given.size() - target.size() - 1);
  given = replaced(std::move(given), "x", "*");
  for (const std::string& run : split(given, "+-*/()")) {
    if (!run.empty() && !is_digits(run)) return false;
  }
  ExpressionPointer expression;
  try {
    expression = parse_expression(given);
  } catch (const std::logic_error&) {
    return false;
  }
  std::vector<int64_t> used;
  collect_numbers(*expression, used);
  std::sort(used.begin(), used.end());
  std::sort(allowed.begin(), allowed.end());
  return used == allowed && value_of(*expression) == Rational{std::stoll(target), 1};
}

/// "632", "-18", "9.90". A calculation ("347+285") is no answer.
bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const size_t point = text.find('.');
  const std::string_view fraction = point == std::string_view::npos ? "0" : text.substr(point + 1);
  return is_digits(text.substr(0, point)) && is_digits(fraction);
}

bool same_number(const std::string& a, const std::string& b) {
  return std::abs(std::stod(a) - std::stod(b)) < 1e-9;
}

/// 1 to 7 for a weekday in either language, 0 for other texts.
int weekday_of(std::string text) {
  static constexpr std::array<std::string_view, 7> english = {"monday", "tuesday",  "wednesday", "thursday",
                                                              "friday", "saturday", "sunday"};
  static constexpr std::array<std::string_view, 7> chinese = {"一", "二", "三", "四", "五", "六", "日"};
  for (const std::string_view name : {"礼拜", "周"}) text = replaced(std::move(text), name, "星期");
  text = replaced(std::move(text), "星期天", "星期日");
  for (size_t day = 0; day < english.size(); ++day) {
    if (text == english[day] || text == std::string("星期") + std::string(chinese[day]))
      return static_cast<int>(day) + 1;
  }
  return 0;
}

/// Counts with their names, in any order: "23chickens,12rabbits" and "鸡23只，兔12只".
bool same_counts(const std::string& expected, const std::string& given) {
  std::vector<std::string> a = split(expected, ","), b = split(replaced(given, "and", ","), ",");
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return a == b;
}

/// "aisaknight", "a=knight", "a:knight". "aisnotaknight" is something else.
bool says_role(std::string_view part, std::string_view name, std::string_view role) {
  static constexpr std::array<std::string_view, 9> between = {"",  "is", "isa",  "isthe", "=",
                                                              ":", "是", "是个", "是一个"};
  if (part.size() < name.size() + role.size() || !part.starts_with(name) || !part.ends_with(role))
    return false;
  return std::ranges::find(between, part.substr(name.size(), part.size() - name.size() - role.size())) !=
         between.end();
}

/// Every person's role, in any order.
bool same_roles(const std::string& expected, const std::string& given) {
  static constexpr std::array<std::string_view, 4> roles = {"knight", "knave", "骑士", "无赖"};
  const std::vector<std::string> wanted = split(expected, ",");
  const std::vector<std::string> parts = split(replaced(given, "and", ","), ",");
  if (parts.size() != wanted.size()) return false;
  for (const std::string& want : wanted) {
    bool found = false;
    for (const std::string_view role : roles) {
      if (!want.ends_with(role)) continue;
      const std::string_view is = want.find("是") != std::string::npos ? "是" : "isa";
      const std::string name = want.substr(0, want.size() - role.size() - is.size());
      for (const std::string& part : parts) found = found || says_role(part, name, role);
    }
    if (!found) return false;
  }
  return true;
}

}  // namespace

std::optional<bool> check_answer(const GivenAnswer& answer) {
  static const std::set<std::string_view> numeric = {
      "chain",      "addition", "subtraction", "multiplication", "division", "arithmetic", "equation",
      "comparison", "percent",  "unit",        "word",           "power",    "root",       "gcd",
      "lcm",        "sequence", "letters",     "date",           "heads"};
  static const std::set<std::string_view> others = {"fraction", "factor", "sorting", "countdown", "knights"};
  const std::string_view kind = answer.kind, canonical = answer.canonical;
  if (canonical.empty() || (!numeric.contains(kind) && !others.contains(kind))) return std::nullopt;
  if (answer.given.size() > kLongestAnswer) return false;
  const std::string expected = plain(answer.expected), given = plain(answer.given);
  if (expected == given) return true;
  if (kind == "fraction") return same_fraction(canonical, expected, given);
  if (kind == "factor") return is_prime_product(canonical, given);
  if (kind == "countdown") return reaches_target(canonical, given);
  if (kind == "sorting")
    return split(expected, ",") == split(replaced(replaced(given, "<", ","), ">", ","), ",");
  if (kind == "knights") return same_roles(expected, given);
  if (weekday_of(expected) != 0) return weekday_of(expected) == weekday_of(given);
  if (kind == "heads" && !is_number(expected)) return same_counts(expected, given);
  return is_number(expected) && is_number(given) && same_number(expected, given);
}

}  // namespace r1::tasks
