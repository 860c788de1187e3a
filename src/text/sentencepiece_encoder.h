// SentencePiece's BPE model (Kudo and Richardson 2018) as GGUF files of kind "llama" and hub files with byte
// fallback carry it: spaces are written as U+2581, the characters are joined pair by pair, the pair with the
// highest score or the lowest merge first (the leftmost of equals), and a character without a token becomes
// its bytes' <0xXX> tokens.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/byte_pair_encoder.h"
#include "text/token_table.h"

namespace r1 {

struct SentencePieceScratch {
  struct Symbol {
    uint32_t begin;  // in `text`
    uint32_t size;   // bytes; 0 when merged into its left neighbour
    int32_t previous;
    int32_t next;
  };
  struct Candidate {
    double score;
    int32_t left;
    int32_t right;
    uint32_t size;  // of both together, to notice that one has changed since
  };
  std::string text;
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

/// Where a text gets a space in front.
enum class SpacePrefix {
  never,
  always,               // each text, also behind a special token
  always_unless_space,  // … that does not begin with one (tokenizer.json's Metaspace)
  first_unless_space,   // only the text that a prompt begins with
};

/// Const after construction, safe to use from several threads, each with its own scratch.
class SentencePieceEncoder {
 public:
  /// `pieces`: text (with U+2581) of the tokens that text can become; `scores` [vocabulary size];
  /// `byte_ids` [256], -1 for a byte without a token; `unknown_id` -1 for none. With `merges` (by rank; of
  /// equal pairs the last counts) only those pairs are joined, and the scores are not looked at.
  SentencePieceEncoder(StringTable pieces, std::vector<float> scores,
                       const std::array<int32_t, 256>& byte_ids, int32_t unknown_id, size_t longest_piece,
                       const std::vector<BytePairEncoder::Merge>& merges = {});

  /// Appends the tokens of `text` (valid UTF-8). Throws Error(invalid_argument) for a character that has no
  /// token, no byte tokens and no unknown token, and for texts of 1 GiB and more.
  void encode(std::string_view text, bool add_space_prefix, SentencePieceScratch& scratch,
              std::vector<int32_t>& out) const;

 private:
  std::optional<double> score_of(std::string_view both, size_t left_size) const;
  void emit(std::string_view piece, std::vector<int32_t>& out) const;

  StringTable pieces_;
  std::vector<float> scores_;
  std::unordered_map<uint64_t, uint32_t> ranks_;  // of merges: left id << 32 | right id
  std::array<int32_t, 256> byte_ids_;
  int32_t unknown_id_;
  size_t longest_piece_;  // bytes
};

}  // namespace r1
