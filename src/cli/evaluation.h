// r1 eval TASK…: asks a model here or behind endpoints, and keeps the answers in a folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/options.h"
#include "engine/sampling.h"

namespace r1::cli {

struct EvalOptions {
  std::vector<std::string> tasks;
  std::string model;                   // empty: the one that ships
  std::vector<std::string> endpoints;  // empty: a model here
  std::string endpoint_model;          // empty: the endpoints' first
  std::string api_key_file, judge, judge_key_file;
  std::string data, out;
  std::string system_prompt;
  std::string shard;           // "I/N"; empty: all questions
  int64_t samples = 0;         // 0: the benchmark's
  int64_t limit = -1;          // -1: all questions
  int64_t max_tokens = 0;      // 0: the benchmark's
  int64_t context_length = 0;  // 0: the model's
  int64_t batch = 64;          // answers generated at once
  int64_t concurrency = 16;    // requests at once, of each endpoint
  int64_t timeout = 7200;      // seconds until an endpoint's answer must be complete
  bool ui = false;             // a live page
  int64_t ui_port = 8091;      // 0: any free one
  SamplingOptions sampling;
  RuntimeOptions runtime;
};

/// Runs the tasks in order. Throws Error; cancelled: the text says how to go on.
void evaluate(const EvalOptions& options);

}  // namespace r1::cli
