// What goes wrong between clients, the disk and the machine, and must leave nothing behind: through real
// sockets, with a model that says what it is told.
#include <sys/resource.h>
#include <sys/wait.h>

#include <barrier>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include "server/http/http_server.h"
#include "tests/server/site/site_fixture.h"
#include "tests/server/small_disk.h"
#include "tests/server/socket_client.h"

namespace r1::server {
namespace {

using test::Json;
using test::SiteServer;
using test::SocketClient;
using test::TestServer;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

using namespace std::chrono_literals;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // GCC
constexpr bool kSanitized = true;
#elif defined(__has_feature)  // Clang
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

void slow_down(TestServer& server, std::chrono::milliseconds pass) {
  server.fake->before_pass = [pass] { std::this_thread::sleep_for(pass); };
}

/// An application behind sockets.
class Served {
 public:
  explicit Served(HttpServerOptions options = {}) {
    options.port = 0;
    http = std::make_unique<HttpServer>(options, server.application->hooks());
  }
  ~Served() {
    server.application->cancel_all();
    http->stop();
  }

  SocketClient client(int receive_buffer = 0) const { return SocketClient(http->port(), receive_buffer); }
  /// A client that has asked for a stream.
  SocketClient streaming(int tokens, int receive_buffer = 0) const {
    SocketClient asking = client(receive_buffer);
    asking.post("/v1/chat/completions", Json{{"messages", {{{"role", "user"}, {"content", "hi"}}}},
                                             {"stream", true},
                                             {"max_tokens", tokens},
                                             {"loop_detection", false},
                                             {"ignore_eos", true}}
                                            .dump());
    return asking;
  }
  double blocks_used() { return server.metric("r1_kv_blocks{model=\"small\",state=\"used\"}"); }
  double completions(const std::string& reason) {
    return server.metric("r1_completions_total{model=\"small\",reason=\"" + reason + "\"}");
  }
  bool wait_until_free() {
    return server.wait_for_metric("r1_kv_blocks{model=\"small\",state=\"used\"}",
                                  [](double blocks) { return blocks == 0; });
  }

  TestServer server;
  std::unique_ptr<HttpServer> http;
};

TEST(Faults, AThirdOfTheClientsVanishAndTheOthersNoticeNothing) {
  Served served;
  slow_down(served.server, 1ms);
  constexpr int kClients = 60;
  std::atomic<int> whole{0}, gone{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      std::mt19937 random(static_cast<unsigned>(i));
      const bool leaves = i % 10 < 3;
      SocketClient client = served.streaming(leaves ? 800 : 20 + static_cast<int>(random() % 60));
      if (!leaves) {
        if (client.read_until("[DONE]").find("[DONE]") != std::string::npos) ++whole;
        return;
      }
      if (random() % 3 != 0) client.read_until("reasoning");
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 30));
      if (random() % 2 == 0) client.reset();
      ++gone;
    });
  }
  threads.clear();
  EXPECT_EQ(whole, kClients - gone);
  EXPECT_EQ(gone, kClients * 3 / 10);
  EXPECT_TRUE(served.wait_until_free()) << served.blocks_used();
  EXPECT_TRUE(served.server.wait_for_metric("r1_completions_total{model=\"small\",reason=\"length\"}",
                                            [&](double count) { return count == whole; }));
  // Some may have gone before their request was read.
  EXPECT_LE(served.completions("cancelled"), gone);
  EXPECT_GT(served.completions("cancelled"), gone / 2.0);
}

