#include "text/byte_pair_encoder.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace r1 {
namespace {

constexpr size_t cache_words = 1 << 14;  // 1 MiB
constexpr size_t maybe_bits = 1 << 22;   // 512 KiB
constexpr size_t joint_bits = 1 << 19;   // 64 KiB
constexpr size_t byte_joint_bits = 1 << 16;
/// In a cached word's tag: its tokens are those of a part, which ignore_merges does not look at.
constexpr uint8_t part_of_word = 0x80;
constexpr uint64_t empty_pair = ~uint64_t{0};
/// Up to here a scan over all pairs for the next merge beats a heap.
constexpr size_t short_word = 96;

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

uint64_t pair_hash(uint64_t pair) {
  pair = (pair ^ pair >> 29) * 0x9e3779b97f4a7c15ULL;
  return pair ^ pair >> 32;
}

bool test_bit(const std::vector<uint64_t>& bits, size_t bit) {
  return bits[bit / 64] >> (bit % 64) & 1;
}
void set_bit(std::vector<uint64_t>& bits, size_t bit) {
  bits[bit / 64] |= uint64_t{1} << (bit % 64);
}

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

/// The first `length` bytes (1 to 4) as a number.
uint32_t character_key(const char* p, size_t length) {
  uint32_t key = 0;
  std::memcpy(&key, p, length);
  return key;
}

size_t character_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

size_t joint_bit(uint32_t left, uint32_t right) {
  return pair_hash(uint64_t{left} << 32 | right) >> 13 & (joint_bits - 1);
}

size_t byte_joint_bit(char left, char right) {
  return size_t{static_cast<unsigned char>(left)} << 8 | static_cast<unsigned char>(right);
}

}  // namespace

BytePairScratch::BytePairScratch() : cache_(cache_words) {}

BytePairEncoder::BytePairEncoder(const TokenTable& vocabulary, StringTable pieces,
                                 const std::vector<Merge>& merges, const Options& options)
    : pieces_(std::move(pieces)),
      options_(options),
      maybe_(maybe_bits / 64),
      joints_(joint_bits / 64),
      byte_joints_(byte_joint_bits / 64) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids_[static_cast<size_t>(byte)] = pieces_.find({&c, 1});
  }
  size_t count = 64;
  while (count < merges.size() * 2) {
    count *= 2;
  }
  slots_.assign(count, {empty_pair, 0, 0});
  const size_t mask = count - 1;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t pair = pair_key(merges[rank].left, merges[rank].right);
    const uint64_t hash = pair_hash(pair);
    size_t at = hash & mask;
    while (slots_[at].pair != empty_pair && slots_[at].pair != pair) {
      at = (at + 1) & mask;
    }
    slots_[at] = {pair, static_cast<uint32_t>(rank), merges[rank].merged};
    set_bit(maybe_, (hash >> 40) & (maybe_bits - 1));
    const TokenEntry& merged = vocabulary[merges[rank].merged];
    if (merged.kind == TokenKind::normal) {
      note_joints(merged.bytes);
    } else {  // its bytes are its text, which is not what the merges work on
      note_joints(byte_level_to_bytes(merged.text).value_or(std::string(merged.text)));
    }
  }
}

std::vector<BytePairEncoder::Merge> BytePairEncoder::merges() const {
  std::vector<const MergeSlot*> used;
  for (const MergeSlot& slot : slots_) {
    if (slot.pair != empty_pair) {
      used.push_back(&slot);
    }
  }
  std::sort(used.begin(), used.end(), [](const auto* a, const auto* b) { return a->rank < b->rank; });
  std::vector<Merge> result;
  result.reserve(used.size());
  for (const MergeSlot* slot : used) {
    result.push_back({static_cast<int32_t>(slot->pair >> 32), static_cast<int32_t>(slot->pair & UINT32_MAX),
                      slot->merged});
  }
  return result;
}

void BytePairEncoder::note_joints(std::string_view token) {
  for (size_t right = 1; right < token.size(); ++right) {
    if (is_continuation(token[right])) {
      continue;
    }
    size_t left = right - 1;
    while (left > 0 && is_continuation(token[left])) {
      --left;
    }
    const size_t left_length = right - left;
    const size_t right_length = character_length(token[right]);
    if (!is_continuation(token[left]) && left_length == character_length(token[left]) &&
        right + right_length <= token.size()) {
      set_bit(joints_, joint_bit(character_key(token.data() + left, left_length),
                                 character_key(token.data() + right, right_length)));
    } else {
      set_bit(byte_joints_, byte_joint_bit(token[right - 1], token[right]));
    }
  }
}

