#include "train/data/thinking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace r1 {
namespace {

using testing::HasSubstr;

struct Form {
  const char* text;
  const char* reasoning;  // null: none
  const char* answer;
};

TEST(Thinking, EveryFormOfOneAnswerIsSplitAlike) {
  const Form forms[] = {
      {"<think>\n1+1=2\n</think>\n\n2", "1+1=2", "2"},
      {"<think>1+1=2</think>2", "1+1=2", "2"},
      {"1+1=2\n</think>\n\n2", "1+1=2", "2"},  // models whose prompt ends with <think> write it so
      {"\n1+1=2\n</think>\n2", "1+1=2", "2"},
      {"\n<think>\n1+1=2\n</think>\n\n2", "1+1=2", "2"},
      {" <think>1+1=2</think> 2", "1+1=2", "2"},
      {"\t\r\n<think>\r\n1+1=2\r\n</think>\r\n\r\n2", "1+1=2", "2"},
      {"<think>\na\n\nb\n</think>\n\n    code", "a\n\nb", "    code"},
      {"<think>\n\n</think>\n\n2", "", "2"},
      {"</think>2", "", "2"},
      {"2", nullptr, "2"},
      {" 2\n", nullptr, " 2\n"},
      {"a < b and b > c", nullptr, "a < b and b > c"},
  };
  for (const Form& form : forms) {
    const SplitAnswer found = split_thinking(form.text);
    EXPECT_EQ(found.problem, "") << form.text;
    EXPECT_EQ(found.answer, form.answer) << form.text;
    EXPECT_EQ(found.reasoning.has_value(), form.reasoning != nullptr) << form.text;
    EXPECT_EQ(found.reasoning.value_or(""), form.reasoning == nullptr ? "" : form.reasoning) << form.text;
  }
}

TEST(Thinking, TagsThatFitNoFormAreNamed) {
  for (const char* text : {"<think>\n1+1=2 and so on", " <think>a"})
    EXPECT_THAT(split_thinking(text).problem, HasSubstr("expected </think> behind <think>, found none"))
        << text;
  for (const char* text :
       {"<think>a</think>b</think>c", "<think>a</think>b<think>c</think>", "a</think>b</think>c",
        "<think><think>a</think></think>b", "It is <think>a</think>b", "the tag <think> opens it"})
    EXPECT_THAT(split_thinking(text).problem, HasSubstr("found another")) << text;
}

TEST(Thinking, AFieldOfThinkingLosesItsTags) {
  for (const char* text : {"1+1=2", "<think>\n1+1=2\n</think>", "<think>1+1=2</think>\n",
                           " <think>1+1=2</think>", "1+1=2\n</think>", "<think>\r\n1+1=2\r\n</think>\r\n"}) {
    const SplitAnswer found = strip_thinking_tags(text);
    EXPECT_EQ(found.problem, "") << text;
    EXPECT_EQ(found.answer, "1+1=2") << text;
  }
  EXPECT_EQ(strip_thinking_tags("").answer, "");
  EXPECT_EQ(strip_thinking_tags(" a\n").answer, " a\n");  // without tags: as written
  EXPECT_THAT(strip_thinking_tags("<think>a").problem, HasSubstr("expected </think>"));
  EXPECT_THAT(strip_thinking_tags("a</think>b").problem, HasSubstr("found </think> inside"));
  EXPECT_THAT(strip_thinking_tags("<think>a<think>b</think>").problem, HasSubstr("found <think> inside"));
}

}  // namespace
}  // namespace r1
