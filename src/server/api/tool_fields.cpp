#include "server/api/tool_fields.h"

#include <algorithm>
#include <set>

#include "grammar/schema_grammar.h"
#include "server/api/generation_fields.h"

namespace r1::server {
namespace {

constexpr size_t kMaxToolName = 128, kMaxTools = 256;

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxToolName && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

Json read_openai_tools(const Json& tools) {
  Json result = Json::array();
  for (size_t index = 0; index < tools.size(); ++index) {
    const std::string field = fmt::format("tools[{}]", index);
    JsonFields tool(tools[index], field, RequestObject::tool);
    if (const std::string type = tool.required_text("type"); type != "function")
      throw ApiError(
          400, field + ".type", "unsupported_parameter",
          fmt::format("{}.type: only \"function\" is supported, found \"{}\"", field, type.substr(0, 60)));
    tool.require("function");
    const Json& source = *tool.object("function");
    JsonFields function(source, field + ".function", RequestObject::tool);
    tool.refuse_unknown();
    result.push_back(read_function(function, source, "parameters"));
  }
  check_tool_names(result);
  return result;
}

}  // namespace

Json read_function(JsonFields& function, const Json& source, std::string_view schema_name) {
  const std::string name = function.required_text("name"), field = function.full_name("name");
  if (!is_tool_name(name))
    refuse(field, "{}: expected 1 to {} letters, digits, _, - or ., found \"{}\"", field, kMaxToolName,
           name.substr(0, kMaxToolName + 16));
  function.text("description");
  function.object(schema_name);
  function.boolean("strict");
  function.refuse_unknown();
  Json shown = Json::object();  // in the order of the request: the prompt has it
  for (const auto& [key, value] : source.items()) {
    if (value.is_null()) continue;
    if (key == schema_name) {
      shown["parameters"] = value;
    } else if (key == "name" || key == "description" || key == "strict") {
      shown[key] = value;
    }
  }
  return {{"type", "function"}, {"function", std::move(shown)}};
}

void check_tool_names(const Json& tools) {
  if (tools.size() > kMaxTools)
    refuse("tools", "tools: expected at most {}, found {}", kMaxTools, tools.size());
  std::set<std::string> names;
  for (const Json& tool : tools) {
    const std::string name = tool["function"]["name"].get<std::string>();
    if (!names.insert(name).second) refuse("tools", "tools: the name \"{}\" comes twice", name);
  }
}

std::shared_ptr<const grammar::Grammar> require_call(const ServedModel& model, const Json& tools,
                                                     const std::string& name, bool parallel) {
  std::vector<grammar::ToolSchema> schemas;
  for (const Json& tool : tools) {
    const Json& function = tool["function"];
    if (!name.empty() && function["name"] != name) continue;
    schemas.push_back({function["name"].get<std::string>(),
                       function.contains("parameters") ? function["parameters"] : Json()});
  }
  if (schemas.empty()) refuse("tool_choice", "tool_choice: there is no tool \"{}\"", name.substr(0, 80));
  const StreamParserOptions& markers = model.parser_options();
  const auto id = [](const StreamMarker& marker) { return marker.id.value_or(-1); };
  const grammar::ToolMarkup markup{id(markers.calls_begin), id(markers.call_begin),
                                   id(markers.call_separator), id(markers.call_end), id(markers.calls_end)};
  const bool r1 = std::min({markup.calls_begin, markup.call_begin, markup.separator, markup.call_end,
                            markup.calls_end}) >= 0;
  if (!r1 && (id(markers.json_call_begin) < 0 || id(markers.json_call_end) < 0))
    throw ApiError(
        400, "tool_choice", "unsupported_parameter",
        "tool_choice: this model's vocabulary has no tokens for tool calls; only \"auto\" and \"none\"");
  const std::string key = fmt::format("tools {} {} {}", name, parallel, tools.dump());
  try {
    return model.grammar(key, [&] {
      return r1 ? grammar::compile_tool_calls(schemas, markup, parallel)
                : grammar::compile_json_tool_calls(schemas, id(markers.json_call_begin),
                                                   id(markers.json_call_end), parallel);
    });
  } catch (const Error& error) {
    throw ApiError(400, "tools",
                   error.kind() == ErrorKind::unsupported ? "unsupported_schema" : "invalid_schema",
                   fmt::format("tools: {}", error.what()));
  }
}

ToolRequest read_tools(const ServedModel& model, JsonFields& fields) {
  ToolRequest request;
  const Json* tools = fields.array("tools");
  const Json* choice = fields.find("tool_choice");
  const auto parallel = fields.boolean("parallel_tool_calls");
  request.parallel = parallel.value_or(true);
  if (tools == nullptr || tools->empty()) {
    if (choice != nullptr && *choice != "none" && *choice != "auto")
      refuse("tool_choice", "tool_choice: there are no tools");
    return request;
  }
  Json shown = read_openai_tools(*tools);
  if (choice != nullptr && *choice == "none") return request;
  request.shown = std::move(shown);
  request.look_for_calls = true;
  if (choice == nullptr || *choice == "auto") return request;
  if (*choice == "required") {
    request.constraint = require_call(model, request.shown, "", request.parallel);
    return request;
  }
  if (!choice->is_object())
    refuse("tool_choice",
           "tool_choice: expected \"auto\", \"none\", \"required\" or a function's name, found {}",
           choice->dump().substr(0, 80));
  JsonFields named(*choice, "tool_choice");
  named.require("type");
  named.choice("type", {"function"});
  named.require("function");
  JsonFields function(*named.object("function"), "tool_choice.function");
  request.constraint = require_call(model, request.shown, function.required_text("name"), false);
  return request;
}

void read_tools_and_constraint(JsonFields& fields, ChatPromptRequest& chat, CompletionSpec& spec) {
  ToolRequest tools = read_tools(*spec.model, fields);
  chat.tools = std::move(tools.shown);
  spec.tool_calls = tools.look_for_calls;
  spec.single_call = !tools.parallel;
  spec.constraint = read_constraint(*spec.model, fields, chat.schema_field);
  if (!tools.constraint) return;
  if (spec.constraint)
    refuse("tool_choice", "tool_choice: a required call beside another form of the answer");
  spec.constraint = std::move(tools.constraint);
}

}  // namespace r1::server
