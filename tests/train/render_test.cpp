#include "train/data/render.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "tests/shared_folder.h"
#include "tests/train/data_files.h"

namespace r1 {
namespace {

using nlohmann::ordered_json;

class RenderTest : public DataFiles {
 protected:
  static DataSample sample(const char* json) {
    return make_data_sample({ordered_json::parse(json), "file:1"}, {});
  }
  static std::string one(const SampleRenderer& renderer, const char* json,
                         TrainedTurns turns = TrainedTurns::last) {
    const auto samples = renderer.render(sample(json), turns);
    EXPECT_EQ(samples.size(), 1U);
    return marked(samples[0].sequence, renderer.tokenizer());
  }
  static std::string read_template(const std::string& name) {
    std::ifstream in(shared_path("fixtures/chat-templates/" + name));
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
};

TEST_F(RenderTest, ATripleIsAThinkingBlockAndAnAnswerOfWhichOnlyTheGeneratedPartIsTrained) {
  EXPECT_EQ(one(renderer(), R"({"question": "the question", "think": "1+1=2", "answer": "2"})"),
            "<｜begin▁of▁sentence｜><｜User｜>the question<｜Assistant｜><think>\n"
            "[[1+1=2\n</think>\n\n2<｜end▁of▁sentence｜>]]");
}

TEST_F(RenderTest, WithoutThinkingTheClosedBlockBelongsToThePrompt) {
  EXPECT_EQ(
      one(renderer(), R"({"instruction": "q", "output": "a"})"),
      "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜><think>\n\n</think>\n\n[[a<｜end▁of▁sentence｜>]]");
}

TEST_F(RenderTest, AnEmptyThinkingIsWhatTheModelLearnsToWrite) {
  EXPECT_EQ(
      one(renderer(), R"({"question": "q", "think": "", "answer": "a"})"),
      "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜><think>\n[[\n</think>\n\na<｜end▁of▁sentence｜>]]");
}

TEST_F(RenderTest, EarlierReasoningIsDroppedAsInInference) {
  EXPECT_EQ(
      one(renderer(), R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"},
                {"role": "assistant", "content": "<think>x</think>b"}, {"role": "user", "content": "c"},
                {"role": "assistant", "content": "<think>y</think>d"}]})"),
      "<｜begin▁of▁sentence｜>s<｜User｜>a<｜Assistant｜>b<｜end▁of▁sentence｜><｜User｜>c<｜Assistant｜><"
      "think>\n"
      "[[y\n</think>\n\nd<｜end▁of▁sentence｜>]]");
}

TEST_F(RenderTest, AllTurnsAreOneSampleEachWhereTheTemplateDropsReasoning) {
  const SampleRenderer r = renderer();
  const auto samples =
      r.render(sample(R"({"question": "c", "think": "y", "answer": "d", "history": [["a", "b"]]})"),
               TrainedTurns::all);
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(
      marked(samples[0].sequence, r.tokenizer()),
      "<｜begin▁of▁sentence｜><｜User｜>a<｜Assistant｜><think>\n\n</think>\n\n[[b<｜end▁of▁sentence｜>]]");
  EXPECT_EQ(marked(samples[1].sequence, r.tokenizer()),
            "<｜begin▁of▁sentence｜><｜User｜>a<｜Assistant｜>b<｜end▁of▁sentence｜><｜User｜>c<"
            "｜Assistant｜><think>\n"
            "[[y\n</think>\n\nd<｜end▁of▁sentence｜>]]");
}

TEST_F(RenderTest, ToolCallsAreTrainedAsTheTemplateWritesThem) {
  const std::string text = one(renderer(), R"({"messages": [{"role": "user", "content": "w"},
      {"role": "assistant", "content": null, "reasoning_content": "r", "tool_calls": [{"type": "function",
       "function": {"name": "f", "arguments": {"a": 1}}}]}]})");
  EXPECT_EQ(text,
            "<｜begin▁of▁sentence｜><｜User｜>w<｜Assistant｜><think>\n[[r\n</think>\n\n"
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": 1}\n```"
            "<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>]]");
  const std::string after = one(renderer(), R"({"messages": [{"role": "user", "content": "w"},
      {"role": "assistant", "content": null, "tool_calls": [{"type": "function",
       "function": {"name": "f", "arguments": {"a": 1}}}]}, {"role": "tool", "content": "4"},
      {"role": "assistant", "content": "four", "reasoning_content": "z"}]})");
  EXPECT_THAT(after,
              ::testing::EndsWith("4<｜tool▁output▁end｜><｜tool▁outputs▁end｜><｜Assistant｜><think>\n"
                                  "[[z\n</think>\n\nfour<｜end▁of▁sentence｜>]]"));
}

