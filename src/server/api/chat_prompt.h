// From a chat request's messages to the prompt, and to where the answer begins.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/api/json_fields.h"
#include "server/http/api_error.h"
#include "server/models/completion.h"
#include "server/models/served_model.h"

namespace r1::server {

struct ThinkingRequest {
  std::optional<bool> on{};     // absent: as the model does by default
  int64_t budget = -1;          // reasoning tokens; -1: no limit
  int64_t answer_reserve = -1;  // tokens of max_tokens kept for the answer; -1: a part that suits
};

struct ChatPromptRequest {
  std::vector<ChatMessage> messages{};
  std::string field = "messages";  // what the request calls them, for messages about errors
  std::string schema_field = "response_format.json_schema.schema";  // and the schema of the answer
  const Adapter* adapter = nullptr;  // of the model: may have a chat template of its own
  Json tools{};                      // OpenAI's form, shown to the model; null: none
  ThinkingRequest thinking{};
  bool continue_last = false;         // the last message, an assistant's, is the beginning of the answer
  bool add_generation_prompt = true;  // false: the prompt ends behind the last message
  Json template_variables{};          // more variables for the template; object or null
};

struct ChatPrompt {
  std::string text;
  std::vector<int32_t> tokens;
};

/// Throws ApiError 400 where the model has no chat template, cannot be shown tools, or the messages do not
/// fit the template. Results of tools are put into the order of their calls.
ChatPrompt build_chat_prompt(const ServedModel& model, const ChatPromptRequest& request);

/// Reads thinking, enable_thinking, thinking_budget, reasoning_effort, chat_template_kwargs, answer_reserve.
/// Template variables among them go to `variables`.
ThinkingRequest read_thinking(JsonFields& fields, Json& variables);

/// The budget of an effort ("minimal", "low", "medium"; others have none), unless there is one already.
void limit_thinking(std::string_view effort, ThinkingRequest& request);

/// messages, and prefix / continue_final_message / add_generation_prompt.
void read_messages(JsonFields& fields, ChatPromptRequest& request);

/// Puts prompt and thinking into the spec: budget, and a reserve for the answer. max_tokens becomes what the context has
/// left, if that is less.
void apply_chat_prompt(ChatPrompt prompt, const ThinkingRequest& thinking, CompletionSpec& spec);

}  // namespace r1::server
