#include "base/memory_use.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"

namespace r1 {
namespace {

constexpr size_t kKibi = 1024;

class MemoryUseTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  size_t available() const { return available_memory(folder_ / "proc", folder_ / "groups"); }

  test::TemporaryFolder folder_;
};

TEST_F(MemoryUseTest, ReadsWhatTheProcessUses) {
  write("proc/self/status",
        "Name:\tr1\nVmHWM:\t    400 kB\nVmRSS:\t     300 kB\nRssAnon:\t     200 kB\nRssFile:\t     100 kB\n");
  const MemoryUse use = read_memory_use(folder_ / "proc");
  EXPECT_EQ(use.peak, 400 * kKibi);
  EXPECT_EQ(use.resident, 300 * kKibi);
  EXPECT_EQ(use.anonymous, 200 * kKibi);
  EXPECT_EQ(use.files, 100 * kKibi);
}

TEST_F(MemoryUseTest, SeesMemoryThatThisProcessTakes) {
  const size_t before = read_memory_use().resident;
  const std::vector<char> taken(size_t{64} << 20, 1);
  EXPECT_GE(read_memory_use().resident, before + taken.size() / 2);
  EXPECT_GT(available_memory(), 0U);
}

TEST_F(MemoryUseTest, WithoutTheFilesNothingIsKnown) {
  EXPECT_EQ(available(), 0U);
  EXPECT_EQ(read_memory_use(folder_ / "proc").resident, 0U);
}

TEST_F(MemoryUseTest, TheLimitOfAContainerCountsWithoutItsFileCache) {
  write("proc/meminfo", "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  8000 kB\n");
  EXPECT_EQ(available(), 8000 * kKibi);
  write("proc/self/cgroup", "1:cpu:/\n0::/\n");
  write("groups/memory.max", "max\n");
  write("groups/memory.current", "4096000\n");
  EXPECT_EQ(available(), 8000 * kKibi);  // no limit
  write("groups/memory.max", "5000000\n");
  write("groups/memory.stat", "anon 3000000\ninactive_file 1000000\n");
  EXPECT_EQ(available(), 5000000U - 3096000U);
}

TEST_F(MemoryUseTest, TheTightestOfNestedGroupsCounts) {
  write("proc/meminfo", "MemAvailable:  8000 kB\n");
  write("proc/self/cgroup", "0::/outer/inner\n");
  write("groups/outer/memory.max", "2000000\n");
  write("groups/outer/memory.current", "1500000\n");
  write("groups/outer/inner/memory.max", "900000\n");
  write("groups/outer/inner/memory.current", "100000\n");
  EXPECT_EQ(available(), 500000U);
  write("groups/outer/inner/memory.current", "1000000\n");  // over its limit already
  EXPECT_EQ(available(), 0U);
}

}  // namespace
}  // namespace r1
