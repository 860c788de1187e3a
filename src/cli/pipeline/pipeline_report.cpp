#include "cli/pipeline/pipeline_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/pipeline/stage_result.h"
#include "cli/pipeline/training_curves.h"
#include "eval/chart.h"
#include "eval/html.h"
#include "eval/markdown.h"
#include "formats/json_file.h"
#include "rl/answer_filter.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;
using eval::html_text;
using Json = nlohmann::ordered_json;

constexpr size_t kShownQuestions = 4;
constexpr size_t kShownBytes = 4000;  // of an answer

struct ReportedStage {
  const RecipeStage* stage = nullptr;
  StageRecord record;
  std::optional<StageResult> result;
  std::vector<TrainingCurve> curves;
  Json filters;  // filters.json of distill; null: none
};

ReportedStage read_stage(const RecipeStage& stage, const PipelineFolder& folder) {
  ReportedStage reported{&stage, folder.read_record(stage), std::nullopt, {}, nullptr};
  if (stage.evaluate && !reported.record.evaluation_hash.empty())
    reported.result = read_stage_result(folder.evaluation_of(stage));
  for (const char* name : {"model", "distilled/student"}) {
    if (reported.curves.empty())
      reported.curves = read_training_curves(folder.folder_of(stage) / name / "trainer_log.jsonl");
  }
  if (const fs::path filters = folder.folder_of(stage) / "distilled/filters.json"; fs::exists(filters))
    reported.filters = Json::parse(read_text_file(filters));
  return reported;
}

std::string percent(double share) {
  return fmt::format("{:.1f}%", 100 * share);
}

std::string estimate_text(const eval::Estimate& estimate) {
  return fmt::format("{} [{:.1f}, {:.1f}]", percent(estimate.value), 100 * estimate.low, 100 * estimate.high);
}

std::string duration_text(double seconds) {
  return seconds < 100 ? fmt::format("{:.0f} s", seconds) : fmt::format("{:.1f} min", seconds / 60);
}

using Rows = std::vector<std::vector<std::string>>;  // a header, then a row a stage

/// What the answers of each evaluated stage say.
Rows score_rows(const std::vector<ReportedStage>& stages) {
  int64_t k = 1;
  for (const ReportedStage& stage : stages) {
    if (stage.result && !stage.result->evaluation.summary.pass_at.empty())
      k = std::max(k, stage.result->evaluation.summary.pass_at.back().k);
  }
  Rows rows{{"stage", "pass@1 [95%]", fmt::format("pass@{}", k), fmt::format("cons@{}", k), "format",
             "one language", "thinking tokens", "cut off"}};
  for (const ReportedStage& stage : stages) {
    if (!stage.result) continue;
    const StageResult& result = *stage.result;
    const eval::Summary& summary = result.evaluation.summary;
    rows.push_back({stage.stage->name, estimate_text(summary.score),
                    summary.pass_at.empty() ? "–" : estimate_text(summary.pass_at.back().estimate),
                    summary.consensus_at.empty() ? "–" : estimate_text(summary.consensus_at.back().estimate),
                    percent(result.format), percent(result.language),
                    fmt::format("{:.1f}", result.thinking_tokens), percent(result.cut_off)});
  }
  return rows;
}

Rows time_rows(const std::vector<ReportedStage>& stages) {
  Rows rows{{"stage", "kind", "time", "evaluation"}};
  for (const ReportedStage& stage : stages) {
    rows.push_back({stage.stage->name, std::string(stage.stage->kind->name),
                    stage.record.product_hash.empty() ? "not done" : duration_text(stage.record.seconds),
                    stage.result ? duration_text(stage.record.evaluation_seconds) : "–"});
  }
  return rows;
}

struct ShownAnswer {
  std::string stage, text, verdict;
};
struct ShownQuestion {
  std::string question;
  std::vector<ShownAnswer> answers;
};

