#include "engine/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "engine/responder.h"
#include "nn/adapter.h"
#include "tests/engine/engine_fixture.h"
#include "tests/grammar/small_vocabulary.h"

namespace r1 {
namespace {

const char* const kTemplate =
    "{% for message in messages %}{{ '<｜User｜>' + message.content }}{% endfor %}<｜Assistant｜>";

TextModel text_model(std::shared_ptr<FakeModel> model, const std::string& chat_template = kTemplate) {
  const Tokenizer tokenizer = test::small_tokenizer();
  return {
      std::move(model),
      Vocabulary{tokenizer, chat_template, tokenizer.bos(), tokenizer.eos(), {*tokenizer.eos()}, {}, {}, {}}};
}

/// Makes the model say a text, with markers in it, then the end.
struct Script {
  EngineFixture fixture;
  TextModel text;
  std::vector<int32_t> script;
  size_t said = 0;
  TextRequest request;

  explicit Script(const std::string& words) : text(make_model(fixture)) {
    script = text.tokenizer().encode(words, true);
    script.push_back(*text.tokenizer().eos());
    fixture.model->on_logits = [this](float* row) {
      std::fill(row, row + fixture.model->info().vocabulary, 0.0F);
      row[script[std::min(said++, script.size() - 1)]] = 100;
    };
    request.prompt = text.encode("hello");
    request.options.sampling.temperature = 0;
    request.options.lookup = 0;
  }

  Generation run() {
    Engine engine(fixture.model, fixture.context, fixture.options(64));
    std::optional<Generation> result;
    submit_text(engine, text, request, [&](Generation done) { result = std::move(done); });
    engine.run();
    EXPECT_TRUE(result.has_value());
    return result.value_or(Generation{});
  }

