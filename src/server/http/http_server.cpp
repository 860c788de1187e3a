#include "server/http/http_server.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <list>
#include <thread>

#include "base/error.h"
#include "server/http/http_connection.h"

namespace r1::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int64_t kSmallestShare = int64_t{1} << 20;  // bytes

}  // namespace

struct HttpServer::State {
  explicit State(const HttpServerOptions& options, HttpServerHooks hooks)
      : acceptor(shared.io), timer(shared.io) {
    shared.options = options;
    shared.hooks = std::move(hooks);
  }

  void listen();
  void run();
  void accept();
  bool close_idle();
  void tick();

  HttpShared shared;
  std::unique_ptr<asio::ssl::context> tls;
  tcp::acceptor acceptor;
  asio::steady_timer timer;
  std::chrono::milliseconds interval{250};
  std::list<std::weak_ptr<HttpConnection>> connections;  // I/O thread
  std::thread thread;
  uint16_t port = 0;
};

void HttpServer::State::listen() {
  const HttpServerOptions& options = shared.options;
  const auto check = [&](const error_code& error) {
    if (error) throw_error(ErrorKind::io, "{}:{}: {}", options.address, options.port, error.message());
  };
  if (options.certificate_file.empty() != options.private_key_file.empty()) {
    throw_error(ErrorKind::invalid_argument, "TLS: expected a certificate and its key, found one of them");
  }
  error_code error;
  if (!options.certificate_file.empty()) {
    tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
    tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                     asio::ssl::context::no_tlsv1_1);
    tls->use_certificate_chain_file(options.certificate_file, error);
    if (error)
      throw_error(ErrorKind::io, "{}: cannot read a certificate chain in PEM: {}", options.certificate_file,
                  error.message());
    tls->use_private_key_file(options.private_key_file, asio::ssl::context::pem, error);
    if (error)
      throw_error(ErrorKind::io, "{}: cannot read a private key in PEM: {}", options.private_key_file,
                  error.message());
  }
  const asio::ip::address address = asio::ip::make_address(options.address, error);
  check(error);
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), error);
  check(error);
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  check(error);
  acceptor.bind(endpoint, error);
  check(error);
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  check(error);
  port = acceptor.local_endpoint().port();
  const double shortest = std::min({options.head_timeout, options.body_timeout, options.body_pause,
                                    options.idle_timeout, options.write_timeout, options.heartbeat})
                              .count();
  interval = std::chrono::milliseconds(std::clamp(static_cast<int>(shortest * 250), 10, 250));
}

/// Memory that runs out outside of a connection's own work costs what was being done, not the server.
void HttpServer::State::run() {
  while (true) {
    try {
      shared.io.run();
      return;
    } catch (const std::bad_alloc&) {
    }
  }
}

/// Makes room for a connection that may have something to ask. The oldest goes first.
bool HttpServer::State::close_idle() {
  for (const auto& weak : connections) {
    const auto connection = weak.lock();
    if (!connection || connection->closed() || !connection->idle()) continue;
    connection->close();
    return true;
  }
  return false;
}

void HttpServer::State::accept() {
  acceptor.async_accept([this](error_code error, tcp::socket socket) {
    if (!acceptor.is_open()) return;
    if (!error) {
      bool full = shared.connections >= static_cast<int64_t>(shared.options.connections);
      if (full) full = !close_idle();
      // Far beyond the cap not even a refusal is worth its memory.
      if (shared.connections < static_cast<int64_t>(shared.options.connections) + 256) {
        try {
          auto connection = make_connection(shared, std::move(socket), tls.get(), full);
          connections.push_back(connection);
          connection->start();
        } catch (const std::bad_alloc&) {  // the client is refused by the closed socket
        }
      }
    } else if (error == asio::error::no_descriptors || error == asio::error::no_buffer_space) {
      // Out of descriptors: try again with the next tick instead of spinning.
      return asio::post(shared.io, [this] {
        auto wait = std::make_shared<asio::steady_timer>(shared.io, interval);
        wait->async_wait([this, wait](error_code) {
          if (acceptor.is_open()) accept();
        });
      });
    }
    accept();
  });
}

void HttpServer::State::tick() {
  timer.expires_after(interval);
  timer.async_wait([this](error_code error) {
    if (error) return;
    const auto now = std::chrono::steady_clock::now();
    for (auto place = connections.begin(); place != connections.end();) {
      const auto connection = place->lock();
      if (connection && !connection->closed()) connection->tick(now);
      place = !connection || connection->closed() ? connections.erase(place) : std::next(place);
    }
    tick();
  });
}

HttpServer::HttpServer(const HttpServerOptions& options, HttpServerHooks hooks)
    : state_(std::make_unique<State>(options, std::move(hooks))) {
  state_->listen();
  const int64_t share = std::max(1, options.owner_share);
  state_->shared.bodies.set_limits(
      {options.body_memory, std::max(options.body_memory / share, kSmallestShare)});
  state_->shared.answers.set_limits(
      {options.answer_memory, std::max(options.answer_memory / share, kSmallestShare)});
  const auto connections = static_cast<int64_t>(options.connections);
  state_->shared.open.set_limits({INT64_MAX, std::max<int64_t>(1, connections / 2)});
  const int workers = std::max(1, options.workers);
  state_->shared.workers =
      std::make_unique<WorkQueue>(WorkQueue::Limits{workers, std::max(1, workers / 2), options.waiting});
  state_->accept();
  state_->tick();
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

HttpServer::~HttpServer() {
  stop();
}

uint16_t HttpServer::port() const {
  return state_->port;
}

int64_t HttpServer::connections() const {
  return state_->shared.connections;
}

int64_t HttpServer::active_requests() const {
  return state_->shared.active_requests;
}

void HttpServer::drain() {
  state_->shared.draining = true;
}

void HttpServer::stop() {
  if (!state_->thread.joinable()) return;
  state_->shared.draining = true;
  // To the end, before the loop is stopped: answers that still come must find their clients gone.
  std::promise<void> closed;
  asio::post(state_->shared.io, [state = state_.get(), &closed] {
    error_code ignored;
    state->acceptor.close(ignored);
    state->timer.cancel();
    for (const auto& weak : state->connections) {
      if (const auto connection = weak.lock()) connection->close();
    }
    state->connections.clear();
    closed.set_value();
  });
  closed.get_future().wait();
  // Handlers first: they may still hand in answers, which go nowhere.
  state_->shared.workers->stop();
  state_->shared.io.stop();
  state_->thread.join();
}

}  // namespace r1::server