/// The first answers to the first questions, stage by stage.
std::vector<ShownQuestion> shown_questions(const std::vector<ReportedStage>& stages) {
  std::vector<ShownQuestion> shown;
  for (const ReportedStage& stage : stages) {
    if (!stage.result) continue;
    const eval::Run& run = stage.result->evaluation.run;
    for (size_t i = 0; i < std::min(kShownQuestions, run.items.size()); ++i) {
      if (shown.size() <= i) shown.push_back({run.items[i].messages.back().content.value_or(""), {}});
      for (size_t s = 0; s < run.samples.size(); ++s) {
        const eval::Sample& sample = run.samples[s];
        if (sample.item != run.items[i].id || sample.index != 0) continue;
        std::string text = "<think>\n" + sample.reasoning;
        if (!sample.in_reasoning) text += "\n</think>\n" + sample.answer;
        shown[i].answers.push_back({stage.stage->name, eval::cut_middle(text, kShownBytes),
                                    std::string(eval::class_name(run.verdicts[s].answer_class))});
      }
    }
  }
  return shown;
}

std::string filter_markdown(const Json& filters) {
  std::string out = "\n| what happened to the answers | number |\n|---|---|\n";
  for (const auto& [name, count] : filters["fates"].items())
    out += fmt::format("| {} | {} |\n", name, count.dump());
  return out;
}

/// `texts`: columns before the numbers.
std::string table_markdown(const Rows& rows, size_t texts) {
  std::string out;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (const std::string& cell : rows[r]) out.append("| ").append(eval::markdown_cell(cell)).append(" ");
    out += "|\n";
    if (r > 0) continue;
    for (size_t c = 0; c < rows[r].size(); ++c) out += c < texts ? "|---" : "|---:";
    out += "|\n";
  }
  return out;
}

std::string report_markdown(const Recipe& recipe, const std::vector<ReportedStage>& stages) {
  std::string out = fmt::format("# {}\n\n{}\n{}", recipe.title, table_markdown(score_rows(stages), 1),
                                table_markdown(time_rows(stages), 2));
  for (const ReportedStage& stage : stages) {
    if (stage.curves.empty() && stage.filters.is_null()) continue;
    out += fmt::format("\n## {}\n", stage.stage->name);
    if (!stage.curves.empty()) out += "\n| | first | last |\n|---|---|---|\n";
    for (const TrainingCurve& curve : stage.curves) {
      for (const auto& [where, points] : {std::pair{"", &curve.training}, {" (held out)", &curve.held_out}}) {
        if (points->empty()) continue;
        out += fmt::format("| {}{} | {:.4g} | {:.4g} |\n", curve.title, where, points->front().second,
                           points->back().second);
      }
    }
    if (!stage.filters.is_null()) out += filter_markdown(stage.filters);
  }
  out += "\n## Answers to held-out questions\n";
  for (const ShownQuestion& question : shown_questions(stages)) {
    out += fmt::format("\n### {}\n", eval::markdown_cell(question.question));
    for (const ShownAnswer& answer : question.answers)
      out += fmt::format("\n{} ({}):\n\n~~~~\n{}\n~~~~\n", answer.stage, answer.verdict, answer.text);
  }
  return out;
}

std::string table_html(const Rows& rows, size_t texts) {
  std::string out = R"(<div class="wide" tabindex="0" role="region" aria-label="Stages"><table>)";
  for (size_t r = 0; r < rows.size(); ++r) {
    out += "<tr>";
    for (size_t c = 0; c < rows[r].size(); ++c) {
      const std::string_view cell = r == 0 ? "th" : "td";
      out += fmt::format(R"(<{}{}>{}</{}>)", cell, c < texts ? R"( class="nowrap")" : R"( class="number")",
                         html_text(rows[r][c]), cell);
    }
    out += "</tr>";
  }
  return out + "</table></div>";
}

std::string curves_html(const std::vector<TrainingCurve>& curves) {
  std::string out = R"(<div class="charts">)";
  bool held_out = false;
  for (const TrainingCurve& curve : curves) {
    const std::array<eval::ChartLine, 2> lines{{{"pass", curve.training}, {"cons", curve.held_out}}};
    const std::string chart = eval::line_chart(curve.title, lines);
    if (chart.empty()) continue;
    held_out |= !curve.held_out.empty();
    out += fmt::format("<figure><figcaption>{}</figcaption>{}</figure>", html_text(curve.title), chart);
  }
  out += "</div>";
  if (held_out)
    out +=
        R"(<ul class="legend"><li><span class="key dash c-pass"></span>training</li><li><span class="key dash dashed c-cons"></span>held-out questions</li></ul>)";
  return out;
}

