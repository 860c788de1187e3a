// The later GGUF layout of DeepSeek models (attn_k_b and attn_v_b apart, MLA keys) is made from the early one
// of the fixture and has to give the same logits.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/gguf_writer.h"
#include "tests/model/model_runner.h"
#include "tests/read_npy.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFixture = "fixtures/deepseek-v3-tiny/model-f32.gguf";
constexpr int64_t kHeads = 4, kPlain = 32, kValue = 32, kLatent = 32, kRotary = 16;

std::span<const std::byte> bytes_of(const std::vector<float>& values) {
  return std::as_bytes(std::span(values));
}

// attn_kv_b {heads · (plain + value), latent} taken apart: keys transposed {heads, latent, plain}, values
// {heads, value, latent}.
void split(const TensorView& together, std::vector<float>& keys, std::vector<float>& values) {
  const auto* weights = reinterpret_cast<const float*>(together.data);
  keys.resize(kHeads * kLatent * kPlain);
  values.resize(kHeads * kValue * kLatent);
  for (int64_t h = 0; h < kHeads; ++h) {
    const float* head = weights + h * (kPlain + kValue) * kLatent;
    for (int64_t row = 0; row < kPlain; ++row) {
      for (int64_t l = 0; l < kLatent; ++l) {
        keys[(h * kLatent + l) * kPlain + row] = head[row * kLatent + l];
      }
    }
    std::memcpy(values.data() + h * kValue * kLatent, head + kPlain * kLatent,
                kValue * kLatent * sizeof(float));
  }
}

class DeepseekLayoutsTest : public testing::Test {
 protected:
  void SetUp() override { R1_REQUIRE_SHARED(kFixture); }

  /// Writes the fixture in the later layout. `keep` says which metadata are copied.
  void write(const std::function<bool(std::string_view)>& keep) {
    const GgufFile source = GgufFile::open(shared_path(kFixture));
    GgufWriter writer(path_);
    for (std::string_view key : source.keys()) {
      if (key.find("key_length") == key.npos && key.find("value_length") == key.npos && keep(key)) {
        writer.copy(key, *source.find_value(key));
      }
    }
    writer.set_u32("deepseek2.attention.key_length", kLatent + kRotary);
    writer.set_u32("deepseek2.attention.value_length", kLatent);
    writer.set_u32("deepseek2.attention.key_length_mla", kPlain + kRotary);
    writer.set_u32("deepseek2.attention.value_length_mla", kValue);
    for (const bool declare : {true, false}) {
      for (const TensorView& tensor : source.tensors()) {
        const size_t place = tensor.name.find("attn_kv_b.weight");
        if (place == std::string::npos) {
          if (declare) {
            writer.declare_tensor(tensor.name, tensor.dtype, tensor.shape);
          } else {
            writer.append({tensor.data, tensor.bytes});
          }
          continue;
        }
        const std::string prefix = tensor.name.substr(0, place);
        if (declare) {
          writer.declare_tensor(prefix + "attn_k_b.weight", DType::f32,
                                std::vector<int64_t>{kHeads, kLatent, kPlain});
          writer.declare_tensor(prefix + "attn_v_b.weight", DType::f32,
                                std::vector<int64_t>{kHeads, kValue, kLatent});
          continue;
        }
        std::vector<float> keys, values;
        split(tensor, keys, values);
        writer.append(bytes_of(keys));
        writer.append(bytes_of(values));
      }
    }
    writer.finish();
  }

  const test::TemporaryFolder folder_;
  const fs::path path_ = folder_.path / "model.gguf";
};

TEST_F(DeepseekLayoutsTest, ProjectionsApartGiveTheReferenceLogits) {
  write([](std::string_view) { return true; });
  std::ifstream file(shared_path("fixtures/deepseek-v3-tiny/input.json"));
  const auto ids = nlohmann::json::parse(file)["ids"].get<std::vector<int32_t>>();
  ModelRunner runner(path_, Arithmetic::exact, DType::f32);
  const std::vector<float> reference = read_npy(shared_path("fixtures/deepseek-v3-tiny/logits.npy")).values;
  const std::vector<float> whole = runner.run(ids, 1000);
  EXPECT_LT(largest_difference(whole, reference), 1e-3);
  EXPECT_EQ(whole, runner.run(ids, 1));
}

TEST_F(DeepseekLayoutsTest, MissingGroupsAreAssumedForNoOtherNumberOfExperts) {
  write([](std::string_view key) { return key.find("expert_group") == key.npos; });
  try {
    load_model(ModelFile::open(path_));
    FAIL() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), path_.string() + ": deepseek2.expert_group_count: is missing");
  }
}

