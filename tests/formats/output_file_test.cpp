#include "formats/output_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "base/error.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

std::string read_all(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& path, std::string_view text) {
  OutputFile file(path);
  file.reserve(text.size());
  file.write(text);
  file.finish();
}

TEST(OutputFile, AppearsWholeOrNotAtAll) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "a";
  write(path, "old");
  {
    OutputFile file(path);
    file.write("new");
  }
  EXPECT_EQ(read_all(path), "old");
  EXPECT_FALSE(fs::exists(folder / "a.partial"));
  write(path, "new");
  EXPECT_EQ(read_all(path), "new");
  EXPECT_THROW(OutputFile(folder.path), Error) << "a folder";
}

// `-o /dev/null`, asked for by root, put a file where the device had been.
TEST(OutputFile, WritesIntoWhatIsNoFile) {
  const test::TemporaryFolder folder;
  const fs::path pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::string got;
  std::thread reader([&] { got = read_all(pipe); });
  write(pipe, "through the pipe");
  reader.join();
  EXPECT_EQ(got, "through the pipe");
  EXPECT_TRUE(fs::is_fifo(pipe));
  reader = std::thread([&] { got = read_all(pipe); });
  { const OutputFile broken_off(pipe); }
  reader.join();
  EXPECT_TRUE(fs::is_fifo(pipe)) << "also when it is given up";
}

TEST(OutputFile, ReplacesWhatALinkLeadsTo) {
  const test::TemporaryFolder folder;
  write(folder / "file", "old");
  fs::create_symlink("file", folder / "link");
  write(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_all(folder / "file"), "new");
}

}  // namespace
}  // namespace r1
