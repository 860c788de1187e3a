#include "eval/grade_outputs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/statistics.h"
#include "grade/text.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

struct Output {
  std::string id{};      // empty: none
  std::string prompt{};  // empty: none
  int64_t line = 0;
  std::optional<int64_t> index{};
  Sample sample{};
};

/// Parts an output at its thinking, as answers of endpoints without a field for it have it.
void split_thinking(Sample& sample, std::string output) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  const size_t close = output.rfind(kClose);
  if (close != std::string::npos) {
    sample.reasoning = output.substr(0, close);
    sample.answer = output.substr(close + kClose.size());
  } else if (output.find(kOpen) != std::string::npos) {
    sample.reasoning = std::move(output);
    sample.in_reasoning = true;
    sample.end = Sample::End::length;
  } else {
    sample.answer = std::move(output);
  }
  const size_t open = sample.reasoning.find(kOpen);
  if (open != std::string::npos) sample.reasoning.erase(0, open + kOpen.size());
}

std::string output_text(const Json& record) {
  const Json* value = find_field(record, {"output", "response", "model_output", "model_outputs", "completion",
                                          "prediction", "generation", "answer"});
  if (value == nullptr) {
    if (record.contains("output") || record.contains("response")) return "";  // an empty answer is an answer
    return text_field(record, {"output"});
  }
  return text_of(*value, "output");
}

Output read_output(const Json& record, int64_t line) {
  Output output;
  output.line = line;
  output.id = id_of(record);
  if (output.id.empty()) output.prompt = optional_text_field(record, {"prompt", "question"});
  if (const Json* index = find_field(record, {"sample", "sample_index"})) {
    if (!index->is_number_integer() || index->get<int64_t>() < 0)
      throw_error(ErrorKind::bad_file, "field 'sample': expected a whole number from 0, found {}",
                  index->dump());
    output.index = index->get<int64_t>();
  }
  if (const Json* replies = find_field(record, {"judge_reply", "judge_replies"})) {
    for (const Json& reply : replies->is_array() ? *replies : Json::array({*replies}))
      output.sample.judge_replies.push_back(text_of(reply, "judge_reply"));
  }
  split_thinking(output.sample, output_text(record));
  const std::string reason = optional_text_field(record, {"finish_reason", "stop_reason"});
  if (reason == "length" || reason == "max_tokens") output.sample.end = Sample::End::length;
  return output;
}

/// Finds the question that an output answers.
class Matching {
 public:
  Matching(const std::vector<Output>& outputs, const ItemList& data) : data_(data) {
    for (size_t i = 0; i < data.items.size(); ++i) {
      const Item& item = data.items[i];
      by_id_.emplace(item.id, i);
      by_line_.emplace(std::to_string(item.line), i);
      if (!item.messages.empty()) by_prompt_.emplace(item.messages.back().content.value_or(""), i);
    }
    for (const auto& [id, reason] : data.excluded) excluded_.insert(id);
    int64_t ids = 0, lines = 0;
    for (const Output& output : outputs) {
      ids += by_id_.contains(output.id) || excluded_.contains(output.id) ? 1 : 0;
      lines += by_line_.contains(output.id) ? 1 : 0;
    }
    ids_are_lines_ = lines > ids;
  }

  std::optional<size_t> item_of(const Output& output) const {
    if (!output.id.empty()) return find(ids_are_lines_ ? by_line_ : by_id_, output.id);
    if (const auto by_prompt = find(by_prompt_, output.prompt)) return by_prompt;
    return find(by_line_, std::to_string(output.line));
  }
  bool is_excluded(const Output& output) const {
    return excluded_.contains(output.id.empty() ? std::to_string(output.line) : output.id);
  }

 private:
  using Places = std::unordered_map<std::string, size_t>;
  static std::optional<size_t> find(const Places& places, const std::string& key) {
    const auto found = places.find(key);
    return found == places.end() ? std::nullopt : std::optional(found->second);
  }
  const ItemList& data_;
  Places by_id_, by_line_, by_prompt_;
  std::set<std::string> excluded_;
  bool ids_are_lines_ = false;
};

