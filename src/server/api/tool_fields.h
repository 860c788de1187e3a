// tools, tool_choice and parallel_tool_calls of a chat request.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "server/api/chat_prompt.h"
#include "server/api/json_fields.h"
#include "server/models/served_model.h"

namespace r1::server {

struct ToolRequest {
  Json shown{};  // the tools that the model is told about, OpenAI's form; null: none
  bool look_for_calls = false;
  bool parallel = true;
  std::shared_ptr<const grammar::Grammar> constraint{};  // of a required call
};

/// Reads OpenAI's fields.
ToolRequest read_tools(const ServedModel& model, JsonFields& fields);

/// Reads them and the constraint's fields, of which an answer follows one: to `chat` what the model is told,
/// to `spec` (whose model is set) the rest.
void read_tools_and_constraint(JsonFields& fields, ChatPromptRequest& chat, CompletionSpec& spec);

/// The constraint that makes the model call one of `tools` (OpenAI's form), or `name` when it is not empty.
std::shared_ptr<const grammar::Grammar> require_call(const ServedModel& model, const Json& tools,
                                                     const std::string& name, bool parallel);

/// A tool of any API in OpenAI's form: what the model is shown of it. `schema_name`: what the API calls the parameters.
/// The name has up to 128 letters, digits, _, - and . (Anthropic's limit; OpenAI's is 64). Reads the fields of the
/// function; hints that were with them are left out.
Json read_function(JsonFields& function, const Json& source, std::string_view schema_name);

/// Refuses names that come twice, and too many tools.
void check_tool_names(const Json& tools);

}  // namespace r1::server
