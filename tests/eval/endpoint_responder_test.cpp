#include "eval/endpoint_responder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/eval/stub_server.h"

namespace r1::eval {
namespace {

using nlohmann::json;
using test::StubReply;
using test::StubRequest;
using test::StubServer;
using ::testing::HasSubstr;

std::string completion(const std::string& text, const std::string& finish = "stop") {
  return json{{"choices", {{{"message", {{"content", text}}}, {"finish_reason", finish}}}},
              {"usage", {{"completion_tokens", 3}}}}
      .dump();
}

/// Answers with what was asked and its seed.
StubReply echo(const StubRequest& request) {
  const json body = json::parse(request.body);
  return {.body =
              completion(body["messages"].back()["content"].get<std::string>() + " " + body["seed"].dump())};
}

EndpointOptions options_for(std::vector<const StubServer*> servers) {
  EndpointOptions options;
  for (const StubServer* server : servers) options.addresses.push_back(endpoint_base(server->address()));
  options.model = "m";
  options.concurrency = 3;
  options.retry_delay = std::chrono::milliseconds(1);
  return options;
}

Question question(const std::string& text, int64_t samples = 1) {
  Question question;
  question.messages = {{"user", text}};
  question.samples = samples;
  question.options.sampling.seed = 40;
  question.options.max_tokens = 9;
  return question;
}

/// Asks each text with two samples; answers by "text sample".
std::map<std::string, Generation> ask_all(const EndpointOptions& options,
                                          const std::vector<std::string>& texts) {
  EndpointResponder responder(options);
  std::map<std::string, Generation> answers;
  for (const std::string& text : texts) {
    responder.ask(question(text, 2), [&answers, text](int64_t sample, Generation generation) {
      const bool added =
          answers.try_emplace(fmt::format("{} {}", text, sample), std::move(generation)).second;
      EXPECT_TRUE(added) << text << sample;
    });
  }
  while (responder.step()) {
  }
  EXPECT_EQ(answers.size(), 2 * texts.size());
  return answers;
}

Generation ask_one(const StubReply& reply) {
  const StubServer server([&](const StubRequest&) { return reply; });
  EndpointOptions options = options_for({&server});
  options.attempts = 1;
  return ask_all(options, {"q"}).at("q 0");
}

std::string event_stream(const std::vector<json>& events) {
  std::string text = ": heartbeat\r\n\r\n";
  for (const json& event : events) text += "data: " + event.dump() + "\r\n\r\n";
  return text + "data: [DONE]\r\n\r\n";
}

json delta(const json& delta, const json& finish = nullptr) {
  return {{"choices", {{{"delta", delta}, {"finish_reason", finish}}}}};
}

TEST(EndpointBaseTest, AddressesAsPeopleGiveThem) {
  EXPECT_EQ(endpoint_base("http://127.0.0.1:8080"), "http://127.0.0.1:8080/v1");
  EXPECT_EQ(endpoint_base("http://127.0.0.1:8080/"), "http://127.0.0.1:8080/v1");
  EXPECT_EQ(endpoint_base("https://host/v1"), "https://host/v1");
  EXPECT_EQ(endpoint_base("https://host/api/v3/chat/completions"), "https://host/api/v3");
  for (const char* bad :
       {"host:80", "ftp://host", "http://", "http://user:secret@host", "http://host?x=1", "http://a b"})
    EXPECT_THROW(endpoint_base(bad), Error) << bad;
  try {
    endpoint_base("https://user:secret@host/v1");
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::Not(HasSubstr("secret")));
  }
}

TEST(EndpointResponderTest, ARequestSaysWhatWasAsked) {
  std::mutex mutex;
  std::vector<StubRequest> requests;
  const StubServer server([&](const StubRequest& request) {
    const std::lock_guard lock(mutex);
    requests.push_back(request);
    return echo(request);
  });
  EndpointOptions options = options_for({&server});
  options.api_key = "k-1";
  EndpointResponder responder(options);
  Question asked = question("why?");
  asked.messages.insert(asked.messages.begin(), ChatMessage{"system", "be brief"});
  asked.options.sampling.top_k = 40;
  asked.options.sampling.min_p = 0.05F;
  responder.ask(asked, [](int64_t, const Generation&) {});
  while (responder.step()) {
  }
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/v1/chat/completions");
  EXPECT_EQ(requests[0].headers["authorization"], "Bearer k-1");
  EXPECT_EQ(json::parse(requests[0].body),
            (json{{"model", "m"},
                  {"messages",
                   {{{"role", "system"}, {"content", "be brief"}}, {{"role", "user"}, {"content", "why?"}}}},
                  {"max_tokens", 9},
                  {"temperature", 0.6},
                  {"top_p", 0.95},
                  {"top_k", 40},
                  {"min_p", 0.05},
                  {"seed", 40},
                  {"stream", true},
                  {"stream_options", {{"include_usage", true}}}}));
}

TEST(EndpointResponderTest, EachSampleComesOnceWithItsSeedFromSeveralEndpoints) {
  const StubServer a(echo), b(echo);
  const auto answers = ask_all(options_for({&a, &b}), {"x", "y", "z", "u", "v", "w"});
  EXPECT_EQ(answers.at("x 0").answer, "x 40");
  EXPECT_EQ(answers.at("w 1").answer, "w 41");
  EXPECT_EQ(answers.at("w 1").summary.generated_tokens, 3);
  EXPECT_EQ(a.requests() + b.requests(), 12);
}

TEST(EndpointResponderTest, StreamsAreJoinedAndThinkingIsApart) {
  const Generation generation = ask_one(
      {.body = event_stream(
           {delta({{"role", "assistant"}, {"content", ""}}),
            delta({{"reasoning_content", "let "}}),
            delta({{"reasoning_content", "me"}, {"reasoning", "me"}}),
            delta({{"content", "4"}}),
            delta({{"content", "2"}}),
            delta(json::object(), "length"),
            {{"choices", json::array()},
             {"usage",
              {{"completion_tokens", 7}, {"completion_tokens_details", {{"reasoning_tokens", 5}}}}}}}),
       .type = "text/event-stream"});
  EXPECT_EQ(generation.reasoning, "let me");
  EXPECT_EQ(generation.answer, "42");
  EXPECT_EQ(generation.end, AnswerEnd::length);
  EXPECT_EQ(generation.summary.generated_tokens, 7);
  EXPECT_EQ(generation.reasoning_tokens, 5);
  EXPECT_FALSE(generation.unmarked);
}

TEST(EndpointResponderTest, InlineThinkingIsSplit) {
  Generation generation = ask_one({.body = completion("<think>\nhm\n</think>\n\n42")});
  EXPECT_EQ(generation.reasoning, "hm");
  EXPECT_EQ(generation.answer, "42");
  generation = ask_one({.body = completion("hm\n</think>\n\n42")});  // the first marker was in the prompt
  EXPECT_EQ(generation.reasoning, "hm");
  EXPECT_EQ(generation.answer, "42");
  EXPECT_FALSE(generation.unmarked);
  generation = ask_one({.body = completion("<think>\nhm, 42", "length")});
  EXPECT_EQ(generation.reasoning, "hm, 42");
  EXPECT_EQ(generation.answer, "");
  generation = ask_one({.body = completion("hm, 42", "length")});
  EXPECT_EQ(generation.answer, "hm, 42");
  EXPECT_TRUE(generation.unmarked);
}

TEST(EndpointResponderTest, WhatFailsForAWhileIsTriedAgain) {
  std::atomic<int> count = 0;
  const StubServer server([&](const StubRequest& request) -> StubReply {
    StubReply good = echo(request);
    switch (count++) {
      case 0:
        return {.status = 500, .body = R"({"error": {"message": "oops"}})"};
      case 1:
        good.cut = true;
        return good;
      case 2:
        return {.status = 503, .body = "busy", .headers = {"Retry-After: 0.01"}};
      case 3:
        return {.body = event_stream({delta({{"content", "half"}})})};
      case 4:
        return {.body = event_stream({{{"error", {{"message", "died"}}}}})};
      default:
        return good;
    }
  });
  const auto answers = ask_all(options_for({&server}), {"x"});
  EXPECT_EQ(answers.at("x 0").answer, "x 40");
  EXPECT_EQ(answers.at("x 1").answer, "x 41");
  EXPECT_EQ(server.requests(), 7);
}

TEST(EndpointResponderTest, RetryAfterIsHeeded) {
  std::atomic<int> count = 0;
  const StubServer server([&](const StubRequest& request) -> StubReply {
    if (count++ == 0) return {.status = 429, .body = "slow down", .headers = {"Retry-After: 1"}};
    return echo(request);
  });
  EndpointOptions options = options_for({&server});
  options.concurrency = 1;
  const auto begin = std::chrono::steady_clock::now();
  ask_all(options, {"x"});
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

TEST(EndpointResponderTest, ADeadEndpointsQuestionsGoToOthers) {
  std::string dead;
  { dead = StubServer(echo).address(); }  // nobody listens there any more
  const StubServer alive(echo),
      unwilling([](const StubRequest&) -> StubReply { return {.status = 401, .body = "{}"}; });
  EndpointOptions options = options_for({&alive, &unwilling});
  options.addresses.push_back(endpoint_base(dead));
  const auto answers = ask_all(options, {"x", "y", "z", "u", "v", "w"});
  for (const auto& [name, generation] : answers) EXPECT_EQ(generation.end, AnswerEnd::stop) << name;
}

std::string failure_of(const EndpointOptions& options, int64_t samples = 2) {
  EndpointResponder responder(options);
  responder.ask(question("x", samples), [](int64_t, const Generation&) {});
  try {
    while (responder.step()) {
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::network);
    return error.what();
  }
  return "no error";
}

TEST(EndpointResponderTest, WhenNoEndpointIsLeftEachIsNamedWithItsReason) {
  std::string dead;
  { dead = StubServer(echo).address(); }
  const StubServer unwilling([](const StubRequest&) -> StubReply {
    return {.status = 401, .body = R"({"error": {"message": "bad key"}})"};
  });
  EndpointOptions options = options_for({&unwilling});
  options.addresses.push_back(endpoint_base(dead));
  options.outage_attempts = 3;
  const std::string error = failure_of(options);
  EXPECT_THAT(error, HasSubstr(unwilling.address() + "/v1: status 401: bad key"));
  EXPECT_THAT(error, HasSubstr(dead + "/v1/chat/completions: "));
}

TEST(EndpointResponderTest, AServerThatRefusesEveryQuestionEndsTheRun) {
  const StubServer server([](const StubRequest&) -> StubReply {
    return {.status = 400, .body = R"({"error": {"message": "max_tokens: unknown"}})"};
  });
  EXPECT_THAT(failure_of(options_for({&server}), 20), HasSubstr("status 400: max_tokens: unknown"));
}

TEST(EndpointResponderTest, AQuestionThatIsRefusedIsAnErrorOfItsOwn) {
  const StubServer server([](const StubRequest& request) -> StubReply {
    if (request.body.find("too long") != std::string::npos)
      return {.status = 400, .body = R"({"error": {"message": "context\nexceeded"}})"};
    if (request.body.find("poison") != std::string::npos) return {.status = 500, .body = "crash"};
    return echo(request);
  });
  const auto answers = ask_all(options_for({&server}), {"x", "too long", "poison"});
  EXPECT_EQ(answers.at("x 0").end, AnswerEnd::stop);
  EXPECT_EQ(answers.at("too long 0").end, AnswerEnd::error);
  EXPECT_EQ(answers.at("too long 0").summary.error, server.address() + "/v1: status 400: context exceeded");
  EXPECT_EQ(answers.at("poison 1").end, AnswerEnd::error);
  EXPECT_EQ(answers.at("poison 1").summary.error,
            server.address() + "/v1: status 500: crash (after 6 attempts)");
}

TEST(EndpointResponderTest, SilenceEndsAtTheDeadline) {
  const StubServer server([](const StubRequest&) -> StubReply { return {.silent = true}; });
  EndpointOptions options = options_for({&server});
  options.time = std::chrono::seconds(1);
  options.attempts = 2;
  const auto answers = ask_all(options, {"x"});
  EXPECT_EQ(answers.at("x 0").end, AnswerEnd::error);
  EXPECT_THAT(answers.at("x 0").summary.error, HasSubstr(server.address()));
  EXPECT_THAT(answers.at("x 0").summary.error, HasSubstr("timed out"));
}

TEST(EndpointResponderTest, LeavingDoesNotWaitForAnswers) {
  const StubServer server([](const StubRequest&) -> StubReply { return {.silent = true}; });
  EndpointResponder responder(options_for({&server}));
  responder.ask(question("x", 5), [](int64_t, const Generation&) { ADD_FAILURE(); });
  EXPECT_TRUE(responder.step());
}

TEST(FirstModelTest, ComesFromTheFirstEndpointThatAnswers) {
  std::string dead;
  { dead = StubServer(echo).address(); }
  const StubServer server([](const StubRequest& request) -> StubReply {
    EXPECT_EQ(request.target, "/v1/models");
    return {.body = R"({"data": [{"id": "r1-7b"}, {"id": "other"}]})"};
  });
  EndpointOptions options = options_for({&server});
  options.addresses.insert(options.addresses.begin(), endpoint_base(dead));
  EXPECT_EQ(first_model_of(options), "r1-7b");
  options.addresses.pop_back();
  EXPECT_THROW(first_model_of(options), Error);
}

}  // namespace
}  // namespace r1::eval
