// Pulling models from a hub on loopback (hub_server.py) that cuts, lies and refuses.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>

#include "base/error.h"
#include "formats/model_cache.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

class HubServer {
 public:
  HubServer(const fs::path& root, const std::vector<std::string>& arguments) {
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) std::abort();
    const std::string script = std::string(R1_TEST_FIXTURES) + "/../formats/hub_server.py";
    std::vector<std::string> words = {"python3", script, root.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    child_ = fork();
    if (child_ == 0) {
      dup2(input[0], 0);
      dup2(output[1], 1);
      execvp("python3", argv.data());
      _exit(127);
    }
    close(input[0]);
    close(output[1]);
    input_ = input[1];
    char text[16] = {};
    const ssize_t got = read(output[0], text, sizeof(text) - 1);
    close(output[0]);
    hub_.endpoint = "http://127.0.0.1:" + std::to_string(got > 0 ? std::atoi(text) : 0);
  }
  ~HubServer() {
    close(input_);
    waitpid(child_, nullptr, 0);
  }
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;
  HubOptions hub_;

 private:
  pid_t child_;
  int input_;
};

class HubTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(remote_);
    download_.part_bytes = 64 << 10;
    download_.retry_delay = std::chrono::milliseconds(1);
  }

  std::string put(const std::string& name, size_t bytes) {
    std::string content(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>((i * 2654435761U) >> 13);
    fs::create_directories((remote_ / name).parent_path());
    std::ofstream(remote_ / name, std::ios::binary) << content;
    return content;
  }
  static std::string get(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  CachedModel pull(const HubServer& server, const std::string& name = "owner/name") {
    return cache().pull(HubReference::parse(name), server.hub_, download_, {});
  }
  ModelCache cache() const { return ModelCache(folder_ / "cache"); }
  int leftovers() const {
    int count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "cache")) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".partial" || extension == ".parts") ++count;
    }
    return count;
  }
  static std::string error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path;
  const fs::path remote_ = folder_ / "remote";
  DownloadOptions download_;
};

TEST_F(HubTest, PullsListsFindsAndRemoves) {
  const std::string q4 = put("m-Q4_K_M.gguf", 300000), q8 = put("m-Q8_0.gguf", 1000);
  put("README.md", 10);
  const HubServer server(remote_, {"--redirect"});
  const CachedModel model = pull(server);
  EXPECT_EQ(get(model.path), q4);
  EXPECT_EQ(leftovers(), 0);
  EXPECT_EQ(get(pull(server, "owner/name:q8_0").path), q8);
  EXPECT_EQ(cache().list().size(), 2U);
  EXPECT_EQ(cache().find(HubReference::parse("owner/name:Q8_0"))->path.filename(), "m-Q8_0.gguf");
  EXPECT_EQ(cache().find(HubReference::parse("owner/name"))->path.filename(), "m-Q4_K_M.gguf");
  cache().remove(HubReference::parse("owner/name:Q8_0"));
  EXPECT_EQ(cache().list().size(), 1U);
  EXPECT_EQ(get(model.path), q4);
  cache().remove(HubReference::parse("owner/name"));
  EXPECT_TRUE(fs::is_empty(folder_ / "cache"));
  EXPECT_THAT(error_of([&] { cache().remove(HubReference::parse("owner/name")); }),
              ::testing::HasSubstr("not among the pulled models"));
}

// The commit whose name came first in the alphabet was opened, however old it was.
TEST_F(HubTest, FindsTheNewestCommitOfARevisionThatMovedOn) {
  put("m-Q4_K_M.gguf", 300);
  const std::string older(40, '0'), newer(40, 'f');
  {
    const HubServer server(remote_, {"--commit", older});
    pull(server);
    pull(server, "owner/name:Q4_K_M");
  }
  const std::string content = put("m-Q4_K_M.gguf", 400);
  {
    const HubServer server(remote_, {"--commit", newer});
    EXPECT_EQ(pull(server).commit, newer);
    pull(server, "owner/name:Q4_K_M");
  }
  EXPECT_EQ(cache().list().size(), 4U);
  for (const char* name : {"owner/name", "owner/name:Q4_K_M"}) {
    const auto found = cache().find(HubReference::parse(name));
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->commit, newer) << name;
    EXPECT_EQ(get(found->path), content) << name;
  }
  cache().remove(HubReference::parse("owner/name:Q4_K_M"));
  EXPECT_EQ(get(cache().find(HubReference::parse("owner/name"))->path), content);
  cache().remove(HubReference::parse("owner/name"));
  EXPECT_TRUE(fs::is_empty(folder_ / "cache"));
}

