// Regular expressions: what they match, what they cost.
#include "grammar/regex_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "base/error.h"
#include "base/random.h"
#include "tests/grammar/grammar_testing.h"

namespace r1::grammar {
namespace {

using test::accepts;
using ::testing::HasSubstr;

TEST(RegexGrammar, MatchesWholeTexts) {
  struct Case {
    const char* expression;
    std::vector<const char*> yes, no;
  };
  const Case cases[] = {{"(yes|no)!*", {"yes", "no!!!"}, {"", "maybe", "yes!?"}},
                        {"[^a-z\\d]{2}", {"AB", "你好"}, {"A", "a1", "ABC"}},
                        {"\\w+\\s\\S", {"ab_1 ?"}, {"ab?"}},
                        {"a{,2}", {"a{,2}"}, {"a", "aa"}},
                        {"x{2}y{1,}z{0,1}", {"xxyyy", "xxyz"}, {"xy", "xxyzz"}},
                        {"(?:a|b)*?c", {"c", "abac"}, {"ab"}},
                        {"^\\u4f60\\x41$", {"你A"}, {"你"}},
                        {"\\[\\]\\.\\/-", {"[]./-"}, {"[]"}},
                        {".", {"é", "\t"}, {"\n", ""}},
                        {"(?=.*[0-9])(?=.*[a-z])[a-z0-9]{3,5}", {"a1b", "12ab3"}, {"abc", "123", "a1"}},
                        {"(?!ab)[a-c]+", {"ba", "aab"}, {"ab", "abc"}},
                        {"a(?!b)[a-c]|x", {"aa", "ac", "x"}, {"ab"}},
                        {"(^a|b$)c?", {"a", "ac", "b"}, {"bc", "c"}},
                        {".{1,64}@.{1,255}", {"a@b", "a@@b", "x@y@z"}, {"@a", "a@", "ab"}}};
  for (const Case& one : cases) {
    const auto grammar = compile_regex(one.expression);
    for (const char* text : one.yes) EXPECT_TRUE(accepts(grammar, text)) << one.expression << " on " << text;
    for (const char* text : one.no) EXPECT_FALSE(accepts(grammar, text)) << one.expression << " on " << text;
  }
}

TEST(RegexGrammar, FindsWhatTheStandardLibraryFinds) {
  const char* const expressions[] = {"ab|[xy]z", "^a",       "b$",          "^ab?$",   "^$",
                                     "a{2,3}",   "^(a|b)+$", "^a|b$",       "x*",      "^[^ab]+$",
                                     "(a|^)b",   "^.?z",     "^(?:ab)*$|z", "a(b$|x)", "^(x(y|z)?)*$"};
  const std::string letters = "abxyz";
  Budget budget;
  int compared = 0;
  for (const char* expression : expressions) {
    const Automaton automaton = regex_automaton(expression, true, budget);
    const std::regex expected(expression);
    for (uint64_t seed = 0; seed < 2000; ++seed) {
      std::string text;
      for (uint64_t i = 0; i < random_bits(seed, 0) % 7; ++i)
        text += letters[random_bits(seed, i + 1) % letters.size()];
      ASSERT_EQ(automaton.accepts(text), std::regex_search(text, expected)) << expression << " on " << text;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 30'000);
}

TEST(RegexGrammar, RefusesByName) {
  const std::pair<const char*, const char*> cases[] = {{"(a)\\1", "back-reference"},
                                                       {"(?<=a)b", "look-behind"},
                                                       {"\\bword", "\\b"},
                                                       {"\\p{L}", "\\p"},
                                                       {"[a", "class without an end"},
                                                       {"a)", "unmatched"},
                                                       {"(a", "without an end"},
                                                       {"*a", "nothing to repeat"},
                                                       {"a**", "repeated repetition"},
                                                       {"a{3,1}", "wrong way"},
                                                       {"[z-a]", "range of characters"},
                                                       {"((?!a)b)*", "look-ahead inside of a repetition"},
                                                       {"\\q", "escape"},
                                                       {"a{100001}", "repetitions"}};
  for (const auto& [expression, word] : cases) {
    try {
      compile_regex(expression);
      ADD_FAILURE() << "accepted: " << expression;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(word)) << expression;
    }
  }
}

// `(\w?){1000}` held a server for minutes, repeats from 2,000 on until it was killed.
TEST(RegexGrammar, LargeRepeatsEndWithinTheBudget) {
  struct Case {
    const char* expression;
    size_t least, most;  // how many a's match
  };
  const Case cases[] = {{"(\\w?){1000}", 0, 1000},  {"(a?){1000}a{1000}", 1000, 2000},
                        {"\\w{2000}", 2000, 2000},  {"(\\w{2}){1000}", 2000, 2000},
                        {"(ab?){0,3000}", 0, 3000}, {"(x|a+)+", 1, 5000}};
  for (const Case& one : cases) {
    Budget budget;
    const auto grammar = compile_regex(one.expression, budget);
    EXPECT_TRUE(test::machine_accepts(*grammar, std::string(one.least, 'a'))) << one.expression;
    EXPECT_TRUE(test::machine_accepts(*grammar, std::string(one.most, 'a'))) << one.expression;
    if (one.least > 0) {
      EXPECT_FALSE(test::machine_accepts(*grammar, std::string(one.least - 1, 'a'))) << one.expression;
    }
    if (one.most < 5000) {
      EXPECT_FALSE(test::machine_accepts(*grammar, std::string(one.most + 1, 'a'))) << one.expression;
    }
    // A mask is found within its steps, too.
    Constraint constraint(grammar, test::grammar_vocabulary().trie, {});
    EXPECT_FALSE(test::allowed_tokens(constraint.allowed({})).empty()) << one.expression;
  }
  for (const char* expression : {"(\\w?){20000}", "((a{0,100}){0,100}){0,100}",
                                 "(a?){9999}(b?){9999}(c?){9999}", "((((a?){50}){50}){50}){50}"}) {
    Budget budget;
    try {
      compile_regex(expression, budget);
      ADD_FAILURE() << "accepted: " << expression;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(),
                  ::testing::AnyOf(HasSubstr("too large: more than"), HasSubstr("too complex: more than")));
      EXPECT_LE(budget.steps(), budget.limits().steps + 100'000) << expression;
    }
  }
}

TEST(RegexGrammar, EndsSoonAfterItIsCancelled) {
  int asked = 0;
  Budget budget({}, [&] { return ++asked > 3; });
  try {
    compile_regex("(\\w?){5000}", budget);
    ADD_FAILURE() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::cancelled);
    EXPECT_EQ(asked, 4);
    EXPECT_LT(budget.steps(), 200'000);
  }
}

/// Expressions without a small deterministic automaton are followed as they are.
TEST(RegexGrammar, AmbiguousExpressionsAreFollowed) {
  Budget budget;
  EXPECT_FALSE(regex_automaton("(a|b)*a(a|b){15}", false, budget).deterministic);
  const auto grammar = compile_regex("(a|b)*a(a|b){15}");
  EXPECT_TRUE(accepts(grammar, "bba" + std::string(15, 'b')));
  EXPECT_FALSE(accepts(grammar, "bba" + std::string(16, 'b')));
  const std::string text = test::write_at_random(grammar, 5, 40);
  EXPECT_TRUE(std::regex_match(text, std::regex("(a|b)*a(a|b){15}"))) << text;
}

}  // namespace
}  // namespace r1::grammar
