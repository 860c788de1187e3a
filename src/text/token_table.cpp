#include "text/token_table.h"

#include <array>
#include <cstring>

#include "base/error.h"
#include "text/unicode.h"

namespace r1 {
namespace {

struct ByteAlphabet {
  std::array<uint16_t, 256> character_of{};
  std::array<int16_t, 324> byte_of{};
};

/// Printable Latin-1 characters stand for themselves, the others for U+0100 and up, in order.
constexpr ByteAlphabet make_byte_alphabet() {
  ByteAlphabet alphabet;
  for (auto& byte : alphabet.byte_of) {
    byte = -1;
  }
  uint16_t next = 256;
  for (uint16_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const uint16_t character = printable ? byte : next++;
    alphabet.character_of[byte] = character;
    alphabet.byte_of[character] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

constexpr ByteAlphabet byte_alphabet = make_byte_alphabet();

}  // namespace

uint64_t hash_bytes(std::string_view bytes) {
  uint64_t hash = 0x9e3779b97f4a7c15ULL ^ bytes.size();
  const char* p = bytes.data();
  size_t left = bytes.size();
  while (left >= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
    hash ^= hash >> 32;
    p += 8;
    left -= 8;
  }
  uint64_t tail = 0;
  if (left >= 4) {
    uint32_t low;
    uint32_t high;
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + left - 4, 4);
    tail = low | uint64_t{high} << 32;
  } else if (left > 0) {
    tail = static_cast<unsigned char>(p[0]) | uint64_t{static_cast<unsigned char>(p[left / 2])} << 8 |
           uint64_t{static_cast<unsigned char>(p[left - 1])} << 16;
  }
  hash = (hash ^ tail) * 0xc4ceb9fe1a85ec53ULL;
  return hash ^ hash >> 29;
}

void StringTable::reserve(size_t count) {
  size_t slots = 16;
  while (slots < count * 2) {
    slots *= 2;
  }
  if (slots > slots_.size()) {
    grow(slots);
  }
}

void StringTable::grow(size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.value >= 0) {
      size_t at = slot.hash & (slots - 1);
      while (slots_[at].value >= 0) {
        at = (at + 1) & (slots - 1);
      }
      slots_[at] = slot;
    }
  }
}

bool StringTable::insert(std::string_view key, int32_t value) {
  if (slots_.size() < (count_ + 1) * 2) {
    reserve(count_ + 1);
  }
  const uint64_t hash = hash_bytes(key);
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  for (; slots_[at].value >= 0; at = (at + 1) & mask) {
    if (slots_[at].hash == hash && slots_[at].key == key) {
      return false;
    }
  }
  slots_[at] = {key, hash, value};
  ++count_;
  return true;
}

int32_t StringTable::find(std::string_view key) const {
  if (slots_.empty()) {
    return -1;
  }
  const uint64_t hash = hash_bytes(key);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].value >= 0; at = (at + 1) & mask) {
    if (slots_[at].hash == hash && slots_[at].key == key) {
      return slots_[at].value;
    }
  }
  return -1;
}

void TokenTable::set(int64_t id, std::string_view text, std::string_view bytes, TokenKind kind) {
  if (id < 0 || id >= size()) {
    throw_error(ErrorKind::bad_file, "tokenizer: token \"{}\" has id {}, expected 0 to {}", text, id,
                size() - 1);
  }
  TokenEntry& entry = entries_[static_cast<size_t>(id)];
  if (entry.kind != TokenKind::absent) {
    throw_error(ErrorKind::bad_file, "tokenizer: id {} is given to \"{}\" and to \"{}\"", id, entry.text,
                text);
  }
  entry.text = store(text);
  entry.bytes = text == bytes ? entry.text : store(bytes);
  entry.kind = kind;
}

const TokenEntry& TokenTable::at(int32_t id) const {
  if (!contains(id)) {
    throw_error(ErrorKind::invalid_argument, "tokenizer: token id {}, expected 0 to {}", id, size() - 1);
  }
  return entries_[static_cast<size_t>(id)];
}

std::string_view TokenTable::store(std::string_view text) {
  if (text.empty()) {
    return {};
  }
  if (block_left_ < text.size()) {
    block_left_ = std::max<size_t>(text.size(), 1 << 16);
    blocks_.push_back(std::make_unique<char[]>(block_left_));
    block_at_ = blocks_.back().get();
  }
  std::memcpy(block_at_, text.data(), text.size());
  const std::string_view stored(block_at_, text.size());
  block_at_ += text.size();
  block_left_ -= text.size();
  return stored;
}

std::optional<std::string> byte_level_to_bytes(std::string_view piece) {
  std::string bytes;
  bytes.reserve(piece.size());
  const char* end = piece.data() + piece.size();
  for (const char* p = piece.data(); p < end;) {
    const DecodedCharacter c = decode_valid_utf8(p);
    if (c.code_point >= byte_alphabet.byte_of.size() || byte_alphabet.byte_of[c.code_point] < 0) {
      return std::nullopt;
    }
    bytes += static_cast<char>(byte_alphabet.byte_of[c.code_point]);
    p += c.length;
  }
  return bytes;
}

std::string bytes_to_byte_level(std::string_view bytes) {
  std::string piece;
  for (const char byte : bytes) {
    append_utf8(byte_alphabet.character_of[static_cast<unsigned char>(byte)], piece);
  }
  return piece;
}

}  // namespace r1
