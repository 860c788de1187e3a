// The chat site's back end over its routes: docs/site-api.md.
#include <filesystem>
#include <fstream>

#include "server/site/live_metrics.h"
#include "server/site/site_service.h"
#include "tests/server/site/site_fixture.h"

namespace r1::server {
namespace {

using test::Answer;
using test::Json;
using test::TestServer;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using test::read_events;
using test::SiteEvent;
using SiteTest = test::SiteTest;

TEST_F(SiteTest, OnlyItsOwnPageMayChangeAnything) {
  EXPECT_EQ(server_->ask("GET", "/api/site/info").status, 200);
  const Answer refused = server_->ask("PUT", "/api/site/conversations/conversation", "{}");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.json["error"]["code"], "forbidden");
  EXPECT_EQ(
      server_->ask("PATCH", "/api/site/settings", "{}", {{"X-R1-Site", "1"}, {"Content-Type", "text/plain"}})
          .status,
      403);
  EXPECT_EQ(ask("GET", "/nothing/here").json["error"]["code"], "not_found");
  EXPECT_EQ(ask("PATCH", "/settings", {{"colour", 1}}).status, 400);
  EXPECT_EQ(ask("PATCH", "/settings", {{"theme", "dark"}}).json["theme"], "dark");
  const Json info = ask("GET", "/info").json;
  EXPECT_EQ(info["sign_in"], "none");
  EXPECT_EQ(info["models"][0]["name"], "small");
  EXPECT_EQ(info["models"][0]["thinking"], "switchable");
  EXPECT_EQ(info["index"]["may_change"], true);
}

TEST_F(SiteTest, IsNotForOtherOriginsWhoeverMayCallTheApi) {
  ApplicationOptions options;
  options.allowed_origins = {"*"};
  open(options);
  const std::vector<HttpHeader> foreign = {{"Origin", "https://app.example"}};
  EXPECT_EQ(server_->ask("GET", "/v1/models", "", foreign).status, 200);
  const Answer refused = server_->ask("GET", "/api/site/conversations", "", foreign);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.header("access-control-allow-origin"), "");
  EXPECT_EQ(server_->ask("OPTIONS", "/api/site/settings", "", foreign).status, 403);
}

TEST_F(SiteTest, AKeyOpensASession) {
  ApplicationOptions options;
  options.api_key = "secret";
  open(options);
  EXPECT_EQ(ask("GET", "/info").json["sign_in"], "required");
  EXPECT_TRUE(ask("GET", "/info").json["models"].empty());
  EXPECT_EQ(ask("GET", "/settings").json["error"]["code"], "sign_in_required");
  EXPECT_EQ(ask("POST", "/session", {{"key", "guess!"}}).status, 401);
  const Answer signed_in = ask("POST", "/session", {{"key", "secret"}});
  ASSERT_EQ(signed_in.status, 204);
  const std::string set = signed_in.header("set-cookie");
  EXPECT_THAT(set, HasSubstr("HttpOnly; SameSite=Strict; Path=/"));
  EXPECT_THAT(set, Not(HasSubstr("secret")));
  const std::vector<HttpHeader> cookie = {{"Cookie", "other=1; " + set.substr(0, set.find(';'))}};
  EXPECT_EQ(ask("GET", "/info", nullptr, cookie).json["sign_in"], "done");
  EXPECT_EQ(ask("GET", "/settings", nullptr, cookie).status, 200);
  EXPECT_EQ(server_->ask("GET", "/v1/models", "", cookie).status, 401) << "a cookie is no key of the API";
  open(options);
  EXPECT_EQ(ask("GET", "/settings", nullptr, cookie).status, 200) << "a restart ends no session";
  options.api_key = "another";
  open(options);
  EXPECT_EQ(ask("GET", "/settings", nullptr, cookie).status, 401) << "but another key does";
  options.api_key = "secret";
  open(options);
  EXPECT_EQ(ask("DELETE", "/session", nullptr, cookie).status, 204);
  EXPECT_EQ(ask("GET", "/settings", nullptr, cookie).status, 401);
  // The file tells nobody how to get in.
  std::ifstream file(folder_ / "sessions.db", std::ios::binary), log(folder_ / "sessions.db-wal");
  std::ostringstream bytes;
  bytes << file.rdbuf() << log.rdbuf();
  EXPECT_THAT(bytes.str(), Not(HasSubstr("secret")));
  EXPECT_THAT(bytes.str(), Not(HasSubstr(set.substr(set.find('=') + 1, 20))));
}

