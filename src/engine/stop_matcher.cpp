#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace r1 {
namespace {

/// The length matched after one more character, from `seen` matched ones.
size_t advance(const std::string& text, const std::vector<uint32_t>& border, size_t seen, char c) {
  while (seen > 0 && (seen == text.size() || text[seen] != c)) seen = border[seen];
  return text[seen] == c ? seen + 1 : 0;
}

}  // namespace

StopMatcher::StopMatcher(std::vector<std::string> stops) {
  for (std::string& stop : stops) {
    if (stop.empty()) throw_error(ErrorKind::invalid_argument, "stop: expected text, found an empty string");
    Pattern pattern;
    pattern.border.assign(stop.size() + 1, 0);
    for (size_t length = 1; length < stop.size(); ++length) {
      pattern.border[length + 1] =
          static_cast<uint32_t>(advance(stop, pattern.border, pattern.border[length], stop[length]));
    }
    pattern.text = std::move(stop);
    patterns_.push_back(std::move(pattern));
  }
}

std::string StopMatcher::push(std::string_view text) {
  if (!matched_.empty()) return "";
  for (const char c : text) {
    held_ += c;
    for (Pattern& pattern : patterns_) {
      pattern.seen = advance(pattern.text, pattern.border, pattern.seen, c);
      if (pattern.seen == pattern.text.size() && pattern.text.size() > matched_.size())
        matched_ = pattern.text;
    }
    if (matched_.empty()) continue;
    held_.resize(held_.size() - matched_.size());
    return std::exchange(held_, {});
  }
  size_t keep = 0;
  for (const Pattern& pattern : patterns_) keep = std::max(keep, pattern.seen);
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, out.size());
  return out;
}

std::string StopMatcher::finish() {
  return std::exchange(held_, {});
}

}  // namespace r1
