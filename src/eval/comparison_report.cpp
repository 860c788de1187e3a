#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/comparison.h"
#include "eval/html.h"
#include "eval/markdown.h"
#include "eval/page/question_data.h"

namespace r1::eval {
namespace {

using Json = nlohmann::ordered_json;

std::string points(double share) {
  return fmt::format("{:+.1f}", 100 * share);
}

std::string p_text(double p) {
  return p < 0.001 ? "below 0.001" : fmt::format("{:.3f}", p);
}

std::string score_text(const Estimate& estimate) {
  return fmt::format("{:.1f}% ({:.1f}% to {:.1f}%)", 100 * estimate.value, 100 * estimate.low,
                     100 * estimate.high);
}

/// "right → wrong", or "3 of 8 → 7 of 8" with several samples; scores that are no counts as percentages.
std::string change_text(const QuestionPair& pair) {
  const auto word = [](double score, int64_t samples) {
    if (samples == 1 && score == 1) return std::string("right");
    if (samples == 1 && score == 0) return std::string("wrong");
    return fmt::format("{:.0f}%", 100 * score);
  };
  return word(pair.before, pair.samples_before) + " → " + word(pair.after, pair.samples_after);
}

/// What the numbers say, as one sentence.
std::string verdict(const Comparison& comparison) {
  const PairedDifference& paired = comparison.paired;
  return fmt::format("Second minus first: {} points (95% interval {} to {}), p {}, over {} questions.",
                     points(paired.difference.value), points(paired.difference.low),
                     points(paired.difference.high), p_text(paired.p_value), paired.questions);
}

std::vector<std::string> notes(const Comparison& comparison) {
  std::vector<std::string> out;
  if (!comparison.differences.empty())
    out.push_back(
        fmt::format("The runs differ in their settings. {}.", fmt::join(comparison.differences, ". ")));
  if (comparison.only_first + comparison.only_second > 0) {
    out.push_back(fmt::format("Left out: {} questions that only the first run answered, {} of the second.",
                              comparison.only_first, comparison.only_second));
  }
  return out;
}

Json questions_json(const std::vector<QuestionPair>& pairs) {
  Json out = Json::array();
  for (const QuestionPair& pair : pairs) {
    out.push_back({{"id", pair.item->id},
                   {"group", pair.item->group},
                   {"first", pair.before},
                   {"second", pair.after},
                   {"samples", {pair.samples_before, pair.samples_after}},
                   {"extracted", {pair.extracted_before, pair.extracted_after}}});
  }
  return out;
}

Json estimate_json(const Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}};
}

constexpr size_t kShown = 1000;  // questions of a list; comparison.json has all

std::string page_table(std::string_view title, const std::vector<QuestionPair>& pairs) {
  std::string out = fmt::format("<section><h2>{} {} {}</h2>", pairs.size(),
                                pairs.size() == 1 ? "question" : "questions", title);
  if (pairs.empty()) return out + R"(<p class="soft">None.</p></section>)";
  out +=
      R"(<div class="wide"><table><tr><th>id</th><th>question</th><th>score</th><th>answers (first samples)</th></tr>)";
  for (size_t i = 0; i < pairs.size() && i < kShown; ++i) {
    const QuestionPair& pair = pairs[i];
    const auto answer = [](const std::string& text) {
      return text.empty() ? std::string(R"(<span class="soft">none</span>)")
                          : R"(<span class="extracted">)" + html_text(cut_middle(text, 120)) + "</span>";
    };
    out += fmt::format(R"(<tr><td>{}</td><td>{}</td><td class="nowrap">{}</td><td>{} → {}</td></tr>)",
                       html_text(pair.item->id), html_text(question_start(*pair.item)), change_text(pair),
                       answer(pair.extracted_before), answer(pair.extracted_after));
  }
  out += "</table></div>";
  if (pairs.size() > kShown)
    out += fmt::format("<p>The first {} are shown; comparison.json has all.</p>", kShown);
  return out + "</section>\n";
}

