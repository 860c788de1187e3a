// The memory plan against what a pass really takes.
#include "train/memory_plan.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/model/tiny_model.h"
#include "train/trained_adapter.h"

namespace r1 {
namespace {

TrainingBatch batch_of(int64_t rows, int64_t length) {
  TrainingBatch batch;
  while (batch.rows() < rows) {
    batch.sequences.push_back({batch.rows(), length, 0});
    for (int32_t i = 0; i < length; ++i) {
      batch.tokens.push_back(i % 200);
      batch.targets.push_back(i % 200 + 1);
    }
  }
  return batch;
}

struct Case {
  std::string shape;
  std::string keep;
  double most = 1.1;  // of what is used
};

void PrintTo(const Case& test_case, std::ostream* out) {
  *out << test_case.shape << ", " << test_case.keep;
}

class MemoryPlanTest : public testing::TestWithParam<Case> {};

TEST_P(MemoryPlanTest, IsTrueToATenth) {
  const test::TinyModel tiny(GetParam().shape);
  const auto file = ModelFile::open(tiny.path());
  const auto model = load_model(file);
  const auto& decoder = dynamic_cast<const Decoder&>(*model);
  const auto adapter = TrainedAdapter::create(*file, {.rank = 1, .targets = {}});
  TrainingOptions options;
  options.tuning = Tuning::lora;
  options.batch_tokens = 2000;
  options.sequence_length = 500;
  options.keep = choice_of<ActivationStorageChoice>("keep", GetParam().keep);
  const MemoryPlan plan = plan_memory(options, decoder, adapter->parameters(), {.threads = 1});
  ThreadPool pool(1);
  Context context(pool, kernels::select_kernels(), Arithmetic::mixed);
  const TrainingBatch batch = batch_of(2000, 500);
  TrainingCache cache(decoder);
  for (int i = 0; i < 2; ++i) {
    TrainingPass pass(context, decoder, adapter->parameters().gradients(decoder), cache, batch, plan.storage,
                      &adapter->adapter());
    pass.backward(std::vector<float>(batch.tokens.size(), -0.1F));
  }
  const KvLayerShape kv = decoder.kv_layers()[0];
  const auto keys =
      static_cast<size_t>(2000 * kv.heads * (kv.key_columns + kv.value_columns)) * sizeof(float);
  const auto used = static_cast<double>(context.arena().peak_bytes() + context.scratch_bytes() + keys);
  const auto planned = static_cast<double>(plan.activations + plan.working);
  EXPECT_GT(planned, 0.9 * used) << planned << " planned, " << used << " used";
  EXPECT_LT(planned, GetParam().most * used) << planned << " planned, " << used << " used";
}

INSTANTIATE_TEST_SUITE_P(Models, MemoryPlanTest,
                         testing::Values(Case{"tiny-qwen2", "layer-inputs"}, Case{"tiny-qwen2", "everything"},
                                         Case{"tiny-deepseek", "layer-inputs"},
                                         // its widest layer is taken for all
                                         Case{"tiny-deepseek", "everything", 1.2}));

TEST(MemoryPlan, CountsAdaptersReferencesAndRoundedRows) {
  const test::TinyModel tiny("tiny-qwen2");
  const auto file = ModelFile::open(tiny.path());
  const auto model = load_model(file);
  const auto& decoder = dynamic_cast<const Decoder&>(*model);
  ParameterStore store;
  store.add("a", {100, 10});
  TrainingOptions options;
  options.keep = ActivationStorageChoice::layer_inputs;
  options.batch_tokens = 64;  // so that attention's parts are no more than rounded rows
  const MemoryPlan full = plan_memory(options, decoder, store);
  EXPECT_EQ(full.weights, model->info().weight_bytes);
  EXPECT_EQ(full.gradients, 4000U);
  EXPECT_EQ(full.optimiser, 8000U);
  EXPECT_EQ(plan_memory(options, decoder, store, {.reference = &decoder}).weights,
            2 * model->info().weight_bytes);
  EXPECT_EQ(plan_memory(options, decoder, store, {.program = 1000}).total(), full.total() + 1000);
  options.tuning = Tuning::lora;
  const MemoryPlan lora = plan_memory(options, decoder, store);
  EXPECT_EQ(lora.weights, full.weights + 4000);
  // Rows of the widest product, two bytes a value and a scale for each 64.
  EXPECT_GT(lora.working, full.working);
}

}  // namespace
}  // namespace r1
