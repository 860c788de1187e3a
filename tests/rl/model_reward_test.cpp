// A reward model's scores, against the objective that trains it.
#include "rl/model_reward.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "tests/rl/tiny_policy.h"
#include "train/objective.h"
#include "train/trained_model.h"
#include "train/training_step.h"

namespace r1::rl {
namespace {

class ModelRewardTest : public TinyPolicy {
 protected:
  ModelRewardTest() {
    model_ = std::make_unique<TrainedModel>(options_, std::filesystem::path(), TrainingStage::reward, pool_);
    Parameter& head = *model_->score();
    for (int64_t i = 0; i < head.count; ++i)
      head.values[i] = static_cast<float>(static_cast<double>(random_bits(5, i) >> 40U) * 0x1.0p-24 - 0.5);
    model_->write(folder_ / "judge", "", SaveType::automatic, false);
    question_.messages.resize(1);
    question_.messages[0].role = "user";
    question_.messages[0].content = "1+1?";
  }

  Answer answer(const std::string& reasoning, const std::string& text) const {
    Answer made;
    made.question = &question_;
    made.reasoning = reasoning;
    made.answer = text;
    return made;
  }

  ThreadPool pool_{2};
  Context context_{pool_, kernels::select_kernels(), Arithmetic::mixed};
  std::unique_ptr<TrainedModel> model_;
  Question question_;
};

TEST_F(ModelRewardTest, TheDifferenceOfTwoScoresIsTheOneThatTrainingCompares) {
  const std::vector<double> scores = make_model_reward(context_, folder_ / "judge", 200, {})
                                         ->score(std::vector{answer("a", "the 2"), answer("e", "the 3")});
  DataSample pair;
  pair.format = DataFormat::preference;
  pair.messages = question_.messages;
  for (auto [reply, reasoning, text] :
       {std::tuple(&pair.chosen, "a", "the 2"), {&pair.rejected, "e", "the 3"}}) {
    reply->emplace();
    (*reply)->role = "assistant";
    (*reply)->reasoning_content = reasoning;
    (*reply)->content = text;
  }
  const TrainingSample sample = model_->renderer().render(pair, TrainedTurns::last).front();
  TrainingBatch batch;
  for (const TokenSequence* sequence : {&sample.sequence, &sample.rejected}) {
    batch.sequences.push_back({batch.rows(), std::ssize(sequence->tokens), 0, batch.rows() == 0 ? 1.0 : 0.0});
    batch.tokens.insert(batch.tokens.end(), sequence->tokens.begin(), sequence->tokens.end());
  }
  batch.targets.assign(batch.tokens.size(), -1);
  ObjectiveParts parts;
  parts.score = model_->score();
  TrainingStep step(context_, {&model_->decoder(), &model_->parameters()}, options_,
                    ActivationStorage::everything);
  step.begin(1, 0);
  const LossSums sums = make_objective(TrainingStage::reward, options_, parts)->run(step, batch, 1, false);
  EXPECT_GT(std::fabs(scores[0] - scores[1]), 1e-3);
  EXPECT_NEAR(std::log1p(std::exp(scores[1] - scores[0])), sums.loss, 1e-5);
}

TEST_F(ModelRewardTest, AScoreDoesNotDependOnTheAnswersBesideIt) {
  std::vector<Answer> answers;
  for (const char* text : {"the 2", "the the the 3", "", "3"}) answers.push_back(answer("a", text));
  const std::vector<double> together =
      make_model_reward(context_, folder_ / "judge", 400, {})->score(answers);
  const std::vector<double> apart = make_model_reward(context_, folder_ / "judge", 40, {})->score(answers);
  EXPECT_EQ(together, apart);
}

TEST_F(ModelRewardTest, AnAnswerThatIsTooLongGetsNoRewardAndIsCounted) {
  std::vector<std::string> remarks;
  const std::vector<double> scores =
      make_model_reward(context_, folder_ / "judge", 40, [&](const std::string& text) {
        remarks.push_back(text);
      })->score(std::vector{answer("a", "2"), answer(std::string(200, 'a'), "2")});
  EXPECT_TRUE(std::isfinite(scores[0]));
  EXPECT_TRUE(std::isnan(scores[1]));
  ASSERT_EQ(remarks.size(), 1U);
  EXPECT_NE(remarks[0].find("1 of 2 answers"), std::string::npos);
}

TEST_F(ModelRewardTest, AModelWithoutAHeadIsRefused) {
  TrainedModel(options_, {}, TrainingStage::sft, pool_)
      .write(folder_ / "base", "", SaveType::automatic, false);
  EXPECT_THROW(make_model_reward(context_, folder_ / "base", 40, {}), Error);
}

}  // namespace
}  // namespace r1::rl
