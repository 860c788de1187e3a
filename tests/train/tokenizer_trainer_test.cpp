#include "train/data/tokenizer_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "text/chat_template.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace r1 {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

const char* const kText =
    "the cat and the dog and the bird; the cats, the dogs, the birds: there and then, again and again\n"
    "小明有三个苹果，小红有五个苹果，小明和小红一共有多少个苹果？苹果苹果\n"
    "12+34=46, 46+12=58 and 58+46=104; isn't that the sum that the cat wanted?\n";

TokenizerTrainerOptions small() {
  TokenizerTrainerOptions options;
  options.vocabulary_size = 320;
  return options;
}

/// The definition, word by word: count all pairs anew before every merge.
std::vector<std::pair<std::string, std::string>> plain_merges(const std::string& text, size_t merges,
                                                              size_t longest) {
  std::map<std::vector<std::string>, int> words;
  const PreTokenizer split = PreTokenizer::from_gguf_name("qwen2");
  for (const std::string& piece : split.split_by_steps(text)) {
    std::vector<std::string> word;
    for (const char c : piece) word.emplace_back(1, c);
    ++words[word];
  }
  std::map<std::string, int> ids;  // order of creation decides between equals
  for (int byte = 0; byte < 256; ++byte) ids[std::string(1, static_cast<char>(byte))] = byte;
  std::vector<std::pair<std::string, std::string>> done;
  while (done.size() < merges) {
    std::map<std::pair<std::string, std::string>, int> pairs;
    for (const auto& [word, count] : words)
      for (size_t i = 0; i + 1 < word.size(); ++i) pairs[{word[i], word[i + 1]}] += count;
    const std::pair<std::string, std::string>* best = nullptr;
    int best_count = 1;
    for (const auto& [pair, count] : pairs) {
      if ((pair.first + pair.second).size() > longest || ids.contains(pair.first + pair.second)) continue;
      const auto order = [&](const auto& p) { return std::pair(ids.at(p.first), ids.at(p.second)); };
      if (count > best_count || (best != nullptr && count == best_count && order(pair) < order(*best))) {
        best = &pair;
        best_count = count;
      }
    }
    if (best == nullptr) break;
    const auto chosen = *best;
    done.push_back(chosen);
    const int next = static_cast<int>(ids.size());
    ids[chosen.first + chosen.second] = next;
    std::map<std::vector<std::string>, int> merged;
    for (const auto& [word, count] : words) {
      std::vector<std::string> out;
      for (size_t i = 0; i < word.size(); ++i) {
        if (i + 1 < word.size() && word[i] == chosen.first && word[i + 1] == chosen.second) {
          out.push_back(word[i] + word[i + 1]);
          ++i;
        } else {
          out.push_back(word[i]);
        }
      }
      merged[out] += count;
    }
    words = std::move(merged);
  }
  return done;
}

TEST(TokenizerTrainer, MergesWhatTheDefinitionMerges) {
  const std::string text =
      "the cat and the dog and the bird; the cats, the dogs: there and then, again and again. "
      "aaaa aaaaa abababab banana bananas that cat sat at the mat";
  TokenizerTrainer trainer;
  trainer.add(text);
  TokenizerTrainerOptions options = small();
  options.maximum_bytes = 5;
  const auto merges = trainer.train(options).merges;
  auto expected = plain_merges(text, 320 - 256 - 3 - 13, 5);
  for (auto& [left, right] : expected) {
    for (std::string* part : {&left, &right})
      if (part->starts_with(' ')) part->replace(0, 1, "Ġ");
  }
  EXPECT_GT(expected.size(), 20U);
  EXPECT_THAT(merges, ElementsAreArray(expected));
}