std::string report_page(const Recipe& recipe, const std::vector<ReportedStage>& stages) {
  std::string body =
      fmt::format("<header><h1>{}</h1></header>\n<main>\n<section><h2>Stages</h2>", html_text(recipe.title));
  body += table_html(score_rows(stages), 1) +
          "<p class=\"soft\">Of each stage's model: answers to the held-out questions. Intervals are 95%, "
          "clustered by "
          "question.</p><details><summary>Times of all stages</summary>" +
          table_html(time_rows(stages), 2) + "</details></section>\n";
  for (const ReportedStage& stage : stages) {
    if (stage.curves.empty() && stage.filters.is_null()) continue;
    body += fmt::format("<section><h2>{} <small>{}</small></h2>", html_text(stage.stage->name),
                        stage.stage->kind->name);
    if (!stage.curves.empty()) body += curves_html(stage.curves);
    if (!stage.filters.is_null()) {
      Rows rows{{"what happened to the answers", "number"}};
      for (const auto& [name, count] : stage.filters["fates"].items()) rows.push_back({name, count.dump()});
      body += table_html(rows, 1);
    }
    body += "</section>\n";
  }
  body += "<section><h2>Answers to held-out questions</h2>";
  for (const ShownQuestion& question : shown_questions(stages)) {
    body += fmt::format(R"(<h3>{}</h3>)", html_text(question.question));
    for (const ShownAnswer& answer : question.answers) {
      std::string style = "c-";
      for (const char c : answer.verdict) style += c >= 'a' && c <= 'z' ? c : '-';
      body += fmt::format(
          R"(<details class="sample" open><summary>{} <span class="chip {}">{}</span></summary><pre class="text">{}</pre></details>)",
          html_text(answer.stage), style, html_text(answer.verdict), html_text(answer.text));
    }
  }
  return eval::assemble_page(recipe.title, body + "</section>\n</main>\n");
}

Json estimate_json(const eval::Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}};
}

Json report_json(const Recipe& recipe, const std::vector<ReportedStage>& stages) {
  Json list = Json::array();
  for (const ReportedStage& stage : stages) {
    Json entry{{"name", stage.stage->name},
               {"kind", stage.stage->kind->name},
               {"done", !stage.record.product_hash.empty()},
               {"seconds", stage.record.seconds},
               {"evaluation_seconds", stage.record.evaluation_seconds}};
    if (stage.result) {
      const StageResult& result = *stage.result;
      const eval::Summary& summary = result.evaluation.summary;
      Json scores{{"pass@1", estimate_json(summary.score)}};
      for (const eval::AtK& at : summary.pass_at)
        scores[fmt::format("pass@{}", at.k)] = estimate_json(at.estimate);
      for (const eval::AtK& at : summary.consensus_at)
        scores[fmt::format("cons@{}", at.k)] = estimate_json(at.estimate);
      entry["questions"] = summary.questions_seen;
      entry["answers"] = summary.generated;
      entry["scores"] = scores;
      entry["format"] = result.format;
      entry["language"] = result.language;
      entry["thinking_tokens"] = result.thinking_tokens;
      entry["answer_tokens"] = result.answer_tokens;
      entry["cut_off"] = result.cut_off;
    }
    if (!stage.filters.is_null()) entry["filters"] = stage.filters;
    list.push_back(std::move(entry));
  }
  return {{"title", recipe.title}, {"stages", list}};
}

}  // namespace

void write_pipeline_report(const Recipe& recipe, const PipelineFolder& folder) {
  std::vector<ReportedStage> stages;
  stages.reserve(recipe.stages.size());
  for (const RecipeStage& stage : recipe.stages) stages.push_back(read_stage(stage, folder));
  eval::write_text_file(folder.path() / "report.json", report_json(recipe, stages).dump(1) + "\n");
  eval::write_text_file(folder.path() / "report.md", report_markdown(recipe, stages));
  eval::write_text_file(folder.path() / "report.html", report_page(recipe, stages));
}

}  // namespace r1::cli
