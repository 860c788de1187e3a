#include "grammar/schema_grammar.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "grammar/regex_grammar.h"
#include "grammar/schema_compiler.h"

namespace r1::grammar {
namespace {

/// The arguments of each tool, in one grammar.
class ToolArguments {
 public:
  explicit ToolArguments(GrammarBuilder& builder) : builder_(builder), json_(builder) {}

  Fragment add(const ToolSchema& tool) {
    static const Schema kNothing = {{"type", "object"}, {"properties", Schema::object()}};
    const Schema& parameters = *tool.parameters;
    const bool none = parameters.is_null() || (parameters.is_object() && parameters.empty());
    return SchemaCompiler(builder_, json_, none ? kNothing : parameters, "parameters of " + tool.name)
        .compile();
  }

 private:
  GrammarBuilder& builder_;
  JsonRules json_;
};

}  // namespace

std::shared_ptr<const Grammar> compile_schema(const Schema& schema, Budget& budget) {
  GrammarBuilder builder(budget);
  JsonRules json(builder);
  SchemaCompiler compiler(builder, json, schema, "schema");
  const RuleId root = builder.add_rule(compiler.compile());
  return builder.finish(root, "schema");
}

std::shared_ptr<const Grammar> compile_json_object() {
  Budget budget;
  GrammarBuilder builder(budget);
  JsonRules rules(builder);
  const RuleId root = builder.add_rule(rules.any_object());
  return builder.finish(root, "JSON");
}

std::shared_ptr<const Grammar> compile_tool_calls(const std::vector<ToolSchema>& tools,
                                                  const ToolMarkup& markup, bool parallel, Budget& budget) {
  GrammarBuilder builder(budget);
  ToolArguments arguments(builder);
  std::vector<Fragment> choices;
  choices.reserve(tools.size());
  for (const ToolSchema& tool : tools) {
    choices.push_back(builder.sequence(
        {builder.literal(tool.name + "\n```json\n"), arguments.add(tool), builder.literal("\n```")}));
  }
  const RuleId call = builder.add_rule(builder.sequence(
      {builder.token(markup.call_begin), builder.literal("function"), builder.token(markup.separator),
       builder.either(choices), builder.token(markup.call_end)}));
  std::vector<Fragment> parts = {builder.token(markup.calls_begin), builder.call(call)};
  if (parallel)
    parts.push_back(builder.any_number(builder.sequence({builder.literal("\n"), builder.call(call)})));
  parts.push_back(builder.token(markup.calls_end));
  const RuleId root = builder.add_rule(builder.sequence(parts));
  return builder.finish(root, "tools");
}

std::shared_ptr<const Grammar> compile_json_tool_calls(const std::vector<ToolSchema>& tools, int32_t begin,
                                                       int32_t end, bool parallel, Budget& budget) {
  GrammarBuilder builder(budget);
  ToolArguments arguments(builder);
  std::vector<Fragment> choices;
  choices.reserve(tools.size());
  for (const ToolSchema& tool : tools) {
    choices.push_back(builder.sequence(
        {builder.literal(Schema(tool.name).dump() + ", \"arguments\": "), arguments.add(tool)}));
  }
  const RuleId call = builder.add_rule(
      builder.sequence({builder.token(begin), builder.literal("\n{\"name\": "), builder.either(choices),
                        builder.literal("}\n"), builder.token(end)}));
  std::vector<Fragment> parts = {builder.call(call)};
  if (parallel)
    parts.push_back(builder.any_number(builder.sequence({builder.literal("\n"), builder.call(call)})));
  const RuleId root = builder.add_rule(builder.sequence(parts));
  return builder.finish(root, "tools");
}

std::shared_ptr<const Grammar> compile_choices(const std::vector<std::string>& choices, Budget& budget) {
  if (choices.empty()) throw_error(ErrorKind::invalid_argument, "choices: expected at least one text");
  for (const std::string& choice : choices) {
    if (choice.empty())
      throw_error(ErrorKind::invalid_argument, "choices: expected texts, found an empty one");
  }
  GrammarBuilder builder(budget);
  const RuleId root = builder.add_rule(add_text(builder, one_of(choices, budget)));
  return builder.finish(root, "choices");
}

std::shared_ptr<const Grammar> compile_schema(const Schema& schema) {
  Budget budget;
  return compile_schema(schema, budget);
}

std::shared_ptr<const Grammar> compile_tool_calls(const std::vector<ToolSchema>& tools,
                                                  const ToolMarkup& markup, bool parallel) {
  Budget budget;
  return compile_tool_calls(tools, markup, parallel, budget);
}

std::shared_ptr<const Grammar> compile_json_tool_calls(const std::vector<ToolSchema>& tools, int32_t begin,
                                                       int32_t end, bool parallel) {
  Budget budget;
  return compile_json_tool_calls(tools, begin, end, parallel, budget);
}

std::shared_ptr<const Grammar> compile_choices(const std::vector<std::string>& choices) {
  Budget budget;
  return compile_choices(choices, budget);
}

}  // namespace r1::grammar
