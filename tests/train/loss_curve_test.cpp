// Fifty steps of AdamW on one batch against PyTorch's (tools/make_gradient_fixtures.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"
#include "train/trainer.h"

namespace r1 {
namespace {

class OneBatch final : public BatchSource {
 public:
  explicit OneBatch(const nlohmann::json& fixture) {
    const auto without_loss = fixture["first_sequence_rows_without_loss"].get<int64_t>();
    for (const nlohmann::json& sequence : fixture["sequences"]) {
      const auto tokens = sequence.get<std::vector<int32_t>>();
      const auto rows = static_cast<int64_t>(tokens.size()) - 1;
      const bool first = batch_.sequences.empty();
      batch_.sequences.push_back({batch_.rows(), rows, 0});
      for (int64_t i = 0; i < rows; ++i) {
        batch_.tokens.push_back(tokens[i]);
        batch_.targets.push_back(first && i < without_loss ? -1 : tokens[i + 1]);
      }
    }
  }
  int64_t batches(int64_t) const override { return 1; }
  uint64_t fingerprint() const override { return 1; }
  TrainingBatch batch(int64_t, int64_t) const override { return batch_; }

 private:
  TrainingBatch batch_;
};

class LossCurve : public testing::TestWithParam<const char*> {};

TEST_P(LossCurve, FiftyStepsAgreeWithPyTorch) {
  const std::string name = GetParam();
  R1_REQUIRE_SHARED("fixtures/" + name);
  const nlohmann::json fixture =
      nlohmann::json::parse(std::ifstream(std::string(R1_TEST_FIXTURES) + "/gradients/" + name + ".json"));
  const auto file = ModelFile::open(shared_path("fixtures/" + name));
  ParameterStore store;
  for (const TensorView& tensor : file->tensors()) store.add_copy(tensor);
  const auto model = load_model(ModelFile::with_tensors(file, store.views()));
  TrainingOptions options;
  options.max_steps = 51;
  options.learning_rate = 1e-3;
  options.schedule = Schedule::constant;
  options.warmup_share = 0;
  options.clip = 0;
  options.weight_decay = 0.1;
  options.save_steps = 0;
  const test::TemporaryFolder folder;
  options.output = folder.path.string();
  std::vector<double> losses;
  TrainerHooks hooks;
  hooks.on_step = [&](const StepReport& report) { losses.push_back(report.loss); };
  hooks.stop_requested = [&] { return losses.size() == 50; };
  ThreadPool pool(2);
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  const OneBatch source(fixture);
  Trainer trainer(context, dynamic_cast<const Decoder&>(*model), store, options, source, nullptr,
                  ActivationStorage::everything, hooks);
  trainer.run();
  const auto expected = fixture["loss_curve"].get<std::vector<double>>();
  ASSERT_EQ(losses.size(), expected.size());
  EXPECT_LT(expected.back(), 0.5 * expected.front());
  for (size_t i = 0; i < losses.size(); ++i)
    EXPECT_NEAR(losses[i], expected[i], 2e-5 + 0.03 * expected[i]) << i;
}

INSTANTIATE_TEST_SUITE_P(Models, LossCurve, testing::Values("qwen2-tiny", "llama3-tiny", "deepseek-v3-tiny"));

}  // namespace
}  // namespace r1
