#include "server/models/completion.h"

#include <future>
#include <thread>

#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using test::TestServer;

/// At its end, somebody else asks the job whether it has ended, and this waits for the reply.
class AskedAtTheEnd : public CompletionObserver {
 public:
  bool on_delta(int64_t, CompletionDelta) override { return true; }
  void on_choice_end(int64_t, const ChoiceResult&) override {}
  void on_end(const CompletionUsage&) override {
    const std::shared_ptr<CompletionJob> asked = job.get_future().get();
    asker = std::thread([this, asked] { reply.set_value(asked->ended()); });
    replied.set_value(reply.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  }

  std::promise<std::shared_ptr<CompletionJob>> job;
  std::promise<bool> reply, replied;
  std::thread asker;
};

// The chat site's keeper asked its jobs under the lock that their ends need: two answers that ended together
// could stop the engine for good.
TEST(CompletionJob, SaysWhetherItHasEndedWhileItEnds) {
  TestServer server;
  CompletionSpec spec;
  spec.model = server.models->acquire("");
  spec.prompt = {1, 2, 3};
  spec.max_tokens = 2;
  const auto observer = std::make_shared<AskedAtTheEnd>();
  const auto job = CompletionJob::start(std::move(spec), observer,
                                        server.application->context().metrics.of_model("small"));
  observer->job.set_value(job);
  EXPECT_TRUE(observer->replied.get_future().get());
  observer->asker.join();
  for (int tries = 0; tries < 1000 && !job->ended(); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(job->ended());
}

}  // namespace
}  // namespace r1::server
