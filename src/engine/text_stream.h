// The text side of one answer: tokens in, text out, reasoning apart from the answer, stop strings obeyed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/incremental_decoder.h"
#include "text/tokenizer.h"

namespace r1 {

enum class TextKind { reasoning, answer };

/// Finds the earliest stop string in text that comes in pieces. Text that may still turn out to be the
/// beginning of one is held back. One stream, one thread.
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
  std::vector<std::string> stops_;
  std::string held_;
  std::string matched_;
};

/// Turns tokens into text events. Thinking tags that are tokens switch the kind and give no text; special
/// tokens besides them give none either unless asked for.
class TextStream {
 public:
  struct Options {
    bool starts_inside = false;                 // the prompt ends inside an open thinking block
    int32_t open_token = -1, close_token = -1;  // -1: the vocabulary has none
    bool stop_in_reasoning = false;             // stop strings count inside the thinking as well
    bool skip_special = true;                   // special tokens give no text
  };
  using OnText = std::function<void(TextKind kind, std::string_view text)>;

  TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops, const Options& options,
             OnText on_text);

  /// Passes on what is complete with this token. False when a stop string was found: the stream has ended.
  bool push(int32_t token);
  /// Passes on what was held back. Call once, after the last token.
  void finish();

  TextKind kind() const { return kind_; }
  const std::string& stop() const { return matcher_.matched(); }

 private:
  void emit(std::string_view text);
  void switch_to(TextKind kind);

  Options options_;
  OnText on_text_;
  IncrementalDecoder decoder_;
  StopMatcher matcher_;
  TextKind kind_;
};

}  // namespace r1
