#include "engine/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "nn/adapter.h"
#include "tests/engine/engine_fixture.h"

namespace r1 {
namespace {

using Tokens = std::vector<int32_t>;

Tokens counting(int64_t size, int32_t first = 0) {
  Tokens tokens(size);
  for (int64_t index = 0; index < size; ++index)
    tokens[index] = static_cast<int32_t>((first + index * 7) % 23);
  return tokens;
}

std::string submit_error(Engine& engine, const Request& request) {
  try {
    engine.submit(request);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(EngineTest, RefusesWhatCannotFitWithTheNumbers) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(4));
  EXPECT_EQ(engine.options().context_length, 128);
  Request request{.prompt = counting(100)};
  request.max_tokens = 29;
  EXPECT_EQ(submit_error(engine, request),
            "context: a prompt of 100 tokens and 29 to generate need 129, there is room for 128");
  request.max_tokens = 28;
  EXPECT_EQ(submit_error(engine, request), "accepted");
  request.prompt = counting(128);
  request.max_tokens = -1;
  EXPECT_EQ(submit_error(engine, request),
            "context: a prompt of 128 tokens and 1 to generate need 129, there is room for 128");
  request.prompt = {1, 23};
  EXPECT_EQ(submit_error(engine, request), "prompt[1]: expected a token from 0 to 22, found 23");
  request.prompt = {};
  EXPECT_EQ(submit_error(engine, request), "prompt: expected at least one token, found 0");
  EngineOptions small = fixture.options(4);
  small.context_length = 129;
  EXPECT_THROW(Engine(fixture.model, fixture.context, small), Error);
  small.context_length = 0;
  small.kv_bytes = 10;
  EXPECT_THROW(Engine(fixture.model, fixture.context, small), Error);
}

TEST(EngineTest, ForTrainingItHasTheTrainersCacheAndArithmetic) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(4);
  options.key_dtype = options.value_dtype = DType::f16;
  options.for_training = true;
  const Engine engine(fixture.model, fixture.context, options);
  EXPECT_EQ(engine.options().key_dtype, DType::f32);
  EXPECT_EQ(engine.options().value_dtype, DType::f32);
  Context fast(fixture.pool, fixture.table, Arithmetic::fast);
  EXPECT_THROW(Engine(fixture.model, fast, options), Error);
  options.for_training = false;
  EXPECT_NO_THROW(Engine(fixture.model, fast, options));
}

TEST(EngineTest, WithoutALimitFillsTheContextAndNotMore) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(4));
  Answer answer;
  submit(engine, {.prompt = counting(100)}, answer);
  engine.run();
  EXPECT_EQ(answer.tokens.size(), 28U);
  EXPECT_EQ(answer.summary->reason, FinishReason::length);
}

TEST(EngineTest, SixtyFourSamplesReadTheirQuestionOnce) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(400);
  options.batch_tokens = 64;
  Engine engine(fixture.model, fixture.context, options);
  std::vector<Answer> answers(64);
  for (size_t index = 0; index < answers.size(); ++index) {
    Request request{.prompt = counting(300)};
    request.max_tokens = 3;
    request.sampling.seed = index;
    submit(engine, request, answers[index]);
  }
  engine.run();
  const EngineStatistics statistics = engine.statistics();
  EXPECT_EQ(statistics.prompt_tokens, 64 * 300);
  EXPECT_EQ(statistics.reused_tokens, 63 * 299);
  EXPECT_EQ(statistics.computed_tokens, 300 + 63 + 64 * 2);
  EXPECT_EQ(answers[1].summary->reused_tokens, 299);
}

TEST(EngineTest, ASecondTurnComputesOnlyWhatIsNew) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(20));
  Answer first;
  Request request{.prompt = counting(50)};
  request.max_tokens = 40;
  submit(engine, request, first);
  engine.run();
  const int64_t before = engine.statistics().computed_tokens;
  request.prompt.insert(request.prompt.end(), first.tokens.begin(), first.tokens.end());
  request.prompt.push_back(5);
  request.max_tokens = 1;
  Answer second;
  submit(engine, request, second);
  engine.run();
  EXPECT_EQ(second.summary->reused_tokens, 89);  // the first answer's last token was never computed
  EXPECT_EQ(engine.statistics().computed_tokens - before, 2);
}

TEST(EngineTest, AdaptersDoNotShareWhatTheyComputed) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(16));
  const Adapter one, two;
  const auto reused = [&](const Adapter* adapter) {
    Answer answer;
    Request request{.prompt = counting(70)};
    request.max_tokens = 1;
    request.adapter = adapter;
    submit(engine, request, answer);
    engine.run();
    engine.check_integrity();
    return answer.summary->reused_tokens;
  };
  EXPECT_EQ(reused(nullptr), 0);
  EXPECT_EQ(reused(&one), 0);
  EXPECT_EQ(reused(&two), 0);
  EXPECT_EQ(reused(&one), 69);
  EXPECT_EQ(reused(nullptr), 69);
}

