// Finds stop strings in text that comes in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1 {

/// Finds the stop string that is complete first; of several that end at the same byte, the longest. How the
/// text is cut makes no difference. Text that may still turn out to be the beginning of one is held back.
/// Time is linear in the text, whatever the stop strings are (Knuth, Morris and Pratt, 1977). One stream, one
/// thread.
class StopMatcher {
 public:
  /// Empty strings throw Error(invalid_argument).
  explicit StopMatcher(std::vector<std::string> stops);

  /// The text that is certain to come before any stop string. After a match nothing more comes.
  std::string push(std::string_view text);
  /// What was held back, at the end of the stream.
  std::string finish();
  /// The stop string that was found; empty: none.
  const std::string& matched() const { return matched_; }

 private:
  struct Pattern {
    std::string text;
    std::vector<uint32_t>
        border;       // of the prefix of each length: its longest proper prefix that is also a suffix
    size_t seen = 0;  // how much of it the text ends with
  };

  std::vector<Pattern> patterns_;
  std::string held_;
  std::string matched_;
};

}  // namespace r1
