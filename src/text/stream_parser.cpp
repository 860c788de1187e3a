#include "text/stream_parser.h"

#include <algorithm>
#include <array>
#include <utility>

namespace r1 {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Markers of turns in the templates of the models that this program runs.
constexpr std::string_view kTurns[] = {"<｜User｜>",        "<｜Assistant｜>", "<｜end▁of▁sentence｜>",
                                       "<|im_start|>",      "<|im_end|>",      "<|start_header_id|>",
                                       "<|end_header_id|>", "<|eot_id|>"};

void add_run(std::size_t begin, std::size_t length, std::vector<StreamRun>& runs) {
  if (begin == std::string::npos || length == 0) return;
  if (!runs.empty() && runs.back().begin + runs.back().length == begin) {
    runs.back().length += length;
  } else {
    runs.push_back({begin, length});
  }
}

}  // namespace

std::span<const std::string_view> turn_markers() {
  return kTurns;
}

StreamStart initial_state(std::span<const int32_t> prompt, int32_t think_begin, int32_t think_end,
                          std::span<const int32_t> turns, bool newline_given) {
  for (std::size_t i = prompt.size(); i-- > 0;) {
    const int32_t id = prompt[i];
    if (id == think_begin) return {StreamState::reasoning, newline_given};
    if (id == think_end || std::find(turns.begin(), turns.end(), id) != turns.end()) break;
  }
  return {};
}

StreamStart initial_state(std::string_view prompt, std::string_view think_begin, std::string_view think_end) {
  const std::size_t begin = think_begin.empty() ? prompt.npos : prompt.rfind(think_begin);
  if (begin == prompt.npos) return {};
  const std::string_view rest = prompt.substr(begin + think_begin.size());
  if (!think_end.empty() && rest.find(think_end) != rest.npos) return {};
  for (const std::string_view turn : kTurns)
    if (rest.find(turn) != rest.npos) return {};
  // With more than the newline behind <think>, the reasoning has begun in the prompt and nothing is to be
  // dropped.
  return {StreamState::reasoning, !rest.empty()};
}

StreamParser::StreamParser(StreamParserOptions options)
    : options_(std::move(options)), state_(options_.start.state) {
  newline_allowed_ = state_ == StreamState::reasoning && !options_.start.newline_given;
}

const StreamMarker& StreamParser::marker(Mark mark) const {
  switch (mark) {
    case Mark::think_begin:
      return options_.think_begin;
    case Mark::think_end:
      return options_.think_end;
    case Mark::calls_begin:
      return options_.calls_begin;
    case Mark::call_begin:
      return options_.call_begin;
    case Mark::separator:
      return options_.call_separator;
    case Mark::call_end:
      return options_.call_end;
    case Mark::calls_end:
      return options_.calls_end;
    case Mark::json_begin:
      return options_.json_call_begin;
    case Mark::json_end:
      break;
  }
  return options_.json_call_end;
}

std::optional<StreamParser::Mark> StreamParser::find_by_id(int32_t id) const {
  for (int i = 0; i <= static_cast<int>(Mark::json_end); ++i) {
    const Mark mark = static_cast<Mark>(i);
    if (!options_.tool_calls && mark > Mark::think_end) break;
    if (marker(mark).id == id && !marker(mark).text.empty()) return mark;
  }
  return std::nullopt;
}

// Whether a marker that is known by its text alone means something at this place.
bool StreamParser::is_expected(Mark mark) const {
  if (call_ == Call::json) return mark == Mark::json_end;
  if (call_ == Call::deepseek) return mark == Mark::call_end || mark == Mark::calls_end;
  if (state_ == StreamState::reasoning)
    return mark == Mark::think_end || (mark == Mark::think_begin && !reasoning_started_);
  switch (mark) {
    case Mark::think_begin:
      return !answer_started_;
    case Mark::calls_begin:
      return options_.tool_calls && !in_section_;
    case Mark::call_begin:
    case Mark::json_begin:
      return options_.tool_calls;
    case Mark::calls_end:
      return options_.tool_calls && in_section_;
    default:
      return false;
  }
}

StreamParser::Slice StreamParser::Slice::from(std::size_t offset) const {
  return {text.substr(offset), begin == std::string::npos ? begin : begin + offset};
}

void StreamParser::HeldText::add(Slice slice) {
  text += slice.text;
  add_run(slice.begin, slice.text.size(), runs);
}

void StreamParser::HeldText::clear() {
  text.clear();
  runs.clear();
}

void StreamParser::emit(StreamEvent::Type type, Slice slice, std::vector<StreamEvent>& events) {
  if (slice.text.empty()) return;
  if (events.empty() || events.back().type != type) {
    events.emplace_back();
    events.back().type = type;
  }
  events.back().text += slice.text;
  add_run(slice.begin, slice.text.size(), events.back().runs);
}