TEST(EngineTest, ThinkingIsClosedAtItsBudget) {
  EngineFixture fixture;
  for (int32_t speculation : {0, 4}) {
    Engine engine(fixture.model, fixture.context, fixture.options(20));
    Request request{.prompt = counting(10)};
    request.max_tokens = 30;
    request.speculation = speculation;
    request.sampling.logit_bias = {{4, -100.0F}, {3, -100.0F}};  // never closes, never opens by itself
    request.sampling.top_log_probabilities = 1;
    request.thinking = {
        .starts_inside = true, .open_token = 3, .close_token = 4, .budget = 6, .closing = {7, 4, 8}};
    Answer answer;
    submit(engine, request, answer);
    engine.run();
    ASSERT_EQ(answer.tokens.size(), 30U);
    EXPECT_EQ(Tokens(answer.tokens.begin() + 6, answer.tokens.begin() + 9), (Tokens{7, 4, 8}));
    EXPECT_EQ(std::count(answer.tokens.begin(), answer.tokens.end(), 4), 1);
    ASSERT_TRUE(answer.sampled[7].chosen.has_value());  // forced tokens have their probability, too
    EXPECT_LT(answer.sampled[7].chosen->log_probability, 0);
  }
}

TEST(EngineTest, KeepsTokensBackForTheAnswer) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(20));
  Request request{.prompt = counting(10)};
  request.max_tokens = 30;
  request.sampling.logit_bias = {{4, -100.0F}, {3, -100.0F}};
  request.thinking = {
      .starts_inside = true, .open_token = 3, .close_token = 4, .closing = {7, 4}, .answer_reserve = 12};
  Answer answer;
  submit(engine, request, answer);
  engine.run();
  ASSERT_EQ(answer.tokens.size(), 30U);
  EXPECT_EQ(answer.tokens[17], 4);  // 12 are left
}

TEST(EngineTest, AnswerNowClosesOpenThinkingOnly) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(20));
  Request request{.prompt = counting(10)};
  request.max_tokens = 20;
  request.sampling.logit_bias = {{4, -100.0F}, {3, -100.0F}};
  request.thinking = {.starts_inside = true, .open_token = 3, .close_token = 4, .closing = {4, 8}};
  Answer answer;
  const RequestId id = submit(engine, request, answer);
  for (int step = 0; step < 5; ++step) engine.step();
  engine.answer_now(id);
  engine.step();
  EXPECT_EQ(answer.tokens.back(), 4);
  engine.answer_now(id);  // nothing is open any more
  engine.run();
  EXPECT_EQ(answer.tokens.size(), 20U);
  EXPECT_EQ(std::count(answer.tokens.begin(), answer.tokens.end(), 4), 1);
}

TEST(EngineTest, TellsHowFarARequestIsBeforeItsFirstToken) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(400);
  options.batch_tokens = 32;
  options.sequences = 1;
  Engine engine(fixture.model, fixture.context, options);
  std::vector<RequestProgress> first_told, second_told;
  Answer first, second;
  Request request{.prompt = counting(70)};
  request.max_tokens = 2;
  request.on_progress = [&](const RequestProgress& progress) { first_told.push_back(progress); };
  submit(engine, request, first);
  request.on_progress = [&](const RequestProgress& progress) { second_told.push_back(progress); };
  submit(engine, request, second);
  engine.run();
  ASSERT_EQ(first_told.size(), 3U) << "a pass for each chunk of the prompt";
  for (size_t pass = 0; pass < 3; ++pass) {
    EXPECT_EQ(first_told[pass].waiting_before, -1);
    EXPECT_EQ(first_told[pass].prompt_tokens, 70);
    EXPECT_EQ(first_told[pass].computed_tokens, static_cast<int64_t>(pass) * 32);
  }
  ASSERT_FALSE(second_told.empty());
  EXPECT_EQ(second_told.front().waiting_before, 0);
  EXPECT_EQ(second_told.back().waiting_before, -1);
  EXPECT_EQ(second_told.back().computed_tokens, 69) << "the first one's prompt is found";
  EXPECT_EQ(second_told.back().reused_tokens, 69);
}

