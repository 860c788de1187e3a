// SentencePiece's BPE model (Kudo and Richardson 2018) as GGUF files of kind "llama" carry it: spaces are
// written as U+2581, the characters are joined pair by pair, the pair with the highest score first (the
// leftmost of equals), and a character without a token becomes its bytes' <0xXX> tokens.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
    float score;
    int32_t left;
    int32_t right;
    uint32_t size;  // of both together, to notice that one has changed since
  };
  std::string text;
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

/// Const after construction, safe to use from several threads, each with its own scratch.
class SentencePieceEncoder {
 public:
  /// `pieces`: text (with U+2581) of the tokens that text can become; `scores` [vocabulary size];
  /// `byte_ids` [256], -1 for a byte without a token; `unknown_id` -1 for none.
  SentencePieceEncoder(StringTable pieces, std::vector<float> scores,
                       const std::array<int32_t, 256>& byte_ids, int32_t unknown_id, size_t longest_piece);

  /// Appends the tokens of `text` (valid UTF-8). Throws Error(invalid_argument) for a character that has no
  /// token, no byte tokens and no unknown token, and for texts of 1 GiB and more.
  void encode(std::string_view text, bool add_space_prefix, SentencePieceScratch& scratch,
              std::vector<int32_t>& out) const;

 private:
  void emit(std::string_view piece, std::vector<int32_t>& out) const;

  StringTable pieces_;
  std::vector<float> scores_;
  std::array<int32_t, 256> byte_ids_;
  int32_t unknown_id_;
  size_t longest_piece_;  // bytes
};

}  // namespace r1