TEST(Faults, ASlowReaderIsCutOffAndHoldsUpNobody) {
  HttpServerOptions options;
  options.queue_bytes = 64 << 10;
  Served served(options);
  SocketClient slow = served.client(4096);
  slow.post("/v1/completions", Json{{"prompt", "x"},  // some 4 MB of answer
                                    {"stream", true},
                                    {"n", 16},
                                    {"logprobs", 5},
                                    {"max_tokens", 800},
                                    {"ignore_eos", true}}
                                   .dump());
  SocketClient other = served.streaming(30);
  EXPECT_THAT(other.read_until("[DONE]"), HasSubstr("[DONE]"));
  for (int i = 0; i < 1000 && served.completions("cancelled") < 16; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(served.completions("cancelled"), 16);
  EXPECT_TRUE(served.wait_until_free());
  EXPECT_THAT(slow.read_all(), Not(HasSubstr("[DONE]")));
}

TEST(Faults, MalformedJsonAndUtf8AreRefusedInOneLine) {
  TestServer server;
  const std::string user = R"({"messages": [{"role": "user", "content": )";
  const std::string bodies[] = {"",
                                "{",
                                "[]",
                                "null",
                                "{}x",
                                "1e999",
                                "{\"a\": \xff}",
                                user + "\"\xed\xa0\x80\"}]}",        // a surrogate as UTF-8
                                user + "\"\xc0\xaf\"}]}",            // longer than it should be
                                user + "\"\xf5\x80\x80\x80\"}]}",    // beyond Unicode
                                user + "\"\xe4\xb8\"}]}",            // cut
                                user + R"("\ud800"}]})",             // half a pair
                                user + R"("\x"}]})",                 // no such escape
                                user + "\"a\nb\"}]}",                // a bare line break
                                user + std::string("\"\0\"}]}", 6),  // a bare NUL
                                std::string(1'000'000, '['),
                                std::string(1'000'000, '"'),
                                R"({"max_tokens": 99999999999999999999, "messages": []})",
                                R"({"messages": [{"role": "user\r\nX: y", "content": "a"}]})",
                                R"({"model": "a\r\nSet-Cookie: b", "messages": []})"};
  for (const std::string& body : bodies) {
    const test::Answer answer = server.ask("POST", "/v1/chat/completions", body);
    EXPECT_THAT(answer.status, ::testing::AnyOf(400, 404)) << body.substr(0, 100);
    ASSERT_TRUE(answer.json.is_object()) << answer.body;
    const std::string message = answer.json["error"]["message"];
    EXPECT_THAT(message, Not(HasSubstr("\n"))) << body.substr(0, 100);
    for (const HttpHeader& header : answer.headers) EXPECT_THAT(header.value, Not(HasSubstr("Cookie")));
  }
}

TEST(Faults, NothingIsSmuggledBehindARequest) {
  const Served served;
  const std::string hidden = "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n", host = "Host: localhost\r\n";
  const std::string chunked = "Transfer-Encoding: chunked\r\n", length = "Content-Length: 2\r\n";
  const std::string post = "POST /tokenize HTTP/1.1\r\n" + host;
  const std::string forms[] = {
      post + length + chunked + "\r\n0\r\n\r\n" + hidden,
      post + chunked + length + "\r\n0\r\n\r\n" + hidden,
      post + length + length + "\r\n{}" + hidden,
      post + length + "Content-Length: 50\r\n\r\n{}" + hidden,
      post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + hidden,
      post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
      post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
      post + chunked + "\r\n2;x=y\r\n{}\r\n0\r\n\r\n" + hidden,
      post + chunked + "\r\n2;\n{}\r\n0\r\n\r\n" + hidden,
      post + chunked + "\r\n0x2\r\n{}\r\n0\r\n\r\n" + hidden,
      post + chunked + "\r\n-1\r\n" + hidden,
      "GET /health HTTP/1.1\n" + host + "\n" + hidden,
      "GET /health HTTP/1.1\r\nX: a\n" + host + "\r\n" + hidden,
      "GET /health HTTP/1.1\r\n" + host + "X: a\rY: b\r\n\r\n" + hidden,
      "GET /health HTTP/1.1\r\n" + host + host + "\r\n" + hidden,
      "GET http://evil.example/ HTTP/1.1\r\n" + host + "\r\n" + hidden,
      "CONNECT evil.example:80 HTTP/1.1\r\n" + host + "\r\n" + hidden,
  };
  for (const std::string& form : forms) {
    SocketClient client = served.client();
    client.send(form);
    const std::string answers = client.read_all();
    EXPECT_THAT(answers, ::testing::MatchesRegex("HTTP/1.1 (400|403|501) .*")) << form;
    EXPECT_EQ(answers.find("HTTP/1.1", 1), std::string::npos) << form;
  }
}

TEST(Faults, TheEndComesWhileThirtyTwoAnswersRun) {
  Served served;
  slow_down(served.server, 20ms);  // none has ended on a busy machine either
  std::vector<SocketClient> clients;
  for (int i = 0; i < 32; ++i) clients.push_back(served.streaming(900));
  const auto waiting = [&] { return served.server.metric("r1_requests_waiting{model=\"small\"}"); };
  const auto running = [&] { return served.server.metric("r1_requests_running{model=\"small\"}"); };
  for (int i = 0; i < 1000 && (running() != 16 || waiting() != 16); ++i) std::this_thread::sleep_for(10ms);
  ASSERT_EQ(running(), 16);
  SocketClient kept = served.client();
  kept.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(kept.read_until("ok"), HasSubstr("200 OK"));
  // As `r1 serve` does on SIGTERM.
  served.server.application->drain();
  served.http->drain();
  EXPECT_THAT(kept.read_all(), EndsWith("\"ok\"}")) << "an idle connection is closed";
  SocketClient late = served.client();
  late.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(late.read_all(), HasSubstr("503 Service Unavailable"));
  EXPECT_EQ(served.http->active_requests(), 32);
  served.server.application->cancel_all();
  for (SocketClient& client : clients) {
    const std::string all = client.read_all();
    EXPECT_THAT(all, EndsWith("\n\n\r\n0\r\n\r\n"));
    EXPECT_THAT(all, HasSubstr("the server is shutting down"));
    EXPECT_THAT(all, Not(HasSubstr("[DONE]")));
  }
  for (int i = 0; i < 1000 && served.http->active_requests() > 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(served.http->active_requests(), 0);
}

int64_t resident_bytes() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// Of the requests most wait; their clients hold a connection and an answer that has not begun.
TEST(Faults, AThousandIdleStreamsAreSmall) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have a memory of their own";
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_max < 2200) GTEST_SKIP() << "too few file descriptors";
  const rlim_t before_limit = std::exchange(files.rlim_cur, 2200);
  setrlimit(RLIMIT_NOFILE, &files);
  {
    Served served;
    slow_down(served.server, 20ms);
    served.streaming(1).read_until("[DONE]");
    const int64_t before = resident_bytes();
    std::vector<SocketClient> clients;
    clients.reserve(1000);
    for (int i = 0; i < 1000; ++i) clients.push_back(served.streaming(900));
    const auto waiting = [&] { return served.server.metric("r1_requests_waiting{model=\"small\"}"); };
    for (int i = 0; i < 1000 && waiting() < 984; ++i) std::this_thread::sleep_for(20ms);
    EXPECT_EQ(waiting(), 984);
    EXPECT_LT(resident_bytes() - before, int64_t{100} << 20);
    clients.clear();
    EXPECT_TRUE(served.wait_until_free());
    EXPECT_TRUE(served.server.wait_for_metric("r1_requests_waiting{model=\"small\"}",
                                              [](double count) { return count == 0; }));
  }
  files.rlim_cur = before_limit;
  setrlimit(RLIMIT_NOFILE, &files);
}

