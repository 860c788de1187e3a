// Weights and adapters that change between requests: nothing that the old ones computed is read again.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "nn/adapter.h"
#include "tests/engine/engine_fixture.h"

namespace r1 {
namespace {

Request question(int64_t size = 70) {
  Request request;
  for (int64_t index = 0; index < size; ++index)
    request.prompt.push_back(static_cast<int32_t>(index * 5 % 23));
  request.max_tokens = 40;
  return request;
}

Answer answer(Engine& engine, const Request& request) {
  Answer result;
  submit(engine, request, result);
  engine.run();
  engine.check_integrity();
  return result;
}

TEST(WeightsChangeTest, RolloutsAfterAChangeEqualThoseOfAFreshEngine) {
  EngineFixture fixture;
  Engine engine(fixture.model, fixture.context, fixture.options(20));
  std::vector<std::vector<int32_t>> seen;
  for (uint64_t step = 0; step < 4; ++step) {
    fixture.model->weights = step;
    if (step > 0) engine.weights_changed();
    EXPECT_EQ(engine.statistics().blocks_free, 20);
    Engine fresh(fixture.model, fixture.context, fixture.options(20));
    const Answer expected = answer(fresh, question());
    const Answer first = answer(engine, question());
    EXPECT_EQ(first.tokens, expected.tokens) << "step " << step;
    EXPECT_EQ(first.summary->reused_tokens, 0) << "step " << step;
    const Answer second = answer(engine, question());
    EXPECT_EQ(second.tokens, expected.tokens) << "step " << step;
    EXPECT_EQ(second.summary->reused_tokens, 69) << "what the new weights computed is found";
    for (const std::vector<int32_t>& earlier : seen) EXPECT_NE(first.tokens, earlier) << "the weights matter";
    seen.push_back(first.tokens);
  }
}

TEST(WeightsChangeTest, IsRefusedWhileARequestRunsOrWaits) {
  EngineFixture fixture;
  EngineOptions options = fixture.options(20);
  options.sequences = 1;
  Engine engine(fixture.model, fixture.context, options);
  const Answer expected = answer(engine, question());
  const auto refusal = [&]() -> std::string {
    try {
      engine.weights_changed();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
      return error.what();
    }
    return "done";
  };
  Answer running, waiting;
  submit(engine, question(), running);
  EXPECT_EQ(refusal(), "weights changed: expected no running or waiting request, found 1");
  engine.step();
  submit(engine, question(), waiting);
  engine.step();
  EXPECT_EQ(refusal(), "weights changed: expected no running or waiting request, found 2");
  engine.check_integrity();
  engine.run();
  EXPECT_EQ(running.tokens, expected.tokens);
  EXPECT_EQ(waiting.tokens, expected.tokens);
  EXPECT_EQ(waiting.summary->reused_tokens, 69) << "the refusal forgot nothing";
  EXPECT_EQ(refusal(), "done");
  EXPECT_EQ(engine.statistics().blocks_cached, 0);
  EXPECT_EQ(answer(engine, question()).summary->reused_tokens, 0);
}

class AdapterChangeTest : public testing::Test {
 protected:
  AdapterChangeTest() {
    fixture_.model->adapter_weights = [this](const Adapter* adapter) {
      return adapter == nullptr ? 0 : weights_;
    };
    engine_.emplace(fixture_.model, fixture_.context, fixture_.options(40));
  }

  Answer ask(const Adapter* adapter) {
    Request request = question();
    request.adapter = adapter;
    return answer(*engine_, request);
  }

  Answer ask_fresh(const Adapter* adapter) {
    Engine fresh(fixture_.model, fixture_.context, fixture_.options(40));
    Request request = question();
    request.adapter = adapter;
    return answer(fresh, request);
  }

  EngineFixture fixture_;
  uint64_t weights_ = 1;  // what the adapter's memory holds
  std::optional<Engine> engine_;
};

TEST_F(AdapterChangeTest, AnAdapterWhoseMemoryChangedReadsNothingOfItsOwnPast) {
  Adapter adapter;
  const Answer base = ask(nullptr);
  const Answer before = ask(&adapter);
  weights_ = 2;
  adapter.mark_changed();
  const Answer after = ask(&adapter);
  EXPECT_NE(after.tokens, before.tokens);
  EXPECT_EQ(after.tokens, ask_fresh(&adapter).tokens);
  EXPECT_EQ(after.summary->reused_tokens, 0);
  const Answer again = ask(nullptr);
  EXPECT_EQ(again.tokens, base.tokens);
  EXPECT_EQ(again.summary->reused_tokens, 69) << "the model's own cache is still good";
}

TEST_F(AdapterChangeTest, AnotherAdapterAtTheSameAddressIsAnother) {
  std::allocator<Adapter> memory;
  Adapter* const address = memory.allocate(1);
  std::construct_at(address);
  const Answer before = ask(address);
  std::destroy_at(address);
  weights_ = 2;
  std::construct_at(address);
  const Answer after = ask(address);
  EXPECT_NE(after.tokens, before.tokens);
  EXPECT_EQ(after.tokens, ask_fresh(address).tokens);
  EXPECT_EQ(after.summary->reused_tokens, 0);
  std::destroy_at(address);
  memory.deallocate(address, 1);
}

TEST_F(AdapterChangeTest, AdaptersThatCameAndWentLeaveTheModelsCacheUsable) {
  const Answer base = ask(nullptr);
  for (weights_ = 1; weights_ < 60; ++weights_) {
    const Adapter adapter;
    EXPECT_EQ(ask(&adapter).summary->reused_tokens, 0);
    engine_->check_integrity();
  }
  EXPECT_EQ(ask(nullptr).tokens, base.tokens);
  const EngineStatistics statistics = engine_->statistics();
  EXPECT_EQ(statistics.blocks_free + statistics.blocks_cached, statistics.blocks_total);
}

TEST_F(AdapterChangeTest, WeightsChangedForgetsWhatAdaptersComputedToo) {
  const Adapter adapter;
  ask(&adapter);
  EXPECT_EQ(ask(&adapter).summary->reused_tokens, 69);
  fixture_.model->weights = 9;
  engine_->weights_changed();
  const Answer after = ask(&adapter);
  EXPECT_EQ(after.summary->reused_tokens, 0);
  EXPECT_EQ(after.tokens, ask_fresh(&adapter).tokens);
}

}  // namespace
}  // namespace r1