/// Whether a merge may reach over the border at `right`, between the characters at `left` and there.
bool BytePairEncoder::may_join(const char* left, const char* right, const char* end) const {
  const size_t left_length = static_cast<size_t>(right - left);
  const size_t right_length = character_length(*right);
  if ((left_length == 1 && right_length == 1) || right_length > static_cast<size_t>(end - right) ||
      (options_.fuse_unknown && options_.unknown_id >= 0)) {
    return true;  // ASCII words are short enough as they are; a run of unknown bytes must stay together
  }
  return test_bit(joints_, joint_bit(character_key(left, left_length), character_key(right, right_length))) ||
         test_bit(byte_joints_, byte_joint_bit(right[-1], *right));
}

const BytePairEncoder::MergeSlot* BytePairEncoder::find_merge(int32_t left, int32_t right) const {
  const uint64_t pair = pair_key(left, right);
  const uint64_t hash = pair_hash(pair);
  if (!test_bit(maybe_, (hash >> 40) & (maybe_bits - 1))) {
    return nullptr;
  }
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].pair != empty_pair; at = (at + 1) & mask) {
    if (slots_[at].pair == pair) {
      return &slots_[at];
    }
  }
  return nullptr;
}

void BytePairEncoder::start(std::string_view word, std::vector<int32_t>& ids) const {
  ids.clear();
  bool after_unknown = false;
  for (const char c : word) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(c)];
    if (id >= 0) {
      ids.push_back(id);
    } else if (options_.unknown_id < 0) {
      throw_error(ErrorKind::invalid_argument, "tokenizer: the vocabulary has no token for byte 0x{:02X}",
                  static_cast<unsigned char>(c));
    } else if (!after_unknown || !options_.fuse_unknown) {
      ids.push_back(options_.unknown_id);
    }
    after_unknown = id < 0;
  }
}

bool BytePairScratch::recall(std::string_view word, uint8_t tag, std::vector<int32_t>& out) const {
  if (word.size() > max_cached_bytes) {
    return false;
  }
  const CachedWord& cached = cache_[cache_slot(word, tag)];
  if (cached.tag != tag || std::memcmp(cached.bytes, word.data(), word.size()) != 0) {
    return false;
  }
  out.insert(out.end(), cached.tokens, cached.tokens + cached.token_count);
  return true;
}

void BytePairScratch::remember(std::string_view word, uint8_t tag, std::span<const int32_t> tokens) {
  if (word.size() > max_cached_bytes || tokens.size() > max_cached_tokens) {
    return;
  }
  CachedWord& cached = cache_[cache_slot(word, tag)];
  cached.tag = tag;
  std::memcpy(cached.bytes, word.data(), word.size());
  cached.token_count = static_cast<uint32_t>(tokens.size());
  std::copy(tokens.begin(), tokens.end(), cached.tokens);
}

size_t BytePairScratch::cache_slot(std::string_view word, uint8_t tag) {
  return ((hash_bytes(word) >> 20) ^ tag) & (cache_words - 1);
}

void BytePairEncoder::encode(std::string_view word, BytePairScratch& scratch,
                             std::vector<int32_t>& out) const {
  if (word.size() == 1 && byte_ids_[static_cast<unsigned char>(word[0])] >= 0) {
    out.push_back(byte_ids_[static_cast<unsigned char>(word[0])]);
    return;
  }
  const auto tag = static_cast<uint8_t>(word.size() & 0x7f);
  if (scratch.recall(word, tag, out)) {
    return;
  }
  const size_t first = out.size();
  const int32_t whole = options_.ignore_merges ? pieces_.find(word) : -1;
  if (whole >= 0) {
    out.push_back(whole);
  } else {
    const char* end = word.data() + word.size();
    const char* part = word.data();
    const char* left = part;
    for (const char* right = left + character_length(*left); right < end;) {
      if (!may_join(left, right, end)) {
        encode_part({part, static_cast<size_t>(right - part)}, scratch, out);
        part = right;
      }
      left = right;
      right += character_length(*right);
    }
    if (part == word.data()) {
      merge(word, scratch, out);
    } else {
      encode_part({part, static_cast<size_t>(end - part)}, scratch, out);
    }
  }
  scratch.remember(word, tag, std::span(out).subspan(first));
}