TEST_F(SiteTest, ThinksAnswersAndStoresIt) {
  server_->fake->say("Let me see.</think>\n\nIt is 4.");
  question("question-1", "What is 2 + 2?");
  std::atomic<bool> watched = false;
  server_->fake->before_pass = [&] {
    while (!watched) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  ASSERT_EQ(start("answer-001", "question-1").status, 201);
  const auto page = watch("answer-001");
  watched = true;
  const auto events = read_events(page->wait().body);
  EXPECT_EQ(events.front().name, "snapshot");
  EXPECT_EQ(events.back().name, "end");
  const Json& end = events.back().data["node"];
  EXPECT_FALSE(end.contains("content"));
  EXPECT_EQ(end["state"], "done");
  std::string reasoning = events.front().data["node"]["reasoning"];
  std::string content = events.front().data["node"]["content"];
  for (const SiteEvent& event : events) {
    if (event.name == "reasoning") reasoning += event.data["text"];
    if (event.name == "content") content += event.data["text"];
  }
  EXPECT_EQ(reasoning, "Let me see.");
  EXPECT_EQ(content, "It is 4.");
  for (size_t i = 1; i < events.size(); ++i) EXPECT_GT(events[i].id, events[i - 1].id);

  const Json stored = node("answer-001");
  EXPECT_EQ(stored["content"], "It is 4.");
  EXPECT_EQ(stored["reasoning"], "Let me see.");
  EXPECT_EQ(stored["state"], "done");
  EXPECT_GE(stored["thinking_ms"], 0);
  EXPECT_EQ(stored["usage"]["reasoning_tokens"], 12) << "with its end";
  EXPECT_GT(stored["usage"]["prompt_tokens"], 10);
  EXPECT_EQ(ask("GET", "/conversations/conversation").json["leaf"], "answer-001");
  // The same start again is the same answer; another page reads it from its last event on.
  EXPECT_EQ(start("answer-001", "question-1").status, 200);
  const auto rest = read_events(
      watch("answer-001", {{"Last-Event-ID", std::to_string(events.back().id - 1)}})->wait().body);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].name, "end");
  EXPECT_EQ(read_events(watch("answer-001", {{"Last-Event-ID", "7"}})->wait().body)[0].name, "snapshot");
  EXPECT_THAT(ask_with_query("GET", "/conversations", "query=4").body, HasSubstr("\"hit\""));
}

TEST_F(SiteTest, EarlierThinkingIsLeftOutAndDeepThinkOffIsAClosedBlock) {
  server_->fake->say("Secret thought.</think>\n\nFirst answer.");
  question("question-1", "One?");
  answer("answer-001", "question-1");
  server_->fake->say("Second answer.");
  question("question-2", "Two?", "answer-001");
  const Json second =
      answer("answer-002", "question-2", {{"deep_think", false}, {"system_prompt", "Be brief."}});
  EXPECT_EQ(second["reasoning"], "");
  EXPECT_EQ(second["thinking_ms"], nullptr);
  EXPECT_EQ(second["content"], "Second answer.");
  const std::string seen = server_->fake->last_sequence();
  EXPECT_THAT(seen, StartsWith("<｜begin▁of▁sentence｜>Be brief.<｜User｜>One?<｜Assistant｜>First answer."
                               "<｜end▁of▁sentence｜><｜User｜>Two?<｜Assistant｜><think>\n\n</think>\n\n"));
}

