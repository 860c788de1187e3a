// Which experts are held in memory, and that holding them changes nothing else.
#include "model/expert_residency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/model/model_runner.h"
#include "tests/shared_folder.h"

namespace r1 {
namespace {

constexpr int64_t kExperts = 8, kOutputs = 64, kInputs = 64;
constexpr size_t kMatrixBytes = kOutputs * kInputs * sizeof(float);  // four pages of 4096 bytes
constexpr size_t kPage = 4096;

// One layer of experts over aligned memory, so that an expert's pages are its own.
struct Layer {
  AlignedBytes memory = allocate_aligned((kExperts * 3) * kMatrixBytes + kPage);
  Experts experts;

  Layer() {
    auto address = reinterpret_cast<uintptr_t>(memory.get());
    auto* next = memory.get() + ((address + kPage - 1) / kPage * kPage - address);
    for (std::vector<Linear>* part : {&experts.gate, &experts.up, &experts.down}) {
      for (int64_t e = 0; e < kExperts; ++e, next += kMatrixBytes) {
        Linear& one = part->emplace_back();
        one.weight.dtype = DType::f32;
        one.weight.data = next;
        one.weight.outputs = kOutputs;
        one.weight.inputs = kInputs;
        one.weight.row_bytes = kInputs * sizeof(float);
      }
    }
  }
};

void use_often(ExpertResidency& residency, const Layer& layer, const std::vector<int32_t>& experts,
               int times) {
  for (int i = 0; i < times; ++i) residency.use(layer.experts, experts);
}

TEST(ExpertResidencyTest, HoldsTheMostUsedWithinTheBudget) {
  const Layer layer;
  ExpertResidency residency({&layer.experts}, 2 * 3 * kMatrixBytes + 1, false);
  use_often(residency, layer, {3, 5}, 200);
  EXPECT_EQ(residency.statistics().held_experts, 0) << "held before the first plan";
  use_often(residency, layer, {3, 5, 6}, 60);
  const auto held = residency.statistics();
  EXPECT_EQ(held.held_experts, 2);
  EXPECT_EQ(held.held_bytes, 2 * 3 * kMatrixBytes);
  EXPECT_EQ(held.uses, 200 * 2 + 60 * 3);

  use_often(residency, layer, {3, 5}, 10);
  EXPECT_EQ(residency.statistics().held_uses - held.held_uses, 20) << "experts 3 and 5 are the held ones";
  use_often(residency, layer, {6}, 10);
  EXPECT_EQ(residency.statistics().held_uses - held.held_uses, 20) << "expert 6 is not held";
}

TEST(ExpertResidencyTest, FollowsAChangeOfUse) {
  const Layer layer;
  ExpertResidency residency({&layer.experts}, 3 * kMatrixBytes, false);
  use_often(residency, layer, {0}, 600);
  ASSERT_EQ(residency.statistics().held_experts, 1);
  use_often(residency, layer, {7}, 40000);  // several plans, each halving what was counted before
  const int64_t before = residency.statistics().held_uses;
  use_often(residency, layer, {7}, 10);
  EXPECT_EQ(residency.statistics().held_uses - before, 10);
  EXPECT_EQ(residency.statistics().held_experts, 1);
}

TEST(ExpertResidencyTest, WithoutABudgetNothingIsHeld) {
  const Layer layer;
  ExpertResidency residency({&layer.experts}, 0, true);
  use_often(residency, layer, {1, 2}, 1000);
  EXPECT_EQ(residency.statistics().held_experts, 0);
  EXPECT_EQ(residency.statistics().held_bytes, 0U);
}

TEST(ExpertResidencyTest, HeldExpertsGiveTheSameLogits) {
  constexpr const char* kFile = "fixtures/deepseek-v3-tiny/model-f32.gguf";
  R1_REQUIRE_SHARED(kFile);
  const auto file = ModelFile::open(shared_path(kFile));
  ThreadPool pool(2);
  std::vector<int32_t> ids(200);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 37 % 500);
  auto logits = [&](const ModelLoadOptions& options) {
    const auto model = load_model(file, options);
    Context context(pool, kernels::select_kernels(), Arithmetic::exact);
    KvCache cache(model->kv_layers(), 8, DType::f32, DType::f32);
    const std::vector<int32_t> blocks{0, 1, 2, 3, 4, 5, 6, 7};
    std::vector<float> last(model->info().vocabulary);
    for (size_t i = 0; i < ids.size(); i += 20) {  // enough choices for a plan in between
      const SequenceSlice slice{20, static_cast<int64_t>(i), blocks};
      const std::vector<int32_t> wanted{19};
      model->forward(context, {{ids.data() + i, 20}, {&slice, 1}, wanted}, cache, last.data());
    }
    return last;
  };
  ModelLoadOptions held;
  held.expert_cache_bytes = 1 << 20;
  held.populate = ModelLoadOptions::Populate::never;
  EXPECT_EQ(logits(held), logits({}));
}

}  // namespace
}  // namespace r1
