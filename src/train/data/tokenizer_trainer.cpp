#include "train/data/tokenizer_trainer.h"

#include <algorithm>
#include <array>
#include <queue>

#include "base/error.h"
#include "text/pre_tokenizer.h"
#include "text/token_table.h"
#include "text/unicode.h"

namespace r1 {
namespace {

constexpr std::array<std::string_view, 3> kSpecial = {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
                                                      "<｜▁pad▁｜>"};
constexpr std::array<std::string_view, 13> kPlain = {"<｜User｜>",
                                                     "<｜Assistant｜>",
                                                     "<think>",
                                                     "</think>",
                                                     "<｜tool▁calls▁begin｜>",
                                                     "<｜tool▁calls▁end｜>",
                                                     "<｜tool▁call▁begin｜>",
                                                     "<｜tool▁call▁end｜>",
                                                     "<｜tool▁sep｜>",
                                                     "<｜tool▁outputs▁begin｜>",
                                                     "<｜tool▁outputs▁end｜>",
                                                     "<｜tool▁output▁begin｜>",
                                                     "<｜tool▁output▁end｜>"};
constexpr int32_t kFirstByte = static_cast<int32_t>(kSpecial.size());
constexpr int32_t kFirstMerged = kFirstByte + 256;

using Pair = uint64_t;  // left << 32 | right

Pair make_pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(left) << 32U | static_cast<uint32_t>(right);
}

struct Word {
  std::vector<int32_t> tokens;
  int64_t count;
};

struct PairState {
  int64_t count = 0;
  std::vector<int32_t> words;  // where it was seen; a word may be listed that has it no longer
};

struct Candidate {
  int64_t count;
  Pair pair;
  /// The most frequent pair first; of equals the one with the lowest ids.
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

/// Whole characters, or bytes of one character only: no token is the end of one character with the next.
/// Words of other scripts, which stand without spaces between them, stay short.
bool is_good_token(std::string_view text, const TokenizerTrainerOptions& options) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; });
  if (text.size() > static_cast<size_t>(ascii ? options.maximum_bytes : options.maximum_other_bytes))
    return false;
  if (ascii || is_valid_utf8(text)) return true;
  return std::all_of(text.begin() + 1, text.end(),
                     [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; });
}

/// The state of training: words as tokens, counts of their adjacent pairs kept up to date merge by merge.
class Merger {
 public:
  Merger(std::vector<Word> words, const TokenizerTrainerOptions& options)
      : words_(std::move(words)), options_(options), bytes_(kFirstMerged) {
    for (int32_t byte = 0; byte < 256; ++byte) {
      bytes_[static_cast<size_t>(kFirstByte) + static_cast<size_t>(byte)] =
          std::string(1, static_cast<char>(byte));
    }
    for (size_t w = 0; w < words_.size(); ++w) {
      const std::vector<int32_t>& tokens = words_[w].tokens;
      for (size_t i = 0; i + 1 < tokens.size(); ++i) {
        change(make_pair_key(tokens[i], tokens[i + 1]), words_[w].count, static_cast<int32_t>(w));
      }
    }
    for (const auto& [pair, state] : pairs_) queue_.push({state.count, pair});
  }

  /// Merges pairs until there are `size` tokens (specials included) or none is frequent enough.
  void run(size_t size) {
    while (bytes_.size() < size && !queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const int64_t count = pairs_.at(best.pair).count;
      if (count < options_.minimum_count) continue;
      if (count != best.count) {  // the count fell since it was queued
        queue_.push({count, best.pair});
        continue;
      }
      const auto left = static_cast<int32_t>(best.pair >> 32U);
      const auto right = static_cast<int32_t>(best.pair & UINT32_MAX);
      std::string text = bytes_[static_cast<size_t>(left)] + bytes_[static_cast<size_t>(right)];
      if (!is_good_token(text, options_)) continue;
      const auto known = ids_.find(text);
      // Two ways to the same bytes would give two tokens that look alike: the first way keeps the bytes.
      if (known != ids_.end()) continue;
      const auto merged = static_cast<int32_t>(bytes_.size());
      ids_.emplace(text, merged);
      bytes_.push_back(std::move(text));
      merges_.emplace_back(left, right);
      apply(best.pair, left, right, merged);
    }
  }

  const std::vector<std::string>& bytes() const { return bytes_; }
  const std::vector<std::pair<int32_t, int32_t>>& merges() const { return merges_; }

 private:
  void change(Pair pair, int64_t by, int32_t word) {
    PairState& state = pairs_[pair];
    state.count += by;
    if (by > 0 && (state.words.empty() || state.words.back() != word)) state.words.push_back(word);
  }

