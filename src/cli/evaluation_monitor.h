// What people can watch of an evaluation: the page of --ui.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "eval/benchmark.h"
#include "eval/runner.h"

namespace r1::cli {

/// What the page says about a task before it has answers.
struct WatchedTask {
  std::string title, model, metric;
  int64_t questions = 0, samples = 0;
};

/// Serves the page until it is destroyed. Called by one thread.
class EvaluationMonitor {
 public:
  /// `port` 0: any free one. Throws Error(io) when the port is taken.
  explicit EvaluationMonitor(int64_t port);
  ~EvaluationMonitor();
  EvaluationMonitor(const EvaluationMonitor&) = delete;
  EvaluationMonitor& operator=(const EvaluationMonitor&) = delete;

  std::string address() const;
  void begin(const WatchedTask& task);
  void add(const eval::Item& item, const eval::Sample& sample, const eval::Verdict& verdict);
  void update(const eval::RunProgress& progress);
  void end(const std::string& state);  // "finished" or "interrupted"

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace r1::cli
