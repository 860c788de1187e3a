#include "server/http/http_connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <utility>

#include "server/http/http_exchange.h"
#include "server/http/random_id.h"

namespace r1::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr size_t kReadBytes = size_t{16} << 10;
constexpr size_t kPipelinedBytes = size_t{64} << 10;  // read ahead while an answer is being written
constexpr std::chrono::seconds kLinger{2};            // for the client to read a refusal
// What the kernel may hold unsent for a connection. Its own limit grows to megabytes, and whatever lies there
// hides from queue_bytes that nobody reads.
constexpr int kUnsentBytes = 128 << 10;

template <class Stream>
class Connection final : public HttpConnection, public std::enable_shared_from_this<Connection<Stream>> {
 public:
  template <class... Args>
  Connection(HttpShared& shared, bool refuse, Args&&... args)
      : shared_(shared),
        stream_(std::forward<Args>(args)...),
        refuse_(refuse),
        parser_(shared.options.limits) {
    error_code ignored;
    socket().set_option(tcp::no_delay(true), ignored);
    ::setsockopt(socket().native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes,
                 sizeof(kUnsentBytes));
    const auto endpoint = socket().remote_endpoint(ignored);
    if (!ignored) remote_ = endpoint.address().to_string();
    ++shared_.connections;
  }
  ~Connection() override { --shared_.connections; }

