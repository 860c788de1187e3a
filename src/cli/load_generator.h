// Asks an OpenAI-compatible server many questions at once and measures the answers.
//
// Terms (docs/performance.md): TTFT is from sending to the first piece of text of any kind; ITL each gap
// between two pieces; TPOT (E2E - TTFT) / (output tokens - 1).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace r1::cli {

struct LoadOptions {
  std::string url;    // "http://host:port"; "/v1/completions" is added
  std::string model;  // empty: the first of /v1/models
  std::string api_key;
  int64_t requests = 64;
  int64_t concurrency = 16;  // at once at most (closed loop)
  double rate = 0;           // requests a second, Poisson arrivals; 0: as soon as one ends, the next begins
  int64_t prompt_words = 200;
  int64_t output_tokens = 64;
  int64_t shared_words = 0;  // of the prompt: the same for all requests
  uint64_t seed = 1;
  double ttft_goal = 2, tpot_goal = 0.2;  // seconds, for goodput
  double disconnects = 0;                 // share of clients that go away in the middle
};

struct RequestMeasurement {
  bool ok = false, disconnected = false;
  std::string error;
  double ttft = 0, total = 0;
  std::vector<double> gaps;
  int64_t prompt_tokens = 0, output_tokens = 0;
};

/// Runs the load; the report has counts, rates, percentiles and goodput. Throws Error(network) when nothing
/// could be reached.
nlohmann::json run_load(const LoadOptions& options);

/// As a table.
std::string describe_load(const nlohmann::json& report);

}  // namespace r1::cli
