#include "cli/distillation.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command_train_samples.h"
#include "cli/sampled_answers.h"
#include "eval/run.h"
#include "formats/download.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "train/checkpoint.h"
#include "train/data/data_sample.h"
#include "train/data/records.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_file(const fs::path& path, const std::string& text) {
  OutputFile file(path);
  file.write(std::string_view(text));
  file.finish();
}

Json message_json(const ChatMessage& message) {
  return {{"role", message.role}, {"content", message.content.value_or("")}};
}

/// A record without its answer: what is asked where no answer is compared.
Json without_answer(const Record& record) {
  Json messages = Json::array();
  const DataSample sample = make_data_sample(record, {});
  for (size_t i = 0; i + 1 < sample.messages.size(); ++i)
    messages.push_back(message_json(sample.messages[i]));
  Json line{{"messages", messages}};
  for (const char* name : {"language", "kind", "canonical"}) {
    if (record.fields->contains(name)) line[name] = record.fields->at(name);
  }
  return line;
}

void write_questions(const DistillationOptions& options, const fs::path& path) {
  OutputFile file(path);
  for (const std::string& data : options.data) {
    read_records(data, [&](const Record& record) {
      file.write(json_line(options.filter.right ? *record.fields : without_answer(record)));
    });
  }
  file.finish();
}

/// A line of training data. A conversation of one question is a triple, which people read more easily.
Json training_line(const eval::Item& item, const rl::Answer& answer) {
  const std::vector<ChatMessage>& messages = item.messages;
  Json line;
  const bool has_system = messages.size() == 2 && messages.front().role == "system";
  if (messages.size() == 1 || has_system) {
    if (has_system) line["system"] = messages.front().content.value_or("");
    line["question"] = messages.back().content.value_or("");
    if (!answer.reasoning.empty()) line["think"] = answer.reasoning;
    line["answer"] = answer.answer;
  } else {
    line["messages"] = Json::array();
    for (const ChatMessage& message : messages) line["messages"].push_back(message_json(message));
    Json last{{"role", "assistant"}, {"content", answer.answer}};
    if (!answer.reasoning.empty()) last["reasoning_content"] = answer.reasoning;
    line["messages"].push_back(last);
  }
  line["language"] = answer.question->language;
  for (const char* name : {"kind", "canonical"}) {
    if (item.fields->contains(name)) line[name] = item.fields->at(name);
  }
  return line;
}

struct FilterTable {
  int64_t answers = 0, failed = 0, questions = 0, questions_kept = 0;
  std::array<int64_t, rl::kAnswerFates> fates{};

  int64_t kept() const { return fates[static_cast<size_t>(rl::AnswerFate::kept)]; }
};

/// Writes kept.jsonl.
FilterTable write_kept(const DistillationOptions& options, const fs::path& folder) {
  eval::Run run = eval::read_run(folder / "answers", {});
  // The folder may have more samples and questions than are asked for now.
  std::erase_if(run.samples,
                [&](const eval::Sample& sample) { return sample.index >= options.teacher.samples; });
  const SampledAnswers sampled(run);
  const std::vector<rl::AnswerFate> fates = rl::filter_answers(sampled.answers, options.filter);
  FilterTable table;
  table.answers = std::ssize(sampled.answers);
  table.failed = sampled.failed;
  table.questions = std::ssize(run.items);
  OutputFile file(folder / "kept.jsonl");
  int64_t last_question = -1;
  for (size_t i = 0; i < fates.size(); ++i) {
    ++table.fates.at(static_cast<size_t>(fates[i]));
    if (fates[i] != rl::AnswerFate::kept) continue;
    const rl::Answer& answer = sampled.answers[i];
    if (answer.group != last_question) ++table.questions_kept;
    last_question = answer.group;
    file.write(json_line(training_line(run.items[static_cast<size_t>(answer.group)], answer)));
  }
  file.finish();
  return table;
}

Json table_json(const FilterTable& table) {
  Json fates;
  for (size_t i = 0; i < rl::kAnswerFates; ++i)
    fates[std::string(rl::name_of(static_cast<rl::AnswerFate>(i)))] = table.fates[i];
  return {{"questions", table.questions},
          {"questions with kept answers", table.questions_kept},
          {"answers", table.answers},
          {"failed", table.failed},
          {"fates", fates}};
}

std::string table_text(const FilterTable& table) {
  std::string text = "| what happened | answers | share |\n|---|---|---|\n";
  for (size_t i = 0; i < rl::kAnswerFates; ++i) {
    const auto share = 100.0 * static_cast<double>(table.fates[i]) /
                       static_cast<double>(std::max<int64_t>(1, table.answers));
    text += fmt::format("| {} | {} | {:.1f}% |\n", rl::name_of(static_cast<rl::AnswerFate>(i)),
                        table.fates[i], share);
  }
  return text +
         fmt::format(
             "\n{} of {} questions have a kept answer.{}\n", table.questions_kept, table.questions,
             table.failed > 0
                 ? fmt::format(" {} answers failed: the same command asks for them again.", table.failed)
                 : "");
}

void require_kept(const FilterTable& table, const fs::path& folder) {
  if (table.kept() > 0) return;
  std::string fates;
  for (size_t i = 1; i < rl::kAnswerFates; ++i) {
    if (table.fates[i] > 0)
      fates += fmt::format("{}{} {}", fates.empty() ? "" : ", ", table.fates[i],
                           rl::name_of(static_cast<rl::AnswerFate>(i)));
  }
  throw_error(ErrorKind::invalid_argument, "{}: expected answers that pass all filters, found none of {}: {}",
              (folder / "kept.jsonl").string(), table.answers, fates);
}

/// Continues a student of the same data, and begins anew with other data.
void train_student(DistillationOptions& options, const fs::path& folder) {
  TrainingOptions& student = options.student;
  student.data = {(folder / "kept.jsonl").string()};
  student.output = (folder / "student").string();
  const std::string hash = content_hash(folder / "kept.jsonl", false);
  const fs::path record = folder / "student.json";
  const bool same = fs::exists(record) && read_json(record).value("data_sha256", "") == hash;
  student.resume = same && has_checkpoints(student.output);
  student.overwrite = !student.resume;
  write_file(record, Json{{"data_sha256", hash}}.dump(1) + "\n");
  train_on_samples(TrainingStage::sft, student, options.teacher.runtime);
}

}  // namespace

void distill(DistillationOptions options) {
  const fs::path folder(options.output);
  fs::create_directories(folder);
  write_questions(options, folder / "questions.jsonl");
  options.teacher.tasks = {"questions"};
  options.teacher.data = (folder / "questions.jsonl").string();
  options.teacher.out = (folder / "answers").string();
  evaluate(options.teacher);
  const FilterTable table = write_kept(options, folder);
  write_file(folder / "filters.json", table_json(table).dump(1) + "\n");
  write_file(folder / "report.md",
             "# Sampled answers\n\nThe first filter that drops an answer counts.\n\n" + table_text(table));
  fmt::print("{}\n{}: {} answers\n", table_text(table), (folder / "kept.jsonl").string(), table.kept());
  std::fflush(stdout);
  require_kept(table, folder);
  if (!options.samples_only) train_student(options, folder);
}

}  // namespace r1::cli
