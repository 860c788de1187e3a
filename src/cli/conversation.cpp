#include "cli/conversation.h"

#include <utility>

#include "base/error.h"

namespace r1::cli {
namespace {

ChatTemplate load_template(const Vocabulary& vocabulary) {
  if (vocabulary.chat_template.empty()) {
    throw_error(ErrorKind::unsupported, "this model has no chat template; -no-cnv continues a text as it is");
  }
  const auto text_of = [&](std::optional<int32_t> token) {
    return token ? std::string(vocabulary.tokenizer.token_text(*token)) : std::string();
  };
  return {vocabulary.chat_template, text_of(vocabulary.bos), text_of(vocabulary.eos)};
}

}  // namespace

Conversation::Conversation(const Session& session, std::string system_prompt)
    : session_(session),
      system_prompt_(std::move(system_prompt)),
      template_(load_template(session.vocabulary())) {}

void Conversation::add_user(const std::string& text) {
  messages_.push_back({.role = "user", .content = text});
}

void Conversation::add_assistant(const std::string& text) {
  messages_.push_back({.role = "assistant", .content = text});
}

bool Conversation::take_back(std::string& user) {
  while (!messages_.empty()) {
    const ChatMessage last = std::move(messages_.back());
    messages_.pop_back();
    if (last.role == "user") {
      user = last.content.value_or("");
      return true;
    }
  }
  return false;
}

void Conversation::clear() {
  messages_.clear();
}

void Conversation::set_system(std::string text) {
  system_prompt_ = std::move(text);
}

nlohmann::ordered_json Conversation::to_json() const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ChatMessage& message : messages_) {
    list.push_back({{"role", message.role}, {"content", message.content.value_or("")}});
  }
  return list;
}

void Conversation::load(const nlohmann::ordered_json& messages) {
  if (!messages.is_array()) throw_error(ErrorKind::bad_file, "conversation: expected a list of messages");
  std::vector<ChatMessage> read;
  for (const auto& message : messages) read.push_back(ChatMessage::from_json(message));
  messages_ = std::move(read);
}

std::string Conversation::prompt(Thinking thinking) const {
  ChatRequest request;
  if (!system_prompt_.empty()) request.messages.push_back({.role = "system", .content = system_prompt_});
  request.messages.insert(request.messages.end(), messages_.begin(), messages_.end());
  std::string prompt = template_.render(request);
  if (!session_.can_think()) return prompt;
  // Templates published before and after February 2025 differ in whether they open the thinking themselves.
  if (!prompt.ends_with("<think>\n")) prompt += "<think>\n";
  if (thinking == Thinking::off) prompt += "\n</think>\n\n";
  return prompt;
}

}  // namespace r1::cli
