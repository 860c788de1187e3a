#include "formats/gguf.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "formats/gguf_writer.h"
#include "tests/formats/file_builder.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

using test::Bytes;
using test::expect_error;

Bytes header(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
  Bytes bytes;
  bytes.raw("GGUF").put(version).put(tensors).put(keys);
  return bytes;
}

Bytes& add_tensor(Bytes& bytes, std::string_view name, std::initializer_list<uint64_t> extents, uint32_t type,
                  uint64_t offset) {
  bytes.string(name).put(static_cast<uint32_t>(extents.size()));
  for (uint64_t extent : extents) bytes.put(extent);
  return bytes.put(type).put(offset);
}

void expect_bad(const Bytes& bytes, std::string_view part, ErrorKind kind = ErrorKind::bad_file) {
  expect_error(kind, part, [&] { GgufFile::parse(bytes.span(), "test.gguf"); });
}

TEST(Gguf, ReadsMetadataOfEveryType) {
  Bytes bytes = header(0, 7);
  bytes.string("a.u8").put(0U).put<uint8_t>(200);
  bytes.string("a.i16").put(3U).put<int16_t>(-5);
  bytes.string("a.u64").put(10U).put(uint64_t{1} << 40);
  bytes.string("a.f32").put(6U).put(1.5F);
  bytes.string("a.bool").put(7U).put<uint8_t>(1);
  bytes.string("a.string").put(8U).string("hello");
  bytes.string("a.strings").put(9U).put(8U).put<uint64_t>(3).string("x").string("").string("yz");
  const GgufFile file = GgufFile::parse(bytes.span(), "test.gguf");
  EXPECT_EQ(file.require_u32("a.u8"), 200U);
  EXPECT_EQ(file.find_i64("a.i16"), -5);
  EXPECT_EQ(file.require_u64("a.u64"), uint64_t{1} << 40);
  EXPECT_EQ(file.require_f32("a.f32"), 1.5F);
  EXPECT_TRUE(file.require_bool("a.bool"));
  EXPECT_EQ(file.require_string("a.string"), "hello");
  EXPECT_EQ(file.require_strings("a.strings"), (std::vector<std::string_view>{"x", "", "yz"}));
  EXPECT_EQ(file.keys().size(), 7U);
  EXPECT_EQ(file.keys()[1], "a.i16");
  EXPECT_FALSE(file.find_u32("b").has_value());
}

TEST(Gguf, RefusesMetadataOfAnotherTypeByName) {
  Bytes bytes = header(0, 3);
  bytes.string("a.i16").put(3U).put<int16_t>(-5);
  bytes.string("a.u64").put(10U).put(uint64_t{1} << 40);
  bytes.string("a.string").put(8U).string("hello");
  const GgufFile file = GgufFile::parse(bytes.span(), "test.gguf");
  auto bad = [&](std::string_view part, const std::function<void()>& action) {
    expect_error(ErrorKind::bad_file, part, action);
  };
  bad("'a.i16': expected an integer from 0 to 2^32-1, found -5", [&] { (void)file.find_u32("a.i16"); });
  bad("'a.u64': expected an integer from 0 to 2^32-1, found 1099511627776",
      [&] { (void)file.find_u32("a.u64"); });
  bad("'a.string': expected a float, found string", [&] { (void)file.find_f32("a.string"); });
  bad("'a.u64': expected a string, found u64", [&] { (void)file.find_string("a.u64"); });
  bad("'missing' is missing", [&] { (void)file.require_u32("missing"); });
}

