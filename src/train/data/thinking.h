// Thinking in the texts of data files: <think>…</think> in the forms that people have it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace r1 {

/// An answer taken apart. `problem`: tags that fit no form, as an error message names them; else empty.
struct SplitAnswer {
  std::optional<std::string> reasoning;
  std::string answer;
  std::string problem;
};

/// Takes "<think>…</think>" from the front of an answer. White space before the tag does not count. The opening
/// tag may be missing: models whose prompt ends with it write none, and neither do records of their outputs.
SplitAnswer split_thinking(std::string_view text);

/// The text of a field that holds thinking alone: one pair of tags around it is taken off. In `answer`: the
/// thinking.
SplitAnswer strip_thinking_tags(std::string_view text);

}  // namespace r1
