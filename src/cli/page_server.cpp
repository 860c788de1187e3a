#include "cli/page_server.h"

#include <fmt/format.h>
#include <signal.h>

#include <utility>

#include "base/error.h"

namespace r1::cli {
namespace {

constexpr uint16_t kLastPort = 65535;

server::HttpServerOptions server_options(int64_t port) {
  if (port < 0 || port > kLastPort)
    throw_error(ErrorKind::invalid_argument, "port of the page: expected 0 to {}, found {}", kLastPort, port);
  server::HttpServerOptions options;
  options.port = static_cast<uint16_t>(port);
  options.workers = 1;
  options.connections = 64;
  return options;
}

}  // namespace

PageServer::PageServer(server::HttpServerHooks hooks, int64_t port) {
  signal(SIGPIPE, SIG_IGN);
  const server::HttpServerOptions options = server_options(port);
  // Its threads leave signals to the one that works.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  try {
    server_ = std::make_unique<server::HttpServer>(options, std::move(hooks));
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

PageServer::~PageServer() {
  server_->stop();
}

std::string PageServer::address() const {
  return fmt::format("http://127.0.0.1:{}/", server_->port());
}

}  // namespace r1::cli
