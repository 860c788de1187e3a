// What a run's answers say: scores with intervals, classes, lengths. Deterministic: it depends on the items, the answers and the
// verdicts alone, not on clocks, workers or where the answers came from.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "eval/run.h"
#include "eval/statistics.h"

namespace r1::eval {

struct AtK {
  int64_t k = 1;
  Estimate estimate{};
};

struct ClassCount {
  AnswerClass answer_class = AnswerClass::right;
  int64_t count = 0;
  double share = 0;  // of all samples, failed ones included
};

/// Lengths of answers in tokens, thinking included.
struct Lengths {
  std::vector<int64_t> sorted{};
  double mean = 0;  // 0: there are none
  /// The smallest length that `share` of the answers do not exceed; 0: there are none.
  int64_t quantile(double share) const;
};

struct GroupScore {
  std::string name;
  int64_t questions = 0, samples = 0;
  Estimate score{};
};

struct Summary {
  int64_t questions = 0;       // asked for
  int64_t questions_seen = 0;  // with one answer or more
  int64_t samples = 0;         // asked for: questions × k
  int64_t generated = 0;       // answers, without the failed ones
  int64_t failed = 0;          // AnswerClass::error: no answer came; they enter no score
  int64_t undecided = 0;       // AnswerClass::unknown: they count as wrong
  int64_t fewest = 0;          // samples of the seen question that has the fewest
  bool partial = false;        // fewer answers than asked for
  bool graded = false;         // one verdict or more

  std::string metric;  // the main one
  Estimate score{};    // of it
  bool interval = false;
  /// All values in the benchmark's order, the main one first.
  std::vector<std::pair<std::string, double>> metrics{};
  /// k = 1, 2, 4, … and the fewest; of Verdict::correct.
  std::vector<AtK> pass_at{}, consensus_at{};
  std::vector<ClassCount> classes{};  // all, in the order of AnswerClass
  double truncated = 0;               // share of the generated
  Lengths right{}, wrong{};
  std::vector<GroupScore> groups{};  // in order of first appearance; empty with fewer than two
  std::vector<std::string> notes{};  // sentences that belong beside the score
};

/// The interval of a metric of Benchmark::metrics is that of the mean over samples where it is that mean, else by the entries
/// "NAME low" and "NAME high" (95%), which are not listed in `metrics`.
Summary summarise(const Run& run, const Benchmark& benchmark);

/// Scores of each item's samples, in the order of the items; failed samples are left out. `correct`: 0 or 1, else Verdict::score.
std::vector<Scores> item_scores(const Run& run, bool correct);

/// "71.3%", or "1691" for a rating: metrics whose name contains "rating".
std::string metric_text(const std::string& metric, double value);

}  // namespace r1::eval
