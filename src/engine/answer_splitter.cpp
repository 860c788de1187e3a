#include "engine/answer_splitter.h"

#include <optional>
#include <utility>

namespace r1 {
namespace {

StreamParserOptions parser_options(const TextModel& model, const GenerationOptions& options,
                                   const StreamStart& start) {
  StreamParserOptions result = model.parser_options();
  result.start = start;
  result.tool_calls = options.tool_calls;
  return result;
}

}  // namespace

std::string_view name_of(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::stop:
      return "stop";
    case AnswerEnd::stop_string:
      return "stop_string";
    case AnswerEnd::length:
      return "length";
    case AnswerEnd::loop:
      return "loop";
    case AnswerEnd::tool_calls:
      return "tool_calls";
    case AnswerEnd::cancelled:
      return "cancelled";
    case AnswerEnd::error:
      return "error";
  }
  return "";
}

AnswerSplitter::AnswerSplitter(const TextModel& model, const GenerationOptions& options,
                               const StreamStart& start)
    : model_(model),
      options_(options),
      decoder_(model.tokenizer(), options.skip_special),
      parser_(parser_options(model, options, start)),
      stops_(options.stop_strings),
      wants_tokens_(options.sampling.top_log_probabilities >= 0) {}

bool AnswerSplitter::push(const SampledToken& token, AnswerDelta& delta) {
  const bool in_reasoning = options_.split && parser_.state() == StreamState::reasoning;
  if (in_reasoning) ++reasoning_tokens_;
  const bool marker = is_marker(token.token);
  const size_t begin = stream_bytes_;
  const auto note = [&] {
    if (wants_tokens_) aligner_.add(token, begin, stream_bytes_);
  };
  events_.clear();
  if (!options_.split) {
    const std::string text = decoder_.push(token.token);
    stream_bytes_ += text.size();
    note();
    if (wants_tokens_) aligner_.keep(StreamState::answer, begin, text);
    answer(text, delta);
  } else {
    if (marker) parser_.feed(std::nullopt, decoder_.finish(), events_);
    parser_.feed(token.token, decoder_.push(token.token), events_);
    stream_bytes_ = parser_.raw().size();
    // A marker is text where it is out of place.
    if (!options_.skip_special || !model_.tokenizer().is_special(token.token)) note();
    take_events(delta);
  }
  take_tokens(false, delta);
  return stops_.matched().empty() && !(options_.single_call && calls_ > 0);
}

void AnswerSplitter::finish(AnswerDelta& delta) {
  events_.clear();
  if (!options_.split) {
    const std::string text = decoder_.finish();
    if (wants_tokens_ && stops_.matched().empty()) aligner_.keep(StreamState::answer, stream_bytes_, text);
    answer(text, delta);
  } else {
    parser_.feed(std::nullopt, decoder_.finish(), events_);
    parser_.finish(events_);
    take_events(delta);
  }
  if (stops_.matched().empty()) pass_on(stops_.finish(), delta);
  take_tokens(true, delta);
}

AnswerEnd AnswerSplitter::end(FinishReason reason) const {
  const AnswerEnd model_end = calls_ > 0 ? AnswerEnd::tool_calls : AnswerEnd::stop;
  switch (reason) {
    case FinishReason::stop_token:
      return model_end;
    case FinishReason::stop_callback:  // a stop string, or the one call
      return stops_.matched().empty() ? model_end : AnswerEnd::stop_string;
    case FinishReason::length:
      return AnswerEnd::length;
    case FinishReason::loop:  // a form that was complete would have ended the answer
      return options_.constraint ? AnswerEnd::length : AnswerEnd::loop;
    case FinishReason::cancelled:
      return AnswerEnd::cancelled;
    case FinishReason::error:
      return AnswerEnd::error;
  }
  return AnswerEnd::error;
}

bool AnswerSplitter::is_marker(int32_t token) const {
  if (!options_.split) return false;
  if (token == model_.open_think() || token == model_.close_think()) return true;
  return options_.tool_calls && model_.tokenizer().is_added(token);
}

void AnswerSplitter::take_events(AnswerDelta& delta) {
  for (StreamEvent& event : events_) {
    if (event.type == StreamEvent::Type::reasoning) {
      keep(StreamState::reasoning, event);
      delta.reasoning += event.text;
    } else if (event.type == StreamEvent::Type::answer) {
      if (stops_.matched().empty()) keep(StreamState::answer, event);
      answer(event.text, delta);
    } else if (event.type == StreamEvent::Type::tool_call && stops_.matched().empty()) {
      ++calls_;
      delta.calls.push_back(std::move(event.call));
    }
  }
}

void AnswerSplitter::answer(std::string_view text, AnswerDelta& delta) {
  if (text.empty() || !stops_.matched().empty()) return;
  pass_on(stops_.push(text), delta);
  if (!stops_.matched().empty() && options_.include_stop) pass_on(stops_.matched(), delta);
}

void AnswerSplitter::pass_on(std::string_view text, AnswerDelta& delta) {
  delta.content += text;
  passed_bytes_ += text.size();
}

void AnswerSplitter::keep(StreamState kind, const StreamEvent& event) {
  if (!wants_tokens_) return;
  for (const StreamRun& run : event.runs)
    aligner_.keep(kind, run.begin, std::string_view(parser_.raw()).substr(run.begin, run.length));
}

void AnswerSplitter::take_tokens(bool at_end, AnswerDelta& delta) {
  if (wants_tokens_) aligner_.take(passed_bytes_, at_end, delta.reasoning_tokens, delta.content_tokens);
}

}  // namespace r1
