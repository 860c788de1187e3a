// A training run's page: what it answers from the files of a run at any moment.
#include "server/site/training_page.h"

#include <fstream>

#include "server/http/api_error.h"
#include "tests/server/test_server.h"
#include "tests/temporary_folder.h"

namespace r1::server {
namespace {

using ::testing::HasSubstr;

class TrainingPageTest : public testing::Test {
 protected:
  void append(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::app | std::ios::binary) << text;
  }
  test::Json answer(const std::string& from = "") const {
    return test::Json::parse(training_answer(folder_, from).body);
  }
  HttpResponse get(const std::string& path, std::vector<HttpHeader> headers = {}) const {
    const TrainingPage page(folder_, assets_);
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    request.headers = std::move(headers);
    const auto sink = std::make_shared<test::RecordingSink>();
    page.handle(request, sink);
    return sink->wait();
  }

  const SiteAsset assets_[2] = {{"/index.html", "text/html", "chat", "\"1\"", false},
                                {"/training.html", "text/html", "run", "\"2\"", false}};
  const r1::test::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path;
};

TEST_F(TrainingPageTest, ARunThatHasNotBegunIsAnEmptyAnswer) {
  const test::Json json = answer();
  EXPECT_TRUE(json["run"].is_null());
  EXPECT_TRUE(json["age_seconds"].is_null());
  EXPECT_EQ(json["entries"].size(), 0U);
  EXPECT_EQ(json["next"], 0);
}

TEST_F(TrainingPageTest, TheLogIsReadOnFromWhereTheLastAnswerEnded) {
  append("run.json", R"({"title": "t", "began": 5})");
  append("trainer_log.jsonl", "{\"current_steps\": 1}\n{\"current_steps\": 2}\n{\"curr");  // half a line
  test::Json json = answer();
  EXPECT_EQ(json["run"]["title"], "t");
  ASSERT_EQ(json["entries"].size(), 2U);
  EXPECT_EQ(json["more"], true);  // the half line: asked for again
  const int64_t next = json["next"];
  EXPECT_EQ(next, 42);
  EXPECT_EQ(answer(std::to_string(next))["entries"].size(), 0U);
  append("trainer_log.jsonl", "ent_steps\": 3}\nno json\n");
  json = answer(std::to_string(next));
  ASSERT_EQ(json["entries"].size(), 1U);
  EXPECT_EQ(json["entries"][0]["current_steps"], 3);
  EXPECT_EQ(json["more"], false);
  EXPECT_LT(json["age_seconds"].get<double>(), 60);
}

TEST_F(TrainingPageTest, ALongLogComesInPieces) {
  const std::string line = "{\"current_steps\": 1, \"x\": \"" + std::string(100, 'a') + "\"}\n";
  std::string text;
  while (text.size() < 2 * kTrainingLogBytes) text += line;
  append("trainer_log.jsonl", text);
  size_t found = 0;
  std::string from;
  for (int pieces = 0; pieces < 10; ++pieces) {
    const test::Json json = answer(from);
    found += json["entries"].size();
    from = std::to_string(json["next"].get<int64_t>());
    if (!json["more"].get<bool>()) break;
  }
  EXPECT_EQ(found, text.size() / line.size());
}

TEST_F(TrainingPageTest, ALogThatWasCutBackSaysSoByItsEnd) {
  append("trainer_log.jsonl", "{}\n");
  EXPECT_EQ(answer("1000")["next"], 3);
}

TEST_F(TrainingPageTest, TheLastSamplesAndRolloutsAreGiven) {
  for (const std::string name : {"samples", "rollouts"}) {
    for (int step = 1; step <= 30; ++step)
      append(name + ".jsonl", R"({"step": )" + std::to_string(step) + ", \"answer\": \"\xff\"}\n");
    append(name + ".jsonl", R"({"step": 31, "answer": "ü"})"
                            "\n");
    const test::Json json = answer();
    EXPECT_LE(json[name].size(), 20U) << name;
    EXPECT_EQ(json[name].back()["step"], 31) << name;
  }
}

TEST_F(TrainingPageTest, OnlyTheRunsPageIsThereAndOnlyForThisMachinesNames) {
  EXPECT_EQ(get("/", {{"Accept-Encoding", "gzip"}}).body, "run");
  EXPECT_EQ(get("/index.html").status, 404);
  EXPECT_EQ(get("/v1/models").status, 404);
  EXPECT_EQ(get("/api/training", {{"Host", "localhost:8090"}}).status, 200);
  const HttpResponse refused = get("/api/training", {{"Host", "evil.example"}});
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("evil.example"));
}

TEST_F(TrainingPageTest, ABadOffsetIsRefused) {
  EXPECT_THROW(training_answer(folder_, "-1"), ApiError);
  EXPECT_THROW(training_answer(folder_, "1x"), ApiError);
}

}  // namespace
}  // namespace r1::server
