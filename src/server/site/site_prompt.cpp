#include "server/site/site_prompt.h"

#include "server/api/chat_prompt.h"

namespace r1::server {
namespace {

constexpr int64_t kMaxTokenBytes =
    128;  // the longest tokens of usual vocabularies are runs of that many spaces

/// At most `room` bytes, which goes down by what it takes. Throws ApiError.
std::string text_of_question(site::ConversationStore& store, const std::string& owner, const site::Node& node,
                             int64_t& room) {
  const auto take = [&](const std::string& text) {
    room -= std::ssize(text);
    if (room < 0)
      throw ApiError(400, "content", "context_overflow",
                     "the conversation and its files have more bytes than the model's context can hold");
  };
  take(node.content);
  std::vector<site::PromptFile> files;
  for (const site::AttachedFile& file : node.files) {
    files.push_back({file.name, store.read_file(owner, file.id).text});
    take(files.back().text);
  }
  return files.empty() ? node.content : site::file_prompt(files, node.content);
}

/// What a model without a chat template goes on with.
void continue_text(const std::vector<ChatMessage>& messages, CompletionSpec& spec) {
  std::string text;
  for (const ChatMessage& message : messages) {
    if (!text.empty()) text += '\n';
    text += *message.content;
  }
  spec.prompt = spec.model->encode(text);
  if (spec.prompt.empty())
    throw ApiError(400, "content", "invalid_value", "content: this model needs a beginning to go on from");
  spec.split = false;
}

}  // namespace

std::string_view name_of(ThinkingSwitch thinking) {
  switch (thinking) {
    case ThinkingSwitch::switchable:
      return "switchable";
    case ThinkingSwitch::always:
      return "always";
    default:
      return "never";
  }
}

ThinkingSwitch thinking_switch(bool can_think, std::string_view chat_template) {
  const auto mentions = [&](std::string_view word) { return chat_template.find(word) != chat_template.npos; };
  if (!can_think || chat_template.empty()) return ThinkingSwitch::never;
  const bool r1_family = mentions("<｜User｜>") && mentions("<｜Assistant｜>");
  return r1_family || mentions("enable_thinking") ? ThinkingSwitch::switchable : ThinkingSwitch::always;
}

ThinkingSwitch thinking_switch(const ServedModel& model) {
  return thinking_switch(model.can_think(), model.vocabulary().chat_template);
}

void ask_model(site::ConversationStore& store, const std::string& owner, const SiteQuestion& question,
               int64_t thinking_budget, CompletionSpec& spec) {
  ChatPromptRequest chat;
  chat.adapter = spec.adapter;
  const auto add = [&](const char* role, std::string content) {
    ChatMessage message;
    message.role = role;
    message.content = std::move(content);
    chat.messages.push_back(std::move(message));
  };
  // Longer texts than any context holds are not even put together: a file that many questions have is many
  // texts.
  int64_t room = spec.model->context_length() * kMaxTokenBytes;
  if (!question.system_prompt.empty()) add("system", question.system_prompt);
  for (const site::Node& node : question.branch) {
    if (node.role == site::Role::assistant) {
      add("assistant", node.content);
      continue;
    }
    std::string text = text_of_question(store, owner, node, room);
    if (&node == &question.branch.back() && !question.results.empty())
      text = site::search_prompt(question.results, text, node.content, question.today);
    add("user", std::move(text));
  }
  if (question.begun != nullptr) {
    add("assistant", question.begun->content);
    if (question.deep_think && !(question.begun->reasoning.empty() && !question.begun->content.empty()))
      chat.messages.back().reasoning_content = question.begun->reasoning;
    chat.continue_last = true;
  }
  if (spec.model->chat_template() == nullptr) return continue_text(chat.messages, spec);

  const ThinkingSwitch thinking = thinking_switch(*spec.model);
  if (thinking != ThinkingSwitch::never) {
    chat.thinking.on = question.deep_think || thinking == ThinkingSwitch::always;
    if (*chat.thinking.on) chat.thinking.budget = thinking_budget;
    chat.template_variables = {{"enable_thinking", *chat.thinking.on}};
  }
  apply_chat_prompt(build_chat_prompt(*spec.model, chat), chat.thinking, spec);
}

int64_t draft_tokens(const ServedModel& model, const std::vector<site::PromptFile>& files,
                     const std::string& content) {
  if (files.empty() && content.empty()) return 0;
  return std::ssize(
      model.tokenizer().encode(files.empty() ? content : site::file_prompt(files, content), true));
}

}  // namespace r1::server