TEST_F(DeepseekLayoutsTest, PredictionLayersAreSkippedWithARemark) {
  const GgufFile source = GgufFile::open(shared_path(kFixture));
  const uint32_t layers = *source.find_u32("deepseek2.block_count");
  GgufWriter writer(path_);
  for (std::string_view key : source.keys()) {
    if (key != "deepseek2.block_count") writer.copy(key, *source.find_value(key));
  }
  writer.set_u32("deepseek2.block_count", layers + 1);
  writer.set_u32("deepseek2.nextn_predict_layers", 1);
  for (const TensorView& tensor : source.tensors()) {
    writer.declare_tensor(tensor.name, tensor.dtype, tensor.shape);
  }
  const std::vector<int64_t> shape{128};
  writer.declare_tensor("blk." + std::to_string(layers) + ".attn_norm.weight", DType::f32, shape);
  for (const TensorView& tensor : source.tensors()) writer.append({tensor.data, tensor.bytes});
  writer.append(bytes_of(std::vector<float>(128, 1)));
  writer.finish();

  std::vector<std::string> remarks;
  ModelLoadOptions options;
  options.remark = [&](const std::string& remark) { remarks.push_back(remark); };
  EXPECT_EQ(load_model(ModelFile::open(path_), options)->info().layers, layers);
  EXPECT_EQ(remarks,
            std::vector<std::string>{path_.string() + ": 1 tensors of layers from " + std::to_string(layers) +
                                     " on (multi-token prediction) are not used"});
  const std::vector<int32_t> ids{1, 2, 3, 4, 5};
  ModelRunner with(path_, Arithmetic::exact, DType::f32);
  ModelRunner without(shared_path(kFixture), Arithmetic::exact, DType::f32);
  EXPECT_EQ(with.run(ids, 5), without.run(ids, 5));
}

// Files of R1 from early 2025 do not say how its 256 experts are grouped.
TEST_F(DeepseekLayoutsTest, EightGroupsAreAssumedFor256Experts) {
  const GgufFile source = GgufFile::open(shared_path(kFixture));
  const int64_t copies = 256 / *source.find_u32("deepseek2.expert_count");
  auto is_expert_part = [](const TensorView& tensor) {
    return tensor.name.find("_exps.") != std::string::npos ||
           tensor.name.find("ffn_gate_inp.") != std::string::npos ||
           tensor.name.find("exp_probs_b") != std::string::npos;
  };
  auto write_repeated = [&](bool with_groups) {
    GgufWriter writer(path_);
    for (std::string_view key : source.keys()) {
      if (key.find("expert_group") == key.npos && key != "deepseek2.expert_count") {
        writer.copy(key, *source.find_value(key));
      }
    }
    writer.set_u32("deepseek2.expert_count", 256);
    if (with_groups) {
      writer.set_u32("deepseek2.expert_group_count", 8);
      writer.set_u32("deepseek2.expert_group_used_count", 4);
    }
    for (const TensorView& tensor : source.tensors()) {
      std::vector<int64_t> shape(tensor.shape.begin(), tensor.shape.end());
      if (is_expert_part(tensor)) shape[0] *= copies;
      writer.declare_tensor(tensor.name, tensor.dtype, shape);
    }
    for (const TensorView& tensor : source.tensors()) {
      const bool is_router = tensor.name.find("ffn_gate_inp.") != std::string::npos;
      for (int64_t copy = 0; copy < (is_expert_part(tensor) ? copies : 1); ++copy) {
        if (!is_router) {
          writer.append({tensor.data, tensor.bytes});
          continue;
        }
        // Copies that score differently, so that the groups decide.
        std::vector<float> scaled(tensor.bytes / sizeof(float));
        std::memcpy(scaled.data(), tensor.data, tensor.bytes);
        for (float& value : scaled) value *= 1 + 0.03F * static_cast<float>(copy);
        writer.append(bytes_of(scaled));
      }
    }
    writer.finish();
  };
  const std::vector<int32_t> ids{1, 2, 3, 4, 5, 6, 7, 8};
  write_repeated(true);
  const std::vector<float> stated = ModelRunner(path_, Arithmetic::exact, DType::f32).run(ids, 8);
  write_repeated(false);
  std::vector<std::string> remarks;
  ModelLoadOptions options;
  options.remark = [&](const std::string& remark) { remarks.push_back(remark); };
  load_model(ModelFile::open(path_), options);
  EXPECT_EQ(remarks, std::vector<std::string>{
                         path_.string() +
                         ": deepseek2.expert_group_count: is missing: 8 groups of experts, 4 of them used, "
                         "are assumed"});
  EXPECT_EQ(ModelRunner(path_, Arithmetic::exact, DType::f32).run(ids, 8), stated);
}

TEST_F(DeepseekLayoutsTest, OtherGatingFunctionsAreRefused) {
  write([](std::string_view key) { return key.find("expert_gating_func") == key.npos; });
  EXPECT_THROW(load_model(ModelFile::open(path_)), Error);
}

}  // namespace
}  // namespace r1
