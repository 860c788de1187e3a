// Weights divided among parts of a model that compute together.
#include "model/weight_binder.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "nn/linear.h"
#include "tests/model/tiny_model.h"

namespace r1 {
namespace {

constexpr int64_t kOutputs = 256, kInputs = 512, kRows = 3;  // of a feed-forward's last matrix

std::vector<float> run(const Linear& layer, const std::vector<float>& x, int64_t first_column) {
  ThreadPool pool(1);
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  const Linear* reader = &layer;
  const Activations input =
      make_activations(context, x.data() + first_column, kRows, layer.inputs(), kInputs, {{&reader, 1}});
  std::vector<float> y(static_cast<size_t>(kRows * layer.outputs()));
  linear(context, layer, input, y.data());
  return y;
}

class SplitTest : public testing::TestWithParam<const char*> {
 protected:
  Linear bind(Split split, Part part) {
    binders_.push_back(std::make_unique<WeightBinder>(file_, Placement(), part));
    return binders_.back()->linear(kName, kOutputs, kInputs, "blk.0.bias_of_the_test", split);
  }

  static constexpr const char* kName = "blk.0.ffn_down.weight";
  const test::TinyModel tiny_{
      "tiny-qwen2",
      GetParam(),
      {.tensors = {{"blk.0.bias_of_the_test", {kOutputs}, test::drawn(kOutputs, 3, -1, 1)}}}};
  const std::shared_ptr<const ModelFile> file_ = ModelFile::open(tiny_.path());
  std::vector<std::unique_ptr<WeightBinder>> binders_;
  const std::vector<float> x_ = test::drawn(kRows * kInputs, 4, -1, 1);
};

TEST_P(SplitTest, PartsOfTheOutputsAreSideBySide) {
  const std::vector<float> whole = run(bind(Split::none, {0, 2}), x_, 0);
  for (int64_t part = 0; part < 2; ++part) {
    const std::vector<float> found = run(bind(Split::outputs, {part, 2}), x_, 0);
    ASSERT_EQ(std::ssize(found), kRows * kOutputs / 2);
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t o = 0; o < kOutputs / 2; ++o) {
        ASSERT_EQ(found[row * kOutputs / 2 + o], whole[row * kOutputs + part * kOutputs / 2 + o]);
      }
    }
  }
}

TEST_P(SplitTest, PartsOfTheInputsAddUp) {
  const std::vector<float> whole = run(bind(Split::none, {0, 2}), x_, 0);
  std::vector<float> sums(whole.size());
  for (int64_t part = 0; part < 2; ++part) {
    const std::vector<float> found = run(bind(Split::inputs, {part, 2}), x_, part * kInputs / 2);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += found[i];
  }
  for (size_t i = 0; i < sums.size(); ++i) ASSERT_NEAR(sums[i], whole[i], 1e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(Types, SplitTest, testing::Values("F32", "BF16", "Q8_0", "Q4_K_M"));

std::string message(const std::shared_ptr<const ModelFile>& file, Split split, int64_t parts) {
  WeightBinder binder(file, Placement(), {0, parts});
  try {
    binder.linear("blk.0.ffn_down.weight", kOutputs, kInputs, "", split);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    return error.what();
  }
  return "";
}

TEST(SplitRefusals, CutThroughNoBlockOrPanel) {
  const test::TinyModel tiny("tiny-qwen2", "Q4_K");
  const auto file = ModelFile::open(tiny.path());
  const std::string path = tiny.path().string();
  EXPECT_EQ(message(file, Split::inputs, 2), "");
  EXPECT_EQ(
      message(file, Split::inputs, 4),
      path +
          ": tensor 'blk.0.ffn_down.weight': 512 inputs cannot be divided into 4 parts of a multiple of 256");
  EXPECT_EQ(message(file, Split::outputs, 16), "");
  EXPECT_EQ(
      message(file, Split::outputs, 3),
      path +
          ": tensor 'blk.0.ffn_down.weight': 256 outputs cannot be divided into 3 parts of a multiple of 16");
}

}  // namespace
}  // namespace r1
