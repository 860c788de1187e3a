#include "server/api/chat_prompt.h"

#include <algorithm>

#include "text/jinja.h"

namespace r1::server {
namespace {

constexpr std::string_view kOpen = "<think>\n", kClose = "\n</think>\n\n";

/// What an unfinished answer looks like behind the generation prompt.
std::string begun_answer(const ChatMessage& message, bool thinks, bool thinking_wanted) {
  std::string content = message.content.value_or("");
  if (!thinks) return content;
  if (content.starts_with("<think>")) return content;
  if (message.reasoning_content) {
    std::string text = std::string(kOpen) + *message.reasoning_content;
    // Without content the thinking itself goes on.
    return content.empty() ? text : text + std::string(kClose) + content;
  }
  if (content.empty() && thinking_wanted) return std::string(kOpen);
  return "<think>\n" + std::string(kClose) + content;
}

std::string render(const ServedModel& model, const ChatPromptRequest& request,
                   std::vector<ChatMessage> messages) {
  const bool with_tools = !request.tools.is_null() && !request.tools.empty();
  const ChatTemplate* used = with_tools ? model.tool_template() : model.chat_template();
  if (used == nullptr && with_tools)
    throw ApiError(400, "tools", "unsupported_parameter", "tools: this model's chat template shows no tools");
  if (used == nullptr)
    throw ApiError(400, "messages", "no_chat_template",
                   "this model has no chat template; /v1/completions continues a text as it is");
  // Tool calls and tool answers in the history need the template that knows them.
  const bool tool_history = std::ranges::any_of(messages, [](const ChatMessage& message) {
    return message.role == "tool" || !message.tool_calls.empty();
  });
  if (tool_history && model.tool_template() != nullptr) used = model.tool_template();
  ChatRequest chat;
  chat.messages = std::move(messages);
  if (with_tools) chat.tools = request.tools;
  chat.variables = request.template_variables;
  try {
    return used->render(chat);
  } catch (const JinjaError& error) {
    throw ApiError(400, "messages", "template_error",
                   fmt::format("messages: the model's chat template refuses them: {}", error.message()));
  }
}

}  // namespace

ChatPrompt build_chat_prompt(const ServedModel& model, const ChatPromptRequest& request) {
  std::vector<ChatMessage> messages = request.messages;
  std::optional<ChatMessage> begun;
  if (request.continue_last) {
    if (messages.empty() || messages.back().role != "assistant" || !messages.back().tool_calls.empty())
      refuse("messages",
             "messages: the one to be continued must be the last, of role \"assistant\", without calls");
    begun = std::move(messages.back());
    messages.pop_back();
  }
  // Thinking is the answer's own: what earlier answers thought is not shown again.
  for (ChatMessage& message : messages) message.reasoning_content.reset();
  ChatPrompt prompt;
  prompt.text = render(model, request, std::move(messages));
  const ChatTemplate* used = model.chat_template();
  const bool thinks = model.can_think() && used != nullptr && used->is_r1_family();
  const bool wanted = request.thinking.on.value_or(true);
  if (thinks) {
    // Templates published before and after February 2025 differ in whether they open the thinking themselves.
    if (prompt.text.ends_with(kOpen)) prompt.text.resize(prompt.text.size() - kOpen.size());
    if (begun) {
      prompt.text += begun_answer(*begun, true, wanted);
    } else {
      prompt.text += wanted ? std::string(kOpen) : "<think>\n" + std::string(kClose);
    }
  } else if (begun) {
    prompt.text += begun_answer(*begun, false, wanted);
  }
  prompt.tokens = model.encode(prompt.text);
  return prompt;
}

ThinkingWish read_thinking(JsonFields& fields, Json& variables) {
  ThinkingWish wish;
  const auto turn = [&](bool on, const std::string& field) {
    if (wish.on && *wish.on != on) refuse(field, "{}: thinking is both asked for and refused", field);
    wish.on = on;
  };
  constexpr int64_t kMost = int64_t{1} << 40;
  if (const Json* thinking = fields.object("thinking")) {
    JsonFields inner(*thinking, "thinking");
    inner.require("type");
    turn(*inner.choice("type", {"enabled", "disabled"}) == "enabled", "thinking.type");
    if (const auto budget = inner.integer("budget_tokens", 0, kMost)) wish.budget = *budget;
    inner.refuse_unknown();
  }
  if (const auto on = fields.boolean("enable_thinking")) turn(*on, "enable_thinking");
  if (const auto budget = fields.integer("thinking_budget", -1, kMost)) wish.budget = *budget;
  if (const auto effort =
          fields.choice("reasoning_effort", {"none", "minimal", "low", "medium", "high", "xhigh"})) {
    // R1 was not trained on efforts: they are budgets.
    turn(*effort != "none", "reasoning_effort");
    const int64_t budget = *effort == "minimal"  ? 256
                           : *effort == "low"    ? 1024
                           : *effort == "medium" ? 8192
                                                 : -1;
    if (wish.budget < 0) wish.budget = budget;
  }
  if (const Json* more = fields.object("chat_template_kwargs")) {
    for (const char* name : {"thinking", "enable_thinking"}) {
      const auto found = more->find(name);
      if (found != more->end() && found->is_boolean()) turn(found->get<bool>(), "chat_template_kwargs");
    }
    for (const char* taken : {"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"}) {
      if (more->contains(taken))
        refuse("chat_template_kwargs", "chat_template_kwargs: \"{}\" is set by the server", taken);
    }
    variables = *more;
  }
  wish.answer_reserve = fields.integer("answer_reserve", 0, kMost).value_or(-1);
  return wish;
}

void read_messages(JsonFields& fields, ChatPromptRequest& request) {
  fields.require("messages");
  const Json& list = *fields.array("messages");
  if (list.empty()) refuse("messages", "messages: expected at least one");
  for (size_t index = 0; index < list.size(); ++index) {
    const std::string field = fmt::format("messages[{}]", index);
    const Json& entry = list[index];
    JsonFields inner(entry, field);
    inner.require("role");
    std::string role =
        *inner.choice("role", {"system", "developer", "user", "assistant", "tool", "function"});
    if (role == "function") inner.refuse_field("role", "functions are called tools here");
    inner.refuse_field("function_call", "use tool_calls");
    inner.refuse_field("audio", "there is no audio");
    inner.accept_and_ignore({"content", "reasoning_content", "reasoning", "tool_calls", "name",
                             "tool_call_id", "refusal", "parsed", "annotations", "function_call"});
    const bool prefix = inner.boolean("prefix").value_or(false);
    inner.refuse_unknown();
    try {
      Json copy = entry;
      if (!copy.contains("reasoning_content") && copy.contains("reasoning") && copy["reasoning"].is_string())
        copy["reasoning_content"] = copy["reasoning"];
      // Such a message only begins the thinking.
      if (role == "assistant" && copy.contains("reasoning_content") &&
          (!copy.contains("content") || copy["content"].is_null()))
        copy["content"] = "";
      ChatMessage message = ChatMessage::from_json(copy);
      if (role == "developer") role = "system";
      message.role = role;
      request.messages.push_back(std::move(message));
    } catch (const Error& error) {
      throw ApiError(400, field,
                     error.kind() == ErrorKind::unsupported ? "unsupported_content" : "invalid_value",
                     fmt::format("{}: {}", field, error.what()));
    }
    if (!prefix) continue;
    if (index + 1 != list.size() || role != "assistant")
      refuse(field, "{}.prefix: only the last message, of role \"assistant\", can begin the answer", field);
    request.continue_last = true;
  }
  if (fields.boolean("continue_final_message").value_or(false)) request.continue_last = true;
  if (const auto add = fields.boolean("add_generation_prompt"); add && !*add && !request.continue_last)
    refuse("add_generation_prompt", "add_generation_prompt: false only together with continue_final_message");
}

void apply_chat_prompt(ChatPrompt prompt, const ThinkingWish& wish, CompletionSpec& spec) {
  const ServedModel& model = *spec.model;
  const bool starts_inside = model.start_of(prompt.tokens).state == StreamState::reasoning;
  spec.prompt = std::move(prompt.tokens);
  if (!model.can_think()) {
    if (wish.budget >= 0)
      throw ApiError(400, "thinking", "unsupported_parameter",
                     "thinking: this model's vocabulary has no </think>");
    return;
  }
  spec.thinking_budget = wish.budget;
  if (wish.answer_reserve >= 0) {
    spec.answer_reserve = wish.answer_reserve;
  } else if (spec.max_tokens >= 64 && starts_inside) {
    spec.answer_reserve = std::min<int64_t>(1024, spec.max_tokens / 8);
  }
}

}  // namespace r1::server
