#include "text/thinking_prompt.h"

#include <gtest/gtest.h>

namespace r1 {
namespace {

std::string begin(std::string prompt, std::optional<bool> wanted) {
  begin_thinking(prompt, wanted);
  return prompt;
}

TEST(ThinkingPrompt, WhatTheTemplateOpenedOrClosedStays) {
  struct Case {
    const char *rendered, *open, *shut, *unasked;
  };
  const Case cases[] = {
      {"U<A>", "U<A><think>\n", "U<A><think>\n\n</think>\n\n", "U<A><think>\n"},
      {"U<A><think>\n", "U<A><think>\n", "U<A><think>\n\n</think>\n\n", "U<A><think>\n"},
      {"U<A><think>", "U<A><think>", "U<A><think>\n\n</think>\n\n", "U<A><think>"},
      {"U<A></think>", "U<A></think>", "U<A></think>", "U<A></think>"},
      {"U<A><think>\n\n</think>\n\n", "U<A><think>\n\n</think>\n\n", "U<A><think>\n\n</think>\n\n",
       "U<A><think>\n\n</think>\n\n"},
      {"", "<think>\n", "<think>\n\n</think>\n\n", "<think>\n"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(begin(one.rendered, true), one.open);
    EXPECT_EQ(begin(one.rendered, false), one.shut);
    EXPECT_EQ(begin(one.rendered, {}), one.unasked);
  }
}

TEST(ThinkingPrompt, ATagInTheQuestionIsNotTheEnd) {
  EXPECT_EQ(find_thinking_end("say <think> please").kind, ThinkingEnd::Kind::none);
  EXPECT_EQ(find_thinking_end("x<think>\n").begin, 1U);
  EXPECT_EQ(find_thinking_end("x</think> \n").begin, 1U);
}

}  // namespace
}  // namespace r1
