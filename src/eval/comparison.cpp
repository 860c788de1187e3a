#include "eval/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "eval/protocol.h"

namespace r1::eval {
namespace {

double mean(const Scores& scores) {
  return std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
}

/// The extracted answer of each item's first sample that did not fail.
std::unordered_map<std::string, std::string> first_answers(const Run& run) {
  std::unordered_map<std::string, std::string> answers;
  for (size_t i = 0; i < run.samples.size(); ++i)
    if (run.verdicts[i].answer_class != AnswerClass::error)
      answers.emplace(run.samples[i].item, run.verdicts[i].extracted);
  return answers;
}

std::vector<std::string> setting_differences(const Evaluation& first, const Evaluation& second) {
  std::vector<std::string> differences;
  std::vector<ProtocolSetting> a = protocol_settings(first.run.description, *first.benchmark);
  const std::vector<ProtocolSetting> b = protocol_settings(second.run.description, *second.benchmark);
  for (const ProtocolSetting& setting : b) {
    const auto other = std::find_if(a.begin(), a.end(),
                                    [&](const ProtocolSetting& one) { return one.name == setting.name; });
    const std::string before = other == a.end() ? "not set" : other->here;
    if (before != setting.here)
      differences.push_back(fmt::format("{}: {} and {}", setting.name, before, setting.here));
    if (other != a.end()) a.erase(other);
  }
  for (const ProtocolSetting& setting : a)
    differences.push_back(fmt::format("{}: {} and not set", setting.name, setting.here));
  return differences;
}

void sort_by_change(std::vector<QuestionPair>& pairs) {
  std::stable_sort(pairs.begin(), pairs.end(), [](const QuestionPair& a, const QuestionPair& b) {
    return std::abs(a.after - a.before) > std::abs(b.after - b.before);
  });
}

}  // namespace

Comparison compare(const Evaluation& first, const Evaluation& second) {
  if (first.benchmark->name != second.benchmark->name) {
    throw_error(ErrorKind::invalid_argument,
                "comparison: expected two runs of one benchmark, found {} and {}", first.benchmark->name,
                second.benchmark->name);
  }
  Comparison comparison{&first, &second};
  const std::vector<Scores> before = item_scores(first.run, false), after = item_scores(second.run, false);
  const auto answers_before = first_answers(first.run), answers_after = first_answers(second.run);
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < second.run.items.size(); ++i)
    if (!after[i].empty()) places.emplace(second.run.items[i].id, i);
  std::vector<Scores> a, b;
  for (size_t i = 0; i < first.run.items.size(); ++i) {
    if (before[i].empty()) continue;
    const Item& item = first.run.items[i];
    const auto place = places.find(item.id);
    if (place == places.end()) {
      ++comparison.only_first;
      continue;
    }
    a.push_back(before[i]);
    b.push_back(after[place->second]);
    QuestionPair pair{&item,
                      mean(a.back()),
                      mean(b.back()),
                      static_cast<int64_t>(a.back().size()),
                      static_cast<int64_t>(b.back().size()),
                      answers_before.at(item.id),
                      answers_after.at(item.id)};
    if (pair.before == pair.after)
      ++comparison.equal;
    else
      (pair.after > pair.before ? comparison.better : comparison.worse).push_back(std::move(pair));
    places.erase(place);
  }
  comparison.only_second = static_cast<int64_t>(places.size());
  if (a.empty()) {
    throw_error(ErrorKind::invalid_argument, "comparison: {} and {} have no answered question in common",
                first.run.description.model, second.run.description.model);
  }
  comparison.paired = paired_difference(a, b);
  comparison.first_score = mean_score(a);
  comparison.second_score = mean_score(b);
  sort_by_change(comparison.better);
  sort_by_change(comparison.worse);
  comparison.differences = setting_differences(first, second);
  return comparison;
}

}  // namespace r1::eval