TEST(Faults, KilledInTheMiddleOfAnAnswerItsTextIsThere) {
  const r1::test::TemporaryFolder folder;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    SiteServer site(folder.path);
    site.open({});
    slow_down(*site.server_, 5ms);
    std::string numbers;
    for (int i = 0; i < 1000; ++i) numbers += fmt::format("{} ", i);
    site.server_->fake->say(numbers);
    site.question("question-1", "Count.");
    site.start("answer-001", "question-1");
    std::this_thread::sleep_for(1500ms);  // it is stored once a second
    const std::string seen = site.node("answer-001").value("reasoning", "");
    if (write(ends[1], seen.data(), seen.size()) < 0) _exit(1);
    close(ends[1]);
    std::this_thread::sleep_for(60s);
    _exit(2);
  }
  close(ends[1]);
  std::string seen;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof(buffer))) > 0;)
    seen.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);

  site::ConversationStore(folder.path / "conversations.db").check_integrity();
  SiteServer site(folder.path);
  site.open({});
  EXPECT_EQ(site.ask("GET", "/conversations").json["conversations"].size(), 1U);
  EXPECT_EQ(site.node("question-1")["content"], "Count.");
  const Json answer = site.node("answer-001");
  EXPECT_EQ(answer["state"], "stopped");
  const std::string kept = answer["reasoning"];
  EXPECT_GT(kept.size(), 10U);
  EXPECT_EQ(kept.substr(0, std::min(kept.size(), seen.size())), seen.substr(0, kept.size()));
  // And it goes on from there.
  site.server_->fake->say("the rest</think>\n\nDone.");
  EXPECT_EQ(site.ask("POST", "/answers/answer-001/continue", Json::object()).status, 200);
  site.watch("answer-001")->wait();
  EXPECT_TRUE(site.node("answer-001")["reasoning"].get<std::string>().starts_with(kept));
}

