#include "eval/page/question_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <vector>

#include "eval/html.h"

namespace r1::eval {
namespace {

using Json = nlohmann::ordered_json;

/// Texts of models may hold half characters.
std::string dump(const Json& json) {
  return script_json(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string script(const std::string& id, const Json& json) {
  return fmt::format("<script type=\"application/json\" id=\"{}\">{}</script>\n", id, dump(json));
}

/// What the question's record calls its right answer.
std::string reference_of(const Item& item) {
  if (!item.fields->is_object()) return {};
  for (const char* name : {"reference", "answer", "target", "references"}) {
    const auto found = item.fields->find(name);
    if (found == item.fields->end() || found->is_null()) continue;
    constexpr size_t kMost = 2000;
    return cut_middle(found->is_string() ? found->get<std::string>() : found->dump(), kMost);
  }
  return {};
}

/// [before, what decided, after].
Json answer_parts(const Sample& sample, const Verdict& verdict, size_t bytes) {
  const std::string_view answer = sample.answer;
  const auto [first, last] = verdict.deciding;
  if (first >= last || last > answer.size()) return {cut_middle(answer, bytes), "", ""};
  return {cut_middle(answer.substr(0, first), bytes / 2),
          cut_middle(answer.substr(first, last - first), bytes / 2),
          cut_middle(answer.substr(last), bytes / 2)};
}

Json sample_json(const Sample& sample, const Verdict& verdict, size_t bytes) {
  Json out = {{"index", sample.index},
              {"class", static_cast<int>(verdict.answer_class)},
              {"extracted", cut_middle(verdict.extracted, 400)},
              {"reason", cut_middle(verdict.reason, 400)},
              {"tokens", sample.tokens},
              {"reasoning_tokens", sample.reasoning_tokens}};
  const size_t answer_bytes = std::min(sample.answer.size(), bytes / 2);
  out["answer"] = answer_parts(sample, verdict, bytes / 2);
  if (!sample.reasoning.empty()) out["reasoning"] = cut_middle(sample.reasoning, bytes - answer_bytes);
  for (const std::string& reply : sample.judge_replies) out["judge"].push_back(cut_middle(reply, bytes / 4));
  for (const Sample& earlier : sample.earlier_tries)
    out["earlier"].push_back(cut_middle(earlier.answer, bytes / 4));
  return out;
}

/// Samples of each item, as indices into the run's.
std::vector<std::vector<size_t>> samples_of_items(const Run& run) {
  std::unordered_map<std::string, size_t> positions;
  for (size_t i = 0; i < run.items.size(); ++i) positions.emplace(run.items[i].id, i);
  std::vector<std::vector<size_t>> samples(run.items.size());
  for (size_t i = 0; i < run.samples.size(); ++i) samples[positions.at(run.samples[i].item)].push_back(i);
  return samples;
}

}  // namespace

std::string question_start(const Item& item) {
  for (auto message = item.messages.rbegin(); message != item.messages.rend(); ++message) {
    if (message->role != "user" || !message->content) continue;
    std::string start;
    for (const char c : cut_middle(*message->content, 4000)) {
      const bool space = static_cast<unsigned char>(c) <= 0x20;
      if (space && (start.empty() || start.back() == ' ')) continue;
      constexpr size_t kMost = 160;
      if (start.size() >= kMost && (static_cast<unsigned char>(c) & 0xc0U) != 0x80U) break;
      start += space ? ' ' : c;
    }
    return start;
  }
  return {};
}

std::string question_data(const Evaluation& evaluation, size_t number, size_t bytes) {
  const Run& run = evaluation.run;
  const std::vector<std::vector<size_t>> samples = samples_of_items(run);
  Json index;
  for (const ClassCount& entry : evaluation.summary.classes)
    index["classes"].push_back(class_name(entry.answer_class));
  index["rows"] = Json::array();
  std::string questions;
  for (size_t i = 0; i < run.items.size(); ++i) {
    if (samples[i].empty()) continue;
    const Item& item = run.items[i];
    Json question = {
        {"prompt", Json::array()}, {"reference", reference_of(item)}, {"samples", Json::array()}};
    for (const ChatMessage& message : item.messages)
      question["prompt"].push_back({message.role, cut_middle(message.content.value_or(""), 20'000)});
    Json codes = Json::array();
    int64_t right = 0;
    double score = 0;
    for (const size_t sample : samples[i]) {
      const Verdict& verdict = run.verdicts[sample];
      codes.push_back(static_cast<int>(verdict.answer_class));
      right += verdict.correct ? 1 : 0;
      score += verdict.score;
      question["samples"].push_back(sample_json(run.samples[sample], verdict, bytes));
    }
    index["rows"].push_back({i, item.id, question_start(item), std::move(codes),
                             fmt::format("{} of {} right", right, samples[i].size()),
                             score / static_cast<double>(samples[i].size())});
    questions += script(fmt::format("question-{}-{}", number, i), question);
  }
  return script(fmt::format("index-{}", number), index) + questions;
}

std::string question_list(const Evaluation& evaluation, size_t number) {
  std::string out = fmt::format(
      R"(<h3>Questions</h3><noscript><p>The list of questions needs JavaScript; answers.jsonl has all of them.</p></noscript>
<div class="questions" data-evaluation="{}" hidden><div class="controls"><label>Search questions and answers<input type="search"></label>
<label>Answers that are<select><option value="">any class</option>)",
      number);
  for (const ClassCount& entry : evaluation.summary.classes) {
    if (entry.count == 0) continue;
    out += fmt::format(R"(<option value="{}">{} ({})</option>)", static_cast<int>(entry.answer_class),
                       class_name(entry.answer_class), entry.count);
  }
  return out +
         R"(</select></label><label>Order<select><option value="">as in the data</option><option value="hardest">hardest first</option></select></label></div>
<p class="soft status" role="status"></p><div class="list"></div><p><button class="more" type="button" hidden>Show 100 more</button></p></div>
)";
}

}  // namespace r1::eval
