// Models that come and go, one in memory at a time.
#include "server/model_host.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "formats/synth.h"
#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using test::Json;

class ModelHostTest : public ::testing::Test {
 protected:
  ModelHostTest() {
    SynthOptions options;
    options.type = "Q8_0";
    std::filesystem::create_directories(folder_);
    write_synthetic_gguf("tiny-qwen2", folder_ / "model.gguf", options);
    settings_.kernels = &kernels::select_kernels();
    settings_.threads = 1;
    settings_.engine.context_length = 256;
  }
  ~ModelHostTest() override { std::filesystem::remove_all(folder_); }

  static std::shared_ptr<test::RecordingSink> ask(Application& application, const std::string& model,
                                                  const Json& more) {
    HttpRequest request;
    request.method = "POST";
    request.path = "/v1/chat/completions";
    request.headers = {{"Host", "localhost"}};
    Json body = {
        {"model", model}, {"max_tokens", 4}, {"messages", {{{"role", "user"}, {"content", "hello"}}}}};
    body.update(more);
    request.body = body.dump();
    auto sink = std::make_shared<test::RecordingSink>();
    application.handle(std::make_shared<const HttpRequest>(request), sink);
    return sink;
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / fmt::format("r1-models-{}", ::getpid());
  ModelSettings settings_;
};

// A stream that can be resumed is kept for a minute; its model said "busy" to every other for that long.
TEST_F(ModelHostTest, AnEndedStreamThatIsKeptDoesNotKeepItsModel) {
  ModelHost models({settings_});
  models.add("one", folder_ / "model.gguf");
  models.add("two", folder_ / "model.gguf");
  Application application(models, {});
  const auto stream = ask(application, "one", {{"stream", true}, {"stream_options", {{"resumable", true}}}});
  EXPECT_EQ(stream->wait().status, 200);
  int status = 503;  // the engine may be clearing up behind the answer
  for (int tries = 0; tries < 500 && status == 503; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    status = ask(application, "two", Json::object())->wait().status;
  }
  EXPECT_EQ(status, 200);
  const auto list = models.list();
  EXPECT_FALSE(list[0].loaded);
  EXPECT_TRUE(list[1].loaded);
  application.cancel_all();
}

}  // namespace
}  // namespace r1::server
