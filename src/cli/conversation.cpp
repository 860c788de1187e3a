#include "cli/conversation.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"

namespace r1::cli {

Conversation::Conversation(const TextModel& model, std::string system_prompt)
    : model_(model), system_prompt_(std::move(system_prompt)) {
  if (model.chat_template() == nullptr)
    throw_error(ErrorKind::unsupported, "this model has no chat template; -no-cnv continues a text as it is");
}

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
  std::vector<ChatMessage> all;
  if (!system_prompt_.empty()) all.push_back({.role = "system", .content = system_prompt_});
  all.insert(all.end(), messages_.begin(), messages_.end());
  return model_.chat_prompt(all, thinking == Thinking::forced);
}

}  // namespace r1::cli
