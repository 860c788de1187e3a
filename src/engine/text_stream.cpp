#include "engine/text_stream.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace r1 {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    if (stop.empty()) throw_error(ErrorKind::invalid_argument, "stop: expected text, found an empty string");
  }
}

std::string StopMatcher::push(std::string_view text) {
  if (!matched_.empty()) return "";
  held_ += text;
  size_t found = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t at = held_.find(stop);
    if (at < found) {
      found = at;
      matched_ = stop;
    }
  }
  if (found != std::string::npos) {
    std::string out = held_.substr(0, found);
    held_.clear();
    return out;
  }
  // The longest end of the text that begins a stop string stays.
  size_t keep = 0;
  for (const std::string& stop : stops_) {
    for (size_t length = std::min(stop.size() - 1, held_.size()); length > keep; --length) {
      if (held_.compare(held_.size() - length, length, stop, 0, length) == 0) {
        keep = length;
        break;
      }
    }
  }
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, out.size());
  return out;
}

std::string StopMatcher::finish() {
  return std::exchange(held_, {});
}

TextStream::TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops, const Options& options,
                       OnText on_text)
    : options_(options),
      on_text_(std::move(on_text)),
      decoder_(tokenizer, options.skip_special),
      matcher_(std::move(stops)),
      kind_(options.starts_inside ? TextKind::reasoning : TextKind::answer) {}

void TextStream::emit(std::string_view text) {
  if (!text.empty()) on_text_(kind_, text);
}

void TextStream::switch_to(TextKind kind) {
  if (kind == kind_) return;
  const std::string rest = decoder_.finish();
  const bool stops = kind_ == TextKind::answer || options_.stop_in_reasoning;
  emit(stops ? matcher_.push(rest) : rest);
  emit(matcher_.finish());
  kind_ = kind;
}

bool TextStream::push(int32_t token) {
  if (token == options_.open_token && token >= 0) {
    switch_to(TextKind::reasoning);
  } else if (token == options_.close_token && token >= 0) {
    switch_to(TextKind::answer);
  } else {
    const std::string text = decoder_.push(token);
    const bool stops = kind_ == TextKind::answer || options_.stop_in_reasoning;
    emit(stops ? matcher_.push(text) : text);
  }
  return matcher_.matched().empty();
}

void TextStream::finish() {
  const std::string rest = decoder_.finish();
  if (!matcher_.matched().empty()) return;
  const bool stops = kind_ == TextKind::answer || options_.stop_in_reasoning;
  emit(stops ? matcher_.push(rest) : rest);
  emit(matcher_.finish());
}

}  // namespace r1