std::string markdown_table(std::string_view title, const std::vector<QuestionPair>& pairs) {
  std::string out = fmt::format("\n## {} questions {}\n", pairs.size(), title);
  if (pairs.empty()) return out;
  out += "\n| id | question | score | answers (first samples) |\n|---|---|---|---|\n";
  for (size_t i = 0; i < pairs.size() && i < kShown; ++i) {
    const QuestionPair& pair = pairs[i];
    out += fmt::format("| {} | {} | {} | {} → {} |\n", markdown_cell(pair.item->id),
                       markdown_cell(question_start(*pair.item)), change_text(pair),
                       markdown_cell(cut_middle(pair.extracted_before, 120)),
                       markdown_cell(cut_middle(pair.extracted_after, 120)));
  }
  if (pairs.size() > kShown)
    out += fmt::format("\nThe first {} are shown; comparison.json has all.\n", kShown);
  return out;
}

}  // namespace

Json comparison_json(const Comparison& comparison) {
  Json out = {{"format", 1},
              {"benchmark", comparison.first->benchmark->name},
              {"first", comparison.first->run.description.model},
              {"second", comparison.second->run.description.model}};
  out["questions"] = comparison.paired.questions;
  out["score"] = {{"first", estimate_json(comparison.first_score)},
                  {"second", estimate_json(comparison.second_score)}};
  out["difference"] = estimate_json(comparison.paired.difference);
  out["p_value"] = comparison.paired.p_value;
  out["only_first"] = comparison.only_first;
  out["only_second"] = comparison.only_second;
  out["settings_that_differ"] = comparison.differences;
  out["equal"] = comparison.equal;
  out["better"] = questions_json(comparison.better);
  out["worse"] = questions_json(comparison.worse);
  return out;
}

std::string comparison_markdown(const Comparison& comparison) {
  std::string out = fmt::format("# {}: two runs\n\n| run | model | score (95% interval) |\n|---|---|---|\n",
                                comparison.first->benchmark->title);
  out += fmt::format("| first | {} | {} |\n", markdown_cell(comparison.first->run.description.model),
                     score_text(comparison.first_score));
  out += fmt::format("| second | {} | {} |\n\n{}\n", markdown_cell(comparison.second->run.description.model),
                     score_text(comparison.second_score), verdict(comparison));
  for (const std::string& note : notes(comparison)) out += fmt::format("\n> {}\n", markdown_cell(note));
  return out + markdown_table("became better", comparison.better) +
         markdown_table("became worse", comparison.worse) +
         fmt::format("\n{} questions are unchanged.\n", comparison.equal);
}

std::string comparison_page(const Comparison& comparison) {
  const std::string title = fmt::format("{}: two runs", comparison.first->benchmark->title);
  std::string body =
      fmt::format("<header><h1>{}</h1></header>\n<main><section><h2>Difference</h2>", html_text(title));
  body += fmt::format(
      R"(<div class="headline"><span class="score">{}</span><span>points, p {}</span></div><p>{}</p>)",
      points(comparison.paired.difference.value), p_text(comparison.paired.p_value), verdict(comparison));
  body += R"(<div class="wide"><table><tr><th>run</th><th>model</th><th>score</th></tr>)";
  for (const auto& [name, evaluation, score] :
       {std::tuple{"first", comparison.first, &comparison.first_score},
        {"second", comparison.second, &comparison.second_score}}) {
    body += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>", name,
                        html_text(evaluation->run.description.model), score_text(*score));
  }
  body += R"(</table></div><dl class="facts">)";
  for (const auto& [name, count] :
       {std::pair{"became better", static_cast<int64_t>(comparison.better.size())},
        {"became worse", static_cast<int64_t>(comparison.worse.size())},
        {"unchanged", comparison.equal}})
    body += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, count);
  body += "</dl>";
  if (const std::vector<std::string> all = notes(comparison); !all.empty()) {
    body += R"(<ul class="notes">)";
    for (const std::string& note : all) body += fmt::format("<li>{}</li>", html_text(note));
    body += "</ul>";
  }
  body += "</section>\n" + page_table("became better", comparison.better) +
          page_table("became worse", comparison.worse) +
          "</main>\n<footer><p>Interval: paired by question, Student's t. p: sign-flip permutations, "
          "two-sided.</p></footer>\n";
  return assemble_page(title, body);
}

void write_comparison(const std::filesystem::path& folder, const Comparison& comparison) {
  create_report_folder(folder);
  write_text_file(folder / "comparison.json",
                  comparison_json(comparison).dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  write_text_file(folder / "comparison.md", comparison_markdown(comparison));
  write_text_file(folder / "comparison.html", comparison_page(comparison));
}

}  // namespace r1::eval
