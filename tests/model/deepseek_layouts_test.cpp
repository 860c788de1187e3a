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
#include "formats/npy.h"
#include "tests/model/model_runner.h"
#include "tests/shared_folder.h"

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
  void SetUp() override {
    R1_REQUIRE_SHARED(kFixture);
    path_ = fs::path(testing::TempDir()) / "r1_deepseek_layouts.gguf";
  }
  void TearDown() override { fs::remove(path_); }

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

  fs::path path_;
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

TEST_F(DeepseekLayoutsTest, OtherGatingFunctionsAreRefused) {
  write([](std::string_view key) { return key.find("expert_gating_func") == key.npos; });
  EXPECT_THROW(load_model(ModelFile::open(path_)), Error);
}

}  // namespace
}  // namespace r1
