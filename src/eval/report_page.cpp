#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "eval/chart.h"
#include "eval/html.h"
#include "eval/page/question_data.h"
#include "eval/protocol.h"
#include "eval/published.h"
#include "eval/report.h"

namespace r1::eval {
namespace {

std::string interval_text(const std::string& metric, const Estimate& estimate) {
  return fmt::format("{} to {}", metric_text(metric, estimate.low), metric_text(metric, estimate.high));
}

std::string score_text(const Summary& summary) {
  return summary.graded ? metric_text(summary.metric, summary.score.value) : "not graded";
}

/// The table's value for the model that was evaluated; "–": it has none.
std::string published_text(std::span<const PublishedScore> table, const Evaluation& evaluation) {
  const std::string_view model = published_model(evaluation.run.description.model);
  const auto score = published_score(table, evaluation.benchmark->name, model);
  return score ? published_value(*score) : "–";
}

std::string fact(std::string_view name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, html_text(value));
}

std::string headline(const Evaluation& evaluation) {
  const Summary& summary = evaluation.summary;
  std::string out =
      fmt::format(R"(<div class="headline"><span class="score">{}</span><span>{}{}</span></div>)",
                  score_text(summary), html_text(summary.metric), summary.partial ? ", partial" : "");
  if (summary.interval && summary.graded)
    out +=
        fmt::format(R"(<p class="soft">95% interval {}</p>)", interval_text(summary.metric, summary.score));
  out += R"(<dl class="facts">)";
  out += fact("release", published_text(release_scores(), evaluation));
  out += fact("open-r1", published_text(open_r1_scores(), evaluation));
  out += fact("questions", fmt::format("{} of {}", summary.questions_seen, summary.questions));
  out += fact("answers", fmt::format("{} of {}", summary.generated, summary.samples));
  out += fact("truncated", fmt::format("{:.1f}%", 100 * summary.truncated));
  for (size_t i = 1; i < summary.metrics.size(); ++i)
    out += fact(html_text(summary.metrics[i].first),
                metric_text(summary.metrics[i].first, summary.metrics[i].second));
  out += "</dl>";
  if (summary.notes.empty()) return out;
  out += R"(<ul class="notes">)";
  for (const std::string& note : summary.notes) out += fmt::format("<li>{}</li>", html_text(note));
  return out + "</ul>";
}

std::string charts(const Summary& summary) {
  std::string out;
  if (const std::string bar = class_bar(summary); !bar.empty()) {
    out += fmt::format(R"(<figure><figcaption>Answers by class</figcaption>{}<ul class="legend">)", bar);
    for (const ClassCount& entry : summary.classes) {
      if (entry.count == 0) continue;
      out += fmt::format(R"(<li><span class="key {}"></span>{} {} ({:.1f}%)</li>)",
                         style_class(entry.answer_class), class_name(entry.answer_class), entry.count,
                         100 * entry.share);
    }
    out += "</ul></figure>";
  }
  out += R"(<div class="charts">)";
  if (const std::string chart = accuracy_chart(summary); !chart.empty()) {
    out += fmt::format(R"(<figure><figcaption>Score against k</figcaption>{}<ul class="legend">)", chart);
    out += R"(<li><span class="key dash c-pass"></span>pass@k: one of k is right</li>)";
    if (summary.consensus_at.size() > 1)
      out += R"(<li><span class="key dash dashed c-cons"></span>cons@k: the majority of k is right</li>)";
    out += "</ul></figure>";
  }
  if (const std::string chart = length_chart(summary); !chart.empty())
    out +=
        fmt::format("<figure><figcaption>Tokens an answer, thinking included</figcaption>{}</figure>", chart);
  return out + "</div>";
}

std::string at_k_table(const Summary& summary) {
  if (summary.pass_at.size() < 2) return {};
  std::string out =
      R"(<details><summary>Table of pass@k and cons@k</summary><div class="wide"><table><tr><th class="number">k</th><th>pass@k</th><th>cons@k</th></tr>)";
  const auto text = [](const Estimate& estimate) {
    return fmt::format(R"({} <span class="soft">({})</span>)", metric_text("", estimate.value),
                       interval_text("", estimate));
  };
  for (size_t i = 0; i < summary.pass_at.size(); ++i) {
    out += fmt::format(R"(<tr><td class="number">{}</td><td>{}</td><td>{}</td></tr>)", summary.pass_at[i].k,
                       text(summary.pass_at[i].estimate),
                       i < summary.consensus_at.size() ? text(summary.consensus_at[i].estimate) : "–");
  }
  return out + "</table></div></details>";
}

std::string group_table(const Summary& summary) {
  if (summary.groups.empty()) return {};
  constexpr size_t kOpen = 12;
  std::string out = fmt::format(
      R"(<details{}><summary>Scores of {} groups</summary><div class="wide"><table><tr><th>group</th><th class="number">questions</th><th class="number">score</th><th>95% interval</th></tr>)",
      summary.groups.size() <= kOpen ? " open" : "", summary.groups.size());
  for (const GroupScore& group : summary.groups) {
    out += fmt::format(
        R"(<tr><td>{}</td><td class="number">{}</td><td class="number">{}</td><td class="nowrap">{}</td></tr>)",
        html_text(group.name), group.questions, metric_text("", group.score.value),
        interval_text("", group.score));
  }
  return out + "</table></div></details>";
}

/// The release's values of all its models, the one that was evaluated marked.
std::string release_table(const Evaluation& evaluation) {
  const std::string_view model = published_model(evaluation.run.description.model);
  std::string rows;
  for (const PublishedScore& score : release_scores()) {
    if (score.benchmark != evaluation.benchmark->name) continue;
    std::string reproduced = "–";
    if (const auto other = published_score(open_r1_scores(), score.benchmark, score.model);
        other && score.metric == "pass@1")
      reproduced = published_value(*other);
    rows += fmt::format(
        R"(<tr{}><td>{}{}</td><td>{}</td><td class="number">{}</td><td class="number">{}</td></tr>)",
        score.model == model ? R"( class="differs")" : "", score.model,
        score.model == model ? R"( <span class="soft">this model</span>)" : "", score.metric,
        published_value(score.value), reproduced);
  }
  if (rows.empty()) return {};
  return R"(<details><summary>The release's table and open-r1's reproduction</summary><div class="wide"><table><tr><th>model</th><th>metric</th><th class="number">release</th><th class="number">open-r1</th></tr>)" +
         rows + "</table></div></details>";
}

std::string protocol_table(const Evaluation& evaluation) {
  const std::vector<ProtocolSetting> settings =
      protocol_settings(evaluation.run.description, *evaluation.benchmark);
  const auto differing = std::count_if(settings.begin(), settings.end(),
                                       [](const ProtocolSetting& setting) { return setting.differs; });
  std::string out = fmt::format(
      R"(<h3>Protocol</h3><p>{}</p><div class="wide"><table><tr><th>setting</th><th>release</th><th>here</th></tr>)",
      differing == 0 ? "The settings are those of the release."
                     : fmt::format("{} {} from the release's protocol.", differing,
                                   differing == 1 ? "setting differs" : "settings differ"));
  for (const ProtocolSetting& setting : settings) {
    out += fmt::format("<tr{}><td>{}</td><td>{}</td><td>{}{}</td></tr>",
                       setting.differs ? R"( class="differs")" : "", html_text(setting.name),
                       setting.published.empty() ? "–" : html_text(setting.published),
                       html_text(setting.here), setting.differs ? R"( <strong>differs</strong>)" : "");
  }
  out += "</table></div>";
  for (const std::string& reason : incomparable(*evaluation.benchmark))
    out += fmt::format(R"(<p class="soft">{}</p>)", html_text(reason));
  return out;
}

/// The name without folders: a page is shown to others.
std::string_view model_name(const Evaluation& evaluation) {
  const std::string_view model = evaluation.run.description.model;
  return model.substr(model.find_last_of('/') + 1);
}

std::string section(const Evaluation& evaluation, size_t number) {
  std::string out = fmt::format(R"(<section id="benchmark-{}"><h2>{} <small>{}</small></h2>)", number,
                                html_text(evaluation.benchmark->title), html_text(model_name(evaluation)));
  out += headline(evaluation) + charts(evaluation.summary) + at_k_table(evaluation.summary) +
         group_table(evaluation.summary) + release_table(evaluation) + protocol_table(evaluation) +
         question_list(evaluation, number);
  return out + "</section>\n";
}

std::string overview(std::span<const Evaluation> evaluations) {
  std::string out =
      R"(<section><h2>Benchmarks</h2><div class="wide" tabindex="0" role="region" aria-label="Benchmarks"><table><tr><th>benchmark</th><th>metric</th><th class="number">score</th><th>95% interval</th><th class="number">release</th><th class="number">open-r1</th><th class="number">answers</th><th class="number">truncated</th></tr>)";
  for (size_t i = 0; i < evaluations.size(); ++i) {
    const Summary& summary = evaluations[i].summary;
    out += fmt::format(
        R"(<tr><td><a href="#benchmark-{}">{}</a></td><td class="nowrap">{}</td><td class="number"><strong>{}</strong></td><td class="nowrap">{}{}</td><td class="number">{}</td><td class="number">{}</td><td class="number">{}</td><td class="number">{:.1f}%</td></tr>)",
        i, html_text(evaluations[i].benchmark->title), html_text(summary.metric), score_text(summary),
        summary.interval && summary.graded ? interval_text(summary.metric, summary.score) : "–",
        summary.partial ? ", partial" : "", published_text(release_scores(), evaluations[i]),
        published_text(open_r1_scores(), evaluations[i]), summary.generated, 100 * summary.truncated);
  }
  return out + "</table></div></section>\n";
}

}  // namespace

std::string report_page(std::span<const Evaluation> evaluations, int64_t text_bytes) {
  size_t samples = 1;
  std::vector<std::string_view> models;
  for (const Evaluation& evaluation : evaluations) {
    samples += evaluation.run.samples.size();
    if (std::find(models.begin(), models.end(), model_name(evaluation)) == models.end())
      models.push_back(model_name(evaluation));
  }
  const size_t bytes = std::max<size_t>(static_cast<size_t>(text_bytes) / samples, 2000);
  const std::string title = fmt::format("Evaluation of {}", fmt::join(models, ", "));
  std::string body = fmt::format("<header><h1>{}</h1></header>\n<main>\n", html_text(title));
  if (evaluations.size() > 1) body += overview(evaluations);
  for (size_t i = 0; i < evaluations.size(); ++i) body += section(evaluations[i], i);
  body +=
      "</main>\n<footer><p>Release: DeepSeek-AI 2025, README of deepseek-ai/DeepSeek-R1. open-r1: README of "
      "huggingface/open-r1, 2025. Intervals are clustered by question.</p></footer>\n";
  for (size_t i = 0; i < evaluations.size(); ++i) body += question_data(evaluations[i], i, bytes);
  return assemble_page(title, body);
}

}  // namespace r1::eval