// The answer was lost when the disk had no room at its end, although it was in memory and room came back.
TEST(Faults, AnAnswerForWhichTheDiskHasNoRoomIsStoredWhenItHas) {
  const r1::test::TemporaryFolder folder;
  const int result = r1::test::on_small_disk(folder.path, "2m", [&] {
    SiteServer site(folder.path);
    site.open({});
    slow_down(*site.server_, 20ms);
    site.server_->fake->say(std::string(60, 'a') + "</think>\n\nThe answer.");
    site.question("question-1", "What?");
    site.start("answer-001", "question-1");
    const auto page = site.watch("answer-001");
    const auto filler = folder.path / "filler";
    {
      std::ofstream out(filler);
      while (out << std::string(4096, 'x') << std::flush) {
      }
    }
    const std::string events = page->wait().body;
    if (events.find("not_stored") == std::string::npos) return 2;
    if (site.node("answer-001")["content"] != "The answer.") return 3;  // shown all the same
    const test::Answer refused =
        site.ask("PUT", "/conversations/another-one", {{"title", std::string(9000, 'x')}, {"created", 1}});
    if (refused.status != 507 || refused.json["error"]["code"] != "not_stored") return 4;
    if (refused.body.find(folder.path.string()) != std::string::npos) return 5;
    if (site.server_->ask("GET", "/health").status != 200) return 6;
    std::filesystem::remove(filler);
    for (int i = 0; i < 100 && site.node("answer-001")["state"] != "done"; ++i)
      std::this_thread::sleep_for(100ms);
    if (site.node("answer-001")["state"] != "done" || !site.node("answer-001")["error"].is_null()) return 7;
    site.open({});  // from the disk
    return site.node("answer-001")["content"] == "The answer." ? 0 : 8;
  });
  if (result == r1::test::kNoNamespaces) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(result, 0);
}

// Each of the threads that answer requests could be kept busy for as long as a document is read.
TEST(Faults, DocumentsThatTakeLongToReadLeaveRoomForRequests) {
  SiteServer site;
  // Without another process, which the sandbox would not let it have.
  site.extract_child_ = {"/bin/sh", "-c", "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done"};
  site.open({});
  std::atomic<int> busy{0}, read{0};
  std::barrier together(5);
  std::vector<std::jthread> uploads;
  for (int i = 0; i < 5; ++i) {
    uploads.emplace_back([&] {
      together.arrive_and_wait();
      const auto answer = site.ask_with_query("POST", "/files", "name=a.docx", "PK\x03\x04");
      ++(answer.status == 503 ? busy : read);
      EXPECT_EQ(answer.header("retry-after").empty(), answer.status != 503);
    });
  }
  uploads.clear();
  EXPECT_EQ(busy, 2);
  EXPECT_EQ(read, 3);
}

}  // namespace
}  // namespace r1::server
