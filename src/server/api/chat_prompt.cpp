#include "server/api/chat_prompt.h"

#include <algorithm>

#include "server/api/chat_messages.h"
#include "server/api/generation_fields.h"
#include "text/jinja.h"
#include "text/thinking_prompt.h"

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
  const ChatTemplate* used =
      with_tools ? model.tool_template(request.adapter) : model.chat_template(request.adapter);
  if (used == nullptr && with_tools)
    throw ApiError(400, "tools", "unsupported_parameter", "tools: this model's chat template shows no tools");
  if (used == nullptr)
    throw ApiError(400, request.field, "no_chat_template",
                   "this model has no chat template; /v1/completions continues a text as it is");
  // Tool calls and tool answers in the history need the template that knows them.
  const bool tool_history = std::ranges::any_of(messages, [](const ChatMessage& message) {
    return message.role == "tool" || !message.tool_calls.empty();
  });
  if (const ChatTemplate* knows = model.tool_template(request.adapter); tool_history && knows != nullptr)
    used = knows;
  ChatRequest chat;
  chat.messages = std::move(messages);
  if (with_tools) chat.tools = request.tools;
  chat.add_generation_prompt = request.add_generation_prompt || request.continue_last;
  chat.variables = request.template_variables;
  if (request.thinking.on) {
    if (chat.variables->is_null()) *chat.variables = Json::object();
    // Qwen3's name for it, and DeepSeek-V3.1's.
    for (const char* name : {"enable_thinking", "thinking"}) {
      if (!chat.variables->contains(name)) (*chat.variables)[name] = *request.thinking.on;
    }
  }
  try {
    return used->render_conversation(std::move(chat));
  } catch (const JinjaError& error) {
    throw ApiError(
        400, request.field, "template_error",
        fmt::format("{}: the model's chat template refuses them: {}", request.field, error.message()));
  }
}

}  // namespace

ChatPrompt build_chat_prompt(const ServedModel& model, const ChatPromptRequest& request) {
  std::vector<ChatMessage> messages = request.messages;
  std::optional<ChatMessage> begun;
  if (request.continue_last) {
    if (messages.empty() || messages.back().role != "assistant" || !messages.back().tool_calls.empty())
      refuse(request.field,
             "{}: the one to be continued must be the last, of role \"assistant\", without calls",
             request.field);
    begun = std::move(messages.back());
    messages.pop_back();
  }
  // Thinking is the answer's own: what earlier answers thought is not shown again.
  for (ChatMessage& message : messages) message.reasoning_content.reset();
  order_tool_results(messages, request.field);
  ChatPrompt prompt;
  prompt.text = render(model, request, std::move(messages));
  const ChatTemplate* used = model.chat_template(request.adapter);
  const bool thinks = model.can_think() && used != nullptr && used->is_r1_family();
  const bool wanted = request.thinking.on.value_or(true);
  if (!request.add_generation_prompt && !begun) {
    // Nothing begins behind the last message.
  } else if (thinks) {
    if (begun) {
      // The begun answer brings its own tags; a block that the template closed stays before a plain answer.
      const ThinkingEnd end = find_thinking_end(prompt.text);
      const bool plain = !begun->reasoning_content && !begun->content.value_or("").starts_with("<think>");
      const bool stays = end.kind == ThinkingEnd::Kind::closed && plain;
      if (end.kind != ThinkingEnd::Kind::none && !stays) prompt.text.resize(end.begin);
      prompt.text += begun_answer(*begun, !stays, wanted);
    } else {
      begin_thinking(prompt.text, request.thinking.on);
    }
  } else if (begun) {
    prompt.text += begun_answer(*begun, false, wanted);
  }
  prompt.tokens = model.encode(prompt.text);
  return prompt;
}

void limit_thinking(std::string_view effort, ThinkingRequest& request) {
  // R1 was not trained on efforts: they are budgets.
  const int64_t budget = effort == "minimal" ? 256 : effort == "low" ? 1024 : effort == "medium" ? 8192 : -1;
  if (request.budget < 0) request.budget = budget;
}

ThinkingRequest read_thinking(JsonFields& fields, Json& variables) {
  ThinkingRequest request;
  const auto turn = [&](bool on, const std::string& field) {
    if (request.on && *request.on != on) refuse(field, "{}: thinking is both asked for and refused", field);
    request.on = on;
  };
  constexpr int64_t kMaxBudget = int64_t{1} << 40;
  if (const Json* thinking = fields.object("thinking")) {
    JsonFields inner(*thinking, "thinking", RequestObject::thinking);
    inner.require("type");
    turn(*inner.choice("type", {"enabled", "adaptive", "disabled"}) != "disabled", "thinking.type");
    if (const auto budget = inner.integer("budget_tokens", 0, kMaxBudget)) request.budget = *budget;
    inner.refuse_unknown();
  }
  if (const auto on = fields.boolean("enable_thinking")) turn(*on, "enable_thinking");
  if (const auto budget = fields.integer("thinking_budget", -1, kMaxBudget)) request.budget = *budget;
  if (const auto effort =
          fields.choice("reasoning_effort", {"none", "minimal", "low", "medium", "high", "xhigh", "max"})) {
    turn(*effort != "none", "reasoning_effort");
    limit_thinking(*effort, request);
  }
  if (const Json* more = fields.object("chat_template_kwargs")) {
    JsonFields inner(*more, "chat_template_kwargs");
    for (const char* name : {"thinking", "enable_thinking"}) {
      if (const auto on = inner.boolean(name)) turn(*on, inner.full_name(name));
    }
    for (const char* taken : {"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"}) {
      if (inner.has(taken))
        refuse(inner.full_name(taken), "chat_template_kwargs: \"{}\" is set by the server", taken);
    }
    variables = *more;
  }
  request.answer_reserve = fields.integer("answer_reserve", 0, kMaxBudget).value_or(-1);
  return request;
}

void read_messages(JsonFields& fields, ChatPromptRequest& request) {
  fields.require("messages");
  const Json& list = *fields.array("messages");
  if (list.empty()) refuse("messages", "messages: expected at least one");
  for (size_t index = 0; index < list.size(); ++index) {
    const std::string field = fmt::format("messages[{}]", index);
    bool prefix = false;
    request.messages.push_back(read_message(list[index], field, prefix));
    if (!prefix) continue;
    if (index + 1 != list.size() || request.messages.back().role != "assistant")
      refuse(field, "{}.prefix: only the last message, of role \"assistant\", can begin the answer", field);
    request.continue_last = true;
  }
  if (fields.boolean("continue_final_message").value_or(false)) request.continue_last = true;
  request.add_generation_prompt = fields.boolean("add_generation_prompt").value_or(true);
}

void apply_chat_prompt(ChatPrompt prompt, const ThinkingRequest& request, CompletionSpec& spec) {
  const ServedModel& model = *spec.model;
  const bool starts_inside = model.start_of(prompt.tokens).state == StreamState::reasoning;
  spec.prompt = std::move(prompt.tokens);
  limit_to_context(spec);
  if (!model.can_think()) {
    if (request.budget >= 0)
      throw ApiError(400, "thinking", "unsupported_parameter",
                     "thinking: this model's vocabulary has no </think>");
    return;
  }
  spec.thinking_budget = request.budget;
  if (request.answer_reserve >= 0) {
    spec.answer_reserve = request.answer_reserve;
  } else if (spec.max_tokens >= 64 && starts_inside) {
    spec.answer_reserve = std::min<int64_t>(1024, spec.max_tokens / 8);
  }
}

}  // namespace r1::server