/// The share of questions whose most frequent answer is right; ties are shared. Of all samples of a question.
double consensus(const Benchmark& benchmark, const std::vector<std::vector<const GradedSample*>>& questions) {
  double sum = 0;
  const auto same = benchmark.same_vote ? benchmark.same_vote
                                        : [](const std::string& a, const std::string& b) { return a == b; };
  for (const std::vector<const GradedSample*>& question : questions) {
    std::vector<std::string> answers;
    answers.reserve(question.size());
    for (const GradedSample* graded : question) answers.push_back(graded->verdict->extracted);
    const std::vector<int64_t> classes = vote_classes(answers, same);
    std::vector<Vote> votes(question.size());
    for (size_t i = 0; i < question.size(); ++i) votes[i] = {classes[i], question[i]->verdict->correct};
    sum += consensus_at(std::span(&votes, 1), std::ssize(votes)).value;
  }
  return sum / static_cast<double>(questions.size());
}

}  // namespace

OutputFile read_outputs(const std::filesystem::path& file, const ItemList& data) {
  const std::vector<BoxedJson<Json>> records = read_data(file);
  std::vector<Output> outputs;
  outputs.reserve(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    try {
      outputs.push_back(read_output(*records[i], static_cast<int64_t>(i)));
    } catch (const Error& error) {
      throw_error(error.kind(), "{}: record {}: {}", file.string(), i + 1, error.what());
    }
  }
  const Matching matching(outputs, data);
  std::vector<std::map<int64_t, Sample>> by_item(data.items.size());
  OutputFile result;
  for (Output& output : outputs) {
    const std::optional<size_t> place = matching.item_of(output);
    if (!place) {
      ++(matching.is_excluded(output) ? result.excluded : result.unknown_ids);
      continue;
    }
    std::map<int64_t, Sample>& samples = by_item[*place];
    const int64_t next = samples.empty() ? 0 : samples.rbegin()->first + 1;
    output.sample.item = data.items[*place].id;
    output.sample.index = output.index.value_or(next);
    if (!samples.try_emplace(output.sample.index, std::move(output.sample)).second) ++result.duplicates;
  }
  for (std::map<int64_t, Sample>& samples : by_item) {
    result.unanswered += samples.empty() ? 1 : 0;
    for (auto& [index, sample] : samples) result.samples.push_back(std::move(sample));
  }
  if (result.samples.empty()) {
    throw_error(ErrorKind::bad_file,
                "{}: no answer belongs to a question of the data: expected ids as '{}', found '{}'",
                file.string(), data.items.empty() ? "" : data.items.front().id,
                outputs.empty() ? "" : outputs.front().id);
  }
  return result;
}

Grades grade_samples(const Benchmark& benchmark, const std::vector<Item>& items,
                     const std::vector<Sample>& samples, const GradingContext& context) {
  std::unordered_map<std::string, const Item*> by_id;
  for (const Item& item : items) by_id.emplace(item.id, &item);
  Grades grades;
  grades.verdicts.reserve(samples.size());
  for (const Sample& sample : samples)
    grades.verdicts.push_back(grade_sample(benchmark, *by_id.at(sample.item), sample, context));
  std::vector<GradedSample> graded;
  graded.reserve(samples.size());
  for (size_t i = 0; i < samples.size(); ++i) {
    graded.push_back({by_id.at(samples[i].item), &samples[i], &grades.verdicts[i]});
    ++grades.classes[grades.verdicts[i].answer_class];
  }
  grades.metrics = metrics_of(benchmark, graded);
  grades.score = grades.metrics.front().second;
  std::vector<std::vector<const GradedSample*>> questions;
  for (const GradedSample& one : graded) {
    if (questions.empty() || questions.back().front()->item != one.item) questions.emplace_back();
    questions.back().push_back(&one);
  }
  if (benchmark.judging == Judging::rules && questions.size() < graded.size())
    grades.metrics.emplace_back("cons", consensus(benchmark, questions));
  return grades;
}

}  // namespace r1::eval