  void start() override {
    phase_start_ = Clock::now();
    if constexpr (std::is_same_v<Stream, tcp::socket>) {
      read();
    } else {
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code error) {
                                if (error) return self->close();
                                self->read();
                              });
    }
  }

  void tick(Clock::time_point now) override {
    guarded([&] { look_at_clock(now); });
  }

  void close() override {
    if (std::exchange(closed_, true)) return;
    error_code ignored;
    socket().close(ignored);
    end_exchange(true);
  }

  bool closed() const override { return closed_; }
  bool idle() const override { return !exchange_ && !parser_.started() && !lingering_; }

 private:
  /// Whatever goes wrong with one connection (memory runs out) ends that connection alone.
  template <class Function>
  void guarded(Function function) {
    try {
      function();
    } catch (const std::exception&) {
      close();
    }
  }

  void look_at_clock(Clock::time_point now) {
    const HttpServerOptions& options = shared_.options;
    const auto over = [&](Clock::time_point since, HttpServerOptions::Seconds limit) {
      return std::chrono::duration<double>(now - since) > limit;
    };
    if (closed_) return;
    if (lingering_) {
      if (over(phase_start_, kLinger)) close();
    } else if (exchange_) {
      if (writing_ && over(write_start_, options.write_timeout)) return close();
      if (exchange_->whole_bytes() > 0 &&
          over(last_answer_, options.write_timeout +
                                 HttpServerOptions::Seconds(static_cast<double>(exchange_->whole_bytes()) /
                                                            options.slowest_reader)))
        return close();
      if (!writing_ && over(last_write_, options.heartbeat)) {
        last_write_ = now;
        exchange_->beat();
      }
    } else if (parser_.state() == HttpParser::State::body) {
      if (over(phase_start_, options.body_timeout) || over(last_read_, options.body_pause))
        refuse(408, "the body did not arrive in time");
    } else if (parser_.started()) {
      if (over(phase_start_, options.head_timeout)) refuse(408, "the headers did not arrive in time");
    } else if (shared_.draining ||
               over(phase_start_, served_ ? options.idle_timeout : options.head_timeout)) {
      close();
    }
  }

  tcp::socket& socket() {
    if constexpr (std::is_same_v<Stream, tcp::socket>) {
      return stream_;
    } else {
      return stream_.next_layer();
    }
  }

  void end_exchange(bool aborted) {
    if (!exchange_) return;
    const auto exchange = std::exchange(exchange_, nullptr);
    open_.reset();
    --shared_.active_requests;
    if (aborted) exchange->abort();
  }

  /// One read is always under way, also while an answer is written: that is how a client's end is noticed.
  void read() {
    if (closed_ || reading_) return;
    if (exchange_ && pending_.size() >= kPipelinedBytes) return;
    reading_ = true;
    stream_.async_read_some(asio::buffer(buffer_),
                            [self = this->shared_from_this()](error_code error, size_t bytes) {
                              self->reading_ = false;
                              self->guarded([&] { self->on_read(error, bytes); });
                            });
  }

  void on_read(error_code error, size_t bytes) {
    if (closed_) return;
    if (error) return close();
    last_read_ = Clock::now();
    if (!lingering_) {
      pending_.append(buffer_.data(), bytes);
      parse();
    }
    read();
  }

  void parse() {
    while (!exchange_ && !lingering_ && !pending_.empty()) {
      const bool began = parser_.started();
      const size_t used = parser_.feed(pending_);
      pending_.erase(0, used);
      if (!began) phase_start_ = Clock::now();
      const bool head_read =
          parser_.state() == HttpParser::State::body || parser_.state() == HttpParser::State::complete;
      if (head_read && !admission_ && !admit()) return;
      if (const auto body = static_cast<int64_t>(parser_.body_bytes()); body > 0) {
        if (!hold_) hold_ = shared_.bodies.hold(admission_->owner);
        if (!hold_->grow_to(body))
          return refuse(503, "the requests that have arrived take too much memory: try again in a moment");
      }
      if (parser_.state() == HttpParser::State::failed) {
        return refuse(parser_.error_status(), parser_.error_message());
      }
      if (parser_.state() == HttpParser::State::complete) {
        handle();
      } else if (parser_.take_expects_continue()) {
        begin_exchange(true, true, false);
        interim_ = true;
        output_ = "HTTP/1.1 100 Continue\r\n\r\n";
        write();
      } else if (used == 0) {
        return;
      }
    }
  }

  /// The head is there. False: refused.
  bool admit() {
    admission_ = shared_.hooks.admit ? shared_.hooks.admit(parser_.head()) : HttpAdmission{};
    if (refuse_) admission_->refusal = shared_.hooks.error_page(503, "too many connections");
    if (admission_->refusal) {
      refuse(std::move(*admission_->refusal));
      return false;
    }
    parser_.limit_body(admission_->body_bytes);
    return true;
  }

  std::shared_ptr<HttpExchange> begin_exchange(bool keep_alive, bool chunked, bool head_only) {
    const std::weak_ptr<Connection> weak = this->shared_from_this();
    auto wake = [weak, &io = shared_.io] {
      asio::post(io, [weak] {
        if (const auto self = weak.lock()) self->guarded([&] { self->write(); });
      });
    };
    ++shared_.active_requests;
    last_write_ = last_answer_ = Clock::now();
    exchange_ = std::make_shared<HttpExchange>(
        keep_alive, chunked, head_only, shared_.options.queue_bytes,
        shared_.answers.hold(admission_ ? admission_->owner : std::string()), std::move(wake));
    return exchange_;
  }

  void handle() {
    auto request = std::make_shared<HttpRequest>(parser_.take());
    request->body_hold = std::exchange(hold_, nullptr);
    request->remote_address = remote_;
    request->id = random_id("req_");
    served_ = true;
    auto exchange = begin_exchange(request->keep_alive && !shared_.draining, request->chunked_answers,
                                   request->method == "HEAD");
    const std::string owner = std::exchange(admission_, std::nullopt)->owner;
    open_ = shared_.open.hold(owner);
    if (!open_->grow_to(1))
      return busy(*exchange, "too many of your requests are open: end some of them first");
    if (shared_.hooks.is_quick(*request))
      return shared_.hooks.handle(std::move(request), std::move(exchange));
    const bool taken =
        shared_.workers->add(owner, [&shared = shared_, request, exchange](const std::stop_token&) {
          shared.hooks.handle(request, exchange);
        });
    if (!taken) busy(*exchange, "too many of your requests wait: try again in a moment");
  }

  void busy(HttpExchange& exchange, const char* message) {
    HttpResponse response = shared_.hooks.error_page(503, message);
    response.headers.push_back({"Retry-After", "1"});
    exchange.respond(std::move(response));
  }

  /// Answers what is no request, or is not let in, and closes.
  void refuse(int status, const std::string& message) { refuse(shared_.hooks.error_page(status, message)); }
  void refuse(HttpResponse response) {
    auto exchange = begin_exchange(false, true, false);
    pending_.clear();
    parser_.drop();
    hold_.reset();
    admission_.reset();
    exchange->respond(std::move(response));
  }

  void write() {
    if (closed_ || !exchange_) return;
    if (exchange_->overflowed()) return close();  // also in the middle of a write that nobody takes
    if (writing_) return;
    if (output_.empty() && exchange_->take(output_)) last_answer_ = Clock::now();
    if (output_.empty()) {
      if (exchange_->finished()) finish();
      return;
    }
    writing_ = true;
    write_start_ = Clock::now();
    written_ = 0;
    write_some();
  }

  /// Piece by piece, so that a client that reads slowly but steadily is not taken for a dead one.
  void write_some() {
    stream_.async_write_some(asio::buffer(output_.data() + written_, output_.size() - written_),
                             [self = this->shared_from_this()](error_code error, size_t bytes) {
                               self->guarded([&] { self->on_written(error, bytes); });
                             });
  }

  void on_written(error_code error, size_t bytes) {
    if (closed_) return;
    if (error) return close();
    last_write_ = write_start_ = Clock::now();
    written_ += bytes;
    if (exchange_->overflowed()) return close();
    if (written_ < output_.size()) return write_some();
    writing_ = false;
    output_.clear();
    if (std::exchange(interim_, false)) {
      end_exchange(false);
      parse();
      return read();
    }
    write();
  }

  /// The answer is written: next request, or the end.
  void finish() {
    const bool keep = exchange_->keep_alive() && !refuse_ && !shared_.draining;
    end_exchange(false);
    phase_start_ = Clock::now();
    if (keep) {
      parse();
      return read();
    }
    // Closing with unread bytes would reset the connection, and the client lose the answer.
    lingering_ = true;
    pending_.clear();
    error_code ignored;
    socket().shutdown(tcp::socket::shutdown_send, ignored);
    read();
  }

  HttpShared& shared_;
  Stream stream_;
  const bool refuse_;
  std::string remote_;
  HttpParser parser_;
  std::optional<HttpAdmission> admission_;  // of the request that is read
  std::shared_ptr<QuotaHold> hold_;         // its body
  std::shared_ptr<QuotaHold> open_;         // of the request that is answered
  std::shared_ptr<HttpExchange> exchange_;
  std::string pending_;  // read, not yet parsed
  std::string output_;   // being written
  size_t written_ = 0;
  Clock::time_point phase_start_, write_start_, last_write_, last_read_, last_answer_;
  bool reading_ = false, writing_ = false, closed_ = false, lingering_ = false, interim_ = false,
       served_ = false;
  std::array<char, kReadBytes> buffer_;
};

}  // namespace

std::shared_ptr<HttpConnection> make_connection(HttpShared& shared, tcp::socket socket,
                                                asio::ssl::context* tls, bool refuse) {
  if (tls == nullptr) return std::make_shared<Connection<tcp::socket>>(shared, refuse, std::move(socket));
  return std::make_shared<Connection<asio::ssl::stream<tcp::socket>>>(shared, refuse, std::move(socket),
                                                                      *tls);
}

}  // namespace r1::server