TEST_F(SiteTest, AnAnswerGoesOnWhereItWasStoppedInsideTheThinking) {
  server_->fake->say("One two\n\nthree four.</think>\n\nDone.");
  std::atomic<int> passes = 0;
  server_->fake->before_pass = [&] {
    if (++passes > 9) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  };
  question("question-1", "Count.");
  ASSERT_EQ(start("answer-001", "question-1").status, 201);
  const auto page = watch("answer-001");
  page->wait_for_text("event: reasoning");
  EXPECT_EQ(ask("POST", "/answers/answer-001/continue", Json::object()).status, 409);
  const Answer stopped = ask("POST", "/answers/answer-001/stop", Json::object());
  EXPECT_EQ(stopped.status, 200);
  EXPECT_EQ(stopped.json["state"], "stopped");
  EXPECT_EQ(stopped.json["content"], "");
  const std::string before = stopped.json["reasoning"];
  EXPECT_FALSE(before.empty());
  EXPECT_LT(before.size(), 19U);
  page->wait();
  EXPECT_EQ(node("answer-001")["reasoning"], before);
  server_->fake->before_pass = nullptr;
  const Answer going = ask("POST", "/answers/answer-001/continue", Json::object());
  EXPECT_EQ(going.status, 200) << going.body;
  EXPECT_EQ(going.json["state"], "running");
  watch("answer-001")->wait();
  const Json after = node("answer-001");
  EXPECT_EQ(after["state"], "done");
  EXPECT_EQ(after["reasoning"], "One two\n\nthree four.");
  EXPECT_EQ(after["content"], "Done.");
  EXPECT_EQ(after["usage"]["reasoning_tokens"], 21);
  EXPECT_EQ(ask("POST", "/answers/answer-001/continue", Json::object()).status, 409) << "it is done";
}

TEST_F(SiteTest, AnswerNowClosesTheThinking) {
  server_->fake->babble();
  server_->fake->before_pass = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  question("question-1", "Ponder.");
  start("answer-001", "question-1", {{"sampling", {{"max_tokens", 400}, {"seed", 1}}}});
  const auto page = watch("answer-001");
  page->wait_for_text("\"thinking\"");
  EXPECT_EQ(ask("POST", "/answers/answer-001/answer-now", Json::object()).status, 204);
  page->wait_for_text("\"answering\"");
  EXPECT_EQ(ask("POST", "/answers/answer-001/answer-now", Json::object()).json["error"]["code"], "conflict");
  ask("POST", "/answers/answer-001/stop", Json::object());
}

TEST_F(SiteTest, AnAnswerBelongsToTheServerAndEndsWithItsConversation) {
  server_->fake->babble();
  server_->fake->before_pass = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  question("question-1", "Go on for ever.");
  start("answer-001", "question-1");
  const auto page = watch("answer-001");
  page->wait_for_text("event: reasoning");
  page->hang_up();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(node("answer-001")["state"], "running") << "nobody looks, and it goes on";
  EXPECT_EQ(ask("GET", "/conversations").json["conversations"][0]["running"], "answer-001");
  EXPECT_EQ(ask("DELETE", "/conversations/conversation").status, 204);
  EXPECT_EQ(ask("GET", "/conversations/conversation").status, 404);
  EXPECT_EQ(watch("answer-001", {})->wait().status, 200) << "its last events are kept for a minute";
  EXPECT_TRUE(server_->wait_for_metric("r1_requests_running{model=\"small\"}",
                                       [](double count) { return count == 0; }));
}

TEST_F(SiteTest, TheServersEndStoresWhatRuns) {
  server_->fake->babble();
  server_->fake->before_pass = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  question("question-1", "Go on for ever.");
  start("answer-001", "question-1");
  const auto page = watch("answer-001");
  page->wait_for_text("event: reasoning");
  open({});
  EXPECT_THAT(page->wait().body, HasSubstr("event: end"));
  const Json stored = node("answer-001");
  EXPECT_EQ(stored["state"], "stopped");
  EXPECT_NE(stored["reasoning"], "");
}

