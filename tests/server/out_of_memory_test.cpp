// Memory that runs out anywhere in a request: the request is refused or ends with an error, the next one is served.
#include <sys/resource.h>
#include <sys/wait.h>

#include <fstream>

#include "base/memory_reserve.h"
#include "tests/server/failing_new.h"
#include "tests/server/site/site_fixture.h"
#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using test::Json;
using test::RecordingSink;
using test::TestServer;
using ::testing::HasSubstr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr size_t kReserve = size_t{32} << 20;

struct Asked {
  const char* path;
  Json body;
};

std::shared_ptr<const HttpRequest> request_for(const Asked& asked) {
  auto request = std::make_shared<HttpRequest>();
  request->method = "POST";
  request->path = asked.path;
  request->body = asked.body.dump();
  request->headers = {{"Host", "localhost:8080"}};
  request->id = "req_test";
  return request;
}

const Json kHi = {{{"role", "user"}, {"content", "hi"}}};
const Json kSchema = {{"type", "json_schema"},
                      {"json_schema", {{"name", "x"}, {"schema", {{"enum", {"yes", "no"}}}}}}};

const Asked kRequests[] = {
    {"/v1/chat/completions", {{"messages", kHi}, {"max_tokens", 12}, {"logprobs", true}}},
    {"/v1/chat/completions", {{"messages", kHi}, {"max_tokens", 12}, {"stream", true}, {"n", 3}}},
    {"/v1/chat/completions",
     {{"messages", kHi}, {"reasoning_effort", "none"}, {"max_tokens", 12}, {"response_format", kSchema}}},
    {"/v1/completions", {{"prompt", {"a", "b"}}, {"max_tokens", 4}}},
    {"/v1/completions", {{"prompt", {"a", "b"}}, {"max_tokens", 4}, {"stream", true}, {"logprobs", 1}}},
    {"/v1/messages", {{"messages", kHi}, {"max_tokens", 12}}},
    {"/v1/messages", {{"messages", kHi}, {"max_tokens", 12}, {"stream", true}}},
    {"/v1/responses", {{"input", "hi"}, {"max_output_tokens", 12}}},
    {"/v1/responses", {{"input", "hi"}, {"max_output_tokens", 12}, {"stream", true}}},
};

constexpr size_t kWholly = 3;  // of these every allocation fails once, of the others every third

bool is_streamed(const Asked& asked) {
  return asked.body.contains("stream");
}

class OutOfMemoryTest : public ::testing::TestWithParam<size_t> {
 protected:
  OutOfMemoryTest() { server_.fake->say("Hm.</think>\n\nSeven."); }
  ~OutOfMemoryTest() override { r1::test::fail_no_more(); }

  std::shared_ptr<RecordingSink> ask(const Asked& asked) {
    const auto request = request_for(asked);
    auto sink = std::make_shared<RecordingSink>();
    server_.application->handle(request, sink);
    sink->wait();
    return sink;
  }

  /// The answer, or an error that says why.
  static bool is_answered(const Asked& asked, const RecordingSink& sink) {
    const std::string& body = sink.whole.body;
    if (sink.whole.status == 503) return body.find("memory") != std::string::npos;
    if (sink.whole.status != 200) return false;
    if (!is_streamed(asked)) return Json::accept(body);
    return body.find("[DONE]") != std::string::npos || body.find("message_stop") != std::string::npos ||
           body.find("response.completed") != std::string::npos ||
           body.find("response.incomplete") != std::string::npos || body.find("memory") != std::string::npos;
  }

  const MemoryReserve reserve_{kReserve};
  TestServer server_;
};

TEST_P(OutOfMemoryTest, AtEveryAllocationOfARequest) {
  const Asked& asked = kRequests[GetParam()];
  for (int i = 0; i < 2; ++i) ask(asked);  // what is made once is there
  constexpr int64_t kMany = int64_t{1} << 40;
  r1::test::fail_at(kMany);
  ask(asked);
  const int64_t calls = kMany - r1::test::calls_until_failure;
  r1::test::fail_no_more();
  ASSERT_GT(calls, 100);
  int64_t refused = 0, failed = 0;
  const int64_t step = GetParam() < kWholly ? 1 : 3;
  for (int64_t call = 1; call <= calls; call += step) {
    r1::test::fail_at(call);
    const auto sink = ask(asked);
    r1::test::fail_no_more();
    failed += r1::test::failures;
    ASSERT_TRUE(is_answered(asked, *sink)) << call << ": " << sink->whole.status << " " << sink->whole.body;
    if (sink->whole.body.find("memory") != std::string::npos) ++refused;
    if (call % 50 < step) {
      const auto next = ask(asked);
      ASSERT_EQ(next->whole.status, 200) << call << ": " << next->whole.body;
      ASSERT_THAT(next->whole.body, ::testing::Not(HasSubstr("memory"))) << call;
    }
  }
  EXPECT_GT(failed, calls / step / 2);
  EXPECT_GT(refused, calls / step / 4) << "of " << calls;
  EXPECT_TRUE(server_.wait_for_metric("r1_requests_running{model=\"small\"}",
                                      [](double count) { return count == 0; }));
  const auto last = ask(asked);
  EXPECT_EQ(last->whole.status, 200) << last->whole.body;
}

INSTANTIATE_TEST_SUITE_P(Requests, OutOfMemoryTest, ::testing::Range(size_t{0}, std::size(kRequests)));

int64_t address_space() {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

void limit_address_space(rlim_t bytes) {
  const rlimit limit{bytes, RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &limit);
}

// The system itself refuses, for as long as the request runs.
TEST(OutOfMemory, WhereTheSystemGivesNoMore) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have a memory of their own";
  const pid_t child = fork();
  if (child == 0) {
    const MemoryReserve reserve(kReserve);
    TestServer server({}, 8192);
    server.fake->say("Hm.</think>\n\nSeven.");
    Json parts = Json::array();
    for (int i = 0; i < 30'000; ++i) parts.push_back({{"type", "text"}, {"text", "some text of a part"}});
    const Asked large[] = {
        {"/v1/chat/completions", {{"messages", {{{"role", "user"}, {"content", parts}}}}}},
        {"/v1/chat/completions", {{"messages", kHi}, {"n", 64}, {"max_tokens", 8}}},
        {"/v1/completions", {{"prompt", std::vector<std::string>(64, "abc")}, {"max_tokens", 2}, {"n", 4}}},
    };
    const auto ask = [&](const Asked& asked) {
      const auto request = request_for(asked);
      const auto sink = std::make_shared<RecordingSink>();
      server.application->handle(request, sink);
      return sink->wait().status;
    };
    const Asked small{"/v1/chat/completions", {{"messages", kHi}, {"max_tokens", 8}}};
    if (ask(small) != 200) _exit(2);
    int refused = 0;
    for (const int64_t mib : {0, 2, 8}) {
      for (const Asked& asked : large) {
        limit_address_space(static_cast<rlim_t>(address_space() + (mib << 20)));
        const int status = ask(asked);
        limit_address_space(RLIM_INFINITY);
        if (status != 200 && status != 400 && status != 503) _exit(3);
        refused += status == 503 ? 1 : 0;
        if (ask(small) != 200) _exit(4);
      }
    }
    _exit(refused > 0 ? 0 : 5);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace r1::server
