// What docs/engine.md promises of scheduling, seen from outside: who runs, who waits, what a pass computes.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <thread>

#include "tests/engine/engine_fixture.h"

namespace r1 {
namespace {

/// An engine with a fake model, and the answers of its requests.
struct World {
  EngineFixture fixture;
  EngineOptions options;
  std::optional<Engine> engine;
  std::deque<Answer> answers;                         // of the requests, in order
  std::deque<std::vector<RequestProgress>> progress;  // of the requests, at every pass before the first token

  explicit World(int64_t blocks) : options(fixture.options(blocks)) {}

  static Request request(int64_t prompt_tokens, int64_t max_tokens, int32_t first = 0) {
    Request result;
    for (int64_t index = 0; index < prompt_tokens; ++index) {
      result.prompt.push_back(static_cast<int32_t>((first + index * (first % 5 + 3)) % 23));
    }
    result.max_tokens = max_tokens;
    return result;
  }

  RequestId add(Request one) {
    if (!engine) engine.emplace(fixture.model, fixture.context, options);
    progress.emplace_back();
    one.on_progress = [&told = progress.back()](const RequestProgress& now) { told.push_back(now); };
    return submit(*engine, std::move(one), answers.emplace_back());
  }

  RequestId add(int64_t prompt_tokens, int64_t max_tokens, uint64_t owner = 0) {
    Request one = request(prompt_tokens, max_tokens, static_cast<int32_t>(answers.size()));
    one.owner = owner;
    return add(std::move(one));
  }

  void steps(int64_t count) {
    for (int64_t step = 0; step < count; ++step) {
      engine->step();
      engine->check_integrity();
    }
  }

  int64_t tokens(size_t index) const { return std::ssize(answers[index].tokens); }
  bool ended(size_t index) const { return answers[index].summary.has_value(); }

  /// Steps until a request has ended; how many that took.
  int64_t steps_until_end(size_t index, int64_t most = 5000) {
    int64_t count = 0;
    for (; !ended(index) && count < most; ++count) steps(1);
    return count;
  }

