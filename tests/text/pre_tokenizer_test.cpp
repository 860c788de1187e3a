// The hand-written scanners against PCRE2 running the published regular expressions.
#include "text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace r1 {
namespace {

using ::testing::ElementsAre;

/// Draws strings of characters that matter to the expressions, and of any that PCRE2's Unicode 14 knows.
class RandomText {
 public:
  explicit RandomText(uint64_t seed) : seed_(seed) {}

  std::string next() {
    static const std::vector<std::string> special = {" ",
                                                     "  ",
                                                     "   ",
                                                     "\n",
                                                     "\r",
                                                     "\r\n",
                                                     "\t",
                                                     "\v",
                                                     "\xc2\x85",
                                                     "\xc2\xa0",
                                                     "\xe3\x80\x80",
                                                     "\xe1\xa0\x8e",
                                                     "'",
                                                     "'s",
                                                     "'S",
                                                     "'t",
                                                     "'re",
                                                     "'VE",
                                                     "'m",
                                                     "'ll",
                                                     "'lL",
                                                     "'d",
                                                     "'\xc5\xbf",
                                                     "''",
                                                     "a",
                                                     "Z",
                                                     "ab",
                                                     "1",
                                                     "12",
                                                     "1234",
                                                     ".",
                                                     "!?",
                                                     "_",
                                                     "$",
                                                     "-x",
                                                     "\x01",
                                                     "\xe4\xb8\x80",
                                                     "\xe9\xbe\xa5",
                                                     "\xe9\xbe\xa6",
                                                     "\xe3\x82\xa2",
                                                     "\xe3\x83\xbb",
                                                     "\xe3\x81\x82",
                                                     "\xcc\x81",
                                                     "e\xcc\x81",
                                                     "\xd9\xa3",
                                                     "\xc2\xbd",
                                                     "\xe2\x80\x8d",
                                                     "\xf0\x9f\x91\xa9",
                                                     "\xef\xbb\xbf"};
    std::string text;
    const auto length = 1 + draw(20);
    for (uint64_t i = 0; i < length; ++i) {
      if (draw(5) != 0) {
        text += special[draw(special.size())];
      } else {
        append_known(text);
      }
    }
    return text;
  }

 private:
  uint64_t draw(uint64_t limit) { return random_bits(seed_, counter_++) % limit; }

  void append_known(std::string& text) {
    static const Regex unassigned("\\p{Cn}");
    std::string character;
    std::vector<std::pair<size_t, size_t>> found;
    do {
      const auto c = static_cast<uint32_t>(draw(draw(3) == 0 ? 0x20000 : 0x3000));
      if (c >= 0xd800 && c < 0xe000) {
        continue;
      }
      character.clear();
      append_utf8(c, character);
      found.clear();
      unassigned.find_all(character, found);
    } while (!found.empty() || character.empty());
    text += character;
  }

