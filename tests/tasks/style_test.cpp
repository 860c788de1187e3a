// The styles of samples for a base model: each changes what it names, in the share that is asked for, and nothing else.
#include "tasks/style.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include <string>
#include <vector>

#include "base/error.h"
#include "grade/boxed_answer.h"
#include "tasks/corpus.h"

namespace r1::tasks {
namespace {

std::vector<Problem> make(const SampleStyle& style, int64_t count = 2000, double full = 1) {
  CorpusOptions options;
  options.kinds = {{"chain", 1}};
  options.languages = {Language::english};
  options.full = full;
  options.none = 1 - full;
  options.history = options.box_instruction = 0;
  options.count = count;
  options.style = style;
  std::vector<Problem> problems;
  make_corpus(options, [&](const Problem& problem) { problems.push_back(problem); });
  return problems;
}

/// The value of a chain, by its signs alone.
int64_t value_of(const std::string& chain) {
  int64_t total = 0, number = 0, sign = 1;
  for (const char c : chain + "+") {
    if (c >= '0' && c <= '9') {
      number = number * 10 + (c - '0');
      continue;
    }
    total += sign * number;
    number = 0;
    sign = c == '-' ? -1 : 1;
  }
  return total;
}

bool has_chinese(const std::string& text) {
  return text.find("\xE6") != std::string::npos || text.find("\xE4") != std::string::npos ||
         text.find("\xE5") != std::string::npos;
}

double share(const std::vector<Problem>& problems, const std::function<bool(const Problem&)>& is) {
  return static_cast<double>(std::ranges::count_if(problems, is)) / static_cast<double>(problems.size());
}

TEST(SampleStyleTest, AChainIsAskedWithoutWordsAndAnsweredRightly) {
  for (const Problem& problem : make({})) {
    EXPECT_EQ(problem.question.find_first_not_of("0123456789+-"), std::string::npos) << problem.question;
    const int64_t value = value_of(problem.question);
    EXPECT_TRUE(value >= 0 && value <= 199) << problem.question;
    EXPECT_EQ(grade::boxed_answer(problem.answer), std::to_string(value)) << problem.question;
  }
}

TEST(SampleStyleTest, NarrationPutsWordsAroundTheSameSteps) {
  const std::vector<Problem> plain = make({}, 50), told = make({.narrated = true}, 50);
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(std::ranges::count(told[i].think, '\n'), std::ranges::count(plain[i].think, '\n') + 1);
    EXPECT_TRUE(told[i].think.ends_with(plain[i].think.substr(plain[i].think.rfind('\n') + 1)));
    EXPECT_FALSE(has_chinese(told[i].think)) << told[i].think;
    EXPECT_EQ(told[i].answer, plain[i].answer);
  }
  for (const Problem& problem : make({.narrated = true}, 50, 0)) {
    EXPECT_FALSE(problem.think.empty());
    EXPECT_EQ(problem.think.find('\n'), std::string::npos);
  }
}

TEST(SampleStyleTest, TheSharesAreThoseAskedFor) {
  const std::vector<Problem> problems =
      make({.narrated = true, .mixed = 0.3, .unboxed = 0.4, .broken = 0.2}, 4000);
  const auto boxed = [](const Problem& p) { return grade::boxed_answer(p.answer).value_or("") != ""; };
  EXPECT_NEAR(share(problems, [](const Problem& p) { return has_chinese(p.think); }), 0.3, 0.04);
  EXPECT_NEAR(share(problems, [](const Problem& p) { return p.answer.find("boxed") == std::string::npos; }),
              0.4, 0.04);
  EXPECT_NEAR(share(problems, boxed), 0.4, 0.08);
  for (const Problem& problem : problems) {
    EXPECT_NE(problem.answer.find(std::to_string(value_of(problem.question))), std::string::npos)
        << problem.answer;
  }
}

TEST(SampleStyleTest, SharesThatCannotBeAreRefused) {
  for (const SampleStyle& style : {SampleStyle{.unboxed = -0.1}, SampleStyle{.broken = 1.1},
                                   SampleStyle{.unboxed = 0.6, .broken = 0.6}, SampleStyle{.mixed = 0.5}}) {
    EXPECT_THROW(check_style(style), Error);
  }
}

}  // namespace
}  // namespace r1::tasks
