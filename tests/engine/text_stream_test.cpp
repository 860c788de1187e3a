#include "engine/text_stream.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace r1 {
namespace {

/// A SentencePiece vocabulary of single bytes, a few words and the thinking tags.
Tokenizer byte_tokenizer() {
  static const std::vector<std::string> pieces = [] {
    std::vector<std::string> list = {"<unk>", "<s>", "</s>"};
    for (int byte = 0; byte < 256; ++byte) list.push_back(fmt::format("<0x{:02X}>", byte));
    list.insert(list.end(), {"<think>", "</think>"});
    return list;
  }();
  VocabularyData data;
  data.model = "llama";
  for (const std::string& piece : pieces) {
    const auto index = static_cast<int32_t>(data.pieces.size());
    data.pieces.push_back(piece);
    data.scores.push_back(-static_cast<float>(index));
    data.types.push_back(index == 0 ? 2 : index < 3 ? 3 : index < 259 ? 6 : 4);
  }
  data.bos = 1;
  data.eos = 2;
  data.unknown = 0;
  return Tokenizer::from_vocabulary(data);
}
constexpr int32_t kOpen = 259, kClose = 260;

struct Collected {
  std::string reasoning, answer;
  std::string stop;
};

Collected run(const std::string& reasoning, const std::string& answer, std::vector<std::string> stops,
              bool stop_in_reasoning = false) {
  Collected out;
  TextStream::Options options{true, kOpen, kClose, stop_in_reasoning};
  TextStream stream(byte_tokenizer(), std::move(stops), options, [&](TextKind kind, std::string_view text) {
    (kind == TextKind::reasoning ? out.reasoning : out.answer) += text;
  });
  std::vector<int32_t> tokens;
  for (const unsigned char byte : reasoning) tokens.push_back(3 + byte);
  tokens.push_back(kClose);
  for (const unsigned char byte : answer) tokens.push_back(3 + byte);
  for (const int32_t token : tokens) {
    if (!stream.push(token)) break;
  }
  stream.finish();
  out.stop = stream.stop();
  return out;
}

TEST(TextStream, SplitsByTokenAndKeepsCharactersWhole) {
  const Collected out = run("hm \xF0\x9F\xA4\x94", "4\xE2\x82\xAC", {});
  EXPECT_EQ(out.reasoning, "hm \xF0\x9F\xA4\x94");
  EXPECT_EQ(out.answer, "4\xE2\x82\xAC");
}

TEST(TextStream, StopStringsEndTheAnswerNotTheThinking) {
  const Collected out = run("a STOP b", "one STOP two", {"STOP"});
  EXPECT_EQ(out.reasoning, "a STOP b");
  EXPECT_EQ(out.answer, "one ");
  EXPECT_EQ(out.stop, "STOP");
  EXPECT_EQ(run("a STOP b", "one", {"STOP"}, true).reasoning, "a ");
}

TEST(TextStream, HeldBackTextIsNotLost) {
  EXPECT_EQ(run("", "one ST", {"STOP"}).answer, "one ST");
  EXPECT_EQ(run("", "aab", {"aac"}).answer, "aab");
}

TEST(StopMatcher, FindsTheEarliestHoweverTheTextIsCut) {
  const std::string text = "xabababcyzz--end";
  for (uint64_t seed = 0; seed < 200; ++seed) {
    StopMatcher matcher({"ababc", "zz-", "end"});
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + random_bits(seed, at) % 4;
      out += matcher.push(std::string_view(text).substr(at, length));
      at += length;
    }
    EXPECT_EQ(out + matcher.finish(), "xab");
    EXPECT_EQ(matcher.matched(), "ababc");
  }
  EXPECT_THROW(StopMatcher({""}), Error);
}

}  // namespace
}  // namespace r1
