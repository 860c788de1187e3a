#include "grammar/schema_grammar.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "grammar/regex_grammar.h"
#include "grammar/schema_compiler.h"

namespace r1::grammar {
namespace {

Fragment tool_arguments(SchemaCompiler& compiler, const ToolSchema& tool) {
  static const Schema kNothing = {{"type", "object"}, {"properties", Schema::object()}};
  const Schema& parameters = *tool.parameters;
  if (parameters.is_null() || (parameters.is_object() && parameters.empty()))
    return compiler.add_root(kNothing, "parameters of " + tool.name);
  return compiler.add_root(parameters, "parameters of " + tool.name);
}

}  // namespace

std::shared_ptr<const Grammar> compile_schema(const Schema& schema) {
  GrammarBuilder builder;
  SchemaCompiler compiler(builder);
  const RuleId root = builder.add_rule(compiler.add_root(schema, "schema"));
  return builder.finish(root);
}

std::shared_ptr<const Grammar> compile_json_object() {
  GrammarBuilder builder;
  JsonRules rules(builder);
  const RuleId root = builder.add_rule(rules.any_object());
  return builder.finish(root);
}

std::shared_ptr<const Grammar> compile_tool_calls(const std::vector<ToolSchema>& tools,
                                                  const ToolMarkup& markup, bool parallel) {
  GrammarBuilder builder;
  SchemaCompiler compiler(builder);
  std::vector<Fragment> choices;
  choices.reserve(tools.size());
  for (const ToolSchema& tool : tools) {
    choices.push_back(builder.sequence({builder.literal(tool.name + "\n```json\n"),
                                        tool_arguments(compiler, tool), builder.literal("\n```")}));
  }
  const RuleId call = builder.add_rule(builder.sequence(
      {builder.token(markup.call_begin), builder.literal("function"), builder.token(markup.separator),
       builder.either(choices), builder.token(markup.call_end)}));
  std::vector<Fragment> parts = {builder.token(markup.calls_begin), builder.call(call)};
  if (parallel)
    parts.push_back(builder.any_number(builder.sequence({builder.literal("\n"), builder.call(call)})));
  parts.push_back(builder.token(markup.calls_end));
  const RuleId root = builder.add_rule(builder.sequence(std::move(parts)));
  return builder.finish(root);
}

std::shared_ptr<const Grammar> compile_json_tool_calls(const std::vector<ToolSchema>& tools, int32_t begin,
                                                       int32_t end, bool parallel) {
  GrammarBuilder builder;
  SchemaCompiler compiler(builder);
  std::vector<Fragment> choices;
  choices.reserve(tools.size());
  for (const ToolSchema& tool : tools) {
    choices.push_back(builder.sequence(
        {builder.literal(Schema(tool.name).dump() + ", \"arguments\": "), tool_arguments(compiler, tool)}));
  }
  const RuleId call = builder.add_rule(
      builder.sequence({builder.token(begin), builder.literal("\n{\"name\": "), builder.either(choices),
                        builder.literal("}\n"), builder.token(end)}));
  std::vector<Fragment> parts = {builder.call(call)};
  if (parallel)
    parts.push_back(builder.any_number(builder.sequence({builder.literal("\n"), builder.call(call)})));
  const RuleId root = builder.add_rule(builder.sequence(std::move(parts)));
  return builder.finish(root);
}

std::shared_ptr<const Grammar> compile_choices(const std::vector<std::string>& choices) {
  if (choices.empty()) throw_error(ErrorKind::invalid_argument, "choices: expected at least one text");
  GrammarBuilder builder;
  std::vector<Fragment> parts;
  for (const std::string& choice : choices) {
    if (choice.empty())
      throw_error(ErrorKind::invalid_argument, "choices: expected texts, found an empty one");
    parts.push_back(builder.literal(choice));
  }
  const RuleId root = builder.add_rule(builder.either(parts));
  return builder.finish(root);
}

}  // namespace r1::grammar
