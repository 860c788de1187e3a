// Answers that were made elsewhere, graded as a run's own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "eval/benchmark.h"
#include "eval/data_reader.h"

namespace r1::eval {

/// The answers of a file of outputs, and what did not fit.
struct OutputFile {
  std::vector<Sample> samples;  // sorted by item, in the data's order, then by index
  int64_t unknown_ids = 0;      // answers to questions that the data does not have
  int64_t excluded = 0;         // answers to records that are not scored
  int64_t duplicates = 0;       // further answers with the id and sample number of an earlier one
  int64_t unanswered = 0;       // questions without an answer
};

/// Reads outputs: a record (JSONL, JSON, CSV, each maybe .gz) has `output` (or response, model_output, completion, prediction,
/// answer), optionally `id`, `sample`, `judge_reply` (a text or a list) and `finish_reason` ("length": it was cut). Ids are those of the
/// data; where fewer of them fit than line numbers of the data do, they are 0-based line numbers. Records without ids are matched by their
/// `prompt` where that is a question of the data, else by their own position. Answers to one question without `sample` are numbered in
/// their order. An output is split at its thinking. Throws as read_data(), and Error(bad_file) where no answer fits a question.
OutputFile read_outputs(const std::filesystem::path& file, const ItemList& data);

/// Verdicts of `samples`, and what follows from them.
struct Grades {
  std::vector<Verdict> verdicts;  // of samples, in the same order
  double score = 0;               // the main metric
  std::vector<std::pair<std::string, double>>
      metrics;  // the main metric first; with several samples a question, "pass@1" and "cons"
  std::map<AnswerClass, int64_t> classes;  // answers by class
};

/// `samples` refer to `items` by id. Not empty.
Grades grade_samples(const Benchmark& benchmark, const std::vector<Item>& items,
                     const std::vector<Sample>& samples, const GradingContext& context);

}  // namespace r1::eval