void BytePairEncoder::encode_part(std::string_view part, BytePairScratch& scratch,
                                  std::vector<int32_t>& out) const {
  const auto tag = static_cast<uint8_t>((part.size() & 0x7f) | part_of_word);
  if (!scratch.recall(part, tag, out)) {
    const size_t first = out.size();
    merge(part, scratch, out);
    scratch.remember(part, tag, std::span(out).subspan(first));
  }
}

void BytePairEncoder::merge(std::string_view word, BytePairScratch& scratch,
                            std::vector<int32_t>& out) const {
  if (word.size() > INT32_MAX) {
    throw_error(ErrorKind::invalid_argument, "tokenizer: a word of {} bytes, expected at most {}",
                word.size(), INT32_MAX);
  }
  start(word, scratch.ids_);
  scratch.ids_.size() <= short_word ? merge_short(scratch, out) : merge_long(scratch, out);
}

void BytePairEncoder::merge_short(BytePairScratch& scratch, std::vector<int32_t>& out) const {
  // ids[i] and ids[i + 1] merge with rank ranks[i]; both arrays are closed up after each merge.
  int32_t ids[short_word];
  uint32_t ranks[short_word];
  int32_t merged[short_word];
  size_t count = scratch.ids_.size();
  std::copy(scratch.ids_.begin(), scratch.ids_.end(), ids);
  const auto look_up = [&](size_t i) {
    const MergeSlot* merge = find_merge(ids[i], ids[i + 1]);
    ranks[i] = merge != nullptr ? merge->rank : no_rank;
    merged[i] = merge != nullptr ? merge->merged : -1;
  };
  for (size_t i = 0; i + 1 < count; ++i) {
    look_up(i);
  }
  while (count > 1) {
    uint32_t best_rank = no_rank;
    size_t best = 0;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (ranks[i] < best_rank) {
        best_rank = ranks[i];
        best = i;
      }
    }
    if (best_rank == no_rank) {
      break;
    }
    ids[best] = merged[best];
    --count;
    const size_t moved = count - best - 1;
    std::memmove(ids + best + 1, ids + best + 2, moved * sizeof ids[0]);
    std::memmove(ranks + best, ranks + best + 1, moved * sizeof ranks[0]);
    std::memmove(merged + best, merged + best + 1, moved * sizeof merged[0]);
    if (best > 0) {
      look_up(best - 1);
    }
    if (best + 1 < count) {
      look_up(best);
    }
  }
  out.insert(out.end(), ids, ids + count);
}

void BytePairEncoder::merge_long(BytePairScratch& scratch, std::vector<int32_t>& out) const {
  auto& symbols = scratch.symbols_;
  auto& heap = scratch.heap_;
  const auto& ids = scratch.ids_;
  symbols.clear();
  heap.clear();
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto at = static_cast<int32_t>(i);
    symbols.push_back({ids[i], at - 1, i + 1 < ids.size() ? at + 1 : -1});
  }
  using Candidate = BytePairScratch::Candidate;
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  const auto consider = [&](int32_t left) {
    const auto& symbol = symbols[static_cast<size_t>(left)];
    const int32_t right_id = symbols[static_cast<size_t>(symbol.next)].id;
    if (const MergeSlot* merge = find_merge(symbol.id, right_id)) {
      heap.push_back({merge->rank, left, symbol.id, right_id});
      return true;
    }
    return false;
  };
  for (int32_t i = 0; symbols[static_cast<size_t>(i)].next >= 0; ++i) {
    consider(i);
  }
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Candidate candidate = heap.back();
    heap.pop_back();
    auto& left = symbols[static_cast<size_t>(candidate.left)];
    // A candidate is stale when one of its symbols was merged away or became another since.
    if (left.id != candidate.left_id || left.next < 0 ||
        symbols[static_cast<size_t>(left.next)].id != candidate.right_id) {
      continue;
    }
    auto& right = symbols[static_cast<size_t>(left.next)];
    left.id = find_merge(candidate.left_id, candidate.right_id)->merged;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) {
      symbols[static_cast<size_t>(left.next)].previous = candidate.left;
      if (consider(candidate.left)) {
        std::push_heap(heap.begin(), heap.end(), later);
      }
    }
    if (left.previous >= 0 && consider(left.previous)) {
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
  for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    out.push_back(symbols[static_cast<size_t>(i)].id);
  }
}

}  // namespace r1
