// Requests are read whole or refused: however they are cut, and whatever a smuggler writes.
#include "server/http/http_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace r1::server {
namespace {

using ::testing::HasSubstr;
using State = HttpParser::State;

const HttpLimits kLimits{512, 64};

/// Feeds the bytes in pieces of one size; gives what is left over.
std::string feed(HttpParser& parser, std::string bytes, size_t piece) {
  while (!bytes.empty() && parser.state() != State::complete && parser.state() != State::failed) {
    const size_t used = parser.feed(std::string_view(bytes).substr(0, piece));
    bytes.erase(0, used);
    if (used == 0) break;
  }
  return bytes;
}

TEST(HttpParser, TakesMoreWhereFilesAreUploaded) {
  HttpLimits limits = kLimits;
  limits.upload_paths = {"/api/site/files"};
  limits.upload_bytes = 100;
  const auto state_of = [&](const std::string& target, int bytes) {
    HttpParser parser(limits);
    feed(parser,
         "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
             std::string(static_cast<size_t>(bytes), 'x'),
         1000);
    return parser.state();
  };
  EXPECT_EQ(state_of("/api/site/files?name=a.txt", 100), State::complete);
  EXPECT_EQ(state_of("/api/site/files?name=a.txt", 101), State::failed);
  EXPECT_EQ(state_of("/v1/chat/completions", 65), State::failed);
  EXPECT_EQ(state_of("/api/site/files-and-more", 65), State::failed);
  EXPECT_EQ(state_of("/v1/x?/api/site/files", 65), State::failed);
}

TEST(HttpParser, ReadsTheSameHoweverTheBytesAreCut) {
  const std::string text =
      "POST /v1/a%20b?x=1&y=%26 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nX-A:  v "
      "\t\r\n\r\nhelloGET /next";
  for (size_t piece : {1, 2, 3, 7, 50, 1000}) {
    HttpParser parser(kLimits);
    const std::string rest = feed(parser, text, piece);
    ASSERT_EQ(parser.state(), State::complete) << parser.error_message();
    const HttpRequest request = parser.take();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/v1/a b");
    EXPECT_EQ(request.query_value("y"), "&");
    EXPECT_EQ(request.header("x-a"), "v");
    EXPECT_EQ(request.body, "hello");
    EXPECT_TRUE(request.keep_alive);
    EXPECT_EQ(rest, "GET /next") << "a pipelined request is left alone";
    EXPECT_EQ(parser.state(), State::head);
  }
}

TEST(HttpParser, ReadsChunks) {
  for (size_t piece : {1, 4, 1000}) {
    HttpParser parser(kLimits);
    feed(parser,
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0B\r\nhello "
         "world\r\n0\r\nX: y\r\n\r\n",
         piece);
    ASSERT_EQ(parser.state(), State::complete) << parser.error_message();
    EXPECT_EQ(parser.take().body, "abchello world");
  }
}

// Beast's parser, which read bodies before, stopped the program (where assertions are compiled in) when the
// last chunk's size had come and the next byte came alone.
TEST(HttpParser, ReadsALastChunkThatComesInPieces) {
  HttpParser parser(kLimits);
  parser.feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const char* piece : {"0\r\n", "\r", "\n"}) {
    ASSERT_EQ(parser.state(), State::body);
    EXPECT_EQ(parser.feed(piece), std::string_view(piece).size());
  }
  ASSERT_EQ(parser.state(), State::complete);
  EXPECT_EQ(parser.take().body, "");
}

TEST(HttpParser, RefusesWhatCouldBeReadInTwoWays) {
  const auto status_of = [](const std::string& text) {
    HttpParser parser(kLimits);
    feed(parser, text, 1000);
    return parser.state() == State::failed ? parser.error_status() : 0;
  };
  const std::string host = "Host: a\r\n";
  const std::pair<std::string, int> cases[] = {
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3, 3\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 0x3\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: \r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host +
           "Transfer-Encoding: \x0b"
           "chunked\r\n\r\n",
       400},
      {"POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},  // a folded header
      {"GET / HTTP/1.1\r\n" + host + "X: a\nY: b\r\n\r\n", 400},  // a bare LF
      {"GET / HTTP/1.1\n" + host + "\n", 400},
      {"GET / HTTP/1.1\r\n" + host + "X: a\rY: b\r\n\r\n", 400},  // a bare CR
      {"GET / HTTP/1.1\r\n" + host + "X: a" + std::string(1, '\0') + "b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + "no colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + host + "\r\n", 400},
      {"GET / HTTP/2.0\r\n" + host + "\r\n", 505},
      {"GET  / HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET http:///x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET http://user@evil/ HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET ftp://evil/ HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET http://evil/../x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET http://evil/ HTTP/1.1\r\n\r\n", 400},
      {"GET /../etc/passwd HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /a/%2e%2e/b HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /a%00b HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /a%5c..%5cb HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /%zz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"G{T / HTTP/1.1\r\n" + host + "\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n", 415},
      {"POST / HTTP/1.1\r\n" + host + "Expect: cake\r\nContent-Length: 3\r\n\r\n", 417},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 65\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n41\r\n", 413},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 413},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n00000000000000003\r\nabc", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3 \r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n-3\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + std::string(600, 'x'),
       431},
      {"GET / HTTP/1.1\r\n" + host + "X: " + std::string(600, 'x') + "\r\n\r\n", 431},
      {"GET / HTTP/1.1\r\nX: " + std::string(600, 'x'), 431},
      {"\r\n\r\n\r\n\r\n\r\n", 400}};
  for (const auto& [text, status] : cases) EXPECT_EQ(status_of(text), status) << text;
}

// RFC 9112 3.2.2: a server accepts a target in absolute form, and its host is the request's.
TEST(HttpParser, ReadsTargetsInAbsoluteForm) {
  const auto read = [](const std::string& target) {
    HttpParser parser(kLimits);
    feed(parser, "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    EXPECT_EQ(parser.state(), State::complete) << target;
    return parser.take();
  };
  const HttpRequest request = read("http://localhost:8080/v1/models?x=1");
  EXPECT_EQ(request.path, "/v1/models");
  EXPECT_EQ(request.query, "x=1");
  EXPECT_EQ(request.header("host"), "localhost:8080") << "the Host header does not count then";
  EXPECT_EQ(read("HTTPS://b").path, "/");
  EXPECT_EQ(read("http://b?x=2").query, "x=2");
  EXPECT_EQ(read("/http://b").header("host"), "a");
}

TEST(HttpParser, NeverWritesAHeaderThatBreaksTheLine) {
  EXPECT_THROW(serialise_head(200, {{"X", "a\r\nSet-Cookie: b"}}, BodyFraming::length, 0, true),
               std::logic_error);
  EXPECT_THROW(serialise_head(200, {{"X\n", "a"}}, BodyFraming::length, 0, true), std::logic_error);
  EXPECT_THAT(serialise_head(204, {}, BodyFraming::length, 0, true),
              ::testing::Not(HasSubstr("Content-Length")));
}

}  // namespace
}  // namespace r1::server
