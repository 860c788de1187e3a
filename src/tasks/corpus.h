// The generated corpus: exercises of several kinds and levels in English and Chinese, each with its worked
// answer. docs/data.md describes the file and the kinds.
//
// Goals: a model of a few million parameters can learn it; every equation in it is correct; the same options
// give the same file; no problem of the test split occurs in the training split in any wording or language.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tasks/problem.h"
#include "tasks/style.h"

namespace r1::tasks {

enum class Split { train, test };

struct KindWeight {
  std::string kind;
  double weight;
};

/// Kinds with their usual share of a mixture.
const std::vector<KindWeight>& default_mixture();

/// Every kind: those of the mixture, and "chain".
std::vector<std::string> kind_names();

struct CorpusOptions {
  std::vector<KindWeight> kinds = default_mixture();
  std::vector<int> levels = {1, 2, 3, 4};
  std::vector<Language> languages = {Language::english, Language::chinese};
  /// Shares of the ways to write the trace.
  double full = 1, brief = 0, none = 0;
  double history = 0.08;         // share of samples that begin with earlier turns
  double box_instruction = 0.1;  // share of questions with "Please reason step by step, …" behind them
  SampleStyle style{};
  Split split = Split::train;
  bool distinct = false;  // no canonical form twice (the test split: always so)
  int64_t count = 1000;
  uint64_t seed = 1;
};

/// In which split a problem belongs: one in twenty is test, by a hash of the canonical form. Small talk is
/// training, but for questions about subjects that the model cannot know.
Split split_of(const std::string& canonical);

/// Calls `emit` for each problem, in order, and returns how many there were: fewer than asked for only when
/// `distinct` problems ran out. Throws Error(invalid_argument) for unknown kinds, levels outside 1 to 4,
/// empty lists and shares that are not positive.
int64_t make_corpus(const CorpusOptions& options, const std::function<void(const Problem&)>& emit);

/// The problem as one line of JSON, without a newline: question, think, answer, kind, level, language,
/// canonical, and history where there is one.
std::string to_json_line(const Problem& problem);

/// The problem with a slip: the result in the last step and in the box is another number. Which, depends on
/// the problem alone. Nothing for problems without a whole number as their answer.
std::optional<Problem> with_slip(const Problem& problem);

/// A preference pair: prompt, history, chosen and rejected, the latter with a slip.
std::string to_pair_line(const Problem& problem, const Problem& slip);

/// For KTO: the fields of to_json_line and label.
std::string to_labelled_line(const Problem& problem, bool label);

}  // namespace r1::tasks
