#include "cli/conversation.h"

#include <utility>

#include "base/error.h"
#include "text/jinja.h"

namespace r1::cli {

Conversation::Conversation(const Session& session, std::string system_prompt)
    : session_(session), system_prompt_(std::move(system_prompt)) {
  if (session_.vocabulary().chat_template.empty()) {
    throw_error(ErrorKind::unsupported, "this model has no chat template; -no-cnv continues a text as it is");
  }
  JinjaTemplate::parse(session_.vocabulary().chat_template);
}

void Conversation::add_user(const std::string& text) {
  messages_.push_back({{"role", "user"}, {"content", text}});
}

void Conversation::add_assistant(const std::string& text) {
  messages_.push_back({{"role", "assistant"}, {"content", text}});
}

bool Conversation::take_back(std::string& user) {
  while (!messages_.empty()) {
    const nlohmann::ordered_json last = messages_.back();
    messages_.erase(messages_.size() - 1);
    if (last["role"] == "user") {
      user = last["content"];
      return true;
    }
  }
  return false;
}

void Conversation::clear() {
  messages_ = nlohmann::ordered_json::array();
}

void Conversation::set_system(std::string text) {
  system_prompt_ = std::move(text);
}

void Conversation::load(const nlohmann::ordered_json& messages) {
  if (!messages.is_array()) throw_error(ErrorKind::bad_file, "conversation: expected a list of messages");
  for (const auto& message : messages) {
    if (!message.is_object() || !message.contains("role") || !message.contains("content") ||
        !message["role"].is_string() || !message["content"].is_string()) {
      throw_error(ErrorKind::bad_file, "conversation: expected messages with a role and a content");
    }
  }
  messages_ = messages;
}

std::string Conversation::prompt(Thinking thinking) const {
  nlohmann::ordered_json messages = messages_;
  if (!system_prompt_.empty()) {
    messages.insert(messages.begin(),
                    nlohmann::ordered_json{{"role", "system"}, {"content", system_prompt_}});
  }
  const Vocabulary& vocabulary = session_.vocabulary();
  const auto text_of = [&](std::optional<int32_t> token) {
    return token ? std::string(vocabulary.tokenizer.token_text(*token)) : std::string();
  };
  const nlohmann::ordered_json variables = {{"messages", messages},
                                            {"add_generation_prompt", true},
                                            {"bos_token", text_of(vocabulary.bos)},
                                            {"eos_token", text_of(vocabulary.eos)}};
  std::string prompt = JinjaTemplate::parse(vocabulary.chat_template).render(variables);
  if (!session_.can_think()) return prompt;
  // Templates published before and after February 2025 differ in whether they open the thinking themselves.
  const bool open = prompt.ends_with("<think>\n");
  if (!open) prompt += "<think>\n";
  if (thinking == Thinking::off) prompt += "\n</think>\n\n";
  return prompt;
}

}  // namespace r1::cli
