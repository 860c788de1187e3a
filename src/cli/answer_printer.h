// Shows an answer as it comes: thinking dimmed and apart, the answer plain.
#pragma once

#include <string>
#include <string_view>

#include "cli/session.h"

namespace r1::cli {

class AnswerPrinter {
 public:
  /// `terminal`: dims the thinking, and writes out what a terminal would take for commands. `tags`: write
  /// <think> and </think> around the thinking (output that is no terminal); `hide`: leave it out.
  AnswerPrinter(bool terminal, bool tags, bool hide_thinking);

  void print(TextKind kind, std::string_view text);
  /// Ends the line and resets the colours.
  void finish();

 private:
  bool terminal_, tags_, hide_;
  bool thinking_ = false;
  bool line_open_ = false;
};

/// "[ 31 prompt tokens (12 known) · 0.42 s to the first · 128 tokens · 14.1 tokens/s ]", and why it ended if
/// that was not the model's own choice.
std::string describe(const Generation& generated);

}  // namespace r1::cli