TEST_F(RenderTest, PairsHaveOnePromptAndTwoAnswers) {
  const SampleRenderer r = renderer();
  const auto samples =
      r.render(sample(R"({"prompt": "p", "chosen": "<think>t</think>c", "rejected": "<think>u</think>r"})"),
               TrainedTurns::last);
  EXPECT_EQ(
      marked(samples[0].sequence, r.tokenizer()),
      "<｜begin▁of▁sentence｜><｜User｜>p<｜Assistant｜><think>\n[[t\n</think>\n\nc<｜end▁of▁sentence｜>]]");
  EXPECT_EQ(
      marked(samples[0].rejected, r.tokenizer()),
      "<｜begin▁of▁sentence｜><｜User｜>p<｜Assistant｜><think>\n[[u\n</think>\n\nr<｜end▁of▁sentence｜>]]");
}

TEST_F(RenderTest, TextIsTrainedWholeBetweenBeginAndEnd) {
  EXPECT_EQ(one(renderer(), R"({"text": "a <｜User｜> b"})"),
            "[[<｜begin▁of▁sentence｜>a <｜User｜> b<｜end▁of▁sentence｜>]]");
}

TEST_F(RenderTest, ControlTokensOfATextAreTokensAndNotWrittenTwice) {
  const SampleRenderer r = renderer();
  const std::string whole =
      "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜><think>\nt\n</think>\n\na<｜end▁of▁sentence｜>";
  const auto samples =
      r.render(make_data_sample({ordered_json{{"text", whole}}, "file:1"}, {}), TrainedTurns::last);
  EXPECT_EQ(samples[0].sequence.tokens, r.tokenizer().encode(whole, true));
  EXPECT_EQ(samples[0].sequence.tokens.front(), r.tokenizer().bos());
  EXPECT_LT(samples[0].sequence.tokens.size(), 20U);  // spelt in bytes they are 80
  const auto bare =
      r.render(make_data_sample({ordered_json{{"text", "q"}}, "file:1"}, {}), TrainedTurns::last);
  EXPECT_EQ(bare[0].sequence.tokens.size(), 3U);
}

TEST_F(RenderTest, APromptThatHasTheTemplateAppliedStaysAsItIs) {
  const std::string expected =
      "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜><think>\n[[t\n</think>\n\na<｜end▁of▁sentence｜>]]";
  EXPECT_EQ(one(renderer(), R"({"prompt": "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜><think>\n",
                               "completion": "t\n</think>\n\na<｜end▁of▁sentence｜>"})"),
            expected);
  EXPECT_EQ(
      one(renderer(), R"({"prompt": "<｜User｜>q<｜Assistant｜>", "completion": "<think>t</think>a"})"),
      "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜>[[<think>\nt\n</think>\n\na<｜end▁of▁sentence｜>]]");
  EXPECT_EQ(one(renderer(), R"({"prompt": "<｜User｜>q<｜Assistant｜>", "completion": "a"})"),
            "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜>[[a<｜end▁of▁sentence｜>]]");
}

