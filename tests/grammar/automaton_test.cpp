// Operations on automata, held against what they mean for each text.
#include "grammar/automaton.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/random.h"
#include "grammar/regex_grammar.h"

namespace r1::grammar {
namespace {

/// All texts over a, b, c of up to six letters.
const std::vector<std::string>& short_texts() {
  static const std::vector<std::string> kTexts = [] {
    std::vector<std::string> all = {""};
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].size() == 6) break;
      for (const char c : {'a', 'b', 'c'}) all.push_back(all[i] + c);
    }
    return all;
  }();
  return kTexts;
}

const char* const kExpressions[] = {"(a|b)*abb",   "a*b*c*", "(ab|c){1,3}", "[ab]{2,5}", "a?b?c?a?",
                                    "(a(b|c))*a?", ".*b.*",  "abc|cba|a",   "c*",        "((a|bb)*c)?"};

TEST(Automaton, SetOperationsAreThoseOfTheirTexts) {
  Budget budget;
  for (const char* first : kExpressions) {
    const Automaton a = regex_automaton(first, false, budget);
    for (const char* second : kExpressions) {
      const Automaton b = regex_automaton(second, false, budget);
      const Automaton both = intersection(a, b, budget), without = difference(a, b, budget),
                      either = united(a, b, budget);
      bool any_both = false;
      for (const std::string& text : short_texts()) {
        const bool in_a = a.accepts(text), in_b = b.accepts(text);
        any_both = any_both || (in_a && in_b);
        ASSERT_EQ(both.accepts(text), in_a && in_b) << first << " and " << second << " on " << text;
        ASSERT_EQ(without.accepts(text), in_a && !in_b) << first << " without " << second << " on " << text;
        ASSERT_EQ(either.accepts(text), in_a || in_b) << first << " or " << second << " on " << text;
      }
      EXPECT_EQ(both.empty() && any_both, false);
      EXPECT_TRUE(difference(a, a, budget).empty()) << first;
    }
  }
}

TEST(Automaton, MinimalFormsHaveTheFewestStates) {
  Budget budget;
  const std::pair<const char*, int> sizes[] = {{"(a|b)*abb", 4}, {"a*", 1},          {"a{0,3}", 4},
                                               {"(ab|cb)d", 4},  {"[ab]c|[cd]c", 3}, {"(a?){4}a{4}", 9}};
  for (const auto& [expression, states] : sizes)
    EXPECT_EQ(regex_automaton(expression, false, budget).size(), states) << expression;
}

TEST(Automaton, CountsCharactersNotBytes) {
  Budget budget;
  const Automaton automaton = text_of_length(2, 3, budget);
  EXPECT_FALSE(automaton.accepts("é"));
  EXPECT_TRUE(automaton.accepts("é你"));
  EXPECT_TRUE(automaton.accepts("é你😀"));
  EXPECT_FALSE(automaton.accepts("abcd"));
  EXPECT_FALSE(automaton.accepts("a\xC3"));          // half a character
  EXPECT_FALSE(automaton.accepts("a\xED\xA0\x80"));  // a surrogate
  EXPECT_FALSE(automaton.accepts("a\xC0\xAF"));      // an overlong form
  EXPECT_TRUE(any_text(budget).accepts(""));
}

TEST(Automaton, LengthsOfAnExpressionAreItsOwnAndTheLimits) {
  Budget budget;
  const Automaton words = regex_automaton("^(?:\\S+\\s+){0,19}\\S+$", true, budget);
  const Automaton few = of_length(words, 3, 20, budget), many = of_length(words, 1, 200, budget);
  EXPECT_TRUE(few.accepts("a b"));
  EXPECT_FALSE(few.accepts("ab"));
  EXPECT_TRUE(few.accepts(std::string(20, 'x')));
  EXPECT_FALSE(few.accepts(std::string(21, 'x')));
  EXPECT_FALSE(few.accepts("a b "));
  EXPECT_TRUE(many.accepts(std::string(200, 'x')));
  EXPECT_FALSE(many.accepts(std::string(201, 'x')));
}

TEST(Automaton, OneOfTheTextsAndNoOther) {
  Budget budget;
  std::vector<std::string> texts = {"", "a", "ab", "abc", "b", "cab", "ccc"};
  const Automaton automaton = one_of(texts, budget);
  for (const std::string& text : short_texts())
    EXPECT_EQ(automaton.accepts(text), std::ranges::find(texts, text) != texts.end()) << text;
  auto back = enumerate(automaton, 10);
  ASSERT_TRUE(back);
  std::ranges::sort(*back);
  EXPECT_EQ(*back, texts);
  EXPECT_FALSE(enumerate(automaton, 6));
  EXPECT_FALSE(enumerate(regex_automaton("a*", false, budget), 100));
}

}  // namespace
}  // namespace r1::grammar
