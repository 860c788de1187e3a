// A small random model in a file, for tests of what hosts models.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "formats/synth.h"
#include "tests/server/test_server.h"
#include "tests/temporary_folder.h"

namespace r1::server::test {

class TinyModelTest : public ::testing::Test {
 protected:
  explicit TinyModelTest(const std::string& type) {
    SynthOptions options;
    options.type = type;
    write_synthetic_gguf("tiny-qwen2", file_, options);
    settings_.kernels = &kernels::select_kernels();
    settings_.threads = 1;
    settings_.engine.context_length = 256;
  }

  /// Asks without waiting for the answer.
  static std::shared_ptr<RecordingSink> post(Application& application, const std::string& path,
                                             const Json& body) {
    HttpRequest request;
    request.method = "POST";
    request.path = path;
    request.headers = {{"Host", "localhost"}};
    request.body = body.dump();
    auto sink = std::make_shared<RecordingSink>();
    application.handle(std::make_shared<const HttpRequest>(request), sink);
    return sink;
  }

  const r1::test::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "model.gguf";
  ModelSettings settings_;
};

}  // namespace r1::server::test
