#include "formats/gguf_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <cstring>

#include "tests/formats/file_builder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

using test::expect_error;

TEST(GgufWriter, IsReadBack) {
  test::TemporaryFolder folder;
  const auto path = folder / "m.gguf";
  {
    GgufWriter writer(path);
    writer.set_string("general.architecture", "qwen2");
    writer.set_u32("n", 7);
    writer.set_f32("f", 0.25F);
    writer.set_bool("b", true);
    const std::vector<std::string> texts = {"a", "", "\xff"};
    writer.set_strings("texts", texts);
    writer.set_i32s("ints", std::array<int32_t, 2>{1, -1});
    writer.set_f32s("floats", std::array<float, 1>{2.5F});
    writer.declare_tensor("x", DType::f32, std::array<int64_t, 1>{3});
    writer.declare_tensor("y", DType::q8_0, std::array<int64_t, 2>{2, 32});
    const std::array<float, 3> values = {1, 2, 3};
    EXPECT_EQ(writer.current_tensor(), "x");
    writer.append(std::as_bytes(std::span(values)).first(5));  // in parts
    writer.append(std::as_bytes(std::span(values)).subspan(5));
    EXPECT_EQ(writer.current_tensor(), "y");
    const std::array<std::byte, 68> blocks = {std::byte{9}};
    writer.append(blocks);
    EXPECT_FALSE(std::filesystem::exists(path));
    writer.finish();
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "m.gguf.partial"));
  const GgufFile file = GgufFile::open(path);
  EXPECT_EQ(file.version(), 3U);
  EXPECT_EQ(file.require_string("general.architecture"), "qwen2");
  EXPECT_EQ(file.require_u32("n"), 7U);
  EXPECT_EQ(file.require_f32("f"), 0.25F);
  EXPECT_TRUE(file.require_bool("b"));
  EXPECT_EQ(file.require_strings("texts")[2], "\xff");
  EXPECT_EQ(file.find_i32s("ints").value(), (std::vector<int32_t>{1, -1}));
  EXPECT_EQ(file.find_f32s("floats").value(), (std::vector<float>{2.5F}));
  float value = 0;
  std::memcpy(&value, file.find("x")->data + 8, 4);
  EXPECT_EQ(value, 3.0F);
  EXPECT_EQ(file.find("y")->shape, (std::vector<int64_t>{2, 32}));
  EXPECT_EQ(file.find("y")->data[0], std::byte{9});

  GgufWriter copy(folder / "copy.gguf");
  for (std::string_view key : file.keys()) copy.copy(key, *file.find_value(key));
  for (const TensorView& tensor : file.tensors())
    copy.declare_tensor(tensor.name, tensor.dtype, tensor.shape);
  for (const TensorView& tensor : file.tensors()) copy.append({tensor.data, tensor.bytes});
  copy.finish();
  const MappedFile first(path);
  const MappedFile second(folder / "copy.gguf");
  ASSERT_EQ(first.bytes().size(), second.bytes().size());
  EXPECT_EQ(std::memcmp(first.bytes().data(), second.bytes().data(), first.bytes().size()), 0);
}

TEST(GgufWriter, RefusesWrongUse) {
  test::TemporaryFolder folder;
  {
    GgufWriter writer(folder / "m.gguf");
    writer.set_u32("n", 7);
    expect_error(ErrorKind::invalid_argument, "given twice", [&] { writer.set_u32("n", 8); });
    writer.declare_tensor("x", DType::f32, std::array<int64_t, 1>{3});
    expect_error(ErrorKind::invalid_argument, "declared twice",
                 [&] { writer.declare_tensor("x", DType::f32, std::array<int64_t, 1>{3}); });
    expect_error(ErrorKind::invalid_argument, "cannot be declared",
                 [&] { writer.declare_tensor("z", DType::f8_e4m3, std::array<int64_t, 1>{3}); });
    expect_error(ErrorKind::invalid_argument, "is incomplete", [&] { writer.finish(); });
    expect_error(ErrorKind::invalid_argument, "more than declared",
                 [&] { writer.append(std::array<std::byte, 13>{}); });
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path));  // neither the file nor the temporary one
}

TEST(GgufWriter, AFullDiskIsAnErrorAndLeavesNothing) {
  test::TemporaryFolder folder;
  // A limit on file sizes stands for the full disk.
  struct rlimit old_limit {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  auto* old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit = {size_t{1} << 20, old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  expect_error(ErrorKind::io, "m.gguf.partial: ", [&] {
    GgufWriter writer(folder / "m.gguf");
    writer.declare_tensor("x", DType::f32, std::array<int64_t, 1>{1 << 20});
    const std::vector<std::byte> bytes(size_t{4} << 20);
    writer.append(bytes);
    writer.finish();
  });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path));
}

TEST(GgufWriter, AFolderThatIsNotThereIsAnError) {
  expect_error(ErrorKind::io, "cannot create", [] { GgufWriter writer("/nonexistent/m.gguf"); });
}

}  // namespace
}  // namespace r1
