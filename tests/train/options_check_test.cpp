// What a training run can be told, and what it refuses before it begins.
#include "train/options_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "base/error.h"

namespace r1 {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// Sets options by their names and asks for them.
class OptionsCheckTest : public testing::Test {
 protected:
  template <typename Value>
  void set(const std::string& name, const Value& value) {
    bool found = false;
    visit_training_options(options_, [&](const OptionRow& row, auto& place) {
      if (row.name != name) return;
      using Place = std::decay_t<decltype(place)>;
      if constexpr (std::is_enum_v<Place>) {
        if constexpr (std::is_same_v<Value, std::string>) place = choice_of<Place>(name, value), found = true;
      } else if constexpr (std::is_arithmetic_v<Place> == std::is_arithmetic_v<Value> &&
                           std::is_convertible_v<Value, Place>) {
        place = static_cast<Place>(value);
        found = true;
      }
    });
    ASSERT_TRUE(found) << name;
    given_.insert(name);
  }
  std::string refusal(TrainingStage stage = TrainingStage::sft) {
    try {
      check_training_options(options_, stage, [&](const std::string& name) { return given_.contains(name); });
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
      return error.what();
    }
    return "";
  }
  void clear() {
    options_ = {};
    given_.clear();
  }

  TrainingOptions options_;
  std::set<std::string> given_;
};

TEST_F(OptionsCheckTest, DefaultsPassInEveryStage) {
  for (const TrainingStage stage :
       {TrainingStage::pretrain, TrainingStage::sft, TrainingStage::dpo, TrainingStage::kto,
        TrainingStage::orpo, TrainingStage::reward, TrainingStage::grpo}) {
    EXPECT_EQ(refusal(stage), "");
  }
}

TEST_F(OptionsCheckTest, EveryNumberIsRefusedBelowAndAboveItsLimitsAndWhenItIsNone) {
  visit_training_options(options_, [](const OptionRow& row, auto& value) {
    const std::string_view name = row.name;
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool> &&
                  !std::is_same_v<Value, uint64_t>) {
      std::vector<Value> wrong = {static_cast<Value>(row.range.least - 1), std::numeric_limits<Value>::max(),
                                  std::numeric_limits<Value>::lowest()};
      if constexpr (std::is_floating_point_v<Value>) {
        wrong.push_back(std::numeric_limits<Value>::quiet_NaN());
        wrong.push_back(std::numeric_limits<Value>::infinity());
      }
      for (const Value one : wrong) {
        TrainingOptions options;
        visit_training_options(options, [&](const OptionRow& other, auto& place) {
          if constexpr (std::is_same_v<std::decay_t<decltype(place)>, Value>) {
            if (other.name == name) place = one;
          }
        });
        try {
          check_training_options(options, TrainingStage::sft, [](const std::string&) { return false; });
          ADD_FAILURE() << name << " = " << one << " passed";
        } catch (const Error& error) {
          EXPECT_THAT(error.what(), StartsWith(std::string(name) + ": expected "));
          EXPECT_THAT(error.what(), HasSubstr(", found "));
        }
      }
    }
  });
}

TEST_F(OptionsCheckTest, UnknownWordsAreRefusedWithTheKnownOnes) {
  int found = 0;
  for (const char* name : {"format", "train_on", "long_samples", "packing", "tuning", "base_type", "schedule",
                           "optimiser", "save_type", "keep"}) {
    visit_training_options(options_, [&](const OptionRow& row, auto& place) {
      using Place = std::decay_t<decltype(place)>;
      if constexpr (std::is_enum_v<Place>) {
        if (row.name != name) return;
        ++found;
        for (const auto& [word, value] : words_of(Place{})) EXPECT_EQ(choice_of<Place>(name, word), value);
        try {
          choice_of<Place>(name, "nonsense");
          ADD_FAILURE() << name;
        } catch (const Error& error) {
          EXPECT_THAT(error.what(), StartsWith(std::string(name) + ": expected one of ")) << name;
          EXPECT_THAT(error.what(), HasSubstr("found 'nonsense'")) << name;
        }
      }
    });
  }
  EXPECT_EQ(found, 10);
}

TEST_F(OptionsCheckTest, OptionsThatDetermineTheWeightsAreTheSettingsOfARun) {
  options_.beta = 0.3;
  options_.packing = Packing::none;
  options_.seed = 7;
  options_.lora.dora = true;
  const auto settings = weight_settings(options_, TrainingStage::dpo);
  EXPECT_EQ(settings.at("stage"), "dpo");
  EXPECT_EQ(settings.at("beta"), "0.3");
  EXPECT_EQ(settings.at("packing"), "none");
  EXPECT_EQ(settings.at("seed"), "7");
  EXPECT_EQ(settings.at("dora"), "true");
  EXPECT_EQ(settings.at("learning_rate"), "0.001");
  // As checkpoints have them: a name less would let a run be resumed as another one.
  std::string names;
  for (const auto& [name, value] : settings) names += name + " ";
  EXPECT_EQ(
      names,
      "accumulation base_type batch_tokens beta beta1 beta2 clip dora epsilon final_rate learning_rate "
      "lora_alpha lora_dropout lora_plus lora_rank momentum optimiser packing pissa rslora schedule seed "
      "sequence_length stage tuning warmup_share warmup_steps weight_decay ");
  EXPECT_EQ(weight_settings(options_, TrainingStage::grpo).at("group"), "16");
  EXPECT_FALSE(settings.contains("group")) << "an option that the stage does not know";
}

