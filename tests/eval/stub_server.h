// An HTTP server on loopback that answers as a test says, whole, slowly or broken.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace r1::test {

struct StubRequest {
  std::string method, target;                  // "GET", "/v1/models?x=1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct StubReply {
  int status = 200;
  std::string body{};
  std::string type = "application/json";
  std::vector<std::string> headers{};  // whole lines
  bool cut = false;                    // hangs up before the last byte
  bool silent = false;                 // never answers
};

/// One thread a connection; the handler is called from several at once.
class StubServer {
 public:
  using Handler = std::function<StubReply(const StubRequest&)>;

  explicit StubServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 128) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no socket");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~StubServer() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
  }
  StubServer(const StubServer&) = delete;
  StubServer& operator=(const StubServer&) = delete;

  std::string address() const { return fmt::format("http://127.0.0.1:{}", port_); }
  int requests() const { return requests_; }

 private:
  void accept_all() {
    while (!stopping_) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      const std::lock_guard lock(mutex_);
      sockets_.push_back(socket);
      threads_.emplace_back([this, socket] { serve(socket); });
    }
  }

  void serve(int socket) {
    StubRequest request;
    if (read_request(socket, request)) {
      ++requests_;
      const StubReply reply = handler_(request);
      if (reply.silent) {
        char byte = 0;
        while (::recv(socket, &byte, 1, 0) > 0) {
        }
      } else {
        std::string text = fmt::format("HTTP/1.1 {} Stub\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
                                       reply.status, reply.type, reply.body.size());
        for (const std::string& header : reply.headers) text += header + "\r\n";
        text += "Connection: close\r\n\r\n" + reply.body;
        if (reply.cut) text.pop_back();
        send_all(socket, text);
      }
    }
    const std::lock_guard lock(mutex_);
    sockets_.remove(socket);
    ::close(socket);
  }

  static bool read_request(int socket, StubRequest& request) {
    std::string text;
    size_t end = 0;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more(socket, text)) return false;
    }
    const size_t space = text.find(' '), second = text.find(' ', space + 1);
    request.method = text.substr(0, space);
    request.target = text.substr(space + 1, second - space - 1);
    for (size_t begin = text.find("\r\n") + 2; begin < end;) {
      const size_t stop = text.find("\r\n", begin), colon = text.find(": ", begin);
      std::string name = text.substr(begin, colon - begin);
      for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      request.headers[name] = text.substr(colon + 2, stop - colon - 2);
      begin = stop + 2;
    }
    request.body = text.substr(end + 4);
    const auto length = std::strtoul(request.headers["content-length"].c_str(), nullptr, 10);
    while (request.body.size() < length) {
      if (!read_more(socket, request.body)) return false;
    }
    return true;
  }
  static bool read_more(int socket, std::string& text) {
    char buffer[4096];
    const ssize_t got = ::recv(socket, buffer, sizeof(buffer), 0);
    if (got > 0) text.append(buffer, static_cast<size_t>(got));
    return got > 0;
  }
  static void send_all(int socket, const std::string& text) {
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t count = ::send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<size_t>(count);
    }
  }

  Handler handler_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> requests_ = 0;
  std::mutex mutex_;
  std::list<int> sockets_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace r1::test