  /// Every answer is what the request alone gives.
  void expect_undisturbed(size_t index, Request alone) {
    Engine other(fixture.model, fixture.context, fixture.options(40));
    Answer expected;
    submit(other, std::move(alone), expected);
    other.run();
    EXPECT_EQ(answers[index].tokens, expected.tokens) << "request " << index;
  }
};

TEST(SchedulerTest, SequencesThatAreTooManyForAPassTakeTurns) {
  World world(200);
  world.options.batch_tokens = 8;
  for (int request = 0; request < 20; ++request) world.add(1, 200);
  for (int step = 1; step <= 50; ++step) {
    world.steps(1);
    int64_t least = 1000, most = 0;
    for (size_t index = 0; index < 20; ++index) {
      least = std::min(least, world.tokens(index));
      most = std::max(most, world.tokens(index));
    }
    ASSERT_LE(most - least, 1) << "after " << step << " passes";
  }
  EXPECT_EQ(world.tokens(0), 20);
}

TEST(SchedulerTest, AnEighthOfAPassIsKeptForPromptsUnderDecodeLoad) {
  World world(400);
  world.options.batch_tokens = 16;
  for (int request = 0; request < 30; ++request) world.add(1, 400);
  world.steps(5);
  world.add(41, 5);
  world.steps(21);  // two rows a pass
  EXPECT_GE(world.tokens(30), 1);
  EXPECT_GE(std::min(world.tokens(0), world.tokens(29)), (5 * 16 + 20 * 14) / 30) << "and the others decode";
}

TEST(SchedulerTest, NobodyOvertakesALongRequestThatDoesNotFitYet) {
  World world(8);
  world.options.batch_tokens = 256;
  world.add(100, 60);  // 4 blocks, then 5
  world.steps(1);
  world.add(150, 30);  // 5 blocks: not yet
  world.add(10, 5);    // would fit
  while (!world.ended(0)) {
    EXPECT_EQ(world.tokens(1) + world.tokens(2), 0);
    EXPECT_EQ(world.engine->statistics().waiting, 2);
    world.steps(1);
  }
  world.steps(2);
  EXPECT_GT(world.tokens(1), 0);
  world.engine->run();
  EXPECT_TRUE(world.ended(1) && world.ended(2));
}

TEST(SchedulerTest, ARequestEntersWhenTheOthersHaveRoomToGrow) {
  World world(9);
  for (int request = 0; request < 9; ++request) world.add(20, 5);
  world.steps(1);
  const EngineStatistics statistics = world.engine->statistics();
  EXPECT_EQ(statistics.running, 8);
  EXPECT_EQ(statistics.waiting, 1);
  EXPECT_EQ(statistics.blocks_free, 1) << "for eight that run, one block is kept";
  world.engine->run();
  EXPECT_EQ(world.engine->statistics().preemptions, 0);
  EXPECT_TRUE(world.ended(8));
}

TEST(SchedulerTest, TheMarginKeepsWhoEntersFromBeingPreemptedAtOnce) {
  World world(18);
  for (int request = 0; request < 17; ++request) world.add(30, 10);  // each needs a second block soon
  world.steps(1);
  EXPECT_EQ(world.engine->statistics().running, 16);
  world.steps(1);
  EXPECT_EQ(world.engine->statistics().preemptions, 0);
  world.engine->run();
}

TEST(SchedulerTest, TheFirstPromptGetsHalfOfWhatIsLeft) {
  World world(100);
  world.options.batch_tokens = 32;
  for (int request = 0; request < 6; ++request) world.add(320, 2);
  world.steps(1);
  const std::vector<RequestProgress>& first = world.progress[0];
  while (world.tokens(0) == 0) {
    const int64_t before = first.back().computed_tokens;
    world.steps(1);
    if (world.tokens(0) == 0) {
      ASSERT_GE(first.back().computed_tokens - before, 16);
    }
  }
  EXPECT_GT(world.progress[1].back().computed_tokens, 200) << "the second had the other half";
  world.engine->run();
}

TEST(SchedulerTest, AShortPromptDoesNotWaitForALongOneToBeRead) {
  World world(100);
  world.options.batch_tokens = 32;
  world.add(900, 2);
  world.steps(2);
  world.add(16, 2);
  world.steps(1);
  EXPECT_EQ(world.tokens(1), 1);
  EXPECT_EQ(world.tokens(0), 0);
  world.engine->run();
}

TEST(SchedulerTest, DraftsAddAtMost128RowsToAPass) {
  World world(400);
  world.fixture.model->on_logits = [](float* logits) { logits[9] = 100; };  // every draft is right
  for (int request = 0; request < 40; ++request) {
    Request one;
    one.prompt.assign(20, 9);
    one.max_tokens = 150;
    one.speculation = 64;
    one.sampling.temperature = 0;
    world.add(std::move(one));
  }
  while (std::ranges::any_of(world.answers, [](const Answer& answer) { return answer.tokens.empty(); })) {
    world.steps(1);
  }
  world.fixture.model->largest_batch = 0;
  world.steps(10);
  EXPECT_EQ(world.fixture.model->largest_batch, 40 + 128);
  world.engine->run();
  for (size_t index = 0; index < 40; ++index) EXPECT_EQ(world.tokens(index), 150);
}

TEST(SchedulerTest, DraftsLeaveHalfOfAPassToPrompts) {
  World world(100);
  world.options.batch_tokens = 64;
  world.fixture.model->on_logits = [](float* logits) { logits[9] = 100; };
  Request repeating;
  repeating.prompt.assign(20, 9);
  repeating.max_tokens = 900;
  repeating.speculation = 64;
  repeating.sampling.temperature = 0;
  world.add(std::move(repeating));
  world.steps(8);
  const int64_t before = world.tokens(0);
  world.add(640, 2);
  world.steps(1);
  for (int pass = 0; pass < 8; ++pass) {
    const int64_t computed = world.progress[1].back().computed_tokens;
    world.steps(1);
    EXPECT_GE(world.progress[1].back().computed_tokens - computed, 31);
  }
  EXPECT_GT(world.tokens(0) - before, 8 * 20) << "drafts had the other half";
  world.engine->run();
}

TEST(SchedulerTest, TheLastInOrderPaysWhenMemoryRunsShort) {
  World world(8);
  for (int request = 0; request < 3; ++request) world.add(40, 120);
  while (world.engine->statistics().preemptions == 0) world.steps(1);
  EXPECT_EQ(world.engine->statistics().running, 2);
  EXPECT_EQ(world.progress[2].empty(), false);
  world.steps_until_end(0);
  EXPECT_GE(world.answers[0].tokens.size(), world.answers[2].tokens.size());
  world.engine->run();
  EXPECT_EQ(world.answers[0].summary->preemptions, 0) << "the first in order always goes on";
  EXPECT_GT(world.answers[2].summary->preemptions, 0);
}

TEST(SchedulerTest, SecondsOfTheQueueAreNotCountedTwice) {
  World world(40);
  world.options.sequences = 1;
  using Clock = std::chrono::steady_clock;
  Request slow = World::request(10, 3);
  const Clock::time_point begin = Clock::now();
  Engine engine(world.fixture.model, world.fixture.context, world.options);
  world.fixture.model->before_layer = [] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); };
  Answer first, second;
  submit(engine, slow, first);
  submit(engine, slow, second);
  engine.run();
  const double all = std::chrono::duration<double>(Clock::now() - begin).count();
  for (const Answer* answer : {&first, &second}) {
    const RequestSummary& summary = *answer->summary;
    EXPECT_GT(summary.prefill_seconds, 0);
    EXPECT_GT(summary.decode_seconds, 0);
    EXPECT_LE(summary.queue_seconds + summary.prefill_seconds + summary.decode_seconds, all);
  }
  EXPECT_GT(second.summary->queue_seconds, first.summary->prefill_seconds) << "it waited for the first";
}

