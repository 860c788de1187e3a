#include "formats/synth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "formats/gguf.h"
#include "formats/hub_plan.h"
#include "tensor/codec.h"
#include "tests/formats/file_builder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

using test::expect_error;

/// Mean and deviation of a tensor's weights.
std::pair<double, double> moments(const TensorView& tensor) {
  std::vector<float> row(static_cast<size_t>(tensor.columns()));
  double sum = 0;
  double squares = 0;
  for (int64_t i = 0; i < tensor.rows(); ++i) {
    dequantise_row(tensor.dtype,
                   tensor.data + static_cast<size_t>(i) * row_bytes(tensor.dtype, tensor.columns()), row);
    for (float value : row) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
  }
  const double count = static_cast<double>(tensor.elements());
  return {sum / count, std::sqrt(squares / count)};
}

TEST(Synth, WeightsOfEveryTypeHaveTheSizeThatKeepsActivationsSane) {
  test::TemporaryFolder folder;
  for (const char* type : {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K_M",
                           "Q4_K_M", "Q5_K_M", "Q6_K"}) {
    SynthOptions options;
    options.type = type;
    write_synthetic_gguf("tiny-llama", folder / "m.gguf", options);
    const GgufFile file = GgufFile::open(folder / "m.gguf");
    for (const TensorView& tensor : file.tensors()) {
      if (tensor.shape.size() < 2) continue;
      const auto [mean, deviation] = moments(tensor);
      const double expected = 1 / std::sqrt(static_cast<double>(tensor.columns()));
      EXPECT_NEAR(deviation, expected, 0.05 * expected) << type << " " << tensor.name;
      EXPECT_NEAR(mean, 0, 0.25 * expected) << type << " " << tensor.name;
    }
  }
}

TEST(Synth, TheFileDependsOnTheSeedAndNotOnTheThreads) {
  test::TemporaryFolder folder;
  SynthOptions options;
  options.threads = 1;
  write_synthetic_gguf("tiny-deepseek", folder / "a.gguf", options);
  options.threads = 2;
  write_synthetic_gguf("tiny-deepseek", folder / "b.gguf", options);
  options.seed = 1;
  write_synthetic_gguf("tiny-deepseek", folder / "c.gguf", options);
  const MappedFile a(folder / "a.gguf");
  const MappedFile b(folder / "b.gguf");
  const MappedFile c(folder / "c.gguf");
  ASSERT_EQ(a.bytes().size(), b.bytes().size());
  ASSERT_EQ(a.bytes().size(), c.bytes().size());
  EXPECT_EQ(std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()), 0);
  EXPECT_NE(std::memcmp(a.bytes().data(), c.bytes().data(), a.bytes().size()), 0);
}

TEST(Synth, KnowsThePublishedShapes) {
  // Parameters of the published models, from their model cards.
  const std::pair<const char*, double> kSizes[] = {
      {"R1-Distill-Qwen-1.5B", 1.78e9},
      {"R1-Distill-Qwen-7B", 7.62e9},
      {"R1-Distill-Qwen-14B", 14.77e9},
      {"R1-Distill-Qwen-32B", 32.76e9},
      {"R1-Distill-Llama-8B", 8.03e9},
      {"R1-Distill-Llama-70B", 70.55e9},
      {"Qwen2.5-3B-Instruct", 3.09e9},
      {"R1-0528-Qwen3-8B", 8.19e9},
      {"Llama-3.2-3B-Instruct", 3.21e9},
      {"Mistral-7B-v0.1", 7.24e9},
      {"R1", 671e9},
  };
  for (const auto& [shape, expected] : kSizes) {
    double parameters = 0;
    for (const TensorPlan& tensor : plan_hub_model(read_model_config(synth_config(shape)), shape)) {
      double elements = 1;
      for (int64_t extent : tensor.shape) elements *= static_cast<double>(extent);
      parameters += elements;
    }
    EXPECT_NEAR(parameters, expected, 0.005 * expected) << shape;
  }
}

TEST(Synth, UnknownNamesAreRefusedWithTheKnownOnes) {
  test::TemporaryFolder folder;
  expect_error(ErrorKind::invalid_argument, "unknown shape 'R2': expected one of R1-Distill-Qwen-1.5B",
               [&] { write_synthetic_gguf("R2", folder / "m.gguf", {}); });
  SynthOptions options;
  options.type = "Q9";
  expect_error(ErrorKind::invalid_argument, "Q9",
               [&] { write_synthetic_gguf("R1", folder / "m.gguf", options); });
}

}  // namespace
}  // namespace r1
