// The socket side: kept-alive, pipelined, slow, vanishing and oversized clients.
#include "server/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "tests/server/socket_client.h"

namespace r1::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Client = test::SocketClient;
using namespace std::chrono_literals;

/// Answers /hello at once; /stream sends numbers until told otherwise; /flood sends as much as it can.
class Fixture {
 public:
  explicit Fixture(HttpServerOptions options = {},
                   std::function<HttpAdmission(const HttpRequest&)> admit = {}) {
    options.port = 0;
    HttpServerHooks hooks;
    hooks.is_quick = [](const HttpRequest& request) { return request.path == "/quick"; };
    hooks.error_page = [](int status, const std::string& message) {
      return HttpResponse::text(status, message);
    };
    hooks.handle = [this](const std::shared_ptr<const HttpRequest>& request,
                          const std::shared_ptr<ResponseSink>& sink) { handle(*request, sink); };
    hooks.admit = std::move(admit);
    server = std::make_unique<HttpServer>(options, std::move(hooks));
  }
  ~Fixture() {
    stop = true;
    {
      const std::lock_guard lock(mutex);  // a handler may still be putting its thread there
      for (std::thread& thread : threads) thread.join();
    }
    server->stop();
  }
  void handle(const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
    if (request.path == "/stream" || request.path == "/flood" || request.path == "/trickle" ||
        request.path == "/silent") {
      sink->on_abort([this] { ++aborted; });
      sink->begin_stream(200, {{"Content-Type", "text/event-stream"}}, ": beat\n\n");
      const std::lock_guard lock(mutex);
      threads.emplace_back([this, sink, path = request.path] {
        const std::string piece(path == "/stream" ? 10 : 100'000, 'x');
        while (!stop && path != "/silent") {
          if (!sink->send(piece)) return;
          if (path != "/flood") std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        while (!stop && path == "/silent") std::this_thread::sleep_for(std::chrono::milliseconds(5));
        sink->end_stream();
      });
      return;
    }
    if (request.path == "/large") return sink->respond(HttpResponse::text(200, std::string(900'000, 'x')));
    if (request.path == "/wait") {
      ++waiting;
      while (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    sink->respond(HttpResponse::text(200, request.path + ":" + request.body));
  }
  bool wait_for_abort(int count = 1) const {
    for (int i = 0; i < 1000 && aborted < count; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return aborted >= count;
  }

  std::atomic<bool> stop{false};
  std::atomic<int> aborted{0}, waiting{0};
  std::mutex mutex;
  std::vector<std::thread> threads;
  std::unique_ptr<HttpServer> server;
};

/// Takes the header X-Owner for who asks; "none" is refused, and without it bodies are short.
HttpAdmission by_header(const HttpRequest& head) {
  const std::string owner(head.header("x-owner"));
  if (owner == "none") return {HttpResponse::text(401, "no key"), "", 0};
  if (owner.empty()) return {{}, "stranger", 10};
  return {{}, owner, SIZE_MAX};
}

std::string post_head(const std::string& owner, size_t bytes, const std::string& more = "") {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + (owner.empty() ? "" : "X-Owner: " + owner + "\r\n") + more +
         "Content-Length: " + std::to_string(bytes) + "\r\n\r\n";
}

TEST(HttpServer, KeepsConnectionsAndAnswersPipelinedRequestsInOrder) {
  Fixture fixture;
  Client client(fixture.server->port());
  client.send("GET /one HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.read_until("/one:"), HasSubstr("HTTP/1.1 200 OK"));
  client.send(
      "POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxyGET /quick HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string all = client.read_all();
  EXPECT_LT(all.find("/two:xy"), all.find("/quick:"));
  EXPECT_LT(all.find("/quick:"), all.find("/last:"));
  EXPECT_THAT(all, HasSubstr("Connection: close"));
}

TEST(HttpServer, ReadsBytewiseAndAsksForExpectedBodies) {
  Fixture fixture;
  Client slow(fixture.server->port());
  for (const char c : std::string("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")) slow.send(std::string(1, c));
  EXPECT_THAT(slow.read_until("/slow:"), HasSubstr("200 OK"));
  Client expecting(fixture.server->port());
  expecting.send("POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_THAT(expecting.read_until("\r\n\r\n"), HasSubstr("100 Continue"));
  expecting.send("abc");
  EXPECT_THAT(expecting.read_until("/e:abc"), HasSubstr("200 OK"));
}

TEST(HttpServer, NoticesAClientThatGoesAway) {
  Fixture fixture;
  Client client(fixture.server->port());
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_until("xxxxxxxxxx");
  client.close();
  EXPECT_TRUE(fixture.wait_for_abort());
  for (int tries = 0; tries < 1000 && fixture.server->active_requests() > 0; ++tries)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(fixture.server->active_requests(), 0);
}

TEST(HttpServer, GivesUpAClientThatDoesNotRead) {
  HttpServerOptions options;
  options.queue_bytes = 1 << 20;
  Fixture fixture(options);
  Client client(fixture.server->port(), 4096);
  client.send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(fixture.wait_for_abort());
}

// The write hung already when the queue ran over: it was noticed only by the time limit of writes.
TEST(HttpServer, GivesUpAClientWhoseWriteHangsBeforeTheQueueIsFull) {
  HttpServerOptions options;
  options.queue_bytes = 1 << 20;
  Fixture fixture(options);
  Client client(fixture.server->port(), 4096);
  client.send("GET /trickle HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(fixture.wait_for_abort());
}

TEST(HttpServer, SendsHeartbeats) {
  HttpServerOptions options;
  options.heartbeat = HttpServerOptions::Seconds(0.05);
  Fixture fixture(options);
  Client client(fixture.server->port());
  client.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string got = client.read_until(": beat\n\n\r\n8\r\n: beat");
  EXPECT_THAT(got, HasSubstr(": beat\n\n\r\n8\r\n: beat"));
}

TEST(HttpServer, TimesOutSlowHeadersBodiesAndIdleConnections) {
  HttpServerOptions options;
  options.head_timeout = options.body_timeout = options.idle_timeout = HttpServerOptions::Seconds(0.2);
  Fixture fixture(options);
  Client head(fixture.server->port()), body(fixture.server->port()), idle(fixture.server->port());
  head.send("GET / HTTP/1.1\r\nHost: ");
  body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_THAT(head.read_all(), HasSubstr("408 Request Timeout"));
  EXPECT_THAT(body.read_all(), HasSubstr("408 Request Timeout"));
  EXPECT_EQ(idle.read_all(), "");
}

TEST(HttpServer, RefusesMalformedAndOversizedRequestsAndCloses) {
  HttpServerOptions options;
  options.limits.body_bytes = 100;
  Fixture fixture(options);
  Client malformed(fixture.server->port()), large(fixture.server->port());
  malformed.send("NONSENSE\r\n\r\n");
  EXPECT_THAT(malformed.read_all(), HasSubstr("400 Bad Request"));
  large.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + std::string(50'000, 'x'));
  EXPECT_THAT(large.read_all(), HasSubstr("413 Content Too Large"));
}

TEST(HttpServer, BodiesOfAllRequestsTogetherHaveALimit) {
  HttpServerOptions options;
  options.body_memory = 1 << 20;
  Fixture fixture(options);
  const std::string most(600'000, 'x'), rest(100'000, 'x');
  const std::string head =
      "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 700000\r\n\r\n";
  {
    Client first(fixture.server->port()), second(fixture.server->port());
    first.send(head + most);
    second.send(head + most);
    // Together they are too much. Which of them came later is not ours to say: the one that is answered.
    auto answer = std::async(std::launch::async, [&first] { return first.read_all(); });
    auto other = std::async(std::launch::async, [&second] { return second.read_all(); });
    auto ready = [](const auto& future) { return future.wait_for(10ms) == std::future_status::ready; };
    for (int tries = 0; tries < 1000 && !ready(answer) && !ready(other); ++tries) {
    }
    const bool first_refused = ready(answer);
    (first_refused ? second : first).send(rest);
    if (!first_refused) std::swap(answer, other);
    EXPECT_THAT(answer.get(), HasSubstr("503 Service Unavailable"));
    EXPECT_THAT(other.get(), HasSubstr("200 OK"));
  }
  // And what they took is free again, once their handlers have ended.
  std::string later;
  for (int tries = 0; tries < 100 && later.find("200 OK") == std::string::npos; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(10ms);
    Client client(fixture.server->port());
    client.send(head + most + rest);
    later = client.read_until("\r\n\r\n");
  }
  EXPECT_THAT(later, HasSubstr("200 OK"));
}

TEST(HttpServer, RefusesConnectionsBeyondItsCap) {
  HttpServerOptions options;
  options.connections = 2;
  Fixture fixture(options);
  Client first(fixture.server->port()), second(fixture.server->port());
  for (Client* client : {&first, &second}) {
    client->send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    client->read_until("xxxx");
  }
  Client third(fixture.server->port());
  third.send("GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(third.read_all(), HasSubstr("503 Service Unavailable"));
}

TEST(HttpServer, IdleConnectionsMakeRoomForNewOnes) {
  HttpServerOptions options;
  options.connections = 2;
  Fixture fixture(options);
  Client idle(fixture.server->port()), busy(fixture.server->port());
  busy.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  busy.read_until("xxxx");
  Client third(fixture.server->port());
  third.send("GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(third.read_until("/c:"), HasSubstr("200 OK"));
  EXPECT_EQ(idle.read_all(), "");
}

TEST(HttpServer, AnOwnerOpensHalfOfTheRequestsAtMost) {
  HttpServerOptions options;
  options.connections = 8;
  Fixture fixture(options, by_header);
  std::vector<Client> greedy;
  for (int i = 0; i < 5; ++i) {
    greedy.emplace_back(fixture.server->port());
    greedy.back().send("GET /stream HTTP/1.1\r\nHost: a\r\nX-Owner: greedy\r\n\r\n");
    EXPECT_THAT(greedy.back().read_until("\r\n\r\n"),
                HasSubstr(i < 4 ? "200 OK" : "503 Service Unavailable"));
  }
  Client modest(fixture.server->port());
  modest.send("GET /hello HTTP/1.1\r\nHost: a\r\nX-Owner: modest\r\n\r\n");
  EXPECT_THAT(modest.read_until("/hello:"), HasSubstr("200 OK"));
}

TEST(HttpServer, ClosesBehindTheLastAnswerWhenDraining) {
  Fixture fixture;
  Client idle(fixture.server->port()), busy(fixture.server->port());
  busy.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  busy.read_until("xxxx");
  fixture.server->drain();
  EXPECT_EQ(idle.read_all(), "");
  fixture.stop = true;
  EXPECT_THAT(busy.read_all(), ::testing::EndsWith("0\r\n\r\n"));
}

TEST(HttpServer, AnswersHttp10WithoutChunks) {
  Fixture fixture;
  Client client(fixture.server->port());
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  const std::string got = client.read_until("xxxxxxxxxxxx");
  EXPECT_THAT(got, Not(HasSubstr("chunked")));
  Client head(fixture.server->port());
  head.send("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head.read_all(), ::testing::EndsWith("\r\n\r\n"));
}

TEST(HttpServer, DecidesByTheHeadBeforeTheBodyIsRead) {
  Fixture fixture({}, by_header);
  Client refused(fixture.server->port()), waiting(fixture.server->port()), stranger(fixture.server->port()),
      chunked(fixture.server->port()), known(fixture.server->port());
  refused.send(post_head("none", 1'000'000));  // not a byte of the body
  EXPECT_THAT(refused.read_all(), HasSubstr("401 Unauthorized"));
  waiting.send(post_head("none", 1'000'000, "Expect: 100-continue\r\n"));
  EXPECT_THAT(waiting.read_all(), ::testing::StartsWith("HTTP/1.1 401"));
  stranger.send(post_head("", 11));
  EXPECT_THAT(stranger.read_all(), HasSubstr("413 Content Too Large"));
  chunked.send(
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "b\r\n");
  EXPECT_THAT(chunked.read_all(), HasSubstr("413 Content Too Large"));
  known.send(post_head("ada", 3) + "abc");
  EXPECT_THAT(known.read_until("/x:abc"), HasSubstr("200 OK"));
}

TEST(HttpServer, ABodyThatStopsComingIsGivenUp) {
  HttpServerOptions options;
  options.body_pause = HttpServerOptions::Seconds(0.1);
  Fixture fixture(options);
  Client client(fixture.server->port());
  client.send(post_head("", 100) + "some");
  EXPECT_THAT(client.read_all(), HasSubstr("408 Request Timeout"));
}

TEST(HttpServer, AnOwnersBodiesLeaveRoomForOthers) {
  HttpServerOptions options;
  options.body_memory = 4 << 20;
  options.owner_share = 4;
  Fixture fixture(options, by_header);
  const std::string body(700'000, 'x');
  Client first(fixture.server->port()), second(fixture.server->port()), modest(fixture.server->port());
  first.send("POST /wait HTTP/1.1\r\nHost: a\r\nX-Owner: greedy\r\nContent-Length: 700000\r\n\r\n" + body);
  while (fixture.waiting == 0) std::this_thread::sleep_for(2ms);
  second.send(post_head("greedy", 700'000) + body);
  EXPECT_THAT(second.read_all(), HasSubstr("503 Service Unavailable"));
  modest.send(post_head("modest", 700'000) + body);
  EXPECT_THAT(modest.read_until("\r\n\r\n"), HasSubstr("200 OK"));
  fixture.stop = true;
}

TEST(HttpServer, AnOwnersRequestsLeaveThreadsForOthers) {
  HttpServerOptions options;
  options.workers = 4;
  Fixture fixture(options, by_header);
  std::vector<Client> greedy;
  for (int i = 0; i < 8; ++i) {
    greedy.emplace_back(fixture.server->port());
    greedy.back().send("GET /wait HTTP/1.1\r\nHost: a\r\nX-Owner: greedy\r\n\r\n");
  }
  Client modest(fixture.server->port());
  modest.send("GET /hello HTTP/1.1\r\nHost: a\r\nX-Owner: modest\r\n\r\n");
  EXPECT_THAT(modest.read_until("/hello:"), HasSubstr("200 OK"));
  EXPECT_LE(fixture.waiting, 2);
  fixture.stop = true;
}

TEST(HttpServer, WholeAnswersThatNobodyReadsAreCounted) {
  HttpServerOptions options;
  options.answer_memory = 4 << 20;
  options.owner_share = 4;
  Fixture fixture(options, by_header);
  std::vector<Client> slow;
  for (int i = 0; i < 6; ++i) {
    slow.emplace_back(fixture.server->port(), 4096);
    slow.back().send("GET /large HTTP/1.1\r\nHost: a\r\nX-Owner: greedy\r\n\r\n");
  }
  // The first one's answer fits; of those behind it nothing is kept.
  for (int tries = 0; tries < 1000 && fixture.server->connections() > 2; ++tries)
    std::this_thread::sleep_for(10ms);
  EXPECT_LE(fixture.server->connections(), 2);
  Client modest(fixture.server->port());
  modest.send("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Owner: modest\r\n\r\n");
  EXPECT_GT(modest.read_all().size(), 900'000U);
}

TEST(HttpServer, AReaderThatIsTooSlowForAWholeAnswerIsLetGo) {
  HttpServerOptions options;
  options.write_timeout = HttpServerOptions::Seconds(0.2);
  options.slowest_reader = 1e9;
  Fixture fixture(options);
  Client client(fixture.server->port(), 4096);
  client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_until("200 OK");
  for (int tries = 0; tries < 1000 && fixture.server->connections() > 0; ++tries) {
    client.read_until(std::string(static_cast<size_t>(tries) * 100 + 100, 'x'));  // a little at a time
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(fixture.server->connections(), 0);
}

}  // namespace
}  // namespace r1::server
