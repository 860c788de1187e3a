// The pieces of a tokenizer: what each id is written as, which bytes it stands for, what kind it is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace r1 {

enum class TokenKind : uint8_t {
  absent,   // an id that no piece has
  normal,   // made from text by the model
  control,  // special: matched in text only on request, skipped by decode on request
  added,    // the hub's non-special added tokens, GGUF's user-defined ones: always matched in text
  byte,     // SentencePiece's <0xXX>
  unknown,
  unused,  // padding of the vocabulary: never made from text
};

/// From string_view to a small number, by open addressing. Keys must outlive the table.
class StringTable {
 public:
  void reserve(size_t count);
  /// False when the key is there already (its value stays).
  bool insert(std::string_view key, int32_t value);
  /// -1 when absent.
  int32_t find(std::string_view key) const;
  size_t size() const { return count_; }

 private:
  struct Slot {
    std::string_view key;
    uint64_t hash = 0;
    int32_t value = -1;
  };
  void grow(size_t slots);

  std::vector<Slot> slots_;
  size_t count_ = 0;
};

uint64_t hash_bytes(std::string_view bytes);

struct TokenEntry {
  std::string_view text;   // as written in the vocabulary file
  std::string_view bytes;  // what the token stands for
  TokenKind kind = TokenKind::absent;
};

/// Filled by a loader, const afterwards. Views stay valid as long as the vocabulary.
class TokenTable {
 public:
  explicit TokenTable(size_t size) : entries_(size) {}

  /// Throws Error(bad_file) for an id outside [0, size) or one that is taken.
  void set(int64_t id, std::string_view text, std::string_view bytes, TokenKind kind);
  void change_kind(int32_t id, TokenKind kind) { entries_[static_cast<size_t>(id)].kind = kind; }
  void change_bytes(int32_t id, std::string_view bytes) {
    entries_[static_cast<size_t>(id)].bytes = store(bytes);
  }

  int32_t size() const { return static_cast<int32_t>(entries_.size()); }
  bool contains(int32_t id) const { return id >= 0 && id < size(); }
  /// Throws Error(invalid_argument) for an id outside [0, size).
  const TokenEntry& at(int32_t id) const;
  const TokenEntry& operator[](int32_t id) const { return entries_[static_cast<size_t>(id)]; }

 private:
  std::string_view store(std::string_view text);

  std::vector<TokenEntry> entries_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t block_left_ = 0;
  char* block_at_ = nullptr;
};

/// GPT-2's printable alphabet: every byte has a character of its own in byte-level vocabularies.
/// The bytes that `piece` is written for; nothing when it holds a character outside the alphabet.
std::optional<std::string> byte_level_to_bytes(std::string_view piece);
std::string bytes_to_byte_level(std::string_view bytes);

}  // namespace r1