TEST_F(OptionsCheckTest, TheUsualLearningRateFitsWhatIsTrained) {
  auto rate = [&](TrainingStage stage) { return usual_learning_rate(options_, stage); };
  EXPECT_EQ(rate(TrainingStage::pretrain), 1e-3);  // a new model
  options_.model = "m";
  EXPECT_EQ(rate(TrainingStage::sft), 2e-5);
  EXPECT_EQ(rate(TrainingStage::dpo), 1e-6);
  EXPECT_EQ(rate(TrainingStage::orpo), 5e-6);
  options_.tuning = Tuning::lora;
  EXPECT_EQ(rate(TrainingStage::sft), 2e-4);
  EXPECT_EQ(rate(TrainingStage::kto), 1e-5);
  EXPECT_EQ(rate(TrainingStage::orpo), 5e-5);
  EXPECT_EQ(rate(TrainingStage::reward), 2e-4);
}

TEST_F(OptionsCheckTest, OptionsWithoutMeaningInAStageAreRefused) {
  using enum TrainingStage;
  const std::vector<std::pair<std::string, std::vector<TrainingStage>>> wrong = {
      {"beta", {pretrain, sft, orpo, reward}},
      {"orpo_lambda", {pretrain, sft, dpo, kto, reward}},
      {"desirable_weight", {pretrain, sft, dpo, orpo, reward}},
      {"undesirable_weight", {pretrain, sft, dpo, orpo, reward}},
      {"sample_tokens", {reward}}};
  for (const auto& [name, stages] : wrong) {
    for (const TrainingStage stage : stages) {
      clear();
      set(name, 1);
      EXPECT_THAT(refusal(stage), StartsWith(name + ": goes with train ")) << name;
      EXPECT_FALSE(has_meaning_in(name, stage));
    }
  }
  clear();
  set("train_on", std::string("all"));
  EXPECT_EQ(refusal(sft), "");
  EXPECT_EQ(refusal(dpo), "train_on: goes with train sft, found train dpo");
  clear();
  set("long_samples", std::string("cut"));
  EXPECT_THAT(refusal(pretrain), StartsWith("long_samples: goes with train "));
  EXPECT_EQ(refusal(dpo), "");
}

TEST_F(OptionsCheckTest, OptionsOfAnotherKindOfRunAreRefused) {
  for (const char* name :
       {"layers", "hidden", "heads", "key_value_heads", "intermediate", "context_length"}) {
    clear();
    set(name, 2);
    EXPECT_EQ(refusal(), "") << name;
    set("model", std::string("m"));
    EXPECT_EQ(refusal(), std::string(name) + ": goes with a new model, found model = 'm'");
  }
  for (const char* name : {"lora_rank", "lora_alpha", "lora_plus"}) {
    clear();
    set(name, 2);
    EXPECT_EQ(refusal(), std::string(name) + ": goes with tuning = lora, found tuning = full");
    set("tuning", std::string("lora"));
    EXPECT_EQ(refusal(), "") << name;
  }
  clear();
  set("tuning", std::string("lora"));
  set("adapter", std::string("a"));
  set("lora_dropout", 0.1);
  EXPECT_EQ(refusal(), "");
  set("lora_alpha", 8);
  EXPECT_EQ(refusal(), "lora_alpha: goes with a new adapter, found adapter = 'a', which says it itself");
  clear();
  set("trained_layers", 1);
  EXPECT_THAT(refusal(), StartsWith("trained_layers: goes with tuning = freeze"));
  clear();
  set("momentum", 0.9);
  EXPECT_THAT(refusal(), StartsWith("momentum: goes with optimiser = muon, found optimiser = adamw"));
  clear();
  set("schedule", std::string("constant"));
  set("final_rate", 0);
  EXPECT_THAT(refusal(), StartsWith("final_rate: goes with schedule"));
  clear();
  set("tuning", std::string("lora"));
  set("save_type", std::string("bf16"));
  EXPECT_THAT(refusal(), StartsWith("save_type: goes with tuning = full or freeze"));
}

TEST_F(OptionsCheckTest, EvaluationOptionsNeedSomethingToEvaluateOn) {
  for (const char* name : {"eval_steps", "patience", "samples", "sample_tokens"}) {
    clear();
    set(name, 2);
    EXPECT_EQ(refusal(), std::string(name) + ": goes with eval_data or eval_share, found neither");
    set("eval_share", 0.1);
    EXPECT_EQ(refusal(), "") << name;
  }
  set("eval_steps", 0);
  set("patience", 1);
  EXPECT_EQ(refusal(), "patience: goes with eval_steps above 0, found 0");
  clear();
  set("eval_share", 0.1);
  options_.eval_data = {"a.jsonl"};
  EXPECT_EQ(refusal(), "eval_share: goes with no eval_data, found both");
}

TEST_F(OptionsCheckTest, SwitchingOffWhatIsNotThereIsNoError) {
  set("dora", false);
  set("patience", 0);
  set("lora_dropout", 0);
  set("save_best", false);
  set("overwrite", false);
  EXPECT_EQ(refusal(), "");
  set("resume", true);
  set("overwrite", true);
  EXPECT_EQ(refusal(), "overwrite: goes with no resume, found both");
}

}  // namespace
}  // namespace r1