// Owners take turns.

TEST(FairnessTest, AnotherOwnersRequestDoesNotWaitForASlot) {
  World world(400);
  world.options.sequences = 8;
  for (int request = 0; request < 40; ++request) world.add(20, 300, 1);
  world.steps(20);
  EXPECT_EQ(world.engine->statistics().running, 8);
  world.add(15, 10, 2);
  world.steps(2);
  EXPECT_EQ(world.tokens(40), 2) << "it has the place of one of eight";
  EXPECT_LE(world.steps_until_end(40), 8);
  EXPECT_EQ(world.engine->statistics().preemptions, 1);
  world.engine->run();
  for (size_t index = 0; index < 40; ++index) EXPECT_EQ(world.tokens(index), 300) << "and nothing is lost";
}

TEST(FairnessTest, OwnersShareTheSlotsEqually) {
  World world(400);
  world.options.sequences = 8;
  world.options.owner_tokens = 8;
  std::map<uint64_t, std::vector<size_t>> of_owner;
  for (const uint64_t owner : {1, 2, 3}) {
    for (int request = 0; request < (owner == 3 ? 1 : 20); ++request) {
      of_owner[owner].push_back(world.answers.size());
      world.add(1, 200, owner);
    }
    world.steps(10);
  }
  const auto count = [&](uint64_t owner) {
    int64_t sum = 0;
    for (const size_t index : of_owner[owner]) sum += world.tokens(index);
    return sum;
  };
  const std::map<uint64_t, int64_t> before = {{1, count(1)}, {2, count(2)}, {3, count(3)}};
  const int64_t preemptions = world.engine->statistics().preemptions;
  world.steps(20);
  EXPECT_EQ(count(3) - before.at(3), 20) << "one request, a token a pass";
  EXPECT_GE(count(1) - before.at(1), 20 * 3);
  EXPECT_GE(count(2) - before.at(2), 20 * 3);
  EXPECT_EQ(world.engine->statistics().preemptions, preemptions) << "who has a fair share is left alone";
  world.engine->run();
}

TEST(FairnessTest, AnotherOwnersRequestDoesNotWaitForMemory) {
  World world(20);
  world.options.batch_tokens = 640;
  Request giant = World::request(550, 80);
  giant.owner = 1;
  world.add(giant);
  world.steps(40);  // nearly all of the memory, and there is no other room
  ASSERT_GT(world.tokens(0), 30);
  const Request small = [] {
    Request result = World::request(90, 20, 3);
    result.owner = 2;
    return result;
  }();
  world.add(small);
  EXPECT_LE(world.steps_until_end(1), 60);
  EXPECT_FALSE(world.ended(0));
  world.engine->run();
  world.expect_undisturbed(0, giant);
  world.expect_undisturbed(1, small);
}

