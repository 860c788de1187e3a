#include "eval/run_folder.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "eval/run_reading.h"
#include "formats/output_file.h"

namespace r1::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

fs::path made(fs::path folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder))
    throw_error(ErrorKind::io, "{}: expected a folder that can be made: {}", folder.string(),
                error.message());
  return folder;
}

void write_file(const fs::path& path, const std::string& text) {
  OutputFile file(path);
  file.write(text);
  file.finish();
}

int64_t larger_limit(int64_t a, int64_t b) {
  return a < 0 || b < 0 ? -1 : std::max(a, b);
}

}  // namespace

RunFolder::RunFolder(fs::path folder, const RunDescription& description, std::vector<Item> items,
                     const Remark& remark)
    : folder_(made(std::move(folder))),
      description_(description),
      items_(std::move(items)),
      log_(folder_ / kAnswersFile) {
  if (fs::exists(folder_ / kRunFile)) {
    const RunDescription before = read_run_file(folder_);
    std::string difference = run_difference(before, description_);
    if (difference.empty() && (before.shard != description_.shard || before.shards != description_.shards)) {
      difference = fmt::format("shard: {}/{} and {}/{}", before.shard + 1, before.shards,
                               description_.shard + 1, description_.shards);
    }
    if (!difference.empty()) {
      throw_error(ErrorKind::invalid_argument,
                  "{}: holds another run ({}); expected the same one to continue, or another --out",
                  folder_.string(), difference);
    }
    description_.samples = std::max(before.samples, description_.samples);
    description_.limit = larger_limit(before.limit, description_.limit);
    description_.questions = std::max(before.questions, description_.questions);
  }
  lines_ = read_answer_log(folder_ / kAnswersFile);
  take_questions(remark);
  check_answers();
  write_file(folder_ / kRunFile, to_json(description_).dump(2) + "\n");
}

void RunFolder::take_questions(const Remark& remark) {
  std::map<int64_t, Json> questions;  // by position
  const fs::path path = folder_ / kQuestionsFile;
  for (const Item& item : read_questions(folder_)) questions[item.line] = to_json(item);
  for (const Item& item : items_) {
    const Json line = to_json(item);
    const auto [found, added] = questions.try_emplace(item.line, line);
    if (!added && found->second != line) {
      throw_error(
          ErrorKind::invalid_argument,
          "{}: question '{}' reads otherwise than when this run began (its prompt or its data has changed); "
          "expected another --out",
          path.string(), item.id);
    }
  }
  std::string text;
  for (const auto& [position, line] : questions) text += line_of(line) + '\n';
  write_file(path, text);
  if (!lines_.answers.empty() && remark)
    remark(fmt::format("{}: continuing: {} answers are there", folder_.string(), lines_.answers.size()));
}

void RunFolder::check_answers() const {
  for (const Item& item : items_) {
    for (auto found = lines_.answers.lower_bound({item.id, INT64_MIN});
         found != lines_.answers.end() && found->first.first == item.id; ++found) {
      const LoggedAnswer& answer = found->second;
      if (answer.key != answer_key(description_, item, answer.sample.index)) {
        throw_error(
            ErrorKind::invalid_argument,
            "{}:{}: this answer was made with another prompt, sampling or model; expected another --out",
            (folder_ / kAnswersFile).string(), answer.line);
      }
    }
  }
}

const Sample* RunFolder::find(const Item& item, int64_t index) const {
  const auto found = lines_.answers.find({item.id, index});
  const bool there = found != lines_.answers.end() && found->second.sample.end != Sample::End::error;
  return there ? &found->second.sample : nullptr;
}

const std::vector<std::string>* RunFolder::find_judgement(const std::string& key) const {
  const auto found = lines_.judgements.find(key);
  return found != lines_.judgements.end() ? &found->second : nullptr;
}

void RunFolder::add(const Item& item, const Sample& sample) {
  log_.append(sample, answer_key(description_, item, sample.index));
}

void RunFolder::add_judgement(const Sample& sample, const std::string& key,
                              const std::vector<std::string>& replies) {
  log_.append_judgement(sample, key, replies);
}

}  // namespace r1::eval