TEST(Gguf, RefusesDamagedHeaders) {
  Bytes empty;
  expect_bad(empty, "cut short");
  Bytes magic;
  magic.raw("GGML").zeros(40);
  expect_bad(magic, "expected magic");
  expect_bad(header(0, 0, 1), "expected 2 or 3, found 1", ErrorKind::unsupported);
  expect_bad(header(0, 0, 0x03000000), "big-endian", ErrorKind::unsupported);
  expect_bad(header(0, uint64_t{1} << 60), "metadata entries announced");
  expect_bad(header(uint64_t{1} << 60, 0), "tensors announced");

  Bytes key = header(0, 1);
  key.put(uint64_t{1} << 62).zeros(64);
  expect_bad(key, "cut short");
  Bytes type = header(0, 1);
  type.string("key").put(99U).zeros(16);
  expect_bad(type, "'key': unknown value type 99");
  Bytes array = header(0, 1);
  array.string("key").put(9U).put(4U).put(uint64_t{1} << 61).zeros(64);
  expect_bad(array, "array elements announced");
  Bytes strings = header(0, 1);
  strings.string("key").put(9U).put(8U).put(uint64_t{1} << 61).zeros(64);
  expect_bad(strings, "strings announced");
  Bytes nested = header(0, 1);
  nested.string("key").put(9U).put(9U).put<uint64_t>(1).zeros(64);
  expect_bad(nested, "arrays of arrays", ErrorKind::unsupported);
  Bytes twice = header(0, 2);
  twice.string("key").put(0U).put<uint8_t>(1).string("key").put(0U).put<uint8_t>(1).zeros(20);
  expect_bad(twice, "'key' occurs twice");
  Bytes boolean = header(0, 1);
  boolean.string("key").put(7U).put<uint8_t>(2);
  expect_bad(boolean, "expected a bool");
  Bytes alignment = header(0, 1);
  alignment.string("general.alignment").put(4U).put(48U);
  expect_bad(alignment, "power of two");
}

TEST(Gguf, TurnsDimensionsRound) {
  Bytes bytes = header(2, 0);
  add_tensor(bytes, "w", {64, 3}, 8, 0);
  add_tensor(bytes, "b", {3}, 0, 224);
  bytes.pad(32).zeros(224 + 12);
  const GgufFile file = GgufFile::parse(bytes.span(), "test.gguf");
  const TensorView* weight = file.find("w");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->shape, (std::vector<int64_t>{3, 64}));
  EXPECT_EQ(weight->dtype, DType::q8_0);
  EXPECT_EQ(weight->bytes, 204U);
  EXPECT_EQ(file.find("b")->data - weight->data, 224);
  EXPECT_EQ(file.find("c"), nullptr);
}

