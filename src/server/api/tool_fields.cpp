#include "server/api/tool_fields.h"

#include <algorithm>
#include <set>

#include "grammar/schema_grammar.h"
#include "server/api/generation_fields.h"

namespace r1::server {
namespace {

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

}  // namespace

void check_tools(const Json& tools) {
  std::set<std::string> names;
  if (tools.size() > 256) refuse("tools", "tools: expected at most 256, found {}", tools.size());
  for (size_t index = 0; index < tools.size(); ++index) {
    const std::string field = fmt::format("tools[{}]", index);
    JsonFields tool(tools[index], field);
    if (const std::string type = tool.required_text("type"); type != "function")
      throw ApiError(
          400, field + ".type", "unsupported_parameter",
          fmt::format("{}.type: only \"function\" is supported, found \"{}\"", field, type.substr(0, 60)));
    tool.require("function");
    JsonFields function(*tool.object("function"), field + ".function");
    tool.refuse_unknown();
    const std::string name = function.required_text("name");
    if (!is_tool_name(name))
      refuse(field, "{}.function.name: expected 1 to 64 letters, digits, _, - or ., found \"{}\"", field,
             name.substr(0, 80));
    if (!names.insert(name).second) refuse(field, "{}.function.name: \"{}\" comes twice", field, name);
    function.text("description");
    function.object("parameters");
    function.accept_and_ignore({"strict"});
    function.refuse_unknown();
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

ToolWish read_tools(const ServedModel& model, JsonFields& fields) {
  ToolWish wish;
  const Json* tools = fields.array("tools");
  const Json* choice = fields.find("tool_choice");
  const auto parallel = fields.boolean("parallel_tool_calls");
  wish.parallel = parallel.value_or(true);
  if (tools == nullptr || tools->empty()) {
    if (choice != nullptr && *choice != "none" && *choice != "auto")
      refuse("tool_choice", "tool_choice: there are no tools");
    return wish;
  }
  check_tools(*tools);
  if (choice != nullptr && *choice == "none") return wish;
  wish.shown = *tools;
  wish.look_for_calls = true;
  if (choice == nullptr || *choice == "auto") return wish;
  if (*choice == "required") {
    wish.constraint = require_call(model, *tools, "", wish.parallel);
    return wish;
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
  wish.constraint = require_call(model, *tools, function.required_text("name"), false);
  return wish;
}

void read_tools_and_constraint(JsonFields& fields, ChatPromptRequest& chat, CompletionSpec& spec) {
  ToolWish tools = read_tools(*spec.model, fields);
  chat.tools = std::move(tools.shown);
  spec.tool_calls = tools.look_for_calls;
  spec.single_call = !tools.parallel;
  spec.constraint = read_constraint(*spec.model, fields);
  if (!tools.constraint) return;
  if (spec.constraint)
    refuse("tool_choice", "tool_choice: a required call beside another form of the answer");
  spec.constraint = std::move(tools.constraint);
}

}  // namespace r1::server
