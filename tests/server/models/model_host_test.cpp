// Models that come and go, one in memory at a time.
#include "server/models/model_host.h"

#include <chrono>
#include <fstream>
#include <functional>
#include <thread>

#include "server/http/api_error.h"
#include "tests/server/tiny_model.h"

namespace r1::server {
namespace {

using test::Json;

class ModelHostTest : public test::TinyModelTest {
 protected:
  ModelHostTest() : TinyModelTest("Q8_0") {}

  static std::shared_ptr<test::RecordingSink> ask(Application& application, const std::string& model,
                                                  const Json& more) {
    Json body = {
        {"model", model}, {"max_tokens", 4}, {"messages", {{{"role", "user"}, {"content", "hello"}}}}};
    body.update(more);
    return post(application, "/v1/chat/completions", body);
  }
};

// A stream that can be resumed is kept for a minute; its model said "busy" to every other for that long.
TEST_F(ModelHostTest, AnEndedStreamThatIsKeptDoesNotKeepItsModel) {
  ModelHost models({settings_});
  models.add("one", file_);
  models.add("two", file_);
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

// Each request made room before the other's model was there: two were in memory where one was allowed.
TEST_F(ModelHostTest, AModelThatIsBeingLoadedTakesItsPlace) {
  std::function<void(const std::string&)> on_log;
  ModelHost models({.settings = settings_, .log = [&](const std::string& text) { on_log(text); }});
  models.add("one", file_);
  models.add("two", file_);
  int status = 0;
  on_log = [&](const std::string& text) {
    if (text != "loading one") return;
    try {
      models.acquire("two");
    } catch (const ApiError& error) {
      status = error.status;
    }
  };
  models.acquire("one");
  EXPECT_EQ(status, 503);
  EXPECT_EQ(models.loaded().size(), 1U);
  EXPECT_NO_THROW(models.acquire("two")) << "now the first one is idle";
  EXPECT_EQ(models.loaded().size(), 1U);
}

TEST_F(ModelHostTest, AModelThatCannotBeLoadedTakesNoPlace) {
  ModelHost models({settings_});
  const auto broken = folder_ / "broken.gguf";
  std::ofstream(broken) << "no model";
  models.add("broken", broken);
  models.add("two", file_);
  EXPECT_THROW(models.acquire("broken"), Error);
  try {
    models.choose("broken");
    FAIL();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status, 500);
    EXPECT_EQ(std::string(error.what()).find(broken.string()), std::string::npos)
        << "clients are not told the server's paths: " << error.what();
  }
  EXPECT_NO_THROW(models.acquire("two"));
}

TEST_F(ModelHostTest, AModelHasAllItsNames) {
  ModelHost models({settings_});
  models.add("one", file_);
  models.add_alias("other");
  EXPECT_THROW(models.add_alias("one"), Error);
  EXPECT_THROW(models.add("other", file_), Error);
  Application application(models, {});
  for (const char* name : {"one", "other"}) {
    const auto sink = ask(application, name, Json::object());
    const HttpResponse& answer = sink->wait();
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(Json::parse(answer.body)["model"], name);
  }
  const auto list = models.list();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[1].name, "other");
  EXPECT_TRUE(list[1].loaded);
  EXPECT_EQ(models.loaded().size(), 1U) << "it is there once";
  application.cancel_all();
}

}  // namespace
}  // namespace r1::server