TEST(Gguf, RefusesLyingTensors) {
  auto bad = [](std::initializer_list<uint64_t> extents, uint32_t type, uint64_t offset,
                std::string_view part, ErrorKind kind = ErrorKind::bad_file) {
    Bytes bytes = header(1, 0);
    add_tensor(bytes, "w", extents, type, offset).pad(32).zeros(256);
    expect_bad(bytes, part, kind);
  };
  bad({1, 1, 1, 1, 1}, 0, 0, "at most 4 dimensions, found 5");
  bad({uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0, "overflows the size");
  bad({uint64_t{1} << 63}, 0, 0, "overflows the size");
  bad({0}, 0, 0, "zero or overflows");
  bad({uint64_t{1} << 62}, 0, 0, "overflow the size");
  bad({32}, 4, 0, "'w': unknown GGML type 4", ErrorKind::unsupported);
  bad({33}, 8, 0, "no multiple of Q8_0's block of 32");
  bad({4}, 0, 8, "no multiple of the alignment 32");
  bad({65}, 0, 0, "end past the file's 256 bytes");
  bad({4}, 0, uint64_t{1} << 62, "end past the file's 256 bytes");

  Bytes overlap = header(2, 0);
  add_tensor(overlap, "a", {16}, 0, 0);
  add_tensor(overlap, "b", {4}, 0, 32).pad(32).zeros(256);
  expect_bad(overlap, "'a' and 'b' overlap");
  Bytes twice = header(2, 0);
  add_tensor(twice, "a", {4}, 0, 0);
  add_tensor(twice, "a", {4}, 0, 32).pad(32).zeros(256);
  expect_bad(twice, "'a' occurs twice");
}

TEST(Gguf, EveryPrefixOfAFileIsRefused) {
  Bytes bytes = header(1, 2);
  bytes.string("a.strings").put(9U).put(8U).put<uint64_t>(2).string("x").string("yz");
  bytes.string("a.f32").put(6U).put(1.5F);
  add_tensor(bytes, "w", {8}, 0, 0).pad(32).zeros(32);
  EXPECT_NO_THROW(GgufFile::parse(bytes.span(), "test.gguf"));
  for (size_t length = 0; length < bytes.span().size(); ++length) {
    EXPECT_THROW(GgufFile::parse(bytes.span().first(length), "test.gguf"), Error) << length;
  }
}

TEST(Gguf, ReadsTheReferenceFiles) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  const GgufFile file = GgufFile::open(shared_path("fixtures/qwen2-tiny/model-Q4_K.gguf"));
  EXPECT_EQ(file.require_string("general.architecture"), "qwen2");
  EXPECT_EQ(file.require_u32("qwen2.block_count"), 2U);
  EXPECT_EQ(file.require_f32("qwen2.rope.freq_base"), 10000.0F);
  const TensorView* weight = file.find("blk.0.ffn_up.weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->shape, (std::vector<int64_t>{512, 256}));
  EXPECT_EQ(weight->dtype, DType::q4_k);
  file.populate(*weight);
  file.populate_all();
}

class GgufShards : public ::testing::Test {
 protected:
  /// Writes shard `number` of two, holding one tensor.
  void write_shard(int number, int stored_number, int stored_count, int tensors) {
    GgufWriter writer(shard(number));
    if (number == 0) writer.set_string("general.architecture", "llama");
    writer.set_u32("split.no", static_cast<uint32_t>(stored_number));
    writer.set_u32("split.count", static_cast<uint32_t>(stored_count));
    writer.set_u32("split.tensors.count", static_cast<uint32_t>(tensors));
    const std::vector<int64_t> shape = {2};
    writer.declare_tensor("tensor" + std::to_string(number), DType::f32, shape);
    const float values[2] = {1.0F, static_cast<float>(number)};
    writer.append(std::as_bytes(std::span(values)));
    writer.finish();
  }
  std::filesystem::path shard(int number) const {
    return folder_ / ("m-0000" + std::to_string(number + 1) + "-of-00002.gguf");
  }
  test::TemporaryFolder folder_;
};

TEST_F(GgufShards, OpensAllFromAnyOne) {
  write_shard(0, 0, 2, 2);
  write_shard(1, 1, 2, 2);
  for (int number : {0, 1}) {
    const GgufFile file = GgufFile::open(shard(number));
    EXPECT_EQ(file.shard_count(), 2U);
    EXPECT_EQ(file.require_string("general.architecture"), "llama");
    ASSERT_NE(file.find("tensor1"), nullptr);
    float value = 0;
    std::memcpy(&value, file.find("tensor1")->data + 4, 4);
    EXPECT_EQ(value, 1.0F);
    EXPECT_EQ(file.total_bytes(),
              std::filesystem::file_size(shard(0)) + std::filesystem::file_size(shard(1)));
  }
}

TEST_F(GgufShards, RefusesMissingAndForeignShards) {
  write_shard(0, 0, 2, 2);
  expect_error(ErrorKind::bad_file, "missing: shard 2 of 2", [&] { GgufFile::open(shard(0)); });
  write_shard(1, 0, 2, 2);
  expect_error(ErrorKind::bad_file, "expected shard 2 of 2", [&] { GgufFile::open(shard(0)); });
  write_shard(1, 1, 3, 2);
  expect_error(ErrorKind::bad_file, "found split.no 1 of split.count 3", [&] { GgufFile::open(shard(0)); });
  write_shard(0, 0, 2, 5);
  write_shard(1, 1, 2, 5);
  expect_error(ErrorKind::bad_file, "expected 5 tensors in 2 shards, found 2",
               [&] { GgufFile::open(shard(0)); });
  std::filesystem::rename(shard(0), folder_ / "renamed.gguf");
  expect_error(ErrorKind::bad_file, "expected a name like",
               [&] { GgufFile::open(folder_ / "renamed.gguf"); });
}

TEST(Gguf, KeysAreOverridden) {
  test::TemporaryFolder folder;
  {
    GgufWriter writer(folder / "m.gguf");
    writer.set_u32("a", 1);
    writer.finish();
  }
  GgufFile file = GgufFile::open(folder / "m.gguf");
  for (const char* assignment : {"a=int:-7", "b=float:0.5", "c=bool:true", "d=str:x=y:z"})
    file.override_value(assignment);
  const GgufFile moved = std::move(file);
  EXPECT_EQ(moved.find_i64("a"), -7);
  EXPECT_EQ(moved.find_f32("b"), 0.5F);
  EXPECT_EQ(moved.find_bool("c"), true);
  EXPECT_EQ(moved.find_string("d"), "x=y:z");
  EXPECT_EQ(moved.keys().size(), 4U);
  GgufFile other = GgufFile::open(folder / "m.gguf");
  for (const char* bad : {"a", "a=1", "=int:1", "a=int:x", "a=float:", "a=bool:yes", "a=list:1"}) {
    expect_error(ErrorKind::invalid_argument, "expected", [&] { other.override_value(bad); });
  }
}

}  // namespace
}  // namespace r1
