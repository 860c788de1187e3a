// The files of a run's folder, for those who read and those who write it.
#pragma once

#include <filesystem>
#include <vector>

#include "eval/run.h"
#include "eval/run_json.h"

namespace r1::eval {

inline constexpr const char* kRunFile = "run.json";
inline constexpr const char* kQuestionsFile = "questions.jsonl";
inline constexpr const char* kAnswersFile = "answers.jsonl";

/// Throws Error(io, bad_file).
RunDescription read_run_file(const std::filesystem::path& folder);
/// In the order of the file, which is the data's; none where the file is missing.
std::vector<Item> read_questions(const std::filesystem::path& folder);

}  // namespace r1::eval