TEST_F(RenderTest, TheTokenThatEndsATurnIsNotDoubledAndNamedInsideAnAnswer) {
  const SampleRenderer r = renderer();
  EXPECT_EQ(one(r, R"({"question": "q", "think": "t", "answer": "a<｜end▁of▁sentence｜>"})"),
            one(r, R"({"question": "q", "think": "t", "answer": "a"})"));
  auto found = [&](const char* json) {
    std::string text;
    for (const auto& token : r.control_tokens_in(sample(json)))
      text += token.place + (token.ends_turn_of_answer ? "!" : "") + "\n";
    return text;
  };
  EXPECT_EQ(found(R"({"question": "q", "answer": "a<｜end▁of▁sentence｜>"})"), "");
  EXPECT_EQ(found(R"({"question": "q", "answer": "a <b> and <think"})"), "");
  EXPECT_EQ(found(R"({"question": "what is <｜User｜>?", "answer": "a<｜end▁of▁sentence｜><｜User｜>b"})"),
            "file:1: turn 1: <｜User｜>\n"
            "file:1: turn 2: <｜end▁of▁sentence｜> inside an answer!\n"
            "file:1: turn 2: <｜User｜>\n");
  EXPECT_EQ(found(R"({"prompt": "p", "chosen": "a", "rejected": "b<｜begin▁of▁sentence｜>"})"),
            "file:1: rejected: <｜begin▁of▁sentence｜>\n");
}

TEST_F(RenderTest, SamplesWithoutThinkingAreKnown) {
  const SampleRenderer r = renderer();
  auto closed = [&](const char* json) {
    return r.render(sample(json), TrainedTurns::last).front().without_thinking;
  };
  EXPECT_TRUE(closed(R"({"question": "q", "answer": "a"})"));
  EXPECT_FALSE(closed(R"({"question": "q", "think": "t", "answer": "a"})"));
  EXPECT_TRUE(closed(R"({"prompt": "p", "chosen": "a", "rejected": "<think>t</think>b"})"));
  EXPECT_FALSE(closed(R"({"text": "a"})"));
}

TEST_F(RenderTest, ThePublishedTemplateOfR1RendersTheSame) {
  R1_REQUIRE_SHARED("fixtures/chat-templates/deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja");
  const SampleRenderer r(tokenizer(), read_template("deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja"), {1});
  const char* triple = R"({"question": "q", "think": "t", "answer": "a"})";
  EXPECT_EQ(one(r, triple), one(renderer(), triple));
}

TEST_F(RenderTest, Qwen2TemplateKeepsAllTurnsInOneSampleAndItsVocabularyLearnsTheTagsAsText) {
  R1_REQUIRE_SHARED("fixtures/chat-templates/Qwen-Qwen2.5-7B-Instruct.jinja");
  std::string json = trained_tokenizer().tokenizer_json();
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"<｜User｜>", "<|im_start|>"},
                                 {"<｜end▁of▁sentence｜>", "<|im_end|>"},
                                 {"<think>", "<x>"},
                                 {"</think>", "</x>"}}) {
    json.replace(json.find(from), from.size(), to);
  }
  const SampleRenderer r(Tokenizer::from_hub(json), read_template("Qwen-Qwen2.5-7B-Instruct.jinja"), {1});
  EXPECT_EQ(
      one(r, R"({"question": "c", "think": "y", "answer": "d", "history": [["a", "b"]], "system": "s"})",
          TrainedTurns::all),
      "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n[[b<|im_end|>]]"
      "\n"
      "<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n[[<think>\ny\n</think>\n\nd<|im_end|>]]");
}

TEST_F(RenderTest, RefusesATemplateWhoseAnswersNeverEnd) {
  EXPECT_THROW(SampleRenderer(tokenizer(), "{% for m in messages %}{{ m.content }}{% endfor %}", {1}), Error);
  const SampleRenderer none(tokenizer(), "", {1});
  EXPECT_THROW(none.render(sample(R"({"question": "q", "answer": "a"})"), TrainedTurns::last), Error);
}

}  // namespace
}  // namespace r1
