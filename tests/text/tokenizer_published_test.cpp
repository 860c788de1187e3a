// The published vocabularies against ids made with Hugging Face's tokenizers for JavaScript.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/shared_folder.h"
#include "tests/text/published_tokenizers.h"
#include "text/incremental_decoder.h"
#include "text/tokenizer.h"

namespace r1 {
namespace {

using r1::testing::published_tokenizer;

class PublishedTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(PublishedTokenizer, gives_the_fixtures_ids) {
  R1_REQUIRE_PUBLISHED_TOKENIZER(GetParam());
  const std::string fixture = std::string("fixtures/tokenizer/") + GetParam() + ".jsonl";
  R1_REQUIRE_SHARED(fixture);
  const Tokenizer tokenizer = published_tokenizer(GetParam());
  std::ifstream file(shared_path(fixture));
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    const auto json = nlohmann::json::parse(line);
    const auto text = json.at("text").get<std::string>();
    const auto ids = tokenizer.encode(text, true);
    ASSERT_EQ(ids, json.at("ids").get<std::vector<int32_t>>()) << text;
  }
  EXPECT_GT(lines, 100);
}

TEST_P(PublishedTokenizer, decodes_what_it_encoded) {
  R1_REQUIRE_PUBLISHED_TOKENIZER(GetParam());
  const Tokenizer tokenizer = published_tokenizer(GetParam());
  const std::string text =
      "Hello, w\xc3\xb6rld! \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80\r\n\t  x = "
      "12345;  ";
  const auto ids = tokenizer.encode(text, true);
  EXPECT_EQ(tokenizer.decode(ids, true), text);
  IncrementalDecoder decoder(tokenizer);
  std::string streamed;
  for (const int32_t id : ids) {
    streamed += decoder.push(id);
  }
  EXPECT_EQ(streamed + decoder.finish(), text);
}

TEST_P(PublishedTokenizer, long_words_do_not_take_quadratic_time) {
  R1_REQUIRE_PUBLISHED_TOKENIZER(GetParam());
  const Tokenizer tokenizer = published_tokenizer(GetParam());
  std::string word;
  for (uint32_t i = 0; i < 1 << 20; ++i) {
    word += static_cast<char>('a' + (i * 7919 >> 3) % 26);
  }
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(word, true), true), word);
  const std::string spaces(1 << 20, ' ');
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(spaces, true), true), spaces);
}

TEST_P(PublishedTokenizer, threads_can_share_it) {
  R1_REQUIRE_PUBLISHED_TOKENIZER(GetParam());
  const Tokenizer tokenizer = published_tokenizer(GetParam());
  const std::string text = "The quick brown fox, jumped over 1234 lazy dogs.";
  const auto expected = tokenizer.encode(text, true);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (size_t i = 0; i < wrong.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 200; ++round) {
        wrong[i] += tokenizer.encode(text, true) != expected;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, std::vector<int>(4));
}

INSTANTIATE_TEST_SUITE_P(All, PublishedTokenizer, ::testing::Values("qwen2_5", "llama3", "deepseek_v3"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST(PublishedTokenizers, know_their_special_tokens) {
  R1_REQUIRE_PUBLISHED_TOKENIZER("deepseek_v3");
  const Tokenizer tokenizer = published_tokenizer("deepseek_v3");
  const auto user = tokenizer.find_special("<\xef\xbd\x9cUser\xef\xbd\x9c>");
  ASSERT_TRUE(user);
  EXPECT_EQ(*user, 128803);
  EXPECT_EQ(tokenizer.bos(), 0);
  EXPECT_EQ(tokenizer.eos(), 1);
  EXPECT_TRUE(tokenizer.add_bos());
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_FALSE(tokenizer.is_special(*user));
  EXPECT_TRUE(tokenizer.is_added(*user));
  EXPECT_EQ(tokenizer.encode("<\xef\xbd\x9cUser\xef\xbd\x9c>", false), std::vector<int32_t>{128803});
  EXPECT_EQ(tokenizer.encode(tokenizer.token_text(0), true), std::vector<int32_t>{0});
  EXPECT_GT(tokenizer.encode(tokenizer.token_text(0), false).size(), 1u);
  EXPECT_EQ(tokenizer.decode(std::vector<int32_t>{0, *user, 1}, true), "<\xef\xbd\x9cUser\xef\xbd\x9c>");
}

}  // namespace
}  // namespace r1
