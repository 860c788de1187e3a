// Byte-level byte-pair encoding (Sennrich et al. 2016; bytes as the alphabet: GPT-2, 2019): a word's bytes
// are tokens at first; then, again and again, the adjacent pair whose merge has the lowest rank, the
// leftmost of equals, becomes one token.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/token_table.h"

namespace r1 {

/// What encoding keeps from word to word; one caller at a time.
class BytePairScratch {
 public:
  BytePairScratch();

 private:
  friend class BytePairEncoder;
  static constexpr size_t max_cached_bytes = 31;
  static constexpr size_t max_cached_tokens = 7;

  /// A word and its tokens in one cache line.
  struct alignas(64) CachedWord {
    uint8_t tag = 0;  // bytes, and part_of_word; 0: empty
    char bytes[max_cached_bytes];
    uint32_t token_count = 0;
    int32_t tokens[max_cached_tokens];
  };
  static_assert(sizeof(CachedWord) == 64);

  struct Symbol {
    int32_t id;
    int32_t previous;
    int32_t next;
  };
  struct Candidate {
    uint32_t rank;
    int32_t left;
    int32_t left_id;
    int32_t right_id;
  };

  /// Appends the tokens remembered for `word`; false when there are none.
  bool recall(std::string_view word, uint8_t tag, std::vector<int32_t>& out) const;
  void remember(std::string_view word, uint8_t tag, std::span<const int32_t> tokens);
  static size_t cache_slot(std::string_view word, uint8_t tag);

  std::vector<CachedWord> cache_;  // direct-mapped
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
  std::vector<int32_t> ids_;
};

/// Const after construction, safe to use from several threads, each with its own scratch.
class BytePairEncoder {
 public:
  struct Options {
    bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
    int32_t unknown_id = -1;     // for bytes without a token; -1: such a byte is an error
    bool fuse_unknown = false;   // one unknown token for a run of such bytes
  };

  struct Merge {
    int32_t left;
    int32_t right;
    int32_t merged;
  };

  /// `pieces`: bytes to id, of all tokens with ignore_merges, else at least of those of one byte; `merges`:
  /// pairs of ids and the id they become, by rank; `vocabulary` gives the bytes of those ids and is not kept.
  /// Of a pair that is given twice the later one counts.
  BytePairEncoder(const TokenTable& vocabulary, StringTable pieces, const std::vector<Merge>& merges,
                  const Options& options);

  const Options& options() const { return options_; }
  /// All merges, by rank.
  std::vector<Merge> merges() const;
  bool has_byte(unsigned char byte) const { return byte_ids_[byte] >= 0; }

  /// Appends the tokens of `word` (not empty). Throws Error(invalid_argument) for a byte without a token
  /// when there is no unknown token, and for words of 2 GiB and more.
  void encode(std::string_view word, BytePairScratch& scratch, std::vector<int32_t>& out) const;

 private:
  struct MergeSlot {
    uint64_t pair;  // left << 32 | right; all ones: empty
    uint32_t rank;
    int32_t merged;
  };
  static constexpr uint32_t no_rank = UINT32_MAX;

  const MergeSlot* find_merge(int32_t left, int32_t right) const;
  void note_joints(std::string_view token);
  bool may_join(const char* left, const char* right, const char* end) const;
  void encode_part(std::string_view part, BytePairScratch& scratch, std::vector<int32_t>& out) const;
  void merge(std::string_view word, BytePairScratch& scratch, std::vector<int32_t>& out) const;
  void start(std::string_view word, std::vector<int32_t>& ids) const;
  void merge_short(BytePairScratch& scratch, std::vector<int32_t>& out) const;
  void merge_long(BytePairScratch& scratch, std::vector<int32_t>& out) const;

  StringTable pieces_;
  Options options_;
  std::array<int32_t, 256> byte_ids_{};
  std::vector<MergeSlot> slots_;
  std::vector<uint64_t> maybe_;  // bits: which pairs may have a merge (most pairs have none)
  // Where no merge can ever reach over the border of two characters, a word falls into parts that are
  // merged, and remembered, alone: Chinese has no spaces, and its runs of characters never repeat.
  std::vector<uint64_t> joints_;       // bits, by hash: pairs of characters that some merged token holds
  std::vector<uint64_t> byte_joints_;  // bits, by (last byte, first byte): borders inside tokens that hold
                                       // only a part of one of the two characters
};

}  // namespace r1
