// Which tokens an answer's text is made of, so that the log-probabilities that are reported join to it: markup, line
// breaks around it, tool calls and what a stop string cuts off have tokens, but no text.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "text/stream_parser.h"

namespace r1 {

/// A token of an answer, with its log-probability.
struct TextToken {
  SampledToken token;
  /// What is left of the token's text, where the answer's text begins or ends inside it; absent: all of it.
  std::optional<std::string> part{};
};

/// One answer, one thread. Positions are bytes of the text that the tokens gave, markup included.
class TokenAligner {
 public:
  /// The next token, whose text is [begin, end); empty for a token that gave no whole character: it belongs to the
  /// character that the next token completes.
  void add(const SampledToken& token, size_t begin, size_t end);
  /// The text that begins at `begin` is reasoning or the answer's. In order; what lies before it and was not kept is
  /// no text.
  void keep(StreamState kind, size_t begin, std::string_view text);
  /// Appends the tokens whose text is decided: of the answer those whose text lies in its first `passed` bytes.
  /// `at_end`: all that is not kept is no text, and a token that reaches beyond `passed` is cut there.
  void take(size_t passed, bool at_end, std::vector<TextToken>& reasoning, std::vector<TextToken>& answer);

 private:
  struct Entry {
    SampledToken token;
    size_t begin, end;
    std::optional<StreamState> kind{};  // absent: nothing of it is kept yet
    std::string text{};                 // what is kept
    size_t answer_begin = 0;            // of it, in bytes of the answer
  };

  std::deque<Entry> entries_;
  size_t decided_ = 0;       // the end of the last text that was kept
  size_t answer_bytes_ = 0;  // kept
};

}  // namespace r1