 private:
  static TextModel make_model(EngineFixture& fixture) {
    fixture.model = std::make_shared<FakeModel>(test::small_tokenizer().size());
    return text_model(fixture.model);
  }
};

TEST(GenerateTest, SplitsReasoningFromAnswer) {
  Script script("Hmm… so\n</think>\n\n42 🙂");
  script.request.prompt = script.text.encode("<｜User｜>6*7?<｜Assistant｜><think>\n");
  std::string heard;
  script.request.on_text = [&](TextKind kind, std::string_view text) {
    heard += kind == TextKind::reasoning ? "r:" : "a:";
    heard += text;
  };
  const Generation result = script.run();
  EXPECT_EQ(result.reasoning, "Hmm… so");
  EXPECT_EQ(result.answer, "42 🙂");
  EXPECT_EQ(heard, "r:Hr:mr:mr:…r: r:sr:oa:4a:2a: a:🙂");  // whole characters only
  EXPECT_EQ(result.end, AnswerEnd::stop);
  EXPECT_EQ(result.tokens.size(), script.script.size() - 1);
  EXPECT_EQ(result.summary.prompt_tokens, std::ssize(script.request.prompt));
  EXPECT_GT(result.decode_speed(), 0);
  EXPECT_GT(result.prefill_speed(), 0);
}

TEST(GenerateTest, EndsAtAStopString) {
  Script script("one END two");
  script.request.options.stop_strings = {"END"};
  const Generation result = script.run();
  EXPECT_EQ(result.answer, "one ");
  EXPECT_EQ(result.stop_string, "END");
  EXPECT_EQ(result.end, AnswerEnd::stop_string);
  EXPECT_EQ(result.tokens.size(), 7U);
}

TEST(GenerateTest, StopStringsAreNotLookedForInTheThinking) {
  Script script("<think>one END two</think>three");
  script.request.options.stop_strings = {"END"};
  const Generation result = script.run();
  EXPECT_EQ(result.reasoning, "one END two");
  EXPECT_EQ(result.answer, "three");
}

TEST(GenerateTest, PassesOnWhatWaitedAtTheEnd) {
  Script script("one EN");
  script.request.options.stop_strings = {"END"};
  EXPECT_EQ(script.run().answer, "one EN");
}

TEST(GenerateTest, ACancelledAnswerKeepsItsText) {
  Script script(std::string(200, 'x'));
  Engine engine(script.fixture.model, script.fixture.context, script.fixture.options(20));
  std::optional<Generation> result;
  RequestId id = 0;
  int pieces = 0;
  script.request.on_text = [&](TextKind, std::string_view) {
    if (++pieces == 5) engine.cancel(id);
  };
  id = submit_text(engine, script.text, script.request, [&](Generation done) { result = std::move(done); });
  engine.run();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->answer, "xxxxx");
  EXPECT_EQ(result->end, AnswerEnd::cancelled);
}

TEST(GenerateTest, WithoutSplittingEverythingIsTheAnswer) {
  Script script("one</think>two");
  script.request.options.split = false;
  script.request.options.skip_special = false;
  const Generation result = script.run();
  EXPECT_EQ(result.reasoning, "");
  EXPECT_EQ(result.answer, "one</think>two");
}

TEST(GenerateTest, FindsToolCalls) {
  Script script(
      "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{\"a\": "
      "1}\n```<｜tool▁call▁end｜>"
      "<｜tool▁calls▁end｜>");
  script.request.options.tool_calls = true;
  const Generation result = script.run();
  ASSERT_EQ(result.calls.size(), 1U);
  EXPECT_EQ(result.calls[0].name, "add");
  EXPECT_EQ(result.end, AnswerEnd::tool_calls);
}

TEST(TextModelTest, RequestsCarryEveryOption) {
  const auto model = std::make_shared<FakeModel>(test::small_tokenizer().size());
  const TextModel text = text_model(model);
  GenerationOptions options;
  options.sampling.seed = 77;
  options.max_tokens = 9;
  options.thinking_budget = 5;
  options.answer_reserve = 3;
  options.lookup = 2;
  options.priority = -4;
  options.owner = 31;
  options.loop_detection = false;
  options.stop_tokens = {65};
  const Adapter adapter{};
  Request request = text.request(text.encode("a<think>\n"), options, &adapter);
  EXPECT_EQ(request.sampling.seed, 77U);
  EXPECT_EQ(request.max_tokens, 9);
  EXPECT_EQ(request.thinking.budget, 5);
  EXPECT_EQ(request.thinking.answer_reserve, 3);
  EXPECT_TRUE(request.thinking.starts_inside);
  EXPECT_EQ(request.thinking.close_token, text.close_think());
  EXPECT_EQ(request.thinking.closing, text.closing());
  EXPECT_EQ(request.speculation, 2);
  EXPECT_EQ(request.priority, -4);
  EXPECT_EQ(request.owner, 31U);
  EXPECT_FALSE(request.loop_detection);
  EXPECT_EQ(request.stop_tokens, (std::vector<int32_t>{65, *text.tokenizer().eos()}));
  EXPECT_EQ(request.adapter, &adapter);
  options.ignore_eos = true;
  options.split = false;
  request = text.request(text.encode("a<think>\n"), options);
  EXPECT_EQ(request.stop_tokens, std::vector<int32_t>{65});
  EXPECT_FALSE(request.thinking.starts_inside);
}

TEST(TextModelTest, KnowsWhereAnAnswerBegins) {
  const TextModel text = text_model(std::make_shared<FakeModel>(test::small_tokenizer().size()));
  const auto start = [&](const std::string& prompt) { return text.start_of(text.encode(prompt)); };
  EXPECT_EQ(start("<｜User｜>q<｜Assistant｜><think>\n").state, StreamState::reasoning);
  EXPECT_TRUE(start("<｜User｜>q<｜Assistant｜><think>\n").newline_given);
  EXPECT_FALSE(start("<｜User｜>q<｜Assistant｜><think>").newline_given);
  EXPECT_EQ(start("<think>\n\n</think>\n\n").state, StreamState::answer);
  EXPECT_EQ(start("<think>quoted<｜Assistant｜>").state, StreamState::answer);
  EXPECT_EQ(start("plain").state, StreamState::answer);
}

TEST(TextModelTest, OpensTheThinkingOnce) {
  const auto model = std::make_shared<FakeModel>(test::small_tokenizer().size());
  const std::vector<ChatMessage> messages{{.role = "user", .content = "q"}};
  for (const std::string& end : {std::string(), std::string("{{ '<think>\\n' }}")}) {
    const TextModel text = text_model(model, kTemplate + end);
    EXPECT_EQ(text.chat_prompt(messages), "<｜User｜>q<｜Assistant｜><think>\n");
    EXPECT_EQ(text.chat_prompt(messages, false), "<｜User｜>q<｜Assistant｜><think>\n\n</think>\n\n");
  }
  EXPECT_THROW(text_model(model, "").chat_prompt(messages), Error);
}

TEST(EngineResponderTest, AnswersEachSampleOnce) {
  EngineFixture fixture;
  fixture.model = std::make_shared<FakeModel>(test::small_tokenizer().size());
  const TextModel text = text_model(fixture.model);
  Engine engine(fixture.model, fixture.context, fixture.options(64));
  EngineResponder responder(engine, text);
  std::vector<std::vector<int32_t>> answers(3);
  Question question{.id = "1", .messages = {{.role = "user", .content = "q"}}, .samples = 3};
  question.options.max_tokens = 8;
  question.options.sampling.temperature = 1;
  question.options.sampling.seed = 5;
  responder.ask(question, [&](int64_t sample, Generation answer) {
    EXPECT_TRUE(answers[static_cast<size_t>(sample)].empty());
    answers[static_cast<size_t>(sample)] = answer.tokens;
  });
  while (responder.step()) {
  }
  // Sample 1 is what a question with the next seed gets first.
  question.samples = 1;
  question.options.sampling.seed = 6;
  responder.ask(question, [&](int64_t, Generation answer) { EXPECT_EQ(answer.tokens, answers[1]); });
  while (responder.step()) {
  }
  EXPECT_FALSE(answers[0].empty() && answers[2].empty());
  EXPECT_THROW(EngineResponder(engine, text_model(fixture.model, "")), Error);
}

TEST(EngineResponderTest, AnAnswerHasWhatTheContextLeavesOfMaxTokens) {
  EngineFixture fixture;
  fixture.model = std::make_shared<FakeModel>(test::small_tokenizer().size());
  const TextModel text = text_model(fixture.model);
  EngineOptions options = fixture.options(64);
  options.context_length = 64;
  Engine engine(fixture.model, fixture.context, options);
  EngineResponder responder(engine, text);
  Question question{.id = "1", .messages = {{.role = "user", .content = "q"}}};
  question.options.max_tokens = 1000;
  question.options.ignore_eos = true;
  question.options.loop_detection = false;
  std::optional<Generation> answer;
  responder.ask(question, [&](int64_t, Generation generation) { answer = std::move(generation); });
  while (responder.step()) {
  }
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->end, AnswerEnd::length);
  EXPECT_EQ(answer->summary.prompt_tokens + answer->summary.generated_tokens, 64);
  question.messages[0].content = std::string(200, 'q');
  EXPECT_THROW(responder.ask(question, {}), Error);  // nothing is left
}

}  // namespace
}  // namespace r1
