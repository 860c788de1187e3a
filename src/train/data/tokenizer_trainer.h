// Trains a byte-level BPE vocabulary (Sennrich et al. 2016; bytes as the alphabet: GPT-2, 2019) with Qwen2's
// pre-tokeniser, which keeps every digit a token of its own, and with R1's special tokens.
//
// Goals: the same text gives the same file on every machine; minutes of text in seconds on one core.
// Non-goals: other pre-tokenisers, SentencePiece, Unigram.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace r1 {

struct TokenizerTrainerOptions {
  int32_t vocabulary_size = 2048;   // all tokens: the 256 bytes, merged ones and R1's special tokens
  int64_t minimum_count = 2;        // a pair seen less often is not merged
  int32_t maximum_bytes = 16;       // of a token in ASCII: whole phrases of generated text shall not be one
  int32_t maximum_other_bytes = 6;  // of other tokens: two Chinese characters
};

/// What was learnt, in the terms of tokenizer.json.
struct TrainedTokenizer {
  std::vector<std::string> pieces;                             // [id] in the byte-level alphabet
  std::vector<std::pair<std::string, std::string>> merges;     // by rank
  std::vector<std::pair<int32_t, std::string>> added_special;  // control tokens: begin, end, padding
  std::vector<std::pair<int32_t, std::string>> added_plain;  // turns, thinking, tools: as in R1, not special
  std::string tokenizer_json() const;
  /// With R1's chat template in the form that shows tools (text/r1_tool_template.cpp).
  /// `context_length`: model_max_length.
  std::string tokenizer_config_json(int64_t context_length) const;
};

class TokenizerTrainer {
 public:
  /// Counts the words of `text` (any bytes; invalid UTF-8 and special tokens written in it are left out of
  /// the merges).
  void add(std::string_view text);

  int64_t bytes() const { return bytes_; }
  int64_t distinct_words() const { return static_cast<int64_t>(words_.size()); }

  /// Throws Error(invalid_argument) for a size that cannot hold the bytes and the special tokens. The
  /// vocabulary is smaller than asked for when no pair is frequent enough any more.
  TrainedTokenizer train(const TokenizerTrainerOptions& options) const;

 private:
  void add_plain(std::string_view text);

  std::unordered_map<std::string, int64_t> words_;
  int64_t bytes_ = 0;
};

}  // namespace r1
