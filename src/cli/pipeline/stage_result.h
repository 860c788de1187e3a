// What a stage's answers to the held-out questions say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eval/report.h"

namespace r1::cli {

struct StageResult {
  eval::Evaluation evaluation;  // pass@1, pass@k, cons@k with intervals
  double format = 0;            // share of answers whose thinking was closed once and that have one box
  double language = 0;          // mean share of words in the question's language
  double thinking_tokens = 0;   // mean
  double answer_tokens = 0;     // mean, thinking included
  double cut_off = 0;           // share of answers that the model did not end
};

/// Reads the folder of a run of the task `questions`. Throws Error.
StageResult read_stage_result(const std::filesystem::path& folder);

}  // namespace r1::cli
