#include "cli/evaluation_monitor.h"

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "cli/page_server.h"
#include "server/site/run_page.h"

namespace r1::cli {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr size_t kAnswers = 20;      // the last ones
constexpr size_t kTextBytes = 4000;  // of a question or an answer, for the page
constexpr size_t kPoints = 400;      // of the curve; then every second one goes

std::string shortened(const std::string& text) {
  return text.size() <= kTextBytes ? text : text.substr(0, kTextBytes) + " …";
}

}  // namespace

struct EvaluationMonitor::State {
  explicit State(int64_t port)
      : page(
            "/evaluation.html", "/api/evaluation",
            [this](const server::HttpRequest&) {
              const std::lock_guard lock(mutex);
              return server::fresh_json(text);
            },
            site_assets()),
        server(page.hooks(), port) {}

  void publish() {
    json["points"] = points;
    json["classes"] = classes;
    json["answers"] = answers;
    std::string now = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    const std::lock_guard lock(mutex);
    text = std::move(now);
  }

  Json json = {{"state", "waiting"}};
  std::deque<Json> points;  // [answers, score, low, high]
  size_t point_step = 1, updates = 0;
  std::map<std::string, int64_t> classes;
  std::deque<Json> answers;
  int64_t tokens = 0, done_before = -1;
  Clock::time_point began{};

  std::mutex mutex;
  std::string text = R"({"state":"waiting"})";  // what the page is told
  server::RunPage page;
  PageServer server;  // last: its threads use what is above
};

EvaluationMonitor::EvaluationMonitor(int64_t port) : state_(std::make_unique<State>(port)) {}
EvaluationMonitor::~EvaluationMonitor() = default;

std::string EvaluationMonitor::address() const {
  return state_->server.address();
}

void EvaluationMonitor::begin(const WatchedTask& task) {
  State& state = *state_;
  state.json = {{"state", "running"},
                {"title", task.title},
                {"model", task.model},
                {"metric", task.metric},
                {"questions", task.questions},
                {"samples", task.samples},
                {"done", 0},
                {"total", task.questions * task.samples}};
  state.points.clear();
  state.point_step = 1;
  state.updates = 0;
  state.classes.clear();
  state.answers.clear();
  state.tokens = 0;
  state.done_before = -1;
  state.began = Clock::now();
  state.publish();
}

void EvaluationMonitor::add(const eval::Item& item, const eval::Sample& sample,
                            const eval::Verdict& verdict) {
  State& state = *state_;
  ++state.classes[std::string(eval::class_name(verdict.answer_class))];
  state.tokens += sample.tokens;
  const std::string question = item.messages.empty() ? "" : item.messages.back().content.value_or("");
  state.answers.push_back({{"item", item.id},
                           {"sample", sample.index},
                           {"question", shortened(question)},
                           {"answer", shortened(sample.answer.empty() ? sample.reasoning : sample.answer)},
                           {"extracted", shortened(verdict.extracted)},
                           {"class", eval::class_name(verdict.answer_class)},
                           {"score", verdict.score},
                           {"tokens", sample.tokens}});
  if (state.answers.size() > kAnswers) state.answers.pop_front();
}

void EvaluationMonitor::update(const eval::RunProgress& progress) {
  State& state = *state_;
  if (state.done_before < 0) state.done_before = progress.done;
  const double elapsed = std::chrono::duration<double>(Clock::now() - state.began).count();
  const auto fresh = static_cast<double>(progress.done - state.done_before);
  Json& json = state.json;
  json["done"] = progress.done;
  json["total"] = progress.total;
  json["errors"] = progress.errors;
  json["judged"] = progress.judged;
  json["to_judge"] = progress.to_judge;
  json["graded"] = progress.graded;
  json["elapsed"] = elapsed;
  json["left"] =
      fresh > 0 ? Json(static_cast<double>(progress.total - progress.done) * elapsed / fresh) : Json();
  json["tokens_per_second"] = elapsed > 0 ? static_cast<double>(state.tokens) / elapsed : 0;
  if (progress.graded > 0) {
    json["score"] = progress.score.value;
    json["low"] = progress.score.low;
    json["high"] = progress.score.high;
    if (state.updates++ % state.point_step == 0)
      state.points.push_back(
          {progress.graded, progress.score.value, progress.score.low, progress.score.high});
    if (state.points.size() > kPoints) {
      std::deque<Json> kept;
      for (size_t i = 0; i < state.points.size(); i += 2) kept.push_back(std::move(state.points[i]));
      state.points = std::move(kept);
      state.point_step *= 2;
    }
  }
  state.publish();
}

void EvaluationMonitor::end(const std::string& new_state) {
  state_->json["state"] = new_state;
  state_->publish();
}

}  // namespace r1::cli
