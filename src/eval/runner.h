// Asks a benchmark's questions, k samples each, and writes the answers into the run's folder as they end.
//
// What an answer says depends on its question, sample number and sampling alone, so the order in which answers end, the number
// of questions in flight and interruptions make no difference to the run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "engine/responder.h"
#include "eval/benchmark.h"
#include "eval/run_folder.h"
#include "eval/statistics.h"

namespace r1::eval {

/// How far a run is. Scores are of the answers that are graded so far, those of an earlier call among them.
struct RunProgress {
  int64_t done = 0, total = 0;  // answers
  int64_t errors = 0;           // of this call: asked again by the next
  int64_t judged = 0, to_judge = 0;
  int64_t judge_errors = 0;
  Estimate score{};
  int64_t graded = 0;
};

struct RunnerOptions {
  int64_t samples = 1;
  GenerationOptions generation{};  // its seed: sample_seed() (eval/run_json.h)
  int64_t in_flight = 64;          // answers asked for and not there, about
  GradingContext grading{};
  std::function<bool()> cancelled{};                      // asked often
  std::function<void(const RunProgress&)> on_progress{};  // several times a second
  /// Each answer that was graded, those of an earlier call among them, in any order.
  std::function<void(const Item&, const Sample&, const Verdict&)> on_graded{};
  std::function<void(const std::string&)> remark{};  // what a person should know, in a line
};

/// Returns when every answer is there, has failed, or `cancelled` said so (then answers under way are lost). `judge`: null: none
/// is asked. Throws Error: io (the folder), network (no endpoint is left). One thread.
RunProgress run_benchmark(const Benchmark& benchmark, RunFolder& folder, Responder& responder,
                          Responder* judge, const RunnerOptions& options);

/// A responder's answer as a sample.
Sample make_sample(const Item& item, int64_t index, Generation generation);

}  // namespace r1::eval