TEST(EngineTest, StopTokenEndsAndIsNotPassedOn) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(20));
  Request request{.prompt = counting(10)};
  request.max_tokens = 100;
  Answer plain;
  submit(engine, request, plain);
  engine.run();
  request.stop_tokens = {plain.tokens[20]};
  Answer answer;
  submit(engine, request, answer);
  engine.run();
  const auto first = std::find(plain.tokens.begin(), plain.tokens.end(), plain.tokens[20]);
  EXPECT_EQ(answer.tokens, Tokens(plain.tokens.begin(), first));
  EXPECT_EQ(answer.summary->reason, FinishReason::stop_token);
}

TEST(EngineTest, AStopWithinAcceptedDraftsCutsThere) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(20);
  Engine engine(fixture.model, fixture.context, options);
  for (int32_t stop_after = 1; stop_after < 40; ++stop_after) {
    Request request{.prompt = Tokens(30, 5)};
    request.max_tokens = 60;
    request.speculation = 8;
    request.sampling.temperature = 0;
    int32_t seen = 0;
    std::optional<RequestSummary> summary;
    request.on_token = [&](const SampledToken&) { return ++seen < stop_after; };
    request.on_finish = [&](const RequestSummary& result) { summary = result; };
    engine.submit(request);
    engine.run();
    engine.check_integrity();
    EXPECT_EQ(seen, stop_after);
    EXPECT_EQ(summary->reason, FinishReason::stop_callback);
    EXPECT_EQ(summary->generated_tokens, stop_after);
  }
}

TEST(EngineTest, CancelsInTheQueueInPrefillAndInDecode) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(20);
  options.batch_tokens = 16;
  options.sequences = 2;
  Engine engine(fixture.model, fixture.context, options);
  Answer decoding, prefilling, queued;
  Request request{.prompt = counting(10)};
  const RequestId first = submit(engine, request, decoding);
  engine.step();
  request.prompt = counting(200, 3);
  const RequestId second = submit(engine, request, prefilling);
  engine.step();
  const RequestId third = submit(engine, request, queued);
  engine.step();
  EXPECT_EQ(engine.statistics().running, 2);
  EXPECT_EQ(engine.statistics().waiting, 1);
  engine.cancel(third);
  engine.step();
  EXPECT_EQ(queued.summary->reason, FinishReason::cancelled);
  engine.cancel(second);
  engine.step();
  EXPECT_EQ(prefilling.summary->reason, FinishReason::cancelled);
  EXPECT_FALSE(decoding.summary.has_value());
  engine.cancel(first);
  engine.cancel(first);
  engine.cancel(999);
  EXPECT_TRUE(engine.step());
  EXPECT_FALSE(engine.step());
  EXPECT_EQ(decoding.summary->reason, FinishReason::cancelled);
  engine.check_integrity();
  EXPECT_EQ(engine.statistics().blocks_free + engine.statistics().blocks_cached, 20);
}

TEST(EngineTest, BreaksOffAPassThatServesOnlyCancelledRequests) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(20));
  Answer answer;
  const RequestId id = submit(engine, {.prompt = counting(100)}, answer);
  fixture.model->before_layer = [&] { engine.cancel(id); };
  engine.step();
  EXPECT_EQ(engine.statistics().computed_tokens, 0);
  fixture.model->before_layer = nullptr;
  engine.run();
  EXPECT_EQ(answer.summary->reason, FinishReason::cancelled);
  engine.check_integrity();
}

TEST(EngineTest, OneBadRequestDoesNotHurtTheOthers) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(40);
  Answer expected, good, bad;
  Request request{.prompt = counting(10)};
  request.max_tokens = 20;
  {
    Engine engine(fixture.model, fixture.context, options);
    submit(engine, request, expected);
    engine.run();
  }
  Engine engine(fixture.model, fixture.context, options);
  submit(engine, request, good);
  Request other{.prompt = counting(12, 5)};
  other.max_tokens = 20;
  int calls = 0;
  other.constraint = [&](std::span<const int32_t>) -> std::span<const uint64_t> {
    static const uint64_t none = 0;
    return ++calls < 4 ? std::span<const uint64_t>() : std::span(&none, 1);
  };
  submit(engine, other, bad);
  engine.run();
  EXPECT_EQ(good.tokens, expected.tokens);
  EXPECT_EQ(bad.tokens.size(), 3U);
  EXPECT_EQ(bad.summary->reason, FinishReason::error);
  EXPECT_EQ(bad.summary->error, "position 15: no token is allowed (of 23)");
}

TEST(EngineTest, NotANumberEndsTheRequestWithThePosition) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(40));
  int outputs = 0;
  fixture.model->on_logits = [&](float* logits) {
    if (++outputs == 3) logits[6] = std::numeric_limits<float>::quiet_NaN();
  };
  Answer answer;
  submit(engine, {.prompt = counting(10)}, answer);
  engine.run();
  EXPECT_EQ(answer.tokens.size(), 2U);
  EXPECT_EQ(answer.summary->reason, FinishReason::error);
  EXPECT_EQ(answer.summary->error, "logits at position 12: token 6: expected a number, found nan");
}

