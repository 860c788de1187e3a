// Tables of scores: shares of right answers with intervals, by kind, level and language.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "grade/judge.h"

namespace r1::eval {

/// 95% confidence interval of a proportion (Wilson 1927). total > 0.
std::pair<double, double> wilson_interval(int64_t right, int64_t total);

/// A plain-text table, one line a row: kind × level, kind, level, language, all. answers: not empty.
std::string score_table(std::span<const grade::ScoredAnswer> answers);

}  // namespace r1::eval