void StreamParser::emit_held(HeldText& held, std::vector<StreamEvent>& events) {
  if (!held.empty()) {
    // Held text is in order: its runs and the text beside them (of skipped markers) make one event's.
    emit(StreamEvent::Type::answer, {held.text}, events);
    for (const StreamRun& run : held.runs) add_run(run.begin, run.length, events.back().runs);
  }
  held.clear();
}

void StreamParser::emit_error(std::string_view error, std::vector<StreamEvent>& events) {
  events.emplace_back();
  events.back().type = StreamEvent::Type::error;
  events.back().text = error;
}

void StreamParser::feed(std::optional<int32_t> id, std::string_view piece, std::vector<StreamEvent>& events) {
  const std::size_t begin = raw_.size();
  raw_ += piece;
  if (id) {
    if (const std::optional<Mark> mark = find_by_id(*id)) {
      match_text(events, true);  // a text marker does not reach across a token marker
      on_mark(*mark, piece.empty() ? Slice{marker(*mark).text} : Slice{piece, begin}, true, events);
      return;
    }
  }
  if (pending_.empty()) pending_begin_ = begin;
  pending_ += piece;
  match_text(events, false);
}

// Takes pending_ apart into text and text markers; keeps what may still become a marker unless the end has
// come.
void StreamParser::match_text(std::vector<StreamEvent>& events, bool at_end) {
  const std::size_t begin = pending_begin_;
  std::size_t at = 0;
  while (at < pending_.size()) {
    // Text is handed over one character at a time while a marker could follow: what counts as a marker
    // depends on it.
    const std::string_view rest = std::string_view(pending_).substr(at);
    std::optional<Mark> found;
    bool partial = false;
    for (int i = 0; i <= static_cast<int>(Mark::json_end); ++i) {
      const Mark mark = static_cast<Mark>(i);
      const StreamMarker& wanted = marker(mark);
      if (wanted.id || wanted.text.empty() || wanted.text[0] != rest[0] || !is_expected(mark)) continue;
      if (rest.starts_with(wanted.text)) {
        if (!found || marker(*found).text.size() < wanted.text.size()) found = mark;
      } else if (std::string_view(wanted.text).starts_with(rest)) {
        partial = true;
      }
    }
    if (partial && !at_end) break;
    if (found) {
      const std::string text = marker(*found).text;
      on_mark(*found, {text, begin + at}, false, events);
      at += text.size();
      continue;
    }
    // A run of characters that begin no marker goes in one piece.
    std::size_t end = 1;
    const auto begins_marker = [&](char c) {
      for (int i = 0; i <= static_cast<int>(Mark::json_end); ++i) {
        const StreamMarker& wanted = marker(static_cast<Mark>(i));
        if (!wanted.id && !wanted.text.empty() && wanted.text[0] == c) return true;
      }
      return false;
    };
    while (end < rest.size() && !begins_marker(rest[end])) ++end;
    on_text({rest.substr(0, end), begin + at}, events);
    at += end;
  }
  pending_.erase(0, at);
  pending_begin_ += at;
}

void StreamParser::on_text(Slice text, std::vector<StreamEvent>& events) {
  if (call_ != Call::none) {
    body_.add(text);
  } else if (state_ == StreamState::reasoning) {
    on_reasoning(text, events);
  } else {
    on_answer(text, events);
  }
}

void StreamParser::on_reasoning(Slice slice, std::vector<StreamEvent>& events) {
  if (slice.text.empty()) return;
  if (std::exchange(newline_allowed_, false) && slice.text[0] == '\n') slice = slice.from(1);
  if (slice.text.empty()) return;
  reasoning_started_ = true;
  if (std::exchange(newline_held_, false)) emit(StreamEvent::Type::reasoning, {"\n", held_newline_}, events);
  if (slice.text.back() == '\n') {
    newline_held_ = true;
    const std::size_t length = slice.text.size() - 1;
    held_newline_ = slice.from(length).begin;
    slice = slice.first(length);
  }
  emit(StreamEvent::Type::reasoning, slice, events);
}

void StreamParser::on_answer(Slice slice, std::vector<StreamEvent>& events) {
  while (newlines_to_drop_ > 0 && !slice.text.empty()) {
    if (slice.text[0] != '\n') {
      newlines_to_drop_ = 0;
      break;
    }
    slice = slice.from(1);
    --newlines_to_drop_;
  }
  if (after_call_) {
    std::size_t end = 0;
    while (end < slice.text.size() && is_space(slice.text[end])) ++end;
    spaces_.add(slice.first(end));
    if (end == slice.text.size()) return;
    after_call_ = false;
    // A section that turns out to hold text instead of a call is text itself.
    emit_held(section_text_, events);
    emit_held(spaces_, events);
    slice = slice.from(end);
  }
  answer_started_ |= std::any_of(slice.text.begin(), slice.text.end(), [](char c) { return !is_space(c); });
  emit(StreamEvent::Type::answer, slice, events);
}

