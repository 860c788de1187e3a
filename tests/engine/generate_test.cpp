#include "engine/generate.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/engine/engine_fixture.h"

namespace r1 {
namespace {

/// A vocabulary of 300: bytes at 3 … 258, <think> and </think> behind them, then nothing.
Tokenizer byte_tokenizer() {
  std::vector<std::string> pieces = {"<unk>", "<s>", "</s>"};
  for (int byte = 0; byte < 256; ++byte) pieces.push_back(fmt::format("<0x{:02X}>", byte));
  pieces.insert(pieces.end(), {"<think>", "</think>"});
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
constexpr int32_t kOpen = 259, kClose = 260, kEnd = 2;

/// Makes the model say `script` after a prompt of `prompt` tokens, then the end.
struct Script {
  EngineFixture fixture;
  Tokenizer tokenizer = byte_tokenizer();
  std::vector<int32_t> script;
  TextRequest request;

  explicit Script(const std::string& text) {
    fixture.model = std::make_shared<FakeModel>(300);
    for (size_t index = 0; index < text.size(); ++index) {
      if (text[index] == '{') {
        script.push_back(kOpen);
      } else if (text[index] == '}') {
        script.push_back(kClose);
      } else {
        script.push_back(3 + static_cast<uint8_t>(text[index]));
      }
    }
    script.push_back(kEnd);
    request.request.prompt = {1, 70, 71};
    request.request.stop_tokens = {kEnd};
    request.request.sampling.temperature = 0;
    request.request.thinking.open_token = kOpen;
    request.request.thinking.close_token = kClose;
    allowed.resize(5);
    request.request.constraint = [this](std::span<const int32_t> generated) -> std::span<const uint64_t> {
      std::fill(allowed.begin(), allowed.end(), 0);
      const int32_t token = script[std::min(generated.size(), script.size() - 1)];
      allowed[token / 64] = uint64_t{1} << (token % 64);
      return allowed;
    };
  }
  std::vector<uint64_t> allowed;

  Generation run(const std::atomic<bool>* interrupted = nullptr) {
    Engine engine(fixture.model, fixture.context, fixture.options(20));
    return generate(engine, tokenizer, request, interrupted);
  }
};

TEST(GenerateTest, SplitsReasoningFromAnswer) {
  Script script("Hmm… so}42 🙂");
  script.request.request.thinking.starts_inside = true;
  std::string heard;
  script.request.on_text = [&](TextKind kind, std::string_view text) {
    heard += kind == TextKind::reasoning ? "r:" : "a:";
    heard += text;
  };
  const Generation result = script.run();
  EXPECT_EQ(result.reasoning, "Hmm… so");
  EXPECT_EQ(result.answer, "42 🙂");
  EXPECT_EQ(heard, "r:Hr:mr:mr:…r: r:sr:oa:4a:2a: a:🙂");  // whole characters only
  EXPECT_EQ(result.summary.reason, FinishReason::stop_token);
  EXPECT_EQ(result.tokens.size(), script.script.size() - 1);
  EXPECT_EQ(result.summary.prompt_tokens, 3);
  EXPECT_GT(result.decode_speed(), 0);
  EXPECT_GT(result.prefill_speed(), 0);
}

TEST(GenerateTest, EndsAtAStopString) {
  Script script("one END two");
  script.request.stop_strings = {"END"};
  const Generation result = script.run();
  EXPECT_EQ(result.answer, "one ");
  EXPECT_EQ(result.stop_string, "END");
  EXPECT_EQ(result.summary.reason, FinishReason::stop_callback);
  EXPECT_EQ(result.tokens.size(), 7U);
}

TEST(GenerateTest, PassesOnWhatWaitedAtTheEnd) {
  Script script("one EN");
  script.request.stop_strings = {"END"};
  EXPECT_EQ(script.run().answer, "one EN");
}

TEST(GenerateTest, AnInterruptCancels) {
  Script script(std::string(200, 'x'));
  std::atomic<bool> interrupted{false};
  int pieces = 0;
  script.request.on_text = [&](TextKind, std::string_view) {
    if (++pieces == 5) interrupted = true;
  };
  const Generation result = script.run(&interrupted);
  EXPECT_EQ(result.answer, "xxxxx");
  EXPECT_EQ(result.summary.reason, FinishReason::cancelled);
}

TEST(GenerateTest, AFailedPassLeavesNoRequestBehind) {
  Script script("hello");
  Engine engine(script.fixture.model, script.fixture.context, script.fixture.options(20));
  script.fixture.model->failure = "the disk went away";
  EXPECT_THROW(generate(engine, script.tokenizer, script.request), Error);
  EXPECT_EQ(engine.statistics().running + engine.statistics().waiting, 0);
  EXPECT_EQ(generate(engine, script.tokenizer, script.request).answer, "hello");
}

}  // namespace
}  // namespace r1
