#include "eval/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <unordered_map>

namespace r1::eval {
namespace {

using ItemPositions = std::unordered_map<std::string, size_t>;

ItemPositions positions_of(const std::vector<Item>& items) {
  ItemPositions positions;
  for (size_t i = 0; i < items.size(); ++i) positions.emplace(items[i].id, i);
  return positions;
}

bool failed(const Verdict& verdict) {
  return verdict.answer_class == AnswerClass::error;
}

/// k = 1, 2, 4, … up to `most`, and `most`.
std::vector<int64_t> powers_to(int64_t most) {
  std::vector<int64_t> ks;
  for (int64_t k = 1; k < most; k *= 2) ks.push_back(k);
  if (most > 0) ks.push_back(most);
  return ks;
}

std::vector<Scores> seen(std::vector<Scores> questions) {
  std::erase_if(questions, [](const Scores& scores) { return scores.empty(); });
  return questions;
}

/// Votes of the seen items; empty when no answer was extracted.
std::vector<std::vector<Vote>> item_votes(const Run& run, const Benchmark& benchmark) {
  const ItemPositions positions = positions_of(run.items);
  std::vector<std::vector<std::string>> answers(run.items.size());
  std::vector<std::vector<Vote>> votes(run.items.size());
  bool any = false;
  for (size_t i = 0; i < run.samples.size(); ++i) {
    if (failed(run.verdicts[i])) continue;
    const size_t item = positions.at(run.samples[i].item);
    const bool cut = run.verdicts[i].answer_class == AnswerClass::truncated_in_reasoning;
    answers[item].push_back(cut ? "" : run.verdicts[i].extracted);
    votes[item].push_back({-1, run.verdicts[i].correct});
    any = any || !answers[item].back().empty();
  }
  if (!any) return {};
  for (size_t item = 0; item < answers.size(); ++item) {
    const std::vector<int64_t> classes = vote_classes(answers[item], benchmark.same_vote);
    for (size_t i = 0; i < classes.size(); ++i) votes[item][i].answer = classes[i];
  }
  std::erase_if(votes, [](const std::vector<Vote>& ballot) { return ballot.empty(); });
  return votes;
}

void add_metrics(Summary& summary, const Run& run, const Benchmark& benchmark) {
  const ItemPositions positions = positions_of(run.items);
  std::vector<GradedSample> answers;
  answers.reserve(run.samples.size());
  for (size_t i = 0; i < run.samples.size(); ++i) {
    if (!failed(run.verdicts[i]))
      answers.push_back({&run.items[positions.at(run.samples[i].item)], &run.samples[i], &run.verdicts[i]});
  }
  const auto values = metrics_of(benchmark, answers);
  summary.metric = values.empty() ? benchmark.metric : values.front().first;
  const Estimate mean = mean_score(item_scores(run, false));
  summary.score = mean;
  summary.interval = summary.generated > 0;
  if (values.empty()) return;
  std::optional<double> low, high;
  for (const auto& [name, value] : values) {
    if (name == summary.metric + " low")
      low = value;
    else if (name == summary.metric + " high")
      high = value;
    else
      summary.metrics.emplace_back(name, value);
  }
  summary.score.value = values.front().second;
  if (low && high) {
    summary.score.low = *low;
    summary.score.high = *high;
  } else {
    summary.interval = std::abs(mean.value - summary.score.value) < 1e-9;
  }
}

void add_classes(Summary& summary, const Run& run) {
  std::array<int64_t, static_cast<size_t>(AnswerClass::unknown) + 1> counts{};
  int64_t truncated = 0;
  for (size_t i = 0; i < run.samples.size(); ++i) {
    const AnswerClass answer_class = run.verdicts[i].answer_class;
    ++counts[static_cast<size_t>(answer_class)];
    if (failed(run.verdicts[i])) continue;
    if (run.samples[i].end == Sample::End::length || run.samples[i].end == Sample::End::loop) ++truncated;
    (run.verdicts[i].correct ? summary.right : summary.wrong).sorted.push_back(run.samples[i].tokens);
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    const double all = static_cast<double>(std::max<size_t>(run.samples.size(), 1));
    summary.classes.push_back({static_cast<AnswerClass>(i), counts[i], static_cast<double>(counts[i]) / all});
  }
  for (Lengths* lengths : {&summary.right, &summary.wrong}) {
    std::sort(lengths->sorted.begin(), lengths->sorted.end());
    if (lengths->sorted.empty()) continue;
    const int64_t sum = std::accumulate(lengths->sorted.begin(), lengths->sorted.end(), int64_t{0});
    lengths->mean = static_cast<double>(sum) / static_cast<double>(lengths->sorted.size());
  }
  summary.failed = counts[static_cast<size_t>(AnswerClass::error)];
  summary.undecided = counts[static_cast<size_t>(AnswerClass::unknown)];
  summary.generated = static_cast<int64_t>(run.samples.size()) - summary.failed;
  summary.graded = summary.generated > summary.undecided;
  if (summary.generated > 0)
    summary.truncated = static_cast<double>(truncated) / static_cast<double>(summary.generated);
}

void add_groups(Summary& summary, const Run& run) {
  const std::vector<Scores> scores = item_scores(run, false);
  std::unordered_map<std::string, size_t> places;
  std::vector<std::vector<Scores>> questions;
  for (size_t i = 0; i < run.items.size(); ++i) {
    if (run.items[i].group.empty() || scores[i].empty()) continue;
    const auto [place, added] = places.emplace(run.items[i].group, summary.groups.size());
    if (added) {
      summary.groups.push_back({run.items[i].group});
      questions.emplace_back();
    }
    GroupScore& group = summary.groups[place->second];
    ++group.questions;
    group.samples += static_cast<int64_t>(scores[i].size());
    questions[place->second].push_back(scores[i]);
  }
  for (size_t i = 0; i < questions.size(); ++i) summary.groups[i].score = mean_score(questions[i]);
  if (summary.groups.size() < 2) summary.groups.clear();
}

void add_notes(Summary& summary) {
  std::vector<std::string>& notes = summary.notes;
  if (summary.partial) {
    notes.push_back(fmt::format("Partial: {} of {} questions have answers, {} of {} samples were generated.",
                                summary.questions_seen, summary.questions, summary.generated,
                                summary.samples));
  }
  if (summary.failed > 0)
    notes.push_back(
        fmt::format("{} samples failed and enter no score; running again repeats them.", summary.failed));
  if (summary.generated > 0 && !summary.graded) {
    notes.push_back(
        "Not graded: no answer has a verdict. Code needs the sandbox, judged tasks a judge (--judge).");
  } else if (summary.undecided > 0) {
    notes.push_back(fmt::format(
        "{} answers could not be decided and count as wrong; their share is {:.1f}%.", summary.undecided,
        100.0 * static_cast<double>(summary.undecided) / static_cast<double>(summary.generated)));
  }
  if (summary.truncated >= 0.05) {
    notes.push_back(
        fmt::format("{:.1f}% of the answers were cut off; a larger --max-tokens may change the score.",
                    100 * summary.truncated));
  }
  if (summary.questions_seen > 0 && summary.questions_seen < 100 && summary.graded) {
    notes.push_back(
        fmt::format("One question is {:.1f} points.", 100.0 / static_cast<double>(summary.questions_seen)));
  }
}

}  // namespace

int64_t Lengths::quantile(double share) const {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

std::vector<Scores> item_scores(const Run& run, bool correct) {
  const ItemPositions positions = positions_of(run.items);
  std::vector<Scores> scores(run.items.size());
  for (size_t i = 0; i < run.samples.size(); ++i) {
    const Verdict& verdict = run.verdicts[i];
    if (failed(verdict)) continue;
    scores[positions.at(run.samples[i].item)].push_back(correct ? (verdict.correct ? 1 : 0) : verdict.score);
  }
  return scores;
}

std::string metric_text(const std::string& metric, double value) {
  if (metric.find("rating") == std::string::npos) return fmt::format("{:.1f}%", 100 * value);
  if (std::isinf(value)) return value > 0 ? "above all problems" : "below all problems";
  return fmt::format("{:.0f}", value);
}

Summary summarise(const Run& run, const Benchmark& benchmark) {
  Summary summary;
  const std::vector<Scores> correct = seen(item_scores(run, true));
  summary.questions = std::max(run.description.questions, static_cast<int64_t>(run.items.size()));
  summary.questions_seen = static_cast<int64_t>(correct.size());
  summary.samples = summary.questions * run.description.samples;
  for (const Scores& scores : correct) {
    const auto count = static_cast<int64_t>(scores.size());
    summary.fewest = summary.fewest == 0 ? count : std::min(summary.fewest, count);
  }
  add_classes(summary, run);
  summary.partial = summary.generated < summary.samples;
  add_metrics(summary, run, benchmark);
  for (const int64_t k : powers_to(summary.fewest)) summary.pass_at.push_back({k, pass_at(correct, k)});
  if (benchmark.judging == Judging::rules && summary.fewest > 0) {
    const std::vector<std::vector<Vote>> votes = item_votes(run, benchmark);
    for (const int64_t k : powers_to(votes.empty() ? 0 : summary.fewest))
      summary.consensus_at.push_back({k, consensus_at(votes, k)});
  }
  add_groups(summary, run);
  add_notes(summary);
  return summary;
}

}  // namespace r1::eval
