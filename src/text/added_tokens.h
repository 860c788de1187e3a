// Finds the added tokens of a tokenizer (special ones, and others such as <think>) written in a text.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1 {

/// The hub's flags (tokenizer.json "added_tokens").
struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool special = false;
  bool normalised = false;   // matched in the text after normalisation, not before
  bool strip_left = false;   // takes white space before it along
  bool strip_right = false;  // takes white space after it along
  bool single_word = false;  // only where no word character touches it
};

/// A stretch of text (id < 0), or a token found there.
struct TextPart {
  std::string_view text;
  int32_t id = -1;
};

/// Leftmost, then longest match, as the hub's tokenizers do. Const and safe to use from several threads.
class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;
  /// Throws Error(bad_file) for an empty content or one given twice.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  bool empty() const { return tokens_.empty(); }
  bool contains(std::string_view content) const;
  /// Whether any token has strip_left, strip_right or single_word.
  bool has_flags() const;

  /// Appends `text` (valid UTF-8), cut at the tokens found, to `out`. Special tokens are seen only with
  /// `match_special`.
  void split(std::string_view text, bool match_special, std::vector<TextPart>& out) const;

 private:
  struct Match {
    size_t begin;
    size_t end;
    const AddedToken* token = nullptr;
  };
  Match find(std::string_view text, size_t from, bool match_special) const;
  const AddedToken* longest_at(std::string_view text, bool match_special) const;

  // A trie whose nodes hold their children as a sorted range: [first_child, first_child + child_count).
  struct Node {
    int32_t token = -1;
    int32_t first_child = 0;
    int32_t child_count = 0;
    unsigned char byte = 0;
  };
  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<int32_t, 256> root_{};  // node by first byte, -1 for none
  int only_first_byte_ = -1;         // when all tokens begin with the same byte
};

}  // namespace r1
