#include "eval/score_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace r1::eval {

using grade::ScoredAnswer;
using grade::ScoreTally;

namespace {

std::string percent(int64_t part, int64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f}%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string row(const std::string& kind, const std::string& level, const std::string& language,
                const ScoreTally& tally) {
  const auto [low, high] = wilson_interval(tally.right, tally.total);
  return fmt::format("{:<16}{:>5} {:>8} {:>6} {:>8}  [{:5.1f}, {:5.1f}]  {:>8} {:>9} {:>7.1f}\n", kind, level,
                     language, tally.total, percent(tally.right, tally.total), 100 * low, 100 * high,
                     percent(tally.finished, tally.total),
                     percent(tally.equations_right, tally.equations_right + tally.equations_wrong),
                     static_cast<double>(tally.tokens) / static_cast<double>(tally.total));
}

}  // namespace

std::pair<double, double> wilson_interval(int64_t right, int64_t total) {
  constexpr double z = 1.959963984540054;
  const auto n = static_cast<double>(total);
  const double p = static_cast<double>(right) / n, d = 1 + z * z / n;
  const double middle = (p + z * z / (2 * n)) / d;
  const double half = z / d * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

std::string score_table(std::span<const ScoredAnswer> answers) {
  std::map<std::pair<std::string, int64_t>, ScoreTally> cells;
  std::map<std::string, ScoreTally> kinds, languages;
  std::map<int64_t, ScoreTally> levels;
  ScoreTally all;
  for (const ScoredAnswer& answer : answers) {
    const ScoreTally tally = judge(answer);
    cells[{answer.kind, answer.level}].add(tally);
    kinds[answer.kind].add(tally);
    levels[answer.level].add(tally);
    if (!answer.language.empty()) languages[answer.language].add(tally);
    all.add(tally);
  }
  std::string table =
      fmt::format("{:<16}{:>5} {:>8} {:>6} {:>8}  {:<14}  {:>8} {:>9} {:>7}\n", "kind", "level", "language",
                  "n", "right", "95% interval", "finished", "equations", "tokens");
  for (const auto& [cell, tally] : cells) table += row(cell.first, std::to_string(cell.second), "all", tally);
  for (const auto& [kind, tally] : kinds) table += row(kind, "all", "all", tally);
  for (const auto& [level, tally] : levels) table += row("all", std::to_string(level), "all", tally);
  for (const auto& [language, tally] : languages) table += row("all", "all", language, tally);
  return table + row("all", "all", "all", all);
}

}  // namespace r1::eval
