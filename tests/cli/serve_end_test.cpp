// TERM ends `r1 serve` within its drain time and five seconds, whatever runs. Each kind of work here would go on for
// minutes; how long the end took is only looked at coarsely, because the machine may be busy.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cli/program_runner.h"
#include "tests/server/socket_client.h"

namespace r1 {
namespace {

using nlohmann::json;
using server::test::SocketClient;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// Accepts connections by the kernel's queue and never answers.
class SilentServer {
 public:
  SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(socket_, 64), 0);
    socklen_t size = sizeof(address);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { ::close(socket_); }
  uint16_t port() const { return port_; }

 private:
  int socket_;
  uint16_t port_ = 0;
};

class ServeEndTest : public test::ProgramRunner {
 protected:
  ~ServeEndTest() override {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  void start(const std::string& more) {
    ASSERT_EQ(r1("debug synth tiny-qwen2 --type F32 " + path("m.gguf")).code, 0);
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const std::string command = std::string("exec ") + R1_PROGRAM +
                                " serve m.gguf --port 0 --drain-seconds 1 -t 1 " + more + " 2>error";
    child_ = fork();
    if (child_ == 0) {
      dup2(ends[1], 1);
      if (chdir(folder_.c_str()) != 0) _exit(126);
      setenv("HOME", folder_.c_str(), 1);
      unsetenv("XDG_DATA_HOME");
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    std::string line;
    for (char c = 0; read_one(ends[0], c) && c != '\n';) line += c;
    close(ends[0]);
    ASSERT_THAT(line, HasSubstr("listening on")) << read("error");
    port_ = static_cast<uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
  }

  static bool read_one(int from, char& c) { return ::read(from, &c, 1) == 1; }

  SocketClient client() const { return SocketClient(port_); }

  /// TERM; the exit status. Fails where the program still runs long after drain time and five seconds.
  int end() {
    kill(child_, SIGTERM);
    const auto patience = std::chrono::steady_clock::now() + 25s;
    int status = 0;
    while (waitpid(child_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > patience) {
        ADD_FAILURE() << "it still runs";
        return -1;
      }
      std::this_thread::sleep_for(20ms);
    }
    child_ = 0;
    EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status) << ": " << read("error");
    return WEXITSTATUS(status);
  }

  pid_t child_ = 0;
  uint16_t port_ = 0;
};

TEST_F(ServeEndTest, WhileAnswersEmbeddingsAndHalfABodyAreThere) {
  start("--no-site --max-num-seqs 4");
  std::vector<SocketClient> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(client());
    clients.back().post("/v1/chat/completions", json{{"messages", {{{"role", "user"}, {"content", "hi"}}}},
                                                     {"stream", true},
                                                     {"n", 64},
                                                     {"ignore_eos", true},
                                                     {"loop_detection", false}}
                                                    .dump());
  }
  clients[0].read_until("reasoning");
  clients.push_back(client());
  json texts = json::array();
  for (int i = 0; i < 2048; ++i) texts.push_back(std::string(400, 'a' + static_cast<char>(i % 26)));
  clients.back().post("/v1/embeddings", json{{"input", texts}}.dump());
  clients.push_back(client());
  clients.back().send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{");
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(end(), 0);
}

TEST_F(ServeEndTest, WhileASearchServiceHangs) {
  const SilentServer search;
  start("--searxng http://127.0.0.1:" + std::to_string(search.port()));
  std::vector<SocketClient> clients;
  const auto send = [&](const std::string& method, const std::string& path, const json& body) {
    clients.push_back(client());
    const std::string text = body.dump();
    clients.back().send(method + " /api/site" + path + " HTTP/1.1\r\nHost: localhost\r\nX-R1-Site: 1\r\n" +
                        "Content-Type: application/json\r\nConnection: close\r\nContent-Length: " +
                        std::to_string(text.size()) + "\r\n\r\n" + text);
    return &clients.back();
  };
  clients.reserve(64);
  const std::string conversation = "/conversations/conversation-1";
  EXPECT_THAT(send("PUT", conversation, {{"title", "t"}, {"created", 1}})->read_all(),
              HasSubstr("HTTP/1.1 20"));
  EXPECT_THAT(send("PUT", conversation + "/nodes/question-1",
                   {{"parent", nullptr}, {"created", 2}, {"content", "kept"}, {"files", json::array()}})
                  ->read_all(),
              HasSubstr("HTTP/1.1 201"));
  EXPECT_THAT(send("POST", "/answers",
                   {{"id", "answer-001"},
                    {"conversation", "conversation-1"},
                    {"parent", "question-1"},
                    {"model", nullptr},
                    {"search", true},
                    {"search_provider", "searxng"}})
                  ->read_all(),
              HasSubstr("HTTP/1.1 201"));
  for (int i = 0; i < 24; ++i) send("POST", "/search", {{"query", "x"}, {"provider", "searxng"}});
  std::this_thread::sleep_for(300ms);
  const int status = end();
  EXPECT_TRUE(status == 0 || status == 1) << status;  // 1: some work was left, which the log says
  // What was acknowledged is there.
  start("");
  EXPECT_THAT(send("GET", conversation, nullptr)->read_all(), HasSubstr("\"kept\""));
  EXPECT_EQ(end(), 0);
}

}  // namespace
}  // namespace r1