TEST(FairnessTest, AStreamOfSmallRequestsDoesNotStarveALargeOne) {
  World world(20);
  world.options.batch_tokens = 640;
  world.add(560, 75, 1);
  world.steps(3);
  size_t last = 0;
  int64_t count = 0;
  for (; !world.ended(0) && count < 4000; ++count) {  // two small ones are always on their way
    while (world.engine->statistics().waiting + world.engine->statistics().running < 3 && !world.ended(0)) {
      last = world.answers.size();
      world.add(90, 20, 2 + last % 2);
    }
    world.steps(1);
  }
  EXPECT_TRUE(world.ended(0)) << world.tokens(0) << " tokens";
  EXPECT_GE(last, 3U);
  world.engine->run();
}

TEST(FairnessTest, RequestsThatDoNotFitTogetherTakeTurns) {
  World world(20);
  world.options.batch_tokens = 640;
  for (const uint64_t owner : {1, 2}) world.add(500, 130, owner);
  int64_t count = 0;
  bool both_between = false;
  for (; !(world.ended(0) && world.ended(1)) && count < 2000; ++count) {
    world.steps(1);
    both_between |= world.tokens(0) > 0 && world.tokens(1) > 0 && !world.ended(0) && !world.ended(1);
  }
  EXPECT_TRUE(both_between) << "neither waited for the other's end";
  EXPECT_TRUE(world.ended(0) && world.ended(1));
  EXPECT_LT(count, 600) << "they do not spend their time on computing again what was lost";
}

TEST(FairnessTest, AnOwnersLaterRequestDoesNotOvertakeItsOwnThatDoesNotFit) {
  World world(8);
  world.add(100, 60, 2);  // 4 blocks, then 5
  world.steps(1);
  world.add(150, 30, 1);  // 5 blocks: not yet
  world.add(10, 5, 1);    // would fit
  world.add(10, 5, 3);    // may: it is another owner's
  world.steps(20);
  EXPECT_EQ(world.tokens(1) + world.tokens(2), 0);
  EXPECT_TRUE(world.ended(3));
  while (!world.ended(0)) {
    EXPECT_EQ(world.tokens(2), 0);
    world.steps(1);
  }
  world.engine->run();
  EXPECT_TRUE(world.ended(1) && world.ended(2));
}

TEST(FairnessTest, ALargeRequestIsNotOvertakenForEver) {
  World world(20);
  Request granted = World::request(200, 400);  // cannot be displaced
  granted.owner = 2;
  granted.priority = 1;
  world.add(std::move(granted));
  world.steps(2);
  world.add(500, 20, 1);  // does not fit beside it
  world.steps(100);
  world.add(10, 5, 3);
  world.steps(20);
  EXPECT_TRUE(world.ended(2)) << "for a while, others overtake it";
  world.steps(200);
  world.add(10, 5, 3);
  world.steps(20);
  EXPECT_EQ(world.tokens(3), 0) << "then nobody does";
  EXPECT_FALSE(world.ended(0));
  world.engine->run();
  EXPECT_TRUE(world.ended(1) && world.ended(3));
}

TEST(FairnessTest, ALargeRequestThatWaitedLongGetsItsTime) {
  World world(20);
  world.add(200, 400, 2);
  world.steps(2);
  world.add(500, 20, 1);
  world.steps(200);
  EXPECT_EQ(world.tokens(1), 0);
  world.steps(120);
  EXPECT_GT(world.tokens(1), 0) << "the other one is displaced";
  EXPECT_FALSE(world.ended(0));
  world.engine->run();
  EXPECT_TRUE(world.ended(0) && world.ended(1));
}

