// Reads lines from a terminal with editing and history (libedit).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace r1::cli {

class LineEditor {
 public:
  /// History is read from and, at the end, written to `history_file` (empty: kept in memory only).
  explicit LineEditor(std::filesystem::path history_file);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class Result { line, interrupted, end };
  /// One line without its newline. A line that ends in a backslash, or text between two lines of """, goes on
  /// over several lines. Ctrl-C gives `interrupted`, Ctrl-D on an empty line `end`.
  Result read(const std::string& prompt, std::string& text);

 private:
  struct State;
  State* state_;
};

}  // namespace r1::cli