TEST(EngineTest, AFailedPassLosesNothing) {
  EngineFixture fixture;
  Answer expected, answer;
  Request request{.prompt = counting(90)};
  request.max_tokens = 30;
  {
    Engine engine(fixture.model, fixture.context, fixture.options(8));
    submit(engine, request, expected);
    engine.run();
  }
  EngineOptions options = fixture.options(8);
  options.batch_tokens = 32;
  Engine engine(fixture.model, fixture.context, options);
  request.speculation = 4;
  submit(engine, request, answer);
  for (int step = 0;; ++step) {
    if (step % 3 == 1) {
      fixture.model->failure = "the disk went away";
      EXPECT_THROW(engine.step(), Error);
      engine.check_integrity();
    }
    if (!engine.step()) break;
  }
  EXPECT_EQ(answer.tokens, expected.tokens);
}

TEST(EngineTest, LoopsAreEndedWhenAsked) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(40));
  fixture.model->on_logits = [](float* logits) { logits[9] = 100; };
  Answer answer;
  Request request{.prompt = counting(10)};
  request.max_tokens = 1000;
  request.loop_detection = true;
  submit(engine, request, answer);
  engine.run();
  EXPECT_EQ(answer.summary->reason, FinishReason::loop);
  EXPECT_EQ(answer.tokens.size(), 256U);
}

TEST(EngineTest, AConstraintLimitsEveryToken) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(40));
  uint64_t mask = 0;
  Request request{.prompt = counting(10)};
  request.max_tokens = 50;
  request.speculation = 4;
  request.constraint = [&](std::span<const int32_t> generated) {
    mask = generated.size() % 2 == 0 ? 0x7 : 0x70;
    return std::span<const uint64_t>(&mask, 1);
  };
  Answer answer;
  submit(engine, request, answer);
  engine.run();
  ASSERT_EQ(answer.tokens.size(), 50U);
  for (size_t index = 0; index < 50; ++index) {
    EXPECT_EQ(answer.tokens[index] / 4, index % 2) << index << ": " << answer.tokens[index];
  }
}

TEST(EngineTest, HigherPriorityRunsFirst) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(40);
  options.sequences = 1;
  Engine engine(fixture.model, fixture.context, options);
  std::string order;
  for (char name : {'a', 'b', 'c'}) {
    Request request{.prompt = counting(10)};
    request.max_tokens = 3;
    request.priority = name == 'c' ? 5 : 0;
    request.on_finish = [&order, name](const RequestSummary&) { order += name; };
    engine.submit(request);
  }
  engine.run();
  EXPECT_EQ(order, "cab");
}

TEST(EngineTest, BatchesStayWithinTheirLimit) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(200);
  options.batch_tokens = 10;
  Engine engine(fixture.model, fixture.context, options);
  std::vector<Answer> answers(20);
  for (size_t index = 0; index < answers.size(); ++index) {
    Request request{.prompt = counting(20, static_cast<int32_t>(index))};
    request.max_tokens = 20;
    request.speculation = 5;
    submit(engine, request, answers[index]);
  }
  engine.run();
  EXPECT_EQ(fixture.model->largest_batch, 10);
  for (const Answer& answer : answers) EXPECT_EQ(answer.tokens.size(), 20U);
}

TEST(EngineTest, TakesRequestsAndCancellationsFromOtherThreads) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(30);
  options.sequences = 8;
  Engine engine(fixture.model, fixture.context, options);
  std::atomic<int> finished{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> clients;
  constexpr int kClients = 3;
  constexpr int kRequests = 30;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      for (int index = 0; index < kRequests; ++index) {
        Request request{.prompt = counting(5 + index, client)};
        request.max_tokens = 60;
        request.thinking = {.starts_inside = true, .open_token = 3, .close_token = 4, .closing = {4}};
        request.on_finish = [&](const RequestSummary&) { ++finished; };
        const RequestId id = engine.submit(request);
        if (index % 3 == 0) engine.cancel(id);
        std::this_thread::yield();
        if (index % 3 == 1) engine.answer_now(id);
        if (index % 3 == 2) engine.cancel(id);
        (void)engine.statistics();
      }
    });
  }
  std::thread joiner([&] {
    for (std::thread& client : clients) client.join();
    done = true;
  });
  while (!done || engine.step()) {
    engine.step();
    engine.check_integrity();
  }
  joiner.join();
  engine.run();
  EXPECT_EQ(finished, kClients * kRequests);
}

}  // namespace
}  // namespace r1
