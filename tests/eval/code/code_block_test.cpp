#include "eval/code/code_block.h"

#include <gtest/gtest.h>

namespace r1::eval {
namespace {

bool is_code(std::string_view label) {
  return language_named(label).has_value();
}

std::string last_code(std::string_view answer) {
  const auto block = last_code_block(answer, is_code);
  return block ? block->code : "(none)";
}

TEST(CodeBlock, LiveCodeBenchTakesWhatIsBetweenTheLastTwoFenceLines) {
  const auto code = [](std::string_view answer) {
    const auto block = between_last_fences(answer);
    return block ? block->code : "(none)";
  };
  EXPECT_EQ(code("First\n```python\na\n```\nthen\n```python\nb\nc\n```\nend"), "b\nc\n");
  EXPECT_EQ(code("```\na\n```"), "a\n");
  EXPECT_EQ(code("no code"), "(none)");
  EXPECT_EQ(code("```python\nnever closed"), "(none)");
  EXPECT_EQ(code("``````"), "(none)");  // one line with both
  EXPECT_EQ(code("```\n```"), "");
  // An open block after a closed one: the rule takes the text in between.
  EXPECT_EQ(code("```python\na\n```\nand\n```python\nb"), "and\n");
}

TEST(CodeBlock, TheLastBlockInAKnownLanguage) {
  EXPECT_EQ(last_code("```python\na\n```\n```text\noutput\n```"), "a\n");
  EXPECT_EQ(last_code("```\na\n```\n```output\nx\n```"), "a\n");
  EXPECT_EQ(last_code("```Python\na\n```\n```C++\nb\n```"), "b\n");
  EXPECT_EQ(last_code("~~~py\na\n~~~"), "a\n");
  EXPECT_EQ(last_code("```python title=\"x\"\na\n```"), "a\n");
  EXPECT_EQ(last_code("```{.python}\na\n```"), "a\n");
  EXPECT_EQ(last_code("```python\nnever closed"), "never closed\n");
  EXPECT_EQ(last_code("```json\n{}\n```"), "(none)");
  EXPECT_EQ(last_code("text with `code` and ```code``` in a line"), "(none)");
  EXPECT_EQ(last_code(""), "(none)");
}

TEST(CodeBlock, IndentationAndInnerFencesAreKept) {
  EXPECT_EQ(last_code("1. Do\n   ```python\n   if a:\n       b\n   ```\n"), "if a:\n    b\n");
  EXPECT_EQ(last_code("```python\n    return 1\n```"), "    return 1\n");
  EXPECT_EQ(last_code("````python\nx = '''\n```\n'''\n````"), "x = '''\n```\n'''\n");
}

TEST(CodeBlock, SaysWhereItIs) {
  const std::string answer = "Here:\n```python\nx = 1\n```\n";
  const auto block = last_code_block(answer, is_code);
  ASSERT_TRUE(block);
  EXPECT_EQ(answer.substr(block->first, block->last - block->first), "x = 1\n");
}

TEST(CodeBlock, LanguageByLabelElseByContent) {
  EXPECT_EQ(language_of({"cpp", "print(1)"}), Language::cpp);
  EXPECT_EQ(language_of({"", "#include <iostream>\nint main() {}"}), Language::cpp);
  EXPECT_EQ(language_of({"", "print(1)"}), Language::python);
}

}  // namespace
}  // namespace r1::eval
