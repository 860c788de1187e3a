#include "formats/model_file.h"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "formats/npy.h"
#include "tests/formats/file_builder.h"
#include "tests/read_npy.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

using test::expect_error;

TEST(ModelFile, OpensBothForms) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  const auto hub = ModelFile::open(shared_path("fixtures/qwen2-tiny"));
  EXPECT_EQ(hub->form(), ModelFile::Form::hub);
  EXPECT_EQ((*hub->hub()->config)["hidden_size"], 256);
  EXPECT_EQ(hub->gguf(), nullptr);
  EXPECT_NE(hub->find("model.norm.weight"), nullptr);
  const auto gguf = ModelFile::open(shared_path("fixtures/qwen2-tiny/model-f32.gguf"));
  EXPECT_EQ(gguf->form(), ModelFile::Form::gguf);
  EXPECT_NE(gguf->find("output_norm.weight"), nullptr);
  EXPECT_GT(gguf->total_bytes(), hub->total_bytes());
}

TEST(ModelFile, PairsFp8TensorsWithTheirScales) {
  R1_REQUIRE_SHARED("fixtures/deepseek-v3-tiny-fp8");
  const auto file = ModelFile::open(shared_path("fixtures/deepseek-v3-tiny-fp8"));
  int count = 0;
  for (const TensorView& tensor : file->tensors()) {
    if (tensor.dtype != DType::f8_e4m3) {
      EXPECT_EQ(tensor.block_scales, nullptr);
      continue;
    }
    ++count;
    ASSERT_NE(tensor.block_scales, nullptr) << tensor.name;
    EXPECT_EQ(static_cast<const void*>(tensor.block_scales), file->find(tensor.name + "_scale_inv")->data);
  }
  EXPECT_GT(count, 0);
}

TEST(ModelFile, NamesWhatIsMissing) {
  test::TemporaryFolder folder;
  expect_error(ErrorKind::io, "no such file", [&] { ModelFile::open(folder / "x"); });
  expect_error(ErrorKind::bad_file, "config.json", [&] { ModelFile::open(folder.path); });
  test::write_file(folder / "config.json", "[]");
  expect_error(ErrorKind::bad_file, "expected a JSON object", [&] { ModelFile::open(folder.path); });
  test::write_file(folder / "config.json", "{}");
  expect_error(ErrorKind::bad_file, "found neither", [&] { ModelFile::open(folder.path); });
  test::write_file(folder / "config.json", R"({"quantization_config":{"quant_method":"gptq"}})");
  expect_error(ErrorKind::unsupported, "quant_method: expected \"fp8\" or \"bitsandbytes\", found \"gptq\"",
               [&] { ModelFile::open(folder.path); });
  for (const char* mlx :
       {R"({"quantization_config":{"group_size":64,"bits":4}})",
        R"({"quantization":{"group_size":64,"bits":4},"quantization_config":{"group_size":64,"bits":4}})"}) {
    test::write_file(folder / "config.json", mlx);
    expect_error(ErrorKind::unsupported, "MLX quantisation is not supported",
                 [&] { ModelFile::open(folder.path); });
  }
  test::write_file(folder / "config.json", R"({"quantization_config":null})");
  expect_error(ErrorKind::bad_file, "found neither", [&] { ModelFile::open(folder.path); });
  test::write_file(folder / "config.json",
                   R"({"quantization_config":{"quant_method":"fp8","weight_block_size":[64,64]}})");
  expect_error(ErrorKind::unsupported, "found [64,64]", [&] { ModelFile::open(folder.path); });
}

class Fp8Directory : public ::testing::Test {
 protected:
  void write(std::vector<int64_t> scale_shape) {
    test::write_file(folder_ / "config.json",
                     R"({"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]}})");
    SafetensorsWriter writer(folder_ / "model.safetensors");
    int64_t scales = 1;
    for (int64_t extent : scale_shape) scales *= extent;
    writer.declare_tensor("w_scale_inv", DType::f32, scale_shape);
    writer.declare_tensor("w", DType::f8_e4m3, std::array<int64_t, 2>{129, 128});
    writer.append(std::vector<std::byte>(static_cast<size_t>(scales * 4 + 129 * 128)));
    writer.finish();
  }
  test::TemporaryFolder folder_;
};

TEST_F(Fp8Directory, ChecksTheScalesShape) {
  write({2, 1});
  EXPECT_NE(ModelFile::open(folder_.path)->find("w")->block_scales, nullptr);
  write({1, 2});
  expect_error(ErrorKind::bad_file, "expected F32 of shape [2, 1], found F32 of shape [1, 2]",
               [&] { ModelFile::open(folder_.path); });
}

TEST_F(Fp8Directory, FindsTheChatTemplate) {
  write({2, 1});
  EXPECT_FALSE(ModelFile::open(folder_.path)->hub()->chat_template.has_value());
  test::write_file(folder_ / "tokenizer_config.json",
                   R"({"chat_template":[{"name":"tool","template":"x"},{"name":"default","template":"y"}]})");
  EXPECT_EQ(ModelFile::open(folder_.path)->hub()->chat_template, "y");
  test::write_file(folder_ / "tokenizer_config.json", R"({"chat_template":"z"})");
  EXPECT_EQ(ModelFile::open(folder_.path)->hub()->chat_template, "z");
  test::write_file(folder_ / "chat_template.jinja", "file");
  EXPECT_EQ(ModelFile::open(folder_.path)->hub()->chat_template, "file");
}

TEST(Npy, IsReadBack) {
  test::TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  write_npy(folder / "a.npy", std::array<int64_t, 2>{2, 3}, values);
  const NpyArray array = read_npy(folder / "a.npy");
  EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(array.values, values);
  expect_error(ErrorKind::invalid_argument, "7 elements",
               [&] { write_npy(folder / "b.npy", std::array<int64_t, 1>{7}, values); });
  test::write_file(folder / "c.npy", "no npy file at all");
  expect_error(ErrorKind::bad_file, "no npy file", [&] { read_npy(folder / "c.npy"); });
}

TEST(Npy, ReadsTheReferenceFile) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny/logits-f32.npy");
  EXPECT_EQ(read_npy(shared_path("fixtures/qwen2-tiny/logits-f32.npy")).shape,
            (std::vector<int64_t>{48, 512}));
}

}  // namespace
}  // namespace r1
