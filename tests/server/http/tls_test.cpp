// HTTPS with a certificate made here: a client that checks it is answered, old protocols and plain text are not.
#include <gmock/gmock.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

#include "base/error.h"
#include "server/http/http_server.h"
#include "tests/server/socket_client.h"
#include "tests/temporary_folder.h"

namespace r1::server {
namespace {

using ::testing::HasSubstr;

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* it) const {
    free(it);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freed<SSL_free>>;

Key make_key() {
  return Key(EVP_EC_gen("P-256"));
}

/// For localhost, by itself.
Certificate make_certificate(EVP_PKEY* key) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_EXTENSION* const names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
  X509_add_ext(certificate.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_set_pubkey(certificate.get(), key);
  X509_sign(certificate.get(), key, EVP_sha256());
  return certificate;
}

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() : key_(make_key()), certificate_(make_certificate(key_.get())) {
    options_.port = 0;
    options_.certificate_file =
        write("certificate.pem", [&](FILE* file) { PEM_write_X509(file, certificate_.get()); });
    options_.private_key_file = write("key.pem", [&](FILE* file) { write_key(file, key_.get()); });
  }

  static void write_key(FILE* file, EVP_PKEY* key) {
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  }
  template <class Write>
  std::string write(const char* name, Write body) {
    const std::string path = (folder_ / name).string();
    FILE* const file = std::fopen(path.c_str(), "w");
    body(file);
    std::fclose(file);
    return path;
  }

  std::unique_ptr<HttpServer> serve() {
    HttpServerHooks hooks;
    hooks.handle = [](const std::shared_ptr<const HttpRequest>& request,
                      const std::shared_ptr<ResponseSink>& sink) {
      sink->respond(HttpResponse::json(200, "\"" + request->method + " " + request->body + "\""));
    };
    hooks.is_quick = [](const HttpRequest&) { return false; };
    hooks.error_page = [](int status, const std::string& message) {
      return HttpResponse{status, {}, message};
    };
    return std::make_unique<HttpServer>(options_, std::move(hooks));
  }

  /// What a client that checks the certificate gets; "" where the handshake fails.
  std::string ask(uint16_t port, int version, const std::string& request) const {
    const Context context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    SSL_CTX_set_security_level(context.get(), 0);  // or the client itself would not speak the old ones
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_load_verify_locations(context.get(), options_.certificate_file.c_str(), nullptr);
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const timeval patience{20, 0};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const Session session(SSL_new(context.get()));
    SSL_set_fd(session.get(), socket);
    SSL_set_tlsext_host_name(session.get(), "localhost");
    SSL_set1_host(session.get(), "localhost");
    std::string answer;
    if (SSL_connect(session.get()) == 1) {
      SSL_write(session.get(), request.data(), static_cast<int>(request.size()));
      char buffer[4096];
      for (int got = 0; (got = SSL_read(session.get(), buffer, sizeof(buffer))) > 0;)
        answer.append(buffer, static_cast<size_t>(got));
    }
    ERR_clear_error();
    ::close(socket);
    return answer;
  }

  const r1::test::TemporaryFolder folder_;
  Key key_;
  Certificate certificate_;
  HttpServerOptions options_;
};

TEST_F(TlsTest, AnswersClientsThatCheckTheCertificate) {
  const auto server = serve();
  const std::string body(100'000, 'x');
  const std::string request = "POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const std::string answer = ask(server->port(), version, request);
    EXPECT_THAT(answer, ::testing::StartsWith("HTTP/1.1 200")) << version;
    EXPECT_THAT(answer, HasSubstr("POST " + body));
  }
}

TEST_F(TlsTest, SpeaksNeitherOldProtocolsNorPlainText) {
  const auto server = serve();
  const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION})
    EXPECT_EQ(ask(server->port(), version, request), "");
  test::SocketClient plain(server->port());
  plain.send(request);
  EXPECT_THAT(plain.read_all(), ::testing::Not(HasSubstr("HTTP/1.1")));
  EXPECT_THAT(ask(server->port(), TLS1_3_VERSION, request), HasSubstr("200 OK"))
      << "and others are served on";
}

TEST_F(TlsTest, FilesThatDoNotFitAreNamed) {
  const auto failure = [&] {
    try {
      serve();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const HttpServerOptions good = options_;
  options_.private_key_file = "";
  EXPECT_THAT(failure(), HasSubstr("expected a certificate and its key"));
  options_ = good;
  options_.certificate_file = good.private_key_file;
  EXPECT_THAT(failure(), HasSubstr("cannot read a certificate chain in PEM"));
  options_ = good;
  const Key other = make_key();
  options_.private_key_file = write("other.pem", [&](FILE* file) { write_key(file, other.get()); });
  EXPECT_THAT(failure(), HasSubstr("other.pem"));
}

}  // namespace
}  // namespace r1::server
