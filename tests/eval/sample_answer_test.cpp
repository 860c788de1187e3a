// Answers of a model in training: the engine's own greedy ones, by the weights as they are.
#include "eval/sample_answer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/engine.h"
#include "tests/temporary_folder.h"
#include "tests/train/data_files.h"
#include "train/trained_model.h"

namespace r1 {
namespace {

class SampleAnswerTest : public DataFiles {
 protected:
  SampleAnswerTest() { options_.initial_deviation = 0.5; }
  TrainingOptions options_ = new_model_options(2);
  ThreadPool pool_{1};
  Context context_{pool_, kernels::select_kernels(), Arithmetic::exact};
};

// The model's greedy continuation, token by token without a cache.
std::vector<int32_t> continuation(Context& context, const Model& model, std::vector<int32_t> tokens,
                                  size_t count, int32_t end) {
  std::vector<int32_t> answer;
  while (answer.size() < count) {
    KvCache cache(model.kv_layers(), 4, DType::f32, DType::f32);
    const std::vector<int32_t> blocks{0, 1, 2, 3};
    const SequenceSlice slice{static_cast<int64_t>(tokens.size()), 0, blocks, nullptr};
    const auto last = static_cast<int32_t>(tokens.size() - 1);
    std::vector<float> logits(static_cast<size_t>(model.info().vocabulary));
    model.forward(context, {tokens, {&slice, 1}, {&last, 1}}, cache, logits.data());
    const auto token = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    if (token == end) break;
    answer.push_back(token);
    tokens.push_back(token);
  }
  return answer;
}

TEST_F(SampleAnswerTest, AreTheGreedyContinuationOfTheTrainedWeights) {
  TrainedModel model(options_, {}, TrainingStage::sft, pool_);
  const Tokenizer& tokenizer = model.renderer().tokenizer();
  const SampleRenderer& renderer = model.renderer();
  const auto sample = [&](const char* json) {
    return renderer.render(make_data_sample({nlohmann::ordered_json::parse(json), "f:1"}, {}),
                           TrainedTurns::last)[0];
  };
  const TrainingSample first = sample(R"({"question": "the cat", "think": "t", "answer": "the dog"})");
  const TrainingSample second = sample(R"({"text": "the question and the answer"})");
  const TokenSequence* samples[] = {&first.sequence, &second.sequence};
  for (int round = 0; round < 2; ++round) {
    const auto answers = answer_samples(context_, model.model(), nullptr, tokenizer, samples, 9);
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_TRUE(answers[0].prompt.ends_with("<think>\n")) << answers[0].prompt;
    EXPECT_EQ(answers[0].expected.substr(0, 3), "t\n<");
    const auto prompt = std::find(first.sequence.trained.begin(), first.sequence.trained.end(), 1) -
                        first.sequence.trained.begin();
    const std::vector<int32_t> expected = continuation(
        context_, *model.model(), {first.sequence.tokens.begin(), first.sequence.tokens.begin() + prompt}, 9,
        first.sequence.tokens.back());
    EXPECT_EQ(answers[0].answer, tokenizer.decode(expected, true));
    // Other weights, another answer: nothing of the first round is remembered.
    for (Parameter& one : model.parameters().all()) {
      for (int64_t i = 0; i < one.count; ++i) one.values[i] *= i % 2 == 0 ? -1.0F : 1.0F;
    }
  }
}

TEST_F(SampleAnswerTest, ASampleThatFillsTheContextHasNoAnswer) {
  TrainedModel model(options_, {}, TrainingStage::sft, pool_);
  TokenSequence full;
  full.tokens.assign(70, 3);
  full.trained.assign(70, 0);
  full.trained[69] = 1;
  TokenSequence nearly = full;
  nearly.tokens.resize(63);
  nearly.trained.assign(63, 0);
  nearly.trained.back() = 1;
  const TokenSequence* samples[] = {&full, &nearly};
  const auto answers =
      answer_samples(context_, model.model(), nullptr, model.renderer().tokenizer(), samples, 100);
  EXPECT_EQ(answers[0].answer, "");
  EXPECT_FALSE(answers[0].prompt.empty());
}

}  // namespace
}  // namespace r1
