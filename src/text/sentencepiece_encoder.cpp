#include "text/sentencepiece_encoder.h"

#include <algorithm>

#include "base/error.h"
#include "text/unicode.h"

namespace r1 {
namespace {

constexpr size_t max_text_bytes = size_t{1} << 30;
constexpr std::string_view space_mark = "\xe2\x96\x81";  // U+2581

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

SentencePieceEncoder::SentencePieceEncoder(StringTable pieces, std::vector<float> scores,
                                           const std::array<int32_t, 256>& byte_ids, int32_t unknown_id,
                                           size_t longest_piece,
                                           const std::vector<BytePairEncoder::Merge>& merges)
    : pieces_(std::move(pieces)),
      scores_(std::move(scores)),
      byte_ids_(byte_ids),
      unknown_id_(unknown_id),
      longest_piece_(longest_piece) {
  ranks_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    ranks_[pair_key(merges[rank].left, merges[rank].right)] = static_cast<uint32_t>(rank);
  }
}

std::optional<double> SentencePieceEncoder::score_of(std::string_view both, size_t left_size) const {
  if (ranks_.empty()) {
    const int32_t id = pieces_.find(both);
    return id < 0 ? std::nullopt : std::optional<double>(scores_[static_cast<size_t>(id)]);
  }
  const int32_t left = pieces_.find(both.substr(0, left_size));
  const int32_t right = pieces_.find(both.substr(left_size));
  if (left < 0 || right < 0) {
    return std::nullopt;
  }
  const auto found = ranks_.find(pair_key(left, right));
  return found == ranks_.end() ? std::nullopt : std::optional<double>(-static_cast<double>(found->second));
}

void SentencePieceEncoder::encode(std::string_view text, bool add_space_prefix, SentencePieceScratch& scratch,
                                  std::vector<int32_t>& out) const {
  if (text.size() > max_text_bytes) {
    throw_error(ErrorKind::invalid_argument, "tokenizer: a text of {} bytes, expected at most {}",
                text.size(), max_text_bytes);
  }
  if (text.empty()) {
    return;
  }
  std::string& escaped = scratch.text;
  escaped.clear();
  if (add_space_prefix) {
    escaped += space_mark;
  }
  for (const char c : text) {
    if (c == ' ') {
      escaped += space_mark;
    } else {
      escaped += c;
    }
  }

  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  symbols.clear();
  heap.clear();
  for (uint32_t at = 0; at < escaped.size();) {
    const uint32_t length = decode_valid_utf8(escaped.data() + at).length;
    const auto index = static_cast<int32_t>(symbols.size());
    at += length;
    symbols.push_back({at - length, length, index - 1, at < escaped.size() ? index + 1 : -1});
  }
  using Candidate = SentencePieceScratch::Candidate;
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score < b.score : a.left > b.left;
  };
  const auto consider = [&](int32_t left, int32_t right) {
    if (left < 0 || right < 0) {
      return false;
    }
    const auto& first = symbols[static_cast<size_t>(left)];
    const uint32_t size = first.size + symbols[static_cast<size_t>(right)].size;
    if (size > longest_piece_) {
      return false;
    }
    const auto score = score_of(std::string_view(escaped).substr(first.begin, size), first.size);
    if (!score) {
      return false;
    }
    heap.push_back({*score, left, right, size});
    return true;
  };
  for (size_t i = 1; i < symbols.size(); ++i) {
    consider(static_cast<int32_t>(i) - 1, static_cast<int32_t>(i));
  }
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Candidate candidate = heap.back();
    heap.pop_back();
    auto& left = symbols[static_cast<size_t>(candidate.left)];
    auto& right = symbols[static_cast<size_t>(candidate.right)];
    if (left.size == 0 || right.size == 0 || left.size + right.size != candidate.size) {
      continue;
    }
    left.size += right.size;
    right.size = 0;
    left.next = right.next;
    if (right.next >= 0) {
      symbols[static_cast<size_t>(right.next)].previous = candidate.left;
    }
    if (consider(left.previous, candidate.left)) {
      std::push_heap(heap.begin(), heap.end(), later);
    }
    if (consider(candidate.left, left.next)) {
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
  for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    const auto& symbol = symbols[static_cast<size_t>(i)];
    emit(std::string_view(escaped).substr(symbol.begin, symbol.size), out);
  }
}

void SentencePieceEncoder::emit(std::string_view piece, std::vector<int32_t>& out) const {
  const int32_t id = pieces_.find(piece);
  if (id >= 0) {
    out.push_back(id);
    return;
  }
  const bool has_bytes = std::all_of(
      piece.begin(), piece.end(), [this](char c) { return byte_ids_[static_cast<unsigned char>(c)] >= 0; });
  if (has_bytes) {
    for (const char c : piece) {
      out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
    }
  } else if (unknown_id_ >= 0) {
    out.push_back(unknown_id_);
  } else {
    throw_error(ErrorKind::invalid_argument, "tokenizer: the vocabulary has no token for \"{}\"", piece);
  }
}

}  // namespace r1
