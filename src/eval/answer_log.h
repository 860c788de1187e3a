// answers.jsonl: one line an answer, appended as it ends, on the disk before the next one is waited for. Judgements of a
// judge model are lines of their own, behind their answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eval/benchmark.h"

namespace r1::eval {

struct LoggedAnswer {
  Sample sample;
  std::string key;   // answer_key() of what was asked
  int64_t line = 0;  // 1-based
};

struct AnswerLines {
  /// By item and sample number. An answer replaces an error, whichever comes first: failures are asked again.
  std::map<std::pair<std::string, int64_t>, LoggedAnswer> answers;
  std::map<std::string, std::vector<std::string>> judgements;  // the judge's replies by judgement_key()
  bool torn = false;  // the file ends within a line: the program was killed while it wrote
};

/// A missing file has no lines. A torn last line is left out. Throws Error(io, bad_file) with the line.
AnswerLines read_answer_log(const std::filesystem::path& path);

/// The writer. One process a file, one thread.
class AnswerLog {
 public:
  /// Opens or creates the file, for this process alone, and cuts off a torn last line. Throws Error(io); Error(invalid_argument)
  /// where another process writes it.
  explicit AnswerLog(std::filesystem::path path);
  ~AnswerLog();
  AnswerLog(const AnswerLog&) = delete;
  AnswerLog& operator=(const AnswerLog&) = delete;

  void append(const Sample& sample, const std::string& key);
  void append_judgement(const Sample& sample, const std::string& key,
                        const std::vector<std::string>& replies);
  /// Writes what was appended and waits until the disk has it. Throws Error(io).
  void sync();

 private:
  void drop_torn_line();

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::string pending_;
};

}  // namespace r1::eval
