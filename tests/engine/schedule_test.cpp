// Random schedules: what a request says must not depend on anything but the request.
#include <gtest/gtest.h>

#include <random>

#include "tests/engine/engine_fixture.h"

namespace r1 {
namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t operator()(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  bool chance(int percent) { return (*this)(1, 100) <= percent; }

 private:
  std::mt19937_64 engine_;
};

Request random_request(Random& random, const std::vector<std::vector<int32_t>>& stems, int64_t vocabulary) {
  Request request;
  request.prompt = stems[random(0, std::ssize(stems) - 1)];
  request.prompt.resize(random(1, std::ssize(request.prompt)));
  for (int64_t extra = random.chance(50) ? random(0, 40) : 0; extra > 0; --extra) {
    request.prompt.push_back(static_cast<int32_t>(random(0, vocabulary - 1)));
  }
  request.max_tokens = random(1, 150);
  request.sampling.seed = random(0, 3);
  request.sampling.temperature = random.chance(40) ? 0 : 0.8F;
  if (random.chance(20)) request.sampling.repetition_penalty = 1.3F;
  if (random.chance(20)) request.sampling.dry_multiplier = 0.8F;
  if (random.chance(20)) request.sampling.top_log_probabilities = 2;
  request.speculation = static_cast<int32_t>(random.chance(60) ? random(0, 8) : 0);
  request.priority = static_cast<int32_t>(random.chance(20) ? random(-1, 1) : 0);
  request.owner = static_cast<uint64_t>(random.chance(50) ? random(0, 3) : 0);
  if (random.chance(25)) request.stop_tokens = {static_cast<int32_t>(random(0, vocabulary - 1))};
  if (random.chance(40)) {
    request.thinking = {.starts_inside = random.chance(70),
                        .open_token = 3,
                        .close_token = 4,
                        .budget = random(0, 20),
                        .closing = {7, 4, 8},
                        .answer_reserve = random.chance(50) ? random(0, 10) : 0};
  }
  request.loop_detection = random.chance(30);
  return request;
}

TEST(ScheduleTest, TokensDependOnTheRequestAlone) {
  EngineFixture fixture;
  const int64_t vocabulary = fixture.model->info().vocabulary;
  int64_t preemptions = 0, reused = 0, accepted = 0, cancelled = 0, drafted = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "schedule " << seed);
    Random random(seed);
    std::vector<std::vector<int32_t>> stems(3);
    for (auto& stem : stems) {
      for (int64_t size = random(1, 60); size > 0; --size) {
        stem.push_back(static_cast<int32_t>(random(0, vocabulary - 1)));
      }
    }
    stems[1].insert(stems[1].begin(), stems[0].begin(), stems[0].end());  // shared beginnings

    const int64_t count = random(2, 12);
    std::vector<Request> requests;
    for (int64_t index = 0; index < count; ++index)
      requests.push_back(random_request(random, stems, vocabulary));

    EngineOptions options = fixture.options(random(10, 16));
    options.batch_tokens = random.chance(30) ? random(2, 12) : random(13, 200);
    options.sequences = random(1, 12);
    options.prefix_reuse = random.chance(85);
    options.owner_tokens = random(1, 20);
    Engine engine(fixture.model, fixture.context, options);
    std::vector<Answer> answers(count);
    std::vector<RequestId> ids(count, 0);
    std::vector<bool> was_cancelled(count, false);
    int64_t next = 0;
    for (int64_t step = 0; step < 20000; ++step) {
      while (next < count && (random.chance(70) || step == 0)) {
        ids[next] = submit(engine, requests[next], answers[next]);
        ++next;
      }
      if (random.chance(1)) {
        const int64_t victim = random(0, count - 1);
        if (ids[victim] != 0 && !answers[victim].summary) {
          engine.cancel(ids[victim]);
          was_cancelled[victim] = true;
        }
      }
      const bool busy = engine.step();
      ASSERT_NO_THROW(engine.check_integrity());
      if (!busy && next == count) break;
    }
    const EngineStatistics statistics = engine.statistics();
    ASSERT_EQ(statistics.waiting + statistics.running, 0);
    ASSERT_EQ(statistics.blocks_free + statistics.blocks_cached, statistics.blocks_total);
    preemptions += statistics.preemptions;
    reused += statistics.reused_tokens;
    accepted += statistics.accepted_tokens;
    drafted += statistics.drafted_tokens;

    for (int64_t index = 0; index < count; ++index) {
      SCOPED_TRACE(testing::Message() << "request " << index);
      ASSERT_TRUE(answers[index].summary.has_value());
      Engine alone(fixture.model, fixture.context, fixture.options(40));
      Request plain = requests[index];
      plain.speculation = 0;
      Answer expected;
      submit(alone, plain, expected);
      alone.run();
      if (was_cancelled[index] && answers[index].summary->reason == FinishReason::cancelled) {
        ++cancelled;
        ASSERT_LE(answers[index].tokens.size(), expected.tokens.size());
        expected.tokens.resize(answers[index].tokens.size());
      } else {
        ASSERT_EQ(answers[index].summary->reason, expected.summary->reason) << answers[index].summary->error;
      }
      ASSERT_EQ(answers[index].tokens, expected.tokens);
      ASSERT_EQ(answers[index].summary->generated_tokens, std::ssize(expected.tokens));
    }
  }
  // The schedules met what they were made for.
  EXPECT_GT(preemptions, 100);
  EXPECT_GT(reused, 10000);
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(drafted, accepted);
  EXPECT_GT(cancelled, 20);
}

}  // namespace
}  // namespace r1