TEST_F(HubTest, PullsAllShardsAndHubDirectories) {
  put("Q4_K_M/m-Q4_K_M-00001-of-00002.gguf", 100);
  put("Q4_K_M/m-Q4_K_M-00002-of-00002.gguf", 200);
  {
    const HubServer server(remote_, {});
    const CachedModel model = pull(server);
    EXPECT_EQ(model.files.size(), 2U);
    EXPECT_EQ(model.path.filename(), "m-Q4_K_M-00001-of-00002.gguf");
  }
  fs::remove_all(remote_);
  put("config.json", 30);
  put("model.safetensors", 70000);
  put("original/weights.bin", 5);
  const HubServer server(remote_, {});
  const CachedModel model = pull(server, "owner/name");
  EXPECT_EQ(model.files.size(), 2U);
  EXPECT_TRUE(fs::exists(model.path / "config.json"));
}

TEST_F(HubTest, SurvivesCutConnectionsAndBusyServers) {
  const std::string content = put("m-Q4_K_M.gguf", 500000);
  const HubServer server(remote_, {"--cut", "20000", "--busy", "5"});
  EXPECT_EQ(get(pull(server).path), content);
}

TEST_F(HubTest, GoesOnAfterInterruption) {
  const std::string content = put("m-Q4_K_M.gguf", 1000000);
  const HubServer server(remote_, {});
  std::atomic<uint64_t> seen = 0;
  DownloadOptions interrupted = download_;
  interrupted.connections = 1;
  interrupted.cancelled = [&] { return seen > 400000; };
  const HubReference reference = HubReference::parse("owner/name");
  EXPECT_THROW(
      cache().pull(reference, server.hub_, interrupted, [&](const PullProgress& p) { seen = p.bytes; }),
      Error);
  EXPECT_EQ(leftovers(), 2);
  EXPECT_FALSE(cache().find(reference));
  uint64_t first = 0;
  const CachedModel model = cache().pull(reference, server.hub_, download_, [&](const PullProgress& p) {
    if (first == 0) first = p.bytes;
  });
  EXPECT_GT(first, 300000U) << "started again from the beginning";
  EXPECT_EQ(get(model.path), content);
}

TEST_F(HubTest, ThrowsAwayBytesWithAWrongHash) {
  put("m-Q4_K_M.gguf", 100000);
  const HubServer server(remote_, {"--wrong-hash"});
  EXPECT_THAT(error_of([&] { pull(server); }), ::testing::HasSubstr("expected SHA-256 0000"));
  EXPECT_EQ(leftovers(), 0);
  EXPECT_TRUE(cache().list().empty());
}

TEST_F(HubTest, SaysThatTheDiskIsFull) {
  const std::string content = put("m-Q4_K_M.gguf", 300000);
  const HubServer server(remote_, {});
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  rlimit small{100000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = error_of([&] { pull(server); });
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_THAT(message, ::testing::HasSubstr("free some room and pull again"));
  EXPECT_EQ(get(pull(server).path), content);
}

TEST_F(HubTest, NamesWhatTheServerRefuses) {
  put("m-Q4_K_M.gguf", 1000);
  const HubServer server(remote_, {"--token", "secret"});
  EXPECT_THAT(error_of([&] { pull(server); }), ::testing::HasSubstr("HF_TOKEN"));
  HubServer with_token(remote_, {"--token", "secret"});
  with_token.hub_.token = "secret";
  EXPECT_NO_THROW(pull(with_token));
  const HubServer open(remote_, {});
  EXPECT_THAT(error_of([&] { pull(open, "owner/name:Q2_K"); }), ::testing::HasSubstr("there are: Q4_K_M"));
  EXPECT_THAT(error_of([&] { pull(open, "owner/none"); }), ::testing::HasSubstr("no such repository"));
}

TEST_F(HubTest, RefusesHostileNamesAndServersWithoutRanges) {
  put("m-Q4_K_M.gguf", 1000);
  const HubServer evil(remote_, {"--evil-name", "../../escape.gguf"});
  EXPECT_THAT(error_of([&] { pull(evil); }), ::testing::HasSubstr("leads outside"));
  const HubServer flat(remote_, {"--no-ranges"});
  EXPECT_THAT(error_of([&] { pull(flat); }), ::testing::HasSubstr("does not serve ranges"));
}

TEST(HubReference, ParsesAndRefuses) {
  const HubReference full = HubReference::parse("a/b@v1:Q8_0");
  EXPECT_EQ(full.repository, "a/b");
  EXPECT_EQ(full.revision, "v1");
  EXPECT_EQ(full.quantisation, "Q8_0");
  EXPECT_EQ(full.to_string(), "a/b@v1:Q8_0");
  for (const char* bad :
       {"", "a", "a/", "/b", "a/b/c", "a/..", "../b", "a/b:", "a/b@", "a b/c", "a/b@../x", "-a/b"}) {
    EXPECT_THROW(HubReference::parse(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace r1