  uint64_t seed_;
  uint64_t counter_ = 0;
};

std::vector<std::string> split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  PreTokenizerScratch scratch;
  std::vector<std::string> pieces;
  pre_tokenizer.split(text, scratch, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

class ScannedPreTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(ScannedPreTokenizer, agrees_with_the_regular_expression) {
  const PreTokenizer pre_tokenizer = PreTokenizer::from_gguf_name(GetParam());
  ASSERT_TRUE(pre_tokenizer.is_scanned());
  RandomText random(7);
  for (int i = 0; i < 8000; ++i) {
    const std::string text = random.next();
    ASSERT_EQ(split(pre_tokenizer, text), pre_tokenizer.split_by_steps(text))
        << ::testing::PrintToString(text);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ScannedPreTokenizer,
                         ::testing::Values("gpt-2", "qwen2", "llama-bpe", "deepseek-v3"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           for (char& c : name) {
                             c = c == '-' ? '_' : c;
                           }
                           return name;
                         });

TEST(PreTokenizer, splits_as_published) {
  EXPECT_THAT(split(PreTokenizer::from_gguf_name("qwen2"), "I'll pay 1234  euros.\n\n x"),
              ElementsAre("I", "'ll", " pay", " ", "1", "2", "3", "4", " ", " euros", ".\n\n", " x"));
  EXPECT_THAT(split(PreTokenizer::from_gguf_name("llama3"), "x=1234"), ElementsAre("x", "=", "123", "4"));
  EXPECT_THAT(split(PreTokenizer::from_gguf_name("deepseek-v3"), "a.foo  12\xe4\xb8\x80z\x01\x02"),
              ElementsAre("a", ".foo", "  ", "12", "\xe4\xb8\x80", "z", "\x01\x02"));
}

TEST(PreTokenizer, deepseek_v3_cuts_punctuation_out_of_kana) {
  EXPECT_THAT(split(PreTokenizer::from_gguf_name("deepseek-v3"), "\xe3\x82\xa2\xe3\x83\xbb\xe3\x82\xa2"),
              ElementsAre("\xe3\x82\xa2", "\xe3\x83\xbb", "\xe3\x82\xa2"));
}

TEST(PreTokenizer, split_behaviours_are_those_of_the_hub) {
  const auto by = [](SplitBehaviour behaviour, bool invert) {
    return split(PreTokenizer({SplitStep{"-", behaviour, invert}}), "a--b-c");
  };
  EXPECT_THAT(by(SplitBehaviour::isolated, false), ElementsAre("a", "-", "-", "b", "-", "c"));
  EXPECT_THAT(by(SplitBehaviour::removed, false), ElementsAre("a", "b", "c"));
  EXPECT_THAT(by(SplitBehaviour::removed, true), ElementsAre("-", "-", "-"));
  EXPECT_THAT(by(SplitBehaviour::merged_with_previous, false), ElementsAre("a-", "-", "b-", "c"));
  EXPECT_THAT(by(SplitBehaviour::merged_with_next, false), ElementsAre("a", "-", "-b", "-c"));
  EXPECT_THAT(by(SplitBehaviour::contiguous, false), ElementsAre("a", "--", "b", "-", "c"));
}

TEST(PreTokenizer, digits_and_prefix_space) {
  EXPECT_THAT(split(PreTokenizer({DigitsStep{true}}), "a12\xd9\xa3"), ElementsAre("a", "1", "2", "\xd9\xa3"));
  EXPECT_THAT(split(PreTokenizer({DigitsStep{false}}), "a12b"), ElementsAre("a", "12", "b"));
  EXPECT_THAT(split(PreTokenizer({ByteLevelStep{true, true}}), "you're 10"),
              ElementsAre(" you", "'re", " 10"));
}

TEST(PreTokenizer, an_unknown_name_is_refused_with_the_known_ones) {
  try {
    PreTokenizer::from_gguf_name("jina-v7");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_THAT(error.what(),
                ::testing::AllOf(::testing::HasSubstr("jina-v7"), ::testing::HasSubstr("deepseek-v3"),
                                 ::testing::HasSubstr("qwen2")));
  }
}

TEST(Regex, refuses_what_it_would_read_otherwise_than_the_hub) {
  for (const char* pattern :
       {"[a&&b]", "[[:alpha:]]", "(?i)a", "(?x:a)", "a\\1", "\\bx", "x{1,2}+", "^a", "a.b", "[a"}) {
    EXPECT_THROW(Regex{pattern}, Error) << pattern;
  }
  EXPECT_THROW(Regex("(a"), Error);
  EXPECT_THROW(Regex("a)"), Error);
  EXPECT_THROW(Regex(""), Error);
  EXPECT_EQ(translate_hub_regex("(?i:'s)\\s[^\\S]"), "(?:'[sS])\\p{White_Space}[^\\P{White_Space}]");
}

TEST(Regex, an_expression_that_explodes_is_stopped) {
  const Regex regex("(a+)+b|(a*)*c");
  std::vector<std::pair<size_t, size_t>> found;
  EXPECT_THROW(regex.find_all(std::string(5000, 'a'), found), Error);
}

}  // namespace
}  // namespace r1
