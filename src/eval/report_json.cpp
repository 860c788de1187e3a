#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "eval/protocol.h"
#include "eval/published.h"
#include "eval/report.h"

namespace r1::eval {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json estimate_json(const Estimate& estimate) {
  return {{"value", number(estimate.value)}, {"low", number(estimate.low)}, {"high", number(estimate.high)}};
}

Json at_k_json(const std::vector<AtK>& values) {
  Json out = Json::array();
  for (const AtK& at : values) {
    Json entry = {{"k", at.k}};
    entry.update(estimate_json(at.estimate));
    out.push_back(std::move(entry));
  }
  return out;
}

Json lengths_json(const Lengths& lengths) {
  Json out = {{"answers", lengths.sorted.size()}};
  if (lengths.sorted.empty()) return out;
  out["mean"] = lengths.mean;
  out["smallest"] = lengths.sorted.front();
  out["quarter"] = lengths.quantile(0.25);
  out["median"] = lengths.quantile(0.5);
  out["three_quarters"] = lengths.quantile(0.75);
  out["largest"] = lengths.sorted.back();
  return out;
}

Json source_json(const RunDescription& run) {
  return {{"model", run.model},
          {"weights_sha256", run.weights_sha256},
          {"endpoints", run.endpoints},
          {"cache", run.cache_types},
          {"data_file", run.data_file},
          {"data_sha256", run.data_sha256},
          {"program_version", run.version}};
}

Json protocol_json(const Evaluation& evaluation) {
  Json out;
  out["seed"] = evaluation.run.description.seed;
  Json settings = Json::array();
  for (const ProtocolSetting& setting :
       protocol_settings(evaluation.run.description, *evaluation.benchmark)) {
    settings.push_back({{"name", setting.name},
                        {"published", setting.published.empty() ? Json(nullptr) : Json(setting.published)},
                        {"here", setting.here},
                        {"differs", setting.differs}});
  }
  out["settings"] = std::move(settings);
  out["remarks"] = incomparable(*evaluation.benchmark);
  return out;
}

Json published_json(const Evaluation& evaluation) {
  const std::string_view model = published_model(evaluation.run.description.model);
  const auto value = [&](std::span<const PublishedScore> table) {
    const auto score = published_score(table, evaluation.benchmark->name, model);
    return score ? Json(*score) : Json(nullptr);
  };
  return {{"model", model.empty() ? Json(nullptr) : Json(model)},
          {"release", value(release_scores())},
          {"open_r1", value(open_r1_scores())}};
}

Json questions_json(const Run& run) {
  std::unordered_map<std::string, size_t> positions;
  Json questions = Json::array();
  for (const Item& item : run.items) {
    positions.emplace(item.id, questions.size());
    questions.push_back({{"id", item.id}, {"group", item.group}, {"samples", Json::array()}});
  }
  for (size_t i = 0; i < run.samples.size(); ++i) {
    const Sample& sample = run.samples[i];
    const Verdict& verdict = run.verdicts[i];
    questions[positions.at(sample.item)]["samples"].push_back({{"index", sample.index},
                                                               {"class", class_name(verdict.answer_class)},
                                                               {"score", number(verdict.score)},
                                                               {"extracted", verdict.extracted},
                                                               {"tokens", sample.tokens}});
  }
  return questions;
}

Json results_json(const Evaluation& evaluation) {
  const Summary& summary = evaluation.summary;
  Json out;
  out["partial"] = summary.partial;
  out["graded"] = summary.graded;
  out["metric"] = summary.metric;
  Json score = estimate_json(summary.score);
  if (!summary.interval) score["low"] = score["high"] = nullptr;
  out["score"] = summary.graded ? std::move(score) : Json(nullptr);
  Json metrics = Json::object();
  for (const auto& [name, value] : summary.metrics) metrics[name] = number(value);
  out["metrics"] = std::move(metrics);
  out["questions"] = {{"asked", summary.questions}, {"answered", summary.questions_seen}};
  out["samples"] = {{"asked", summary.samples},
                    {"generated", summary.generated},
                    {"failed", summary.failed},
                    {"undecided", summary.undecided},
                    {"fewest_of_a_question", summary.fewest}};
  out["truncated"] = summary.truncated;
  out["pass_at"] = at_k_json(summary.pass_at);
  out["cons_at"] = at_k_json(summary.consensus_at);
  Json classes = Json::object();
  for (const ClassCount& entry : summary.classes)
    classes[class_name(entry.answer_class)] = {{"count", entry.count}, {"share", entry.share}};
  out["classes"] = std::move(classes);
  out["lengths"] = {{"right", lengths_json(summary.right)}, {"wrong", lengths_json(summary.wrong)}};
  Json groups = Json::array();
  for (const GroupScore& group : summary.groups) {
    Json entry = {{"name", group.name}, {"questions", group.questions}, {"samples", group.samples}};
    entry.update(estimate_json(group.score));
    groups.push_back(std::move(entry));
  }
  out["groups"] = std::move(groups);
  out["notes"] = summary.notes;
  out["by_question"] = questions_json(evaluation.run);
  return out;
}

}  // namespace

Evaluation evaluate(Run run, const Benchmark& benchmark) {
  Evaluation evaluation{std::move(run), &benchmark};
  evaluation.summary = summarise(evaluation.run, benchmark);
  return evaluation;
}

nlohmann::ordered_json report_json(std::span<const Evaluation> evaluations) {
  Json report = {{"format", 1}};
  Json list = Json::array();
  for (const Evaluation& evaluation : evaluations) {
    Json entry;
    entry["benchmark"] = evaluation.benchmark->name;
    entry["title"] = evaluation.benchmark->title;
    entry["source"] = source_json(evaluation.run.description);
    entry["protocol"] = protocol_json(evaluation);
    entry["published"] = published_json(evaluation);
    entry["results"] = results_json(evaluation);
    list.push_back(std::move(entry));
  }
  report["evaluations"] = std::move(list);
  return report;
}

}  // namespace r1::eval