TEST(FairnessTest, OneOwnersPromptDoesNotStretchAnothersPasses) {
  World world(200);
  world.options.batch_tokens = 256;
  world.options.owner_tokens = 10;
  world.add(1, 100, 1);
  world.steps(3);
  for (int request = 0; request < 5; ++request) world.add(400, 2, 2);
  world.fixture.model->largest_batch = 0;
  const int64_t before = world.tokens(0);
  world.steps(20);
  EXPECT_EQ(world.tokens(0) - before, 20);
  EXPECT_EQ(world.fixture.model->largest_batch, 11) << "ten of the prompts, one of the answer";
  world.steps_until_end(0);
  world.fixture.model->largest_batch = 0;
  world.steps(2);
  EXPECT_EQ(world.fixture.model->largest_batch, 256) << "alone, an owner has the whole pass";
  world.engine->run();
}

TEST(FairnessTest, OneOwnersSequencesDoNotStretchAnothersPasses) {
  World world(400);
  world.options.owner_tokens = 4;
  for (int request = 0; request < 20; ++request) world.add(1, 400, 1);
  world.add(1, 400, 2);
  world.steps(3);
  std::vector<int64_t> before;
  for (size_t index = 0; index <= 20; ++index) before.push_back(world.tokens(index));
  world.fixture.model->largest_batch = 0;
  world.steps(50);
  EXPECT_EQ(world.fixture.model->largest_batch, 5);
  EXPECT_EQ(world.tokens(20) - before[20], 50);
  for (size_t index = 0; index < 20; ++index) EXPECT_EQ(world.tokens(index) - before[index], 10) << index;
  world.engine->run();
}

TEST(FairnessTest, PromptsOfSeveralOwnersAreReadSideBySide) {
  World world(400);
  world.options.batch_tokens = 60;
  world.add(1000, 2, 1);
  world.add(1000, 2, 1);
  world.add(100, 2, 2);
  world.add(100, 2, 3);
  world.steps(5);  // 20 rows each a pass
  EXPECT_EQ(world.tokens(2), 1);
  EXPECT_EQ(world.tokens(3), 1);
  world.engine->run();
}

TEST(FairnessTest, MoreOwnersThanRowsTakeTurns) {
  World world(200);
  world.options.batch_tokens = 4;
  for (uint64_t owner = 0; owner < 10; ++owner) world.add(1, 100, owner);
  world.steps(50);
  for (size_t index = 0; index < 10; ++index) EXPECT_EQ(world.tokens(index), 20) << index;
  world.engine->run();
}

TEST(FairnessTest, AnOwnersPromptProgressesBesideItsAnswersWithOneRow) {
  World world(200);
  world.options.owner_tokens = 1;
  world.add(1, 300, 1);
  world.add(1, 300, 2);
  world.steps(3);
  world.add(20, 2, 2);
  world.steps(60);
  EXPECT_GE(world.tokens(2), 1);
  EXPECT_GE(world.tokens(1), 30);
  world.engine->run();
}

TEST(FairnessTest, OneOwnersQueueIsServedInOrder) {
  World world(100);
  world.options.sequences = 2;
  std::string order;
  for (const char* name : {"a1", "a2", "a3", "a4", "b1", "b2"}) {
    Request one = World::request(10, 3);
    one.owner = static_cast<uint64_t>(name[0]);
    one.on_finish = [&order, name](const RequestSummary&) { order += std::string(name) + " "; };
    if (!world.engine) world.engine.emplace(world.fixture.model, world.fixture.context, world.options);
    world.engine->submit(std::move(one));
  }
  world.engine->run();
  EXPECT_EQ(order, "a1 b1 a2 b2 a3 a4 ");
}

TEST(FairnessTest, ALowerPriorityDisplacesNobody) {
  World world(100);
  world.options.sequences = 2;
  for (int request = 0; request < 4; ++request) {
    Request one = World::request(10, 50, request);
    one.owner = 1;
    one.priority = 1;
    world.add(std::move(one));
  }
  world.steps(3);
  world.add(10, 5, 2);
  world.steps(20);
  EXPECT_EQ(world.tokens(4), 0);
  EXPECT_EQ(world.engine->statistics().preemptions, 0);
  world.engine->run();
  EXPECT_EQ(world.tokens(4), 5);
}

}  // namespace
}  // namespace r1
