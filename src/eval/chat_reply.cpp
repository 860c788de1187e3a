#include "eval/chat_reply.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/json_text.h"
#include "text/stream_parser.h"

namespace r1::eval {
namespace {

using nlohmann::json;

constexpr size_t kMessageBytes = 300;

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t number_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

/// Inline thinking apart from the answer.
void split(const std::string& text, Generation& generation) {
  StreamParserOptions options;
  options.tool_calls = false;
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool opened = first != std::string::npos && text.compare(first, 7, "<think>") == 0;
  const bool closed = text.find("</think>") != std::string::npos;
  generation.unmarked = !opened && !closed;
  if (!opened && closed) options.start = {StreamState::reasoning, true};
  StreamParser parser(options);
  std::vector<StreamEvent> events;
  parser.feed(std::nullopt, text, events);
  parser.finish(events);
  for (const StreamEvent& event : events) {
    if (event.type == StreamEvent::Type::reasoning) generation.reasoning += event.text;
    if (event.type == StreamEvent::Type::answer) generation.answer += event.text;
  }
}

}  // namespace

void ChatReply::add(std::string_view bytes) {
  buffer_ += bytes;
  if (!streamed_) {
    const size_t first = buffer_.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || buffer_[first] == '{') return;
    streamed_ = true;
  }
  size_t begin = 0;
  for (size_t end = 0; (end = buffer_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    std::string_view line(buffer_.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with("data:")) continue;  // comments (heartbeats), names of events
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (line != "[DONE]") take_event(line);
  }
  buffer_.erase(0, begin);
}

void ChatReply::take_event(std::string_view data) {
  const json event = parse_json_or_discard<json>(data);
  if (!event.is_object()) return;
  if (event.contains("error") && !event["error"].is_null()) error_ = error_message(data);
  take_usage(event);
  const auto choices = event.find("choices");
  if (choices == event.end() || !choices->is_array() || choices->empty()) return;
  take_choice(choices->front(), "delta");
}

void ChatReply::take_choice(const json& choice, const char* texts) {
  if (!choice.is_object()) return;
  if (const auto found = choice.find(texts); found != choice.end() && found->is_object()) {
    const std::string reasoning = text_of(*found, "reasoning_content");
    reasoning_ += reasoning.empty() ? text_of(*found, "reasoning") : reasoning;
    content_ += text_of(*found, "content");
  }
  if (std::string reason = text_of(choice, "finish_reason"); !reason.empty())
    finish_reason_ = std::move(reason);
  if (std::string reason = text_of(choice, "stop_reason"); !reason.empty()) stop_reason_ = std::move(reason);
}

void ChatReply::take_usage(const json& reply) {
  const auto usage = reply.find("usage");
  if (usage == reply.end() || !usage->is_object()) return;
  tokens_ = number_of(*usage, "completion_tokens");
  const auto details = usage->find("completion_tokens_details");
  if (details != usage->end() && details->is_object())
    reasoning_tokens_ = number_of(*details, "reasoning_tokens");
}

Generation ChatReply::finish() {
  if (!streamed_) {
    const json reply = parse_json_or_discard<json>(buffer_);
    if (!reply.is_object() || !reply.contains("choices") || !reply["choices"].is_array() ||
        reply["choices"].empty()) {
      throw_error(ErrorKind::network, "expected a chat completion, found '{}'", buffer_.substr(0, 100));
    }
    take_usage(reply);
    take_choice(reply["choices"].front(), "message");
  }
  if (!error_.empty()) throw_error(ErrorKind::network, "{}", error_);
  if (finish_reason_.empty())
    throw_error(ErrorKind::network, "the answer ends without a finish_reason: it is not complete");
  Generation generation;
  if (reasoning_.empty()) {
    split(content_, generation);
  } else {
    generation.reasoning = std::move(reasoning_);
    generation.answer = std::move(content_);
  }
  generation.end = finish_reason_ == "length" ? AnswerEnd::length
                   : stop_reason_ == "loop"   ? AnswerEnd::loop
                                              : AnswerEnd::stop;
  generation.summary.generated_tokens = tokens_;
  generation.reasoning_tokens = reasoning_tokens_;
  return generation;
}

std::string error_message(std::string_view body) {
  const json reply = parse_json_or_discard<json>(body);
  std::string message(body);
  if (reply.is_object()) {
    const auto error = reply.find("error");
    if (error != reply.end() && error->is_object()) {
      message = text_of(*error, "message");
    } else if (error != reply.end() && error->is_string()) {
      message = error->get<std::string>();
    } else if (const std::string text = text_of(reply, "message"); !text.empty()) {
      message = text;
    }
  }
  for (char& c : message) c = c == '\n' || c == '\r' ? ' ' : c;
  return message.substr(0, kMessageBytes);
}

}  // namespace r1::eval
