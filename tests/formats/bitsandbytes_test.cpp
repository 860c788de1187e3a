// Four-bit tensors of bitsandbytes against a decoding in numpy (tools/make_bitsandbytes_fixture.py).
#include "formats/bitsandbytes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/json_file.h"
#include "formats/model_file.h"
#include "tensor/codec.h"
#include "tests/formats/file_builder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using test::expect_error;

const fs::path kFolder = fs::path(R1_TEST_FIXTURES) / "bitsandbytes-tiny";

TEST(Bitsandbytes, EachFormDecodesAsInNumpy) {
  const auto file = ModelFile::open(kFolder);
  const nlohmann::json rows = read_json(kFolder / "expected.json").at("rows");
  EXPECT_EQ(file->tensors().size(), rows.size() + 1);  // and a plain one
  for (const auto& [name, expected] : rows.items()) {
    const TensorView* tensor = file->find(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(tensor->dtype, name == "double" ? DType::nf4 : name == "single" ? DType::bf16 : DType::f32);
    const int64_t columns = tensor->columns();
    const double tolerance = tensor->dtype == DType::bf16 ? 0x1p-8 : 1e-6;
    for (const auto& [row, values] : expected.items()) {
      ASSERT_EQ(static_cast<int64_t>(values.size()), columns);
      std::vector<float> out(static_cast<size_t>(columns));
      const int64_t index = std::stoll(row);
      dequantise_matrix_row(tensor->dtype,
                            tensor->data + static_cast<size_t>(index) * row_bytes(tensor->dtype, columns),
                            tensor->block_scales, index, columns, 0, out);
      for (size_t c = 0; c < out.size(); ++c) {
        const auto value = values[c].get<double>();
        EXPECT_NEAR(out[c], value, tolerance * std::fabs(value)) << name << " " << row << " " << c;
      }
    }
  }
}

class DamagedBitsandbytes : public testing::Test {
 protected:
  // The fixture with the first `from` in its weights' file replaced by `to`, which is as long.
  fs::path with(const std::string& from, const std::string& to) {
    EXPECT_EQ(from.size(), to.size());
    fs::copy_file(kFolder / "config.json", folder_ / "config.json", fs::copy_options::overwrite_existing);
    std::string bytes = read_text_file(kFolder / "model.safetensors");
    const size_t at = bytes.find(from);
    EXPECT_NE(at, std::string::npos);
    bytes.replace(at, from.size(), to);
    test::write_file(folder_ / "model.safetensors", bytes);
    return folder_.path;
  }
  void refuses(ErrorKind kind, const std::string& message, const std::string& from, const std::string& to) {
    const fs::path path = with(from, to);
    expect_error(kind, message, [&] { ModelFile::open(path); });
  }

  test::TemporaryFolder folder_;
};

TEST_F(DamagedBitsandbytes, IsRefusedByName) {
  refuses(ErrorKind::bad_file, "tensor 'double.absmax': expected 300 elements of U8, found no such tensor",
          "\"double.absmax\"", "\"dauble.absmax\"");
  refuses(ErrorKind::bad_file, "its weight 'double' is missing", "\"double\"", "\"dauble\"");
  refuses(ErrorKind::bad_file, "shape: expected two sides of 19200 elements, found [151, 128]", "[150, 128]",
          "[151, 128]");
  refuses(ErrorKind::bad_file, "shape: expected two sides", "[150, 128]", "[15,-1280]");
  refuses(ErrorKind::bad_file, "blocksize: expected an even number up to 1048576, found -4",
          "\"blocksize\": 64", "\"blocksize\": -4");
  refuses(ErrorKind::bad_file, "nested_blocksize: expected 1 to 1048576, found 0",
          "\"nested_blocksize\": 256", "\"nested_blocksize\":   0");
}

TEST_F(DamagedBitsandbytes, EightBitsAreRefusedWithAWayOut) {
  fs::copy_file(kFolder / "model.safetensors", folder_ / "model.safetensors");
  test::write_file(folder_ / "config.json",
                   R"({"quantization_config":{"quant_method":"bitsandbytes","load_in_8bit":true}})");
  expect_error(ErrorKind::unsupported, "take the unquantised model, and base_type = nf4",
               [&] { ModelFile::open(folder_.path); });
}

}  // namespace
}  // namespace r1