TEST(TokenizerTrainer, ThePublishedLoaderReadsItAndTextsComeBack) {
  TokenizerTrainer trainer;
  trainer.add(kText);
  TokenizerTrainerOptions options;
  options.vocabulary_size = 310;
  const TrainedTokenizer trained = trainer.train(options);
  const Tokenizer tokenizer =
      Tokenizer::from_hub(trained.tokenizer_json(), trained.tokenizer_config_json(512));
  EXPECT_EQ(tokenizer.size(), 310);
  EXPECT_EQ(tokenizer.bos(), 0);
  EXPECT_EQ(tokenizer.eos(), 1);
  EXPECT_TRUE(tokenizer.add_bos());
  for (const std::string text : {kText, "Zürich, naïve — 你好！", "\t\n  x\r\n", "\x01\x7f", "🦊 fox"}) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, false), false), text);
  }
  EXPECT_LT(tokenizer.encode(" the", false).size(), 2U);
}

TEST(TokenizerTrainer, EveryDigitIsATokenOfItsOwn) {
  TokenizerTrainer trainer;
  for (int i = 0; i < 1000; ++i) trainer.add("1212+1212=2424 and 12 and 12");
  const TrainedTokenizer trained = trainer.train(small());
  const Tokenizer tokenizer = Tokenizer::from_hub(trained.tokenizer_json());
  EXPECT_EQ(tokenizer.encode("121224", false).size(), 6U);
}

TEST(TokenizerTrainer, SpecialTokensOfR1AreOneTokenAndNotLearntFromText) {
  TokenizerTrainer trainer;
  std::string text;
  for (int i = 0; i < 50; ++i) text += "<think>aaa</think>bbb<｜User｜>";
  trainer.add(text);
  const TrainedTokenizer trained = trainer.train(small());
  const Tokenizer tokenizer = Tokenizer::from_hub(trained.tokenizer_json());
  for (const char* token : {"<think>", "</think>", "<｜User｜>", "<｜Assistant｜>", "<｜tool▁sep｜>",
                            "<｜tool▁outputs▁end｜>", "<｜begin▁of▁sentence｜>", "<｜▁pad▁｜>"}) {
    EXPECT_EQ(tokenizer.encode(token, true).size(), 1U) << token;
    EXPECT_TRUE(tokenizer.find_special(token)) << token;
  }
  for (const auto& [left, right] : trained.merges)
    EXPECT_EQ((left + right).find_first_not_of("ab"), std::string::npos);
}

TEST(TokenizerTrainer, NoTokenHoldsTheEndOfACharacterAndTheNext) {
  TokenizerTrainer trainer;
  trainer.add(kText);
  TokenizerTrainerOptions options = small();
  options.vocabulary_size = 2000;
  options.minimum_count = 1;
  const TrainedTokenizer trained = trainer.train(options);
  const Tokenizer tokenizer = Tokenizer::from_hub(trained.tokenizer_json());
  for (int32_t id = 3 + 256; id < tokenizer.size() - 13; ++id) {
    const std::string bytes(tokenizer.token_bytes(id));
    EXPECT_LE(bytes.size(), 16U);
    bool whole_start = (static_cast<unsigned char>(bytes[0]) & 0xc0) != 0x80;
    for (size_t i = 1; i < bytes.size() && !whole_start; ++i) {
      EXPECT_EQ(static_cast<unsigned char>(bytes[i]) & 0xc0, 0x80) << id;
    }
  }
}

TEST(TokenizerTrainer, TheTemplateIsR1s) {
  TokenizerTrainer trainer;
  trainer.add(kText);
  EXPECT_THAT(trainer.train(small()).tokenizer_config_json(512), HasSubstr("<｜Assistant｜><think>"));
}

TEST(TokenizerTrainer, RefusesAVocabularyThatCannotHoldTheBytes) {
  TokenizerTrainer trainer;
  trainer.add(kText);
  TokenizerTrainerOptions options;
  options.vocabulary_size = 271;
  EXPECT_THROW(trainer.train(options), Error);
  options.vocabulary_size = 272;
  EXPECT_TRUE(trainer.train(options).merges.empty());
}

}  // namespace
}  // namespace r1