TEST_F(SiteTest, FilesGoIntoTheOfficialPrompt) {
  const Answer uploaded = ask_with_query("POST", "/files", "name=..%2Fnotes.txt", "The code is 7431.\n");
  ASSERT_EQ(uploaded.status, 201) << uploaded.body;
  EXPECT_EQ(uploaded.json["name"], "notes.txt");
  EXPECT_EQ(uploaded.json["characters"], 18);
  const std::string id = uploaded.json["id"];
  EXPECT_EQ(ask("GET", "/files/" + id + "/text").body, "The code is 7431.\n");
  EXPECT_EQ(ask_with_query("POST", "/files", "name=a.exe", "MZ").json["error"]["code"], "unsupported_file");
  question("question-1", "What is the code?", nullptr, Json::array({id}));
  server_->fake->say("Look.</think>\n\n7431.");
  answer("answer-001", "question-1");
  EXPECT_THAT(server_->fake->last_sequence(),
              HasSubstr("<｜User｜>[file name]: notes.txt\n[file content begin]\nThe code is 7431.\n\n"
                        "[file content end]\nWhat is the code?<｜Assistant｜>"));
  EXPECT_EQ(ask("DELETE", "/files/" + id).status, 409);
  const Json use = ask("POST", "/context",
                       {{"conversation", "conversation"}, {"parent", "answer-001"}, {"content", "And then?"}})
                       .json;
  EXPECT_EQ(use["draft_tokens"], 9);
  EXPECT_EQ(use["size"], 4096);
  EXPECT_GT(use["tokens"], 100);
}

TEST_F(SiteTest, WhatIsTooLongIsRefusedWithItsNumbers) {
  question("question-1", std::string(5000, 'x'));
  const Answer refused = start("answer-001", "question-1");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json["error"]["code"], "context_overflow");
  EXPECT_EQ(refused.json["error"]["n_ctx"], 4096);
  EXPECT_GT(refused.json["error"]["n_prompt_tokens"], 5000);
  EXPECT_EQ(node("answer-001"), nullptr) << "no answer was begun";
  EXPECT_EQ(start("answer-001", "question-1", {{"model", "other"}}).status, 404);
}

