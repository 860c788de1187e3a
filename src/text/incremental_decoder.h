// Text from a stream of tokens, in whole characters only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace r1 {

/// Feeds on the bytes of tokens and gives back complete UTF-8. Bytes that may still become a character wait
/// (three at most); bytes that no continuation can make valid become U+FFFD, one for each maximal invalid
/// part. All pieces together are what decode gives for the whole sequence, but for the leading space of
/// SentencePiece vocabularies, which stays. One stream, one thread.
class IncrementalDecoder {
 public:
  /// With `skip_special`, special tokens give no text. Shares the tokenizer's data.
  explicit IncrementalDecoder(Tokenizer tokenizer, bool skip_special = true)
      : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}

  /// The characters that are complete with this token. Throws Error(invalid_argument) for an unknown id.
  std::string push(int32_t id);

  /// The same for bytes that come from elsewhere.
  std::string push_bytes(std::string_view bytes);

  /// What waits, as U+FFFD; empty when nothing does. The decoder is as new afterwards.
  std::string finish();

  /// Bytes of an incomplete character.
  std::string_view pending() const { return pending_; }

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  std::string pending_;
};

}  // namespace r1
