// Answers of the kinds that are no single expression, worked out from the canonical form by other means.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>
#include <regex>
#include <set>

#include "grade/boxed_answer.h"
#include "grade/calculator.h"
#include "grade/trace_check.h"
#include "tasks/answer_check.h"
#include "tasks/corpus.h"

namespace r1::tasks {
namespace {

std::vector<Problem> make(const char* kind, int64_t count = 3000) {
  CorpusOptions options;
  options.kinds = {{kind, 1}};
  options.count = count;
  options.history = options.box_instruction = 0;
  std::vector<Problem> problems;
  make_corpus(options, [&](const Problem& problem) { problems.push_back(problem); });
  return problems;
}

std::string answer_of(const Problem& problem) {
  return grade::boxed_answer(problem.answer).value_or("");
}

std::vector<int64_t> numbers_of(const std::string& text) {
  std::vector<int64_t> found;
  const std::regex number("\\d+");
  for (std::sregex_iterator at(text.begin(), text.end(), number), end; at != end; ++at)
    found.push_back(std::stoll(at->str()));
  return found;
}

/// Each answer is `expected`, given the numbers of the canonical form, and no trace is wrong or empty.
template <typename Expected>
void check_kind(const char* kind, Expected expected) {
  std::set<int> levels;
  size_t trace = 0;
  const std::vector<Problem> problems = make(kind);
  for (const Problem& problem : problems) {
    SCOPED_TRACE(to_json_line(problem));
    levels.insert(problem.level);
    ASSERT_EQ(answer_of(problem), expected(problem));
    ASSERT_EQ(grade::check_trace(problem.think).wrong, 0);
    ASSERT_FALSE(problem.think.empty());
    trace += problem.think.size();
  }
  EXPECT_EQ(levels.size(), 4U);
  EXPECT_LT(trace / problems.size(), 260U) << "bytes of a trace";
}

TEST(Kinds, Powers) {
  check_kind("power", [](const Problem& problem) {
    const auto n = numbers_of(problem.canonical);
    return std::to_string(std::llround(std::pow(n[0], n[1])));
  });
}

TEST(Kinds, Roots) {
  check_kind("root", [](const Problem& problem) {
    const auto n = static_cast<double>(numbers_of(problem.canonical)[0]);
    return std::to_string(std::llround(problem.canonical[0] == 's' ? std::sqrt(n) : std::cbrt(n)));
  });
}

TEST(Kinds, DivisorsAndMultiples) {
  check_kind("gcd", [](const Problem& problem) {
    const auto n = numbers_of(problem.canonical);
    return std::to_string(std::gcd(n[0], n[1]));
  });
  check_kind("lcm", [](const Problem& problem) {
    const auto n = numbers_of(problem.canonical);
    return std::to_string(std::lcm(n[0], n[1]));
  });
}

TEST(Kinds, PrimeFactors) {
  check_kind("factor", [](const Problem& problem) {
    int64_t rest = numbers_of(problem.canonical)[0];
    std::string product;
    for (int64_t divisor = 2; rest > 1; ++divisor) {
      for (; rest % divisor == 0; rest /= divisor)
        product += (product.empty() ? "" : "×") + std::to_string(divisor);
    }
    return product;
  });
}

TEST(Kinds, FractionsAreInLowestTerms) {
  check_kind("fraction", [](const Problem& problem) {
    std::string text = problem.canonical;
    if (text.starts_with("simplify(")) text = text.substr(9, text.size() - 10);
    const double value = *grade::calculate(text);
    for (int64_t bottom = 1; bottom < 200; ++bottom) {  // the first denominator that fits is the lowest
      const double top = value * static_cast<double>(bottom);
      if (std::abs(top - std::round(top)) > 1e-9) continue;
      return bottom == 1 ? std::to_string(std::llround(top))
                         : std::to_string(std::llround(top)) + "/" + std::to_string(bottom);
    }
    return std::string("none");
  });
}

TEST(Kinds, SequencesFollowOneRule) {
  check_kind("sequence", [](const Problem& problem) {
    const auto t = numbers_of(problem.canonical);
    const size_t n = t.size();
    std::set<int64_t> next;  // by every rule that fits all terms
    const auto fits = [&](auto rule, size_t first) {
      for (size_t i = first; i < n; ++i) {
        if (rule(i) != t[i]) return;
      }
      next.insert(rule(n));
    };
    fits([&](size_t i) { return t[i - 1] + t[1] - t[0]; }, 1);
    if (n >= 5) {
      fits([&](size_t i) { return 2 * t[i - 1] - t[i - 2] + (t[2] - 2 * t[1] + t[0]); }, 2);
      fits([&](size_t i) { return t[i - 1] + t[i - 2]; }, 2);
    }
    if (n >= 4 && t[0] != 0) fits([&](size_t i) { return t[i - 1] * (t[1] / t[0]); }, 1);
    EXPECT_EQ(next.size(), 1U);
    return std::to_string(*next.begin());
  });
}

TEST(Kinds, LettersAreCounted) {
  check_kind("letters", [](const Problem& problem) {
    const size_t comma = problem.canonical.find(',');
    const std::string wanted = problem.canonical.substr(8, comma - 8),
                      word = problem.canonical.substr(comma + 1, problem.canonical.size() - comma - 2);
    EXPECT_NE(problem.question.find(word), std::string::npos);
    return std::to_string(std::count_if(word.begin(), word.end(), [&](char c) {
      return wanted == "*" || wanted.find(c) != std::string::npos;
    }));
  });
}

TEST(Kinds, SortedAsAsked) {
  static const std::regex falling(
      "largest to smallest|descending|large to small|greatest to least|decreasing|从大到小|降序");
  check_kind("sorting", [](const Problem& problem) {
    std::vector<std::string> items;
    std::string list = problem.canonical.substr(5, problem.canonical.size() - 6);
    for (size_t start = 0; start <= list.size();) {
      const size_t end = std::min(list.find(',', start), list.size());
      items.push_back(list.substr(start, end - start));
      start = end + 1;
    }
    const bool is_words = std::isalpha(static_cast<unsigned char>(items[0][0])) != 0;
    std::sort(items.begin(), items.end(),
              [&](const auto& a, const auto& b) { return is_words ? a < b : std::stoll(a) < std::stoll(b); });
    if (std::regex_search(problem.question, falling)) std::reverse(items.begin(), items.end());
    std::string text;
    for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
    return text;
  });
}

TEST(Kinds, DatesAreThoseOfTheCalendar) {
  using namespace std::chrono;
  static const std::map<std::string, int64_t> names = {{"Monday", 0},   {"Tuesday", 1}, {"Wednesday", 2},
                                                       {"Thursday", 3}, {"Friday", 4},  {"Saturday", 5},
                                                       {"Sunday", 6}};
  const auto day = [](int64_t month, int64_t number) {
    return sys_days(year(2023) / static_cast<unsigned>(month) / static_cast<unsigned>(number));
  };
  for (const Problem& problem : make("date")) {
    SCOPED_TRACE(to_json_line(problem));
    const auto n = numbers_of(problem.canonical);
    const std::string answer = answer_of(problem);
    if (problem.canonical.starts_with("weekday")) {
      const int64_t sign = problem.canonical.find('-') == std::string::npos ? 1 : -1;
      const int64_t expected = ((n[0] - 1 + sign * n[1]) % 7 + 7) % 7;
      if (problem.language == Language::english) {
        ASSERT_EQ(names.at(answer), expected);
      } else {
        static const std::vector<std::string> chinese = {"一", "二", "三", "四", "五", "六", "日"};
        ASSERT_EQ(answer, "星期" + chinese[static_cast<size_t>(expected)]);
      }
    } else if (problem.canonical.starts_with("days")) {
      ASSERT_EQ(answer, std::to_string((day(n[2], n[3]) - day(n[0], n[1])).count()));
    } else {
      const year_month_day date{day(n[0], n[1]) + days(n[2])};
      const std::vector<int64_t> given = numbers_of(answer);
      ASSERT_EQ(given.back(), static_cast<int64_t>(static_cast<unsigned>(date.day())));
      if (problem.language == Language::chinese) {
        ASSERT_EQ(given[0], static_cast<int64_t>(static_cast<unsigned>(date.month())));
      }
    }
    ASSERT_EQ(grade::check_trace(problem.think).wrong, 0);
  }
}

TEST(Kinds, HeadsAndLegsAddUp) {
  for (const Problem& problem : make("heads")) {
    SCOPED_TRACE(to_json_line(problem));
    const auto n = numbers_of(problem.canonical);
    std::vector<int64_t> counts;
    for (int64_t few = 0; few <= n[0]; ++few) {
      if (few * n[2] + (n[0] - few) * n[3] == n[1]) counts = {few, n[0] - few};
    }
    ASSERT_EQ(counts.size(), 2U);
    const std::vector<int64_t> given = numbers_of(answer_of(problem));
    if (given.size() == 2) {
      ASSERT_EQ(given, counts);
    } else {
      ASSERT_TRUE(given[0] == counts[0] || given[0] == counts[1]);
    }
    ASSERT_EQ(grade::check_trace(problem.think).wrong, 0);
  }
}

TEST(Kinds, CountdownUsesEveryNumberOnceAndReachesTheTarget) {
  for (const Problem& problem : make("countdown")) {
    SCOPED_TRACE(to_json_line(problem));
    std::vector<int64_t> given = numbers_of(problem.canonical), used = numbers_of(answer_of(problem));
    const int64_t target = given.back();
    given.pop_back();
    std::sort(used.begin(), used.end());
    ASSERT_EQ(used, given);
    ASSERT_EQ(grade::calculate(answer_of(problem)), static_cast<double>(target));
    ASSERT_EQ(grade::check_trace(problem.think).wrong, 0);
  }
}

/// Who is a knight, as the bits of every assignment that fits the claims of the canonical form.
std::vector<unsigned> knights_of(const std::string& canonical) {
  static const std::regex claim("([ABC]):([ABC])(=|≠)([ABCKN])");
  const int people = canonical[8] - '0';
  std::vector<unsigned> found;
  for (unsigned bits = 0; bits < 1U << people; ++bits) {
    const auto honest = [&](char name) { return (bits >> (name - 'A') & 1U) != 0; };
    bool fits = true;
    for (std::sregex_iterator at(canonical.begin(), canonical.end(), claim), end; at != end; ++at) {
      const char other = (*at)[4].str()[0];
      const bool right = other == 'K' || (other != 'N' && honest(other));
      const bool is_true = (honest((*at)[2].str()[0]) == right) == ((*at)[3] == "=");
      fits = fits && is_true == honest((*at)[1].str()[0]);
    }
    if (fits) found.push_back(bits);
  }
  return found;
}

TEST(Kinds, KnightsHaveOneSolution) {
  static const std::regex role("knight|knave|骑士|无赖");
  for (const Problem& problem : make("knights")) {
    SCOPED_TRACE(to_json_line(problem));
    const std::vector<unsigned> solutions = knights_of(problem.canonical);
    ASSERT_EQ(solutions.size(), 1U);
    unsigned given = 0, person = 0;
    const std::string answer = answer_of(problem);
    for (std::sregex_iterator at(answer.begin(), answer.end(), role), end; at != end; ++at, ++person) {
      if (at->str() == "knight" || at->str() == "骑士") given |= 1U << person;
    }
    ASSERT_EQ(given, solutions[0]);
  }
}

TEST(AnswerCheck, AcceptsEveryRightFormAndNoOther) {
  const auto check = [](const char* kind, const char* canonical, const char* expected, const char* given) {
    return check_answer({kind, canonical, expected, given});
  };
  EXPECT_EQ(check("countdown", "countdown(3,5,7;22)", "3×5+7", "7+5*3"), true);
  EXPECT_EQ(check("countdown", "countdown(3,5,7;22)", "3×5+7", "7 + 5 \\times 3 = 22"), true);
  EXPECT_EQ(check("countdown", "countdown(3,5,7;22)", "3×5+7", "22"), false);
  EXPECT_EQ(check("countdown", "countdown(3,5,7;22)", "3×5+7", "7+7+5+3"), false);
  EXPECT_EQ(check("countdown", "countdown(3,5,7;22)", "3×5+7", "3×5-7"), false);
  EXPECT_EQ(check("countdown", "countdown(3,5,7;22)", "3×5+7", "((7+5"), false);
  EXPECT_EQ(check("countdown", "countdown(2,4,4;7)", "4+4-2÷2", "4+4-2/0"), false);
  EXPECT_EQ(check("countdown", "countdown(3,4,8;6)", "8÷(4-3)", "8/4*3"), true) << "any expression";
  EXPECT_EQ(check("sorting", "sort(1,5,9)", "1,5,9", "1、5、9"), true);
  EXPECT_EQ(check("sorting", "sort(1,5,9)", "1,5,9", "1<5<9"), true);
  EXPECT_EQ(check("sorting", "sort(1,5,9)", "1,5,9", "9,5,1"), false);
  EXPECT_EQ(check("fraction", "1/2+1/3", "5/6", "\\frac{5}{6}"), true);
  EXPECT_EQ(check("fraction", "1/2+1/3", "5/6", "10/12"), true);
  EXPECT_EQ(check("fraction", "simplify(10/12)", "5/6", "10/12"), false);
  EXPECT_EQ(check("fraction", "1/2+1/3", "5/6", "5/0"), false);
  EXPECT_EQ(check("factor", "factor(60)", "2×2×3×5", "2^2×3×5"), true);
  EXPECT_EQ(check("factor", "factor(60)", "2×2×3×5", "5*3*2*2"), true);
  EXPECT_EQ(check("factor", "factor(60)", "2×2×3×5", "4×3×5"), false);
  EXPECT_EQ(check("factor", "factor(60)", "2×2×3×5", "2×3×5"), false);
  EXPECT_EQ(check("date", "weekday(1+2)", "Wednesday", "wednesday"), true);
  EXPECT_EQ(check("date", "weekday(1+2)", "Wednesday", "周三"), true);
  EXPECT_EQ(check("date", "weekday(1+2)", "Wednesday", "Thursday"), false);
  EXPECT_EQ(check("heads", "heads(35,94,2,4)", "23 chickens, 12 rabbits", "12 rabbits and 23 chickens"),
            true);
  EXPECT_EQ(check("heads", "heads(35,94,2,4)", "23 chickens, 12 rabbits", "12 chickens, 23 rabbits"), false);
  EXPECT_EQ(
      check("knights", "knights(2;A:B=N)", "A is a knight, B is a knave", "B is a knave, A is a knight"),
      true);
  EXPECT_EQ(
      check("knights", "knights(2;A:B=N)", "A is a knight, B is a knave", "A is a knave, B is a knight"),
      false);
  EXPECT_EQ(check("knights", "knights(2;A:B=N)", "A是骑士，B是无赖", "B是无赖，A是骑士"), true);
  EXPECT_EQ(
      check("knights", "knights(2;A:B=N)", "A is a knight, B is a knave", "A is not a knight, B is a knave"),
      false);
  EXPECT_EQ(check("knights", "knights(2;A:B=N)", "A是骑士，B是无赖", "A不是骑士，B是无赖"), false);
  EXPECT_EQ(
      check("countdown", "countdown(999999999,999999999,999999999;1)", "1", "999999999*999999999*999999999"),
      false);
  EXPECT_EQ(check("addition", "285+347", "632", "632"), true);
  EXPECT_EQ(check("addition", "285+347", "632", "347+285"), false) << "the question is no answer";
  EXPECT_EQ(check("subtraction", "12-30", "-18", "−18"), true);
  EXPECT_EQ(check("comparison", "max(9.11,9.9)", "9.9", "9.90"), true);
  EXPECT_EQ(check("date", "days(3-1,3-9)", "8", "9"), false);
  EXPECT_EQ(check("", "", "3", "3"), std::nullopt);
  EXPECT_EQ(check("factor", "fac", "2", "3"), false);
  EXPECT_EQ(check("sorting", "sort(1,5,9)", "1,5,9", std::string(9999, '1').c_str()), false);
}

TEST(AnswerCheck, AcceptsTheAnswersOfItsOwnExercises) {
  for (const char* kind : {"addition", "subtraction", "comparison", "letters", "fraction", "factor",
                           "sorting", "countdown", "knights", "date", "heads"}) {
    for (const Problem& problem : make(kind, 300)) {
      const std::string answer = answer_of(problem);
      EXPECT_EQ(check_answer({problem.kind, problem.canonical, answer, answer}), true) << problem.answer;
      EXPECT_EQ(check_answer({problem.kind, problem.canonical, answer, answer + "1"}), false)
          << problem.answer;
    }
  }
}

}  // namespace
}  // namespace r1::tasks
