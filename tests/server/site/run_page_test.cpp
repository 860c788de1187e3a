#include "server/site/run_page.h"

#include "server/http/api_error.h"
#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using ::testing::HasSubstr;

class RunPageTest : public testing::Test {
 protected:
  HttpResponse get(const std::string& path, const std::string& host = "localhost:1") const {
    const RunPage page(
        "/evaluation.html", "/api/evaluation",
        [](const HttpRequest& request) {
          if (request.query_value("fail") == "1") throw ApiError(400, "fail", "asked_for", "as asked");
          return fresh_json("{\"state\":\"running\"}");
        },
        assets_);
    HttpRequest request;
    request.method = "GET";
    request.path = path.substr(0, path.find('?'));
    if (path.find('?') != std::string::npos) request.query = path.substr(path.find('?') + 1);
    request.headers = {{"host", host}, {"accept-encoding", "gzip"}};  // the assets are sent as they are
    const auto sink = std::make_shared<test::RecordingSink>();
    page.handle(request, sink);
    return sink->wait();
  }

  const SiteAsset assets_[3] = {{"/index.html", "text/html", "chat", "\"1\"", false},
                                {"/training.html", "text/html", "training", "\"2\"", false},
                                {"/evaluation.html", "text/html", "evaluation", "\"3\"", false}};
};

TEST_F(RunPageTest, ShowsItsPageAndItsDataAndNothingElse) {
  EXPECT_EQ(get("/").status, 200);
  EXPECT_EQ(get("/api/evaluation").body, "{\"state\":\"running\"}");
  EXPECT_EQ(get("/api/training").status, 404);
  EXPECT_EQ(get("/index.html").status, 404);
  EXPECT_EQ(get("/api/evaluation", "evil.example").status, 403);
}

TEST_F(RunPageTest, ErrorsOfTheDataAreAnswers) {
  const HttpResponse response = get("/api/evaluation?fail=1");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("as asked"));
}

}  // namespace
}  // namespace r1::server
