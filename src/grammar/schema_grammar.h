// JSON Schema as a grammar: every text that the grammar allows is valid by the schema. Not every valid
// document can be written: properties come in the schema's order, white space is one space or a line break
// with indentation, numbers have at most 16 digits on each side, and where "additionalProperties" is absent
// beside "properties" there are none. docs/grammar.md has the list of keywords; what changes which documents are
// valid and is not supported is refused by name, and unknown words are annotations (Core 6.5).
//
// Source: JSON Schema 2020-12 (Core and Validation), RFC 8259.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/boxed_json.h"
#include "grammar/budget.h"
#include "grammar/grammar.h"

namespace r1::grammar {

using Schema = nlohmann::ordered_json;

// All of these may run on any thread. They throw Error(unsupported) naming the keyword and its place,
// Error(invalid_argument) for a malformed schema and for one above the budget, and Error(cancelled). Without a
// budget they have one of their own with the default limits.

std::shared_ptr<const Grammar> compile_schema(const Schema& schema, Budget& budget);
std::shared_ptr<const Grammar> compile_schema(const Schema& schema);

/// Any JSON object (JSON mode).
std::shared_ptr<const Grammar> compile_json_object();

struct ToolSchema {
  std::string name;
  BoxedJson<Schema> parameters;  // null: an object without properties
};

/// The markers of tool calls as tokens of the vocabulary.
struct ToolMarkup {
  int32_t calls_begin = -1, call_begin = -1, separator = -1, call_end = -1, calls_end = -1;  // R1's
};

/// One call of one of the tools, or several with `parallel`, in R1's form:
/// <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME\n```json\n{…}\n```<｜tool▁call▁end｜>…
std::shared_ptr<const Grammar> compile_tool_calls(const std::vector<ToolSchema>& tools,
                                                  const ToolMarkup& markup, bool parallel, Budget& budget);
std::shared_ptr<const Grammar> compile_tool_calls(const std::vector<ToolSchema>& tools,
                                                  const ToolMarkup& markup, bool parallel);
/// The same in Qwen's form: <tool_call>\n{"name": NAME, "arguments": {…}}\n</tool_call>, whose markers are
/// tokens.
std::shared_ptr<const Grammar> compile_json_tool_calls(const std::vector<ToolSchema>& tools, int32_t begin,
                                                       int32_t end, bool parallel, Budget& budget);
std::shared_ptr<const Grammar> compile_json_tool_calls(const std::vector<ToolSchema>& tools, int32_t begin,
                                                       int32_t end, bool parallel);

/// One of some texts.
std::shared_ptr<const Grammar> compile_choices(const std::vector<std::string>& choices, Budget& budget);
std::shared_ptr<const Grammar> compile_choices(const std::vector<std::string>& choices);

}  // namespace r1::grammar
