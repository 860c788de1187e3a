#include "formats/quantise_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "formats/gguf_writer.h"
#include "tensor/codec.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

class QuantiseFile : public testing::Test {
 protected:
  std::filesystem::path at(const std::string& name) const { return folder_ / name; }

  /// A file of one layer with the given matrix values; returns its path.
  std::filesystem::path write_model(const std::string& name, float first_value = 0.5F) const {
    GgufWriter writer(at(name));
    writer.set_string("general.architecture", "qwen2");
    writer.set_u32("qwen2.block_count", 1);
    writer.set_u32("qwen2.attention.head_count", 4);
    writer.set_u32("qwen2.attention.head_count_kv", 2);
    writer.set_u32("general.file_type", 0);
    writer.set_u32("general.alignment", 32);
    writer.set_u32("split.count", 0);
    const std::vector<std::string> tokens = {"a", "b"};
    writer.set_strings("tokenizer.ggml.tokens", tokens);
    writer.declare_tensor("token_embd.weight", DType::f32, std::vector<int64_t>{8, 512});
    writer.declare_tensor("blk.0.attn_norm.weight", DType::f32, std::vector<int64_t>{512});
    writer.declare_tensor("blk.0.ffn_up.weight", DType::f32, std::vector<int64_t>{300, 512});
    writer.declare_tensor("blk.0.ffn_up_exps.weight", DType::f32, std::vector<int64_t>{2, 3, 96});
    for (size_t count : {8 * 512, 512, 300 * 512, 2 * 3 * 96}) {
      std::vector<float> values(count);
      for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(random_uniform(count, i) - 0.5);
      values[0] = first_value;
      writer.append(std::as_bytes(std::span(values)));
    }
    writer.finish();
    return at(name);
  }

  static std::vector<float> values_of(const TensorView& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.elements()));
    dequantise_row(tensor.dtype, tensor.data, values);
    return values;
  }

  static double relative_error(const TensorView& tensor, const TensorView& reference) {
    const std::vector<float> a = values_of(tensor);
    const std::vector<float> b = values_of(reference);
    double error = 0;
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      error += std::pow(double{a[i]} - b[i], 2);
      sum += std::pow(double{b[i]}, 2);
    }
    return std::sqrt(error / sum);
  }

 private:
  const test::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path;
};

/// Relative root-mean-square error that a type may have: a fifth above that of normal weights
/// (docs/quantisation.md has the figures).
double largest_error(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 0;
    case DType::f16:
      return 0.0005;
    case DType::bf16:
      return 0.004;
    case DType::q8_0:
      return 0.006;
    case DType::q6_k:
      return 0.0205;
    case DType::q5_1:
      return 0.041;
    case DType::q5_k:
      return 0.0415;
    case DType::q5_0:
      return 0.0485;
    case DType::q4_1:
      return 0.084;
    case DType::q4_k:
      return 0.0845;
    case DType::q4_0:
      return 0.0985;
    case DType::q3_k:
      return 0.175;
    case DType::q2_k:
      return 0.316;
    default:
      ADD_FAILURE() << "no bound for " << name(dtype);
      return 0;
  }
}

TEST_F(QuantiseFile, EveryTargetGivesAReadableFile) {
  const auto input = write_model("in.gguf");
  const GgufFile source = GgufFile::open(input);
  for (const QuantisationTargetInfo& target : quantisation_targets()) {
    SCOPED_TRACE(target.name);
    QuantiseOptions options;
    options.target = target.target;
    options.threads = 2;
    uint64_t last = 0;
    uint64_t all = 0;
    quantise_gguf(input, at("out.gguf"), options, [&](const QuantiseProgress& progress) {
      EXPECT_GT(progress.values_done, last);
      last = progress.values_done;
      all = progress.values;
    });
    EXPECT_EQ(last, all);
    const GgufFile file = GgufFile::open(at("out.gguf"));
    EXPECT_EQ(file.require_u32("general.file_type"), target.file_type);
    EXPECT_EQ(file.require_u32("general.quantization_version"), 2U);
    EXPECT_EQ(file.require_strings("tokenizer.ggml.tokens").size(), 2U);
    EXPECT_FALSE(file.has("split.count"));
    EXPECT_FALSE(file.has("general.alignment"));
    const std::vector<QuantisePlanEntry> plan = plan_quantisation(source, options);
    ASSERT_EQ(file.tensors().size(), plan.size());
    for (size_t i = 0; i < plan.size(); ++i) {
      EXPECT_EQ(file.tensors()[i].name, plan[i].name);
      EXPECT_EQ(file.tensors()[i].dtype, plan[i].to.dtype);
      EXPECT_EQ(file.tensors()[i].shape, plan[i].shape);
      EXPECT_EQ(file.tensors()[i].bytes, plan[i].bytes_to);
      EXPECT_LE(relative_error(file.tensors()[i], source.tensors()[i]), largest_error(plan[i].to.dtype))
          << plan[i].name;
    }
    EXPECT_EQ(file.find("blk.0.attn_norm.weight")->dtype, DType::f32);
    EXPECT_EQ(file.find("blk.0.ffn_up.weight")->dtype, target.base);
    EXPECT_EQ(values_of(*file.find("blk.0.attn_norm.weight")),
              values_of(*source.find("blk.0.attn_norm.weight")));
  }
}

