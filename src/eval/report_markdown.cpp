#include <fmt/format.h>

#include "eval/markdown.h"
#include "eval/protocol.h"
#include "eval/published.h"
#include "eval/report.h"

namespace r1::eval {
namespace {

std::string interval_text(const std::string& metric, const Estimate& estimate) {
  return fmt::format("{} to {}", metric_text(metric, estimate.low), metric_text(metric, estimate.high));
}

std::string score_text(const Summary& summary) {
  if (!summary.graded) return "not graded";
  std::string text = metric_text(summary.metric, summary.score.value);
  if (summary.interval) text += fmt::format(" ({})", interval_text(summary.metric, summary.score));
  return summary.partial ? text + ", partial" : text;
}

std::string published_text(std::span<const PublishedScore> table, const Evaluation& evaluation) {
  const std::string_view model = published_model(evaluation.run.description.model);
  const auto score = published_score(table, evaluation.benchmark->name, model);
  return score ? published_value(*score) : "–";
}

void add_overview(std::string& out, std::span<const Evaluation> evaluations) {
  out += "| benchmark | model | metric | score (95% interval) | release | open-r1 | answers | truncated |\n";
  out += "|---|---|---|---|---|---|---|---|\n";
  for (const Evaluation& evaluation : evaluations) {
    const Summary& summary = evaluation.summary;
    out += fmt::format(
        "| {} | {} | {} | {} | {} | {} | {} | {:.1f}% |\n", markdown_cell(evaluation.benchmark->title),
        markdown_cell(evaluation.run.description.model), markdown_cell(summary.metric), score_text(summary),
        published_text(release_scores(), evaluation), published_text(open_r1_scores(), evaluation),
        summary.generated, 100 * summary.truncated);
  }
}

void add_at_k(std::string& out, const Summary& summary) {
  if (summary.pass_at.size() < 2) return;
  out += "\n| k | pass@k | cons@k |\n|---|---|---|\n";
  for (size_t i = 0; i < summary.pass_at.size(); ++i) {
    const AtK& pass = summary.pass_at[i];
    const auto text = [](const Estimate& estimate) {
      return fmt::format("{} ({})", metric_text("", estimate.value), interval_text("", estimate));
    };
    out += fmt::format("| {} | {} | {} |\n", pass.k, text(pass.estimate),
                       i < summary.consensus_at.size() ? text(summary.consensus_at[i].estimate) : "–");
  }
}

void add_protocol(std::string& out, const Evaluation& evaluation) {
  out += "\n| setting | release | here | |\n|---|---|---|---|\n";
  for (const ProtocolSetting& setting :
       protocol_settings(evaluation.run.description, *evaluation.benchmark)) {
    out += fmt::format("| {} | {} | {} | {} |\n", markdown_cell(setting.name),
                       setting.published.empty() ? "–" : markdown_cell(setting.published),
                       markdown_cell(setting.here), setting.differs ? "**differs**" : "");
  }
  for (const std::string& reason : incomparable(*evaluation.benchmark)) out += fmt::format("\n{}\n", reason);
}

void add_section(std::string& out, const Evaluation& evaluation) {
  const Summary& summary = evaluation.summary;
  out += fmt::format("\n## {}\n\n{}: {}. {} questions, {} answers.\n", evaluation.benchmark->title,
                     summary.metric, score_text(summary), summary.questions_seen, summary.generated);
  for (const std::string& note : summary.notes) out += fmt::format("\n> {}\n", note);
  if (summary.metrics.size() > 1) {
    out += "\n| metric | value |\n|---|---|\n";
    for (const auto& [name, value] : summary.metrics)
      out += fmt::format("| {} | {} |\n", markdown_cell(name), metric_text(name, value));
  }
  add_at_k(out, summary);
  out += "\n| class | answers | share |\n|---|---|---|\n";
  for (const ClassCount& entry : summary.classes)
    if (entry.count > 0)
      out += fmt::format("| {} | {} | {:.1f}% |\n", class_name(entry.answer_class), entry.count,
                         100 * entry.share);
  out += "\n| tokens of | mean | median | three quarters | largest |\n|---|---|---|---|---|\n";
  for (const auto& [name, lengths] :
       {std::pair{"right answers", &summary.right}, {"wrong answers", &summary.wrong}}) {
    out += fmt::format("| {} | {:.0f} | {} | {} | {} |\n", name, lengths->mean, lengths->quantile(0.5),
                       lengths->quantile(0.75), lengths->quantile(1));
  }
  if (!summary.groups.empty()) {
    out += "\n| group | questions | score (95% interval) |\n|---|---|---|\n";
    for (const GroupScore& group : summary.groups) {
      out += fmt::format("| {} | {} | {} ({}) |\n", markdown_cell(group.name), group.questions,
                         metric_text("", group.score.value), interval_text("", group.score));
    }
  }
  add_protocol(out, evaluation);
}

}  // namespace

std::string report_markdown(std::span<const Evaluation> evaluations) {
  std::string out = "# Evaluation\n\n";
  add_overview(out, evaluations);
  for (const Evaluation& evaluation : evaluations) add_section(out, evaluation);
  out +=
      "\nRelease: DeepSeek-AI 2025 (README of deepseek-ai/DeepSeek-R1). open-r1: README of "
      "huggingface/open-r1, 2025.\n";
  return out;
}

}  // namespace r1::eval
