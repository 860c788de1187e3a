// The generated corpus against an evaluator of its own: answers from the canonical form, every equation of
// every trace, and the border between train and test.
#include "tasks/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/error.h"
#include "grade/boxed_answer.h"
#include "grade/trace_check.h"

namespace r1::tasks {
namespace {

/// An exact fraction.
struct Fraction {
  int64_t top = 0, bottom = 1;
  static Fraction make(int64_t top, int64_t bottom) {
    if (bottom == 0) throw std::runtime_error("division by zero");
    const int64_t divisor = std::gcd(top, bottom) * (bottom < 0 ? -1 : 1);
    return {top / divisor, bottom / divisor};
  }
  bool operator==(const Fraction& o) const { return top == o.top && bottom == o.bottom; }
  bool operator<(const Fraction& o) const { return top * o.bottom < o.top * bottom; }
};

/// Evaluates sums, products, brackets, decimals and multiples of x; both kinds of signs.
class Evaluator {
 public:
  Evaluator(std::string text, Fraction x) : text_(std::move(text)), x_(x) {}

  Fraction run() {
    const Fraction value = sum();
    if (at_ != text_.size()) throw std::runtime_error("left over: " + text_.substr(at_));
    return value;
  }

 private:
  bool take(const std::string& sign) {
    if (text_.compare(at_, sign.size(), sign) != 0) return false;
    at_ += sign.size();
    return true;
  }
  Fraction sum() {
    const bool negative = take("-");
    Fraction left = product();
    if (negative) left.top = -left.top;
    for (;;) {
      if (take("+")) {
        const Fraction right = product();
        left = Fraction::make(left.top * right.bottom + right.top * left.bottom, left.bottom * right.bottom);
      } else if (take("-")) {
        const Fraction right = product();
        left = Fraction::make(left.top * right.bottom - right.top * left.bottom, left.bottom * right.bottom);
      } else {
        return left;
      }
    }
  }
  Fraction product() {
    Fraction left = atom();
    for (;;) {
      if (take("*") || take("×")) {
        const Fraction right = atom();
        left = Fraction::make(left.top * right.top, left.bottom * right.bottom);
      } else if (take("/") || take("÷")) {
        const Fraction right = atom();
        left = Fraction::make(left.top * right.bottom, left.bottom * right.top);
      } else if (at_ < text_.size() && (text_[at_] == 'x' || text_[at_] == '(')) {
        const Fraction right = atom();  // 3x, 3(x+1)
        left = Fraction::make(left.top * right.top, left.bottom * right.bottom);
      } else {
        return left;
      }
    }
  }
  Fraction atom() {
    if (take("(")) {
      const Fraction inner = sum();
      if (!take(")")) throw std::runtime_error("no bracket: " + text_);
      return inner;
    }
    if (take("x")) return x_;
    size_t used = 0;
    Fraction value;
    bool point = false;
    while (at_ < text_.size() &&
           (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.')) {
      if (text_[at_] == '.') {
        point = true;
      } else {
        value.top = value.top * 10 + (text_[at_] - '0');
        if (point) value.bottom *= 10;
      }
      ++at_, ++used;
    }
    if (used == 0) throw std::runtime_error("no number at " + text_.substr(at_) + " of " + text_);
    return Fraction::make(value.top, value.bottom);
  }

  std::string text_;
  Fraction x_;
  size_t at_ = 0;
};

Fraction value_of(const std::string& text, Fraction x = {}) {
  return Evaluator(text, x).run();
}

/// The right answer, from the canonical form alone.
Fraction solve_canonical(const std::string& canonical) {
  if (canonical.starts_with("max(") || canonical.starts_with("min(")) {
    std::vector<Fraction> numbers;
    std::string list = canonical.substr(4, canonical.size() - 5);
    for (size_t start = 0; start <= list.size();) {
      const size_t end = std::min(list.find(',', start), list.size());
      numbers.push_back(value_of(list.substr(start, end - start)));
      start = end + 1;
    }
    return canonical[1] == 'a' ? *std::max_element(numbers.begin(), numbers.end())
                               : *std::min_element(numbers.begin(), numbers.end());
  }
  if (canonical.starts_with("solve:")) {
    // Linear, so two values of the difference of the sides give the root.
    const std::string equation = canonical.substr(6);
    const size_t equals = equation.find('=');
    const auto difference = [&](int64_t x) {
      const Fraction l = value_of(equation.substr(0, equals), {x, 1}),
                     r = value_of(equation.substr(equals + 1), {x, 1});
      return Fraction::make(l.top * r.bottom - r.top * l.bottom, l.bottom * r.bottom);
    };
    const Fraction at_0 = difference(0), at_1 = difference(1);
    const Fraction slope =
        Fraction::make(at_1.top * at_0.bottom - at_0.top * at_1.bottom, at_1.bottom * at_0.bottom);
    return Fraction::make(-at_0.top * slope.bottom, at_0.bottom * slope.top);
  }
  if (const size_t percent = canonical.find('%'); percent != std::string::npos) {
    return {std::stoll(canonical.substr(0, percent)) % std::stoll(canonical.substr(percent + 1)), 1};
  }
  return value_of(canonical);
}

std::string boxed_text(const std::string& answer) {
  const size_t open = answer.find("\\boxed{");
  if (open == std::string::npos) return "";
  return answer.substr(open + 7, answer.find('}', open) - open - 7);
}

/// Checks "a=b", "a<b" and "a=[…]=b", and what is inside the brackets. Counts what it checked.
void check_statement(const std::string& statement, Fraction x, int& checked) {
  std::string outside;
  std::string inside;
  int depth = 0;
  for (const char c : statement) {
    if (c == '[' && depth++ == 0) continue;
    if (c == ']' && --depth == 0) continue;
    (depth > 0 ? inside : outside) += c;
  }
  ASSERT_EQ(depth, 0) << statement;
  if (!inside.empty()) {
    const size_t twice = outside.find("==");
    ASSERT_NE(twice, std::string::npos) << statement;
    outside.erase(twice, 1);
    size_t start = 0;
    while (start <= inside.size()) {
      const size_t end = std::min(inside.find(' ', start), inside.size());
      ASSERT_NO_FATAL_FAILURE(check_statement(inside.substr(start, end - start), x, checked));
      start = end + 1;
    }
  }
  const size_t sign = outside.find_first_of("=<>");
  ASSERT_NE(sign, std::string::npos) << statement;
  const Fraction left = value_of(outside.substr(0, sign), x), right = value_of(outside.substr(sign + 1), x);
  EXPECT_TRUE(outside[sign] == '='   ? left == right
              : outside[sign] == '<' ? left < right
                                     : right < left)
      << statement;
  ++checked;
}

/// All equations of a trace; everything that is no word must be checkable.
int check_trace(const Problem& problem, Fraction solution) {
  int checked = 0;
  std::string text = problem.think;
  for (char& c : text)
    if (c == 'y' || c == 'z' || c == 'n') c = problem.kind == "equation" ? 'x' : c;
  // Spaces inside brackets separate steps, too, but belong to the statement around them.
  std::string piece;
  int depth = 0;
  for (const char c : text + "\n") {
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (depth > 0 || (c != ' ' && c != '\n')) {
      piece += c;
      continue;
    }
    for (const char* label : {"digits", "位数"}) {
      if (piece.starts_with(label)) piece.erase(0, std::string(label).size());
    }
    if (piece.find_first_of("=<>") != std::string::npos) check_statement(piece, solution, checked);
    piece.clear();
  }
  return checked;
}

std::vector<Problem> make(CorpusOptions options) {
  std::vector<Problem> problems;
  make_corpus(options, [&](const Problem& problem) { problems.push_back(problem); });
  return problems;
}

TEST(Corpus, EveryAnswerAndEveryEquationIsRight) {
  CorpusOptions options;
  options.kinds.clear();
  for (const char* kind : {"addition", "subtraction", "multiplication", "division", "arithmetic", "equation",
                           "comparison", "percent", "unit", "word", "chat"})
    options.kinds.push_back({kind, 1});
  options.count = 20000;
  std::map<std::pair<std::string, int>, int> seen;
  int checked = 0;
  for (const Problem& problem : make(options)) {
    ++seen[{problem.kind, problem.level}];
    if (problem.kind == "chat") {
      EXPECT_FALSE(problem.think.empty());
      continue;
    }
    SCOPED_TRACE(to_json_line(problem));
    const Fraction expected = solve_canonical(problem.canonical);
    const std::string answer = boxed_text(problem.answer);
    ASSERT_FALSE(answer.empty());
    EXPECT_TRUE(value_of(answer) == expected);
    const int equations = check_trace(problem, expected);
    EXPECT_GT(equations, 0);
    checked += equations;
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(checked, 100000);
  EXPECT_EQ(seen.size(), 41U) << "ten kinds of four levels, and chat";
  for (const auto& [cell, count] : seen) EXPECT_GT(count, 100) << cell.first << cell.second;
}

TEST(Corpus, TheGradersFindNothingWrong) {
  CorpusOptions options;
  options.count = 5000;
  int right = 0;
  make_corpus(options, [&](const Problem& problem) {
    const grade::TraceCheck check = grade::check_trace(problem.think);
    EXPECT_EQ(check.wrong, 0) << problem.think;
    right += check.right;
    EXPECT_EQ(grade::boxed_answer(problem.answer).has_value(), problem.kind != "chat");
  });
  EXPECT_GT(right, 20000);
}

TEST(Corpus, NoTestProblemIsInTheTrainingSplitInAnyWording) {
  CorpusOptions options;
  options.count = 30000;
  std::set<std::string> train, trained_questions;
  for (const Problem& problem : make(options)) {
    train.insert(problem.canonical);
    trained_questions.insert(problem.question);
    for (const auto& turn : problem.history) trained_questions.insert(turn.first);
  }
  options.split = Split::test;
  options.count = 2000;
  options.seed = 2;
  const std::vector<Problem> test = make(options);
  EXPECT_EQ(test.size(), 2000U);
  std::set<std::string> distinct;
  for (const Problem& problem : test) {
    EXPECT_FALSE(train.contains(problem.canonical)) << problem.canonical;
    EXPECT_FALSE(trained_questions.contains(problem.question)) << problem.question;
    EXPECT_TRUE(distinct.insert(problem.canonical).second) << problem.canonical;
  }
  EXPECT_EQ(split_of("max(3,4)"), split_of("min(3,4)"));
}

TEST(Corpus, ASeedGivesTheSameFileAndAnotherSeedAnother) {
  CorpusOptions options;
  options.count = 200;
  const auto lines = [&] {
    std::string text;
    make_corpus(options, [&](const Problem& problem) { text += to_json_line(problem) + "\n"; });
    return text;
  };
  const std::string first = lines();
  EXPECT_EQ(lines(), first);
  options.seed = 2;
  EXPECT_NE(lines(), first);
}

TEST(Corpus, KeepsToTheLanguagesLevelsAndTracesAskedFor) {
  CorpusOptions options;
  options.count = 500;
  options.levels = {2};
  options.languages = {Language::english};
  options.kinds = {{"word", 3}, {"unit", 1}};
  options.full = 0;
  options.brief = 1;
  for (const Problem& problem : make(options)) {
    EXPECT_EQ(problem.level, 2);
    EXPECT_EQ(problem.think.find('['), std::string::npos) << problem.think;
    for (const char c : problem.question) EXPECT_GE(c, 0) << problem.question;
  }
  options.brief = 0;
  options.none = 1;
  for (const Problem& problem : make(options)) EXPECT_TRUE(problem.think.empty());
}

TEST(Corpus, ASlipChangesTheAnswerAndTheStepBeforeItAlone) {
  CorpusOptions options;
  options.count = 2000;
  int slips = 0;
  for (const Problem& problem : make(options)) {
    const std::optional<Problem> slip = with_slip(problem);
    if (!slip) continue;
    ++slips;
    EXPECT_NE(boxed_text(slip->answer), boxed_text(problem.answer));
    EXPECT_EQ(slip->question, problem.question);
    EXPECT_EQ(slip->think.find('\n'), problem.think.find('\n'));
    const auto pair = nlohmann::json::parse(to_pair_line(problem, *slip));
    EXPECT_NE(pair["chosen"], pair["rejected"]);
    EXPECT_EQ(nlohmann::json::parse(to_labelled_line(*slip, false))["label"], false);
  }
  EXPECT_GT(slips, 1200);
}

TEST(Corpus, FewProblemsAreFewerThanAskedForAndNoEndlessLoop) {
  CorpusOptions options;
  options.kinds = {{"multiplication", 1}};
  options.levels = {1};
  options.split = Split::test;
  const auto problems = make(options);
  EXPECT_GT(problems.size(), 0U);
  EXPECT_LT(problems.size(), 20U);
}

TEST(Corpus, RefusesUnknownKindsAndLevels) {
  CorpusOptions options;
  options.kinds = {{"poetry", 1}};
  EXPECT_THROW(make(options), Error);
  options = {};
  options.levels = {5};
  EXPECT_THROW(make(options), Error);
  options = {};
  options.full = 0;
  EXPECT_THROW(make(options), Error);
}

TEST(CorpusWorking, ColumnsBorrowsAndLongDivision) {
  Working working(Detail::full);
  EXPECT_EQ(working.add(347, 285), 632);
  EXPECT_EQ(working.subtract(503, 187), 316);
  EXPECT_EQ(working.multiply(47, 6), 282);
  EXPECT_EQ(working.divide(282, 6), 47);
  EXPECT_EQ(working.subtract(12, 30), -18);
  EXPECT_EQ(working.text(),
            "347+285=[7+5=12 4+8+1=13 3+2+1=6]=632\n"
            "503-187=[13-7=6 10-1-8=1 5-1-1=3]=316\n"
            "47×6=[7×6=42 4×6=24 24+4=28]=282\n"
            "282÷6=[6×4=24 28-24=4 6×7=42 42-42=0]=47\n"
            "12-30=-(30-12)\n"
            "30-12=[10-2=8 3-1-1=1]=18\n"
            "12-30=-18");
}

TEST(CorpusExpression, CanonicalFormIsTheSameForEveryOrder) {
  const auto form = [](const char* text) { return canonical_form(*parse_expression(text)); };
  EXPECT_EQ(form("12+3*5-4"), form("5*3-4+12"));
  EXPECT_EQ(form("(1+2)*4"), form("4*(2+1)"));
  EXPECT_EQ(form("20-(3+4)"), form("20-4-3"));
  EXPECT_EQ(form("20-(3-4)"), form("4+20-3"));
  EXPECT_NE(form("20-(3-4)"), form("20-3-4"));
  EXPECT_NE(form("(1+2)*4"), form("1+2*4"));
}

}  // namespace
}  // namespace r1::tasks
