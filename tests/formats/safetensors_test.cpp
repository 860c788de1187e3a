#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "tests/formats/file_builder.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

using test::Bytes;
using test::expect_error;

Bytes file_of(std::string_view header, size_t data_bytes) {
  Bytes bytes;
  bytes.string(header).zeros(data_bytes);
  return bytes;
}

void expect_bad(const Bytes& bytes, std::string_view part, ErrorKind kind = ErrorKind::bad_file) {
  expect_error(kind, part, [&] { SafetensorsFile::parse(bytes.span(), "test.safetensors"); });
}

TEST(Safetensors, IsReadBack) {
  test::TemporaryFolder folder;
  const auto path = folder / "m.safetensors";
  SafetensorsWriter writer(path);
  writer.set_metadata("format", "pt");
  writer.declare_tensor("b", DType::f32, std::array<int64_t, 2>{2, 1});
  writer.declare_tensor("a", DType::bf16, std::array<int64_t, 1>{3});
  const std::array<float, 2> values = {1, 2};
  writer.append(std::as_bytes(std::span(values)));
  writer.append(std::array<std::byte, 6>{std::byte{1}});
  writer.finish();
  const SafetensorsFile file = SafetensorsFile::open(path);
  ASSERT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.find("b")->shape, (std::vector<int64_t>{2, 1}));
  float value = 0;
  std::memcpy(&value, file.find("b")->data + 4, 4);
  EXPECT_EQ(value, 2.0F);
  EXPECT_EQ(file.find("a")->dtype, DType::bf16);
  EXPECT_EQ(file.find("a")->data[0], std::byte{1});
  EXPECT_EQ(file.find("c"), nullptr);
}

TEST(Safetensors, UnalignedTensorsAreCopied) {
  // A header of odd length: the float32 would lie at an odd address.
  Bytes bytes = file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} )", 0);
  const float value = 2.5F;
  bytes.put(value);
  const SafetensorsFile file = SafetensorsFile::parse(bytes.span(), "test.safetensors");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.find("a")->data) % 4, 0U);
  EXPECT_EQ(*reinterpret_cast<const float*>(file.find("a")->data), 2.5F);
}

TEST(Safetensors, RefusesDamagedFiles) {
  expect_bad(Bytes(), "at least 8 bytes");
  Bytes length;
  length.put(uint64_t{1} << 40).zeros(100);
  expect_bad(length, "announced");
  expect_bad(file_of("[1]", 0), "expected a JSON object");
  expect_bad(file_of("{\"a\":", 0), "no sound JSON");
  expect_bad(file_of(std::string(100000, '['), 0), "deeper than 64");
  expect_bad(file_of(R"({"a":1})", 0), "dtype is missing");
  expect_bad(file_of(R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}})", 4), "dtype 'F4'",
             ErrorKind::unsupported);
  expect_bad(file_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4), "non-negative");
  expect_bad(file_of(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4), "non-negative");
  expect_bad(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4), "expected 8 bytes");
  expect_bad(file_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 4),
             "overflows");
  expect_bad(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4), "[begin, end]");
  expect_bad(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
             "expected to begin at byte 0");
  expect_bad(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3), "cut short");
  expect_bad(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5),
             "expected 4 bytes of tensor");
  expect_bad(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                     R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                     4),
             "overlap");
  expect_bad(file_of(R"({"a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]},)"
                     R"("a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}})",
                     0),
             "'a' occurs twice");
}

class SafetensorsIndex : public ::testing::Test {
 protected:
  void write_shard(const std::string& file_name, const std::string& tensor) {
    SafetensorsWriter writer(folder_ / file_name);
    writer.declare_tensor(tensor, DType::f32, std::array<int64_t, 1>{1});
    writer.append(std::array<std::byte, 4>{});
    writer.finish();
  }
  std::filesystem::path write_index(std::string_view text) {
    test::write_file(folder_ / "model.safetensors.index.json", text);
    return folder_ / "model.safetensors.index.json";
  }
  test::TemporaryFolder folder_;
};

TEST_F(SafetensorsIndex, OpensAllShards) {
  write_shard("m1.safetensors", "a");
  write_shard("m2.safetensors", "b");
  const auto path =
      write_index(R"({"metadata":{},"weight_map":{"a":"m1.safetensors","b":"m2.safetensors"}})");
  const SafetensorsFile file = SafetensorsFile::open_index(path);
  EXPECT_NE(file.find("a"), nullptr);
  EXPECT_NE(file.find("b"), nullptr);
}

TEST_F(SafetensorsIndex, RefusesWhatDoesNotFit) {
  write_shard("m1.safetensors", "a");
  auto bad = [&](std::string_view index, std::string_view part) {
    const auto path = write_index(index);
    expect_error(ErrorKind::bad_file, part, [&] { SafetensorsFile::open_index(path); });
  };
  bad(R"({"weight_map":{"a":"m1.safetensors","b":"m2.safetensors"}})", "m2.safetensors: missing");
  bad(R"({"weight_map":{"a":"../m1.safetensors"}})", "the same folder");
  bad(R"({"weight_map":{"a":1}})", "the same folder");
  bad(R"({})", "weight_map");
  // A name that no shard has does no harm: a model that needs the tensor says that it is missing.
  const auto path = write_index(R"({"weight_map":{"a":"m1.safetensors","b":"m1.safetensors"}})");
  EXPECT_EQ(SafetensorsFile::open_index(path).find("b"), nullptr);
  write_shard("m2.safetensors", "b");
  bad(R"({"weight_map":{"a":"m1.safetensors","b":"m1.safetensors","c":"m2.safetensors"}})",
      "'b': expected in m1.safetensors, found in m2.safetensors");
  write_shard("m2.safetensors", "a");
  bad(R"({"weight_map":{"a":"m1.safetensors","b":"m2.safetensors"}})", "in more than one file");
}

TEST(Safetensors, ReadsTheReferenceFile) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  const SafetensorsFile file = SafetensorsFile::open(shared_path("fixtures/qwen2-tiny/model.safetensors"));
  const TensorView* weight = file.find("model.layers.0.mlp.up_proj.weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->shape, (std::vector<int64_t>{512, 256}));
  EXPECT_EQ(weight->dtype, DType::bf16);
}

}  // namespace
}  // namespace r1