TEST_F(QuantiseFile, ThreadsDoNotChangeTheResult) {
  const auto input = write_model("in.gguf");
  QuantiseOptions options;
  options.threads = 1;
  quantise_gguf(input, at("one.gguf"), options, {});
  options.threads = 3;
  quantise_gguf(input, at("three.gguf"), options, {});
  const GgufFile one = GgufFile::open(at("one.gguf"));
  const GgufFile three = GgufFile::open(at("three.gguf"));
  for (size_t i = 0; i < one.tensors().size(); ++i) {
    EXPECT_EQ(values_of(one.tensors()[i]), values_of(three.tensors()[i]));
  }
}

TEST_F(QuantiseFile, QuantisedSourcesAreRefusedUnlessAllowed) {
  const auto input = write_model("in.gguf");
  QuantiseOptions options;
  options.target = QuantisationTarget::q8_0;
  quantise_gguf(input, at("q8.gguf"), options, {});
  options.target = QuantisationTarget::q4_k_m;
  quantise_gguf(at("q8.gguf"), at("q4.gguf"), options, {});
  options.target = QuantisationTarget::q6_k;
  EXPECT_THROW(quantise_gguf(at("q4.gguf"), at("q6.gguf"), options, {}), Error);
  EXPECT_FALSE(std::filesystem::exists(at("q6.gguf")));
  options.allow_requantise = true;
  quantise_gguf(at("q4.gguf"), at("q6.gguf"), options, {});
  EXPECT_EQ(GgufFile::open(at("q6.gguf")).find("blk.0.ffn_up.weight")->dtype, DType::q6_k);
}

TEST_F(QuantiseFile, ABadValueIsNamedAndLeavesNoFile) {
  const auto input = write_model("in.gguf", std::numeric_limits<float>::quiet_NaN());
  try {
    quantise_gguf(input, at("out.gguf"), {}, {});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("tensor 'token_embd.weight', row 0"), std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(at("out.gguf")));
}

TEST_F(QuantiseFile, AnInterruptionLeavesNothingBehind) {
  const auto input = write_model("in.gguf");
  const auto stop = [](const QuantiseProgress&) { throw_error(ErrorKind::cancelled, "stopped"); };
  EXPECT_THROW(quantise_gguf(input, at("out.gguf"), {}, stop), Error);
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(at(""))) ++files;
  EXPECT_EQ(files, 1U);  // the input
}

TEST_F(QuantiseFile, TheInputIsNotWrittenOver) {
  const auto input = write_model("in.gguf");
  std::filesystem::create_symlink(input, at("link.gguf"));
  const auto bytes = std::filesystem::file_size(input);
  EXPECT_THROW(quantise_gguf(input, input, {}, {}), Error);
  EXPECT_THROW(quantise_gguf(at("link.gguf"), input, {}, {}), Error);
  EXPECT_EQ(std::filesystem::file_size(input), bytes);
}

TEST_F(QuantiseFile, ASharedModelKeepsItsWeights) {
  R1_REQUIRE_SHARED("fixtures/deepseek-v3-tiny/model-f32.gguf");
  const auto input = shared_path("fixtures/deepseek-v3-tiny/model-f32.gguf");
  const GgufFile source = GgufFile::open(input);
  QuantiseOptions options;
  quantise_gguf(input, at("out.gguf"), options, {});
  const GgufFile file = GgufFile::open(at("out.gguf"));
  for (size_t i = 0; i < file.tensors().size(); ++i) {
    EXPECT_LT(relative_error(file.tensors()[i], source.tensors()[i]), 0.08) << file.tensors()[i].name;
  }
}

}  // namespace
}  // namespace r1
