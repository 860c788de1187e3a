// The folder of a run that is being made: begun, or continued where it was left.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "eval/answer_log.h"
#include "eval/run.h"
#include "eval/run_json.h"

namespace r1::eval {

/// One process a folder, one thread.
class RunFolder {
 public:
  using Remark = std::function<void(const std::string&)>;

  /// Begins a run, or continues the folder's. The number of samples and the limit may grow; whatever else determines answers must be
  /// as it was. Throws Error(invalid_argument) that names what differs, Error(io, bad_file). `remark`: what a person should
  /// know, in a line.
  RunFolder(std::filesystem::path folder, const RunDescription& description, std::vector<Item> items,
            const Remark& remark);

  const std::filesystem::path& path() const { return folder_; }
  /// Samples and limit: the largest that this folder was asked for.
  const RunDescription& description() const { return description_; }
  /// Those given, in order.
  const std::vector<Item>& items() const { return items_; }
  /// An answer that is there, without its judge's replies; null: none, or an error, which is asked again.
  const Sample* find(const Item& item, int64_t index) const;
  /// A judge's replies that are there; null: none.
  const std::vector<std::string>* find_judgement(const std::string& key) const;

  void add(const Item& item, const Sample& sample);
  void add_judgement(const Sample& sample, const std::string& key, const std::vector<std::string>& replies);
  /// Waits until the disk has all that was added.
  void sync() { log_.sync(); }

 private:
  void take_questions(const Remark& remark);
  void check_answers() const;

  std::filesystem::path folder_;
  RunDescription description_;
  std::vector<Item> items_;
  AnswerLog log_;
  AnswerLines lines_;
};

}  // namespace r1::eval