TEST_F(SiteTest, SearchesTheIndexAndCites) {
  std::filesystem::create_directories(folder_ / "notes");
  std::ofstream(folder_ / "notes" / "pharos.txt") << "The lighthouse of Pharos was a hundred metres tall.";
  const Answer added = ask("POST", "/index", {{"location", (folder_ / "notes").string()}});
  ASSERT_EQ(added.status, 201) << added.body;
  for (int i = 0; i < 500 && ask("GET", "/index").json["entries"][0]["state"] != "ready"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const Json found = ask("POST", "/search", {{"query", "lighthouse"}, {"provider", nullptr}}).json;
  EXPECT_EQ(found["provider"], "index");
  EXPECT_EQ(found["sources"][0]["title"], "pharos.txt");
  const std::string document = found["sources"][0]["document"];
  EXPECT_THAT(ask("GET", "/index/documents/" + document).json["text"].get<std::string>(),
              HasSubstr("Pharos"));

  server_->fake->say("It says so.</think>\n\nA hundred metres[citation:1].");
  question("question-1", "How tall was the lighthouse?");
  const Json cited = answer("answer-001", "question-1", {{"search", true}});
  EXPECT_EQ(cited["state"], "done") << cited;
  EXPECT_EQ(cited["sources"][0]["number"], 1);
  EXPECT_EQ(cited["sources"][0]["document"], document);
  EXPECT_THAT(server_->fake->last_sequence(), HasSubstr("[webpage 1 begin]"));
  EXPECT_THAT(server_->fake->last_sequence(), HasSubstr("a hundred metres tall"));
  EXPECT_EQ(ask("POST", "/search", {{"query", "x"}, {"provider", "searxng"}}).json["error"]["code"],
            "search_failed");
  EXPECT_EQ(ask("DELETE", "/index/" + added.json["id"].get<std::string>()).status, 204);
}

TEST_F(SiteTest, SearchThatFailsFailsTheAnswer) {
  question("question-1", "How tall was the lighthouse?");
  const Json failed = answer("answer-001", "question-1", {{"search", true}});
  EXPECT_EQ(failed["state"], "failed");
  EXPECT_EQ(failed["error"]["code"], "search_failed");
  EXPECT_THAT(failed["error"]["message"].get<std::string>(), HasSubstr("nothing is indexed yet"));
}

TEST_F(SiteTest, RegeneratingAndEditingMakeSiblings) {
  server_->fake->say("a</think>\n\nb");
  question("question-1", "One?");
  answer("answer-001", "question-1");
  answer("answer-002", "question-1");
  question("question-2", "One, differently?");
  answer("answer-003", "question-2");
  const Json conversation = ask("GET", "/conversations/conversation").json;
  std::vector<std::string> parents;
  for (const Json& one : conversation["nodes"])
    parents.push_back(one["parent"].is_null() ? "" : one["parent"].get<std::string>());
  EXPECT_THAT(parents, ElementsAre("", "question-1", "question-1", "", "question-2"));
  EXPECT_EQ(ask("PATCH", "/conversations/conversation", {{"leaf", "answer-001"}}).json["leaf"], "answer-001");
  EXPECT_EQ(ask("PATCH", "/conversations/conversation", {{"leaf", "nothing-1"}}).status, 400);
}

TEST_F(SiteTest, ExportsAndImports) {
  server_->fake->say("a</think>\n\nb");
  question("question-1", "One?");
  answer("answer-001", "question-1");
  const Answer exported = ask("GET", "/export");
  EXPECT_THAT(exported.header("content-disposition"), StartsWith("attachment"));
  EXPECT_THAT(ask_with_query("GET", "/conversations/conversation/export", "format=markdown").body,
              HasSubstr("One?"));
  EXPECT_EQ(ask("POST", "/import", exported.json).json["skipped"], 1);
  EXPECT_EQ(ask_with_query("DELETE", "/conversations", "confirm=all").status, 204);
  EXPECT_TRUE(ask("GET", "/conversations").json["conversations"].empty());
  EXPECT_EQ(ask("POST", "/import", exported.json).json["imported"], 1);
  EXPECT_EQ(node("answer-001")["content"], "b");
  EXPECT_EQ(ask("POST", "/import", {{"format", "other"}}).status, 400);
}

TEST_F(SiteTest, LiveFiguresBeginWithThePast) {
  server_->application->tidy();
  const auto page = server_->send("GET", "/api/site/metrics/events", "");
  server_->fake->say("a</think>\n\nb");
  question("question-1", "One?");
  answer("answer-001", "question-1");
  server_->application->tidy();
  page->wait_for_text("event: sample");
  server_->application->drain();
  const auto events = read_events(page->wait().body);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].name, "history");
  EXPECT_EQ(events[0].data["samples"].size(), 1U);
  EXPECT_EQ(events[0].data["samples"][0]["ttft_ms"], nullptr);
  EXPECT_GT(events[1].data["ttft_ms"]["p95"], 0);
  EXPECT_GT(events[1].data["output_tokens_per_second"], 0);
  EXPECT_EQ(events[1].data["model"], "small");
  EXPECT_GT(events[1].data["kv_size"], 1000);
}

TEST(LiveMetrics, PercentilesLieInsideTheirBucket) {
  const std::vector<double> bounds = {1, 2, 4};
  EXPECT_DOUBLE_EQ(percentile(bounds, {0, 10, 0, 0}, 0.5), 1.5);
  EXPECT_DOUBLE_EQ(percentile(bounds, {5, 0, 5, 0}, 0.95), 3.8);
  EXPECT_DOUBLE_EQ(percentile(bounds, {0, 0, 0, 3}, 0.5), 4);
  EXPECT_DOUBLE_EQ(percentile(bounds, {0, 0, 0, 0}, 0.5), 0);
}

}  // namespace
}  // namespace r1::server