  void apply(Pair pair, int32_t left, int32_t right, int32_t merged) {
    std::vector<int32_t> where = std::move(pairs_.at(pair).words);
    std::sort(where.begin(), where.end());
    where.erase(std::unique(where.begin(), where.end()), where.end());
    std::vector<Pair> grown;
    for (const int32_t w : where) {
      Word& word = words_[static_cast<size_t>(w)];
      std::vector<int32_t>& tokens = word.tokens;
      size_t out = 0;
      for (size_t i = 0; i < tokens.size();) {
        const bool here = i + 1 < tokens.size() && tokens[i] == left && tokens[i + 1] == right;
        if (!here) {
          tokens[out++] = tokens[i++];
          continue;
        }
        if (out > 0) {
          change(make_pair_key(tokens[out - 1], left), -word.count, w);
          change(make_pair_key(tokens[out - 1], merged), word.count, w);
          grown.push_back(make_pair_key(tokens[out - 1], merged));
        }
        if (i + 2 < tokens.size()) {
          change(make_pair_key(right, tokens[i + 2]), -word.count, w);
          change(make_pair_key(merged, tokens[i + 2]), word.count, w);
          grown.push_back(make_pair_key(merged, tokens[i + 2]));
        }
        tokens[out++] = merged;
        i += 2;
      }
      tokens.resize(out);
    }
    pairs_.at(pair).count = 0;
    std::sort(grown.begin(), grown.end());
    grown.erase(std::unique(grown.begin(), grown.end()), grown.end());
    for (const Pair changed : grown) queue_.push({pairs_.at(changed).count, changed});
  }

  std::vector<Word> words_;
  const TokenizerTrainerOptions& options_;
  std::vector<std::string> bytes_;  // [id]
  std::vector<std::pair<int32_t, int32_t>> merges_;
  std::unordered_map<std::string, int32_t> ids_;
  std::unordered_map<Pair, PairState> pairs_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace

void TokenizerTrainer::add(std::string_view text) {
  bytes_ += static_cast<int64_t>(text.size());
  while (!text.empty()) {
    size_t at = text.size(), length = 0;
    for (const std::string_view token : kPlain) {
      if (const size_t found = text.find(token); found < at) at = found, length = token.size();
    }
    for (const std::string_view token : kSpecial) {
      if (const size_t found = text.find(token); found < at) at = found, length = token.size();
    }
    add_plain(text.substr(0, at));
    text.remove_prefix(at + length);
  }
}

void TokenizerTrainer::add_plain(std::string_view text) {
  if (text.empty()) return;
  static const PreTokenizer pre_tokenizer = PreTokenizer::from_gguf_name("qwen2");
  std::string valid;
  if (!is_valid_utf8(text)) text = valid = repair_utf8(text);
  std::string normalised;
  if (!is_surely_nfc(text)) text = normalised = normalise_nfc(text);
  PreTokenizerScratch scratch;
  std::string key;
  pre_tokenizer.split(text, scratch, [&](std::string_view word) {
    if (word.size() < 2) return;
    key.assign(word);
    ++words_[key];
  });
}

TrainedTokenizer TokenizerTrainer::train(const TokenizerTrainerOptions& options) const {
  const auto least = static_cast<int32_t>(kFirstMerged + kPlain.size());
  if (options.vocabulary_size < least) {
    throw_error(
        ErrorKind::invalid_argument,
        "tokenizer: vocabulary size: expected at least {} (256 bytes and {} special tokens), found {}", least,
        kPlain.size() + kSpecial.size(), options.vocabulary_size);
  }
  if (options.minimum_count < 1 || options.maximum_bytes < 1 || options.maximum_other_bytes < 1) {
    throw_error(ErrorKind::invalid_argument,
                "tokenizer: expected a minimum count and longest tokens of at least 1, found {}, {} and {}",
                options.minimum_count, options.maximum_bytes, options.maximum_other_bytes);
  }
  std::vector<std::pair<std::string_view, int64_t>> sorted(words_.begin(), words_.end());
  std::sort(sorted.begin(), sorted.end());  // the table's own order is the library's
  std::vector<Word> words;
  words.reserve(sorted.size());
  for (const auto& [text, count] : sorted) {
    Word word{{}, count};
    for (const char c : text) word.tokens.push_back(kFirstByte + static_cast<unsigned char>(c));
    words.push_back(std::move(word));
  }
  Merger merger(std::move(words), options);
  merger.run(static_cast<size_t>(options.vocabulary_size) - kPlain.size());

  TrainedTokenizer trained;
  for (size_t i = 0; i < kSpecial.size(); ++i) {
    trained.pieces.emplace_back(kSpecial[i]);
    trained.added_special.emplace_back(static_cast<int32_t>(i), kSpecial[i]);
  }
  for (size_t id = kSpecial.size(); id < merger.bytes().size(); ++id) {
    trained.pieces.push_back(bytes_to_byte_level(merger.bytes()[id]));
  }
  for (const auto& [left, right] : merger.merges()) {
    trained.merges.emplace_back(trained.pieces[static_cast<size_t>(left)],
                                trained.pieces[static_cast<size_t>(right)]);
  }
  for (const std::string_view token : kPlain) {
    trained.added_plain.emplace_back(static_cast<int32_t>(trained.pieces.size()), token);
    trained.pieces.emplace_back(token);
  }
  return trained;
}

}  // namespace r1
