#include "engine/token_aligner.h"

#include <algorithm>
#include <utility>

namespace r1 {

void TokenAligner::add(const SampledToken& token, size_t begin, size_t end) {
  entries_.push_back({token, begin, end});
}

void TokenAligner::keep(StreamState kind, size_t begin, std::string_view text) {
  const size_t end = begin + text.size();
  for (size_t i = 0; i < entries_.size() && entries_[i].begin < end; ++i) {
    const bool empty = entries_[i].begin == entries_[i].end;
    const size_t from = std::max(begin, entries_[i].begin), to = std::min(end, entries_[i].end);
    if (empty ? entries_[i].begin < begin : from >= to) continue;
    if (entries_[i].kind &&
        *entries_[i].kind != kind) {  // a token with reasoning and answer in it is in both
      Entry second{entries_[i].token, from, entries_[i].end};
      entries_[i].end = from;
      entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::move(second));
      continue;
    }
    Entry& entry = entries_[i];
    if (!entry.kind && kind == StreamState::answer) entry.answer_begin = answer_bytes_ + from - begin;
    entry.kind = kind;
    if (!empty) entry.text += text.substr(from - begin, to - from);
  }
  decided_ = end;
  if (kind == StreamState::answer) answer_bytes_ += text.size();
}

void TokenAligner::take(size_t passed, bool at_end, std::vector<TextToken>& reasoning,
                        std::vector<TextToken>& answer) {
  for (; !entries_.empty(); entries_.pop_front()) {
    Entry& entry = entries_.front();
    const bool decided = entry.begin < decided_ && entry.end <= decided_;
    if (!decided && !at_end) return;
    if (!entry.kind) continue;
    TextToken token{std::move(entry.token)};
    if (*entry.kind == StreamState::reasoning) {
      if (entry.text.size() < entry.end - entry.begin) token.part = std::move(entry.text);
      reasoning.push_back(std::move(token));
      continue;
    }
    const size_t answer_end = entry.answer_begin + entry.text.size();
    if (answer_end > passed || entry.answer_begin >= passed) {
      if (!at_end) {
        entry.token = std::move(token.token);
        return;
      }
      if (entry.answer_begin >= passed) continue;
      entry.text.resize(passed - entry.answer_begin);
    }
    if (entry.text.size() < entry.end - entry.begin) token.part = std::move(entry.text);
    answer.push_back(std::move(token));
  }
}

}  // namespace r1
