// What people can watch of a training run: run.json and samples.jsonl beside its log, and with --ui a page
// that shows all three while it runs.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "eval/sample_answer.h"

namespace r1::cli {

/// Serves the page of a run's folder on loopback until it is destroyed. Throws Error(io) when the port is
/// taken.
class TrainingPageServer {
 public:
  /// `port` 0: any free one.
  TrainingPageServer(const std::filesystem::path& folder, int64_t port);
  ~TrainingPageServer();
  TrainingPageServer(const TrainingPageServer&) = delete;

  std::string address() const;  // "http://127.0.0.1:8090/"

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Keeps the lines of a JSONL file whose "step" is at most `step`: a resumed run makes the later ones again. 0: keeps none.
/// A missing file is created empty. Throws Error(io).
void drop_later_lines(const std::filesystem::path& path, int64_t step);

/// One run, one thread.
class TrainingMonitor {
 public:
  /// `description`: an object, what the run is; "began" and "state" are added. Writes run.json; samples of
  /// steps after `resumed_step` are dropped.
  TrainingMonitor(std::filesystem::path folder, const nlohmann::ordered_json& description,
                  int64_t resumed_step);
  /// Writes the state "failed" unless finish() was called.
  ~TrainingMonitor();
  TrainingMonitor(const TrainingMonitor&) = delete;

  void add(int64_t step, const SampleAnswer& sample);
  /// "finished", "interrupted" or "stopped early".
  void finish(const std::string& state);

 private:
  void write(const std::string& state);

  std::filesystem::path folder_;
  std::unique_ptr<nlohmann::ordered_json> description_;
  bool finished_ = false;
};

}  // namespace r1::cli