void StreamParser::end_reasoning() {
  newline_held_ = false;
  newline_allowed_ = false;
  state_ = StreamState::answer;
  answer_started_ = false;
}

void StreamParser::on_mark(Mark mark, Slice text, bool by_id, std::vector<StreamEvent>& events) {
  if (call_ != Call::none) {
    const bool ends = call_ == Call::json ? mark == Mark::json_end : mark == Mark::call_end;
    if (ends) {
      end_call(text, events);
      return;
    }
    if (mark == Mark::separator) {
      body_.add({options_.call_separator.text, text.begin});
      return;
    }
    if (mark == Mark::think_begin || mark == Mark::think_end ||
        (call_ == Call::json && mark != Mark::json_begin)) {
      body_.add(text);
      return;
    }
    give_up_call("a tool call that does not end before the next marker", events);
  }
  if (state_ == StreamState::reasoning) {
    if (mark == Mark::think_end) {
      end_reasoning();
      newlines_to_drop_ = 2;
      return;
    }
    if (mark == Mark::think_begin) {
      if (reasoning_started_) {
        on_reasoning(text, events);
      } else {
        newline_allowed_ = true;
      }
      return;
    }
    const bool begins = mark == Mark::calls_begin || mark == Mark::call_begin || mark == Mark::json_begin;
    if (!by_id || !begins) {
      on_reasoning(text, events);
      return;
    }
    end_reasoning();
  }
  switch (mark) {
    case Mark::think_begin:
      if (!by_id && answer_started_) break;
      emit_held(section_text_, events);
      emit_held(spaces_, events);
      in_section_ = after_call_ = false;
      state_ = StreamState::reasoning;
      newline_allowed_ = true;
      reasoning_started_ = newline_held_ = false;
      newlines_to_drop_ = 0;
      return;
    case Mark::calls_begin:
      if (in_section_) break;
      in_section_ = after_call_ = true;
      spaces_.clear();
      section_text_.clear();
      section_text_.add(text);
      return;
    case Mark::call_begin:
      begin_call(Call::deepseek, text);
      return;
    case Mark::json_begin:
      begin_call(Call::json, text);
      return;
    case Mark::calls_end:
      if (!in_section_) break;
      in_section_ = false;
      if (!section_text_.empty()) {  // a section without a call
        emit_held(section_text_, events);
        emit_held(spaces_, events);
        emit(StreamEvent::Type::answer, text, events);
        emit_error("a section of tool calls without a call", events);
        after_call_ = false;
        answer_started_ = true;
        return;
      }
      after_call_ = true;
      return;
    default:
      break;
  }
  on_answer(text, events);  // a marker out of place is text
}

void StreamParser::begin_call(Call kind, Slice text) {
  call_ = kind;
  call_text_.clear();
  call_text_.add(text);
  body_.clear();
  newlines_to_drop_ = 0;
}

void StreamParser::end_call(Slice text, std::vector<StreamEvent>& events) {
  std::string error;
  std::optional<ToolCall> call = call_ == Call::json
                                     ? parse_json_call(body_.text, error)
                                     : parse_deepseek_call(body_.text, options_.call_separator.text, error);
  if (!call) {
    body_.add(text);
    give_up_call(error, events);
    return;
  }
  call_ = Call::none;
  section_text_.clear();
  spaces_.clear();
  call_text_.clear();
  body_.clear();
  after_call_ = true;
  answer_started_ = true;
  StreamEvent event;
  event.type = StreamEvent::Type::tool_call;
  event.call = std::move(*call);
  events.push_back(std::move(event));
}

void StreamParser::give_up_call(std::string_view error, std::vector<StreamEvent>& events) {
  call_ = Call::none;
  after_call_ = false;
  in_section_ = false;  // the section's end is text as well then
  answer_started_ = true;
  for (HeldText* part : {&section_text_, &spaces_, &call_text_, &body_}) emit_held(*part, events);
  emit_error(error, events);
}

void StreamParser::finish(std::vector<StreamEvent>& events) {
  match_text(events, true);
  if (call_ != Call::none) give_up_call("a tool call that is cut off", events);
  if (std::exchange(newline_held_, false)) emit(StreamEvent::Type::reasoning, {"\n", held_newline_}, events);
  if (!section_text_.empty()) {
    emit_held(section_text_, events);
    emit_held(spaces_, events);
    emit_error("a section of tool calls that is cut off", events);
  }
}

}  // namespace r1
