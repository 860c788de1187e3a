// r1 distill: a teacher answers questions, filters keep what is worth learning, a student is trained on it.
//
// OUTPUT/
//   questions.jsonl   the records of the data
//   answers/          the run of an evaluation (docs/evaluation.md): what the teacher said
//   kept.jsonl        what the filters kept, as training data
//   filters.json      counts by what happened to the answers
//   report.md         the same for people
//   student/          the student's run (docs/training.md), where one is trained
#pragma once

#include <string>
#include <vector>

#include "cli/evaluation.h"
#include "rl/answer_filter.h"
#include "train/options.h"

namespace r1::cli {

struct DistillationOptions {
  std::vector<std::string> data;
  std::string output;
  EvalOptions teacher;  // its tasks, data and out are set here
  rl::AnswerFilterOptions filter;
  bool samples_only = false;  // no student
  TrainingOptions student;    // its data and output are set here
};

/// The same call continues what was interrupted. Throws Error; cancelled: the text says how to go on.
void distill(DistillationOptions options);

}  // namespace r1::cli
