#include "text/tool_call.h"

#include <nlohmann/json.hpp>

#include "base/json_depth.h"
#include "base/json_text.h"

namespace r1 {

namespace {

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Whether a text is one JSON object.
bool is_json_object(std::string_view text) {
  return text.starts_with('{') && !is_nested_deeper(text, kMaxCallLevels) &&
         nlohmann::json::accept(text.begin(), text.end());
}

// The raw text of a member of a valid JSON object; the last one counts, as in other parsers.
std::optional<std::string_view> find_member(std::string_view object, std::string_view wanted) {
  std::optional<std::string_view> found;
  std::size_t i = 1;
  const auto skip_string = [&] {
    for (++i; object[i] != '"'; ++i)
      if (object[i] == '\\') ++i;
    ++i;
  };
  const auto skip_until = [&](std::string_view stops) {
    while (i < object.size() && stops.find(object[i]) == stops.npos) ++i;
  };
  while (true) {
    skip_until("\"}");
    if (i >= object.size() || object[i] == '}') return found;
    const std::size_t key_start = i;
    skip_string();
    const std::string_view key_text = object.substr(key_start, i - key_start);
    skip_until(":");
    const std::size_t value_start = ++i;
    for (int depth = 0; i < object.size();) {
      const char c = object[i];
      if (depth == 0 && (c == ',' || c == '}')) break;
      if (c == '"') {
        skip_string();
        continue;
      }
      depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
      ++i;
    }
    if (parse_json_text<nlohmann::json>(key_text).get<std::string>() == wanted)
      found = trim(object.substr(value_start, i - value_start));
  }
}

}  // namespace

std::optional<ToolCall> parse_deepseek_call(std::string_view body, std::string_view separator,
                                            std::string& error) {
  const std::size_t found = body.find(separator);
  if (found == body.npos) {
    error = "a tool call without a separator between its type and its name";
    return std::nullopt;
  }
  const std::string_view before = trim(body.substr(0, found));
  const std::string_view after = body.substr(found + separator.size());
  ToolCall call;
  std::string_view arguments;
  constexpr std::string_view kFence = "```";
  const std::size_t fence = after.find(kFence);
  if (const std::string_view plain = trim(after); !plain.empty() && plain.front() == '{') {
    call.name = before;
    arguments = plain;
  } else if (fence == after.npos) {
    error = "a tool call without its arguments in a ```json block";
    return std::nullopt;
  } else {
    call.name = trim(after.substr(0, fence));
    arguments = after.substr(fence + kFence.size());
    if (arguments.starts_with("json")) arguments.remove_prefix(4);
    arguments = trim(arguments);
    if (arguments.size() < kFence.size() || !arguments.ends_with(kFence)) {
      error = "a tool call whose ```json block does not end";
      return std::nullopt;
    }
    arguments = trim(arguments.substr(0, arguments.size() - kFence.size()));
  }
  if (call.name.empty() || call.name.find('\n') != std::string::npos) {
    error = "a tool call without the name of a function";
    return std::nullopt;
  }
  if (!is_json_object(arguments)) {
    error = "a tool call whose arguments are no JSON object";
    return std::nullopt;
  }
  call.arguments = arguments;
  return call;
}

std::optional<ToolCall> parse_json_call(std::string_view body, std::string& error) {
  body = trim(body);
  if (!is_json_object(body)) {
    error = "a tool call that is no JSON object";
    return std::nullopt;
  }
  ToolCall call;
  if (const auto name = find_member(body, "name"); name && name->front() == '"')
    call.name = parse_json_text<nlohmann::json>(*name).get<std::string>();
  if (call.name.empty()) {
    error = "a tool call without the name of a function";
    return std::nullopt;
  }
  const auto arguments = find_member(body, "arguments");
  if (!arguments) {
    error = "a tool call without arguments";
    return std::nullopt;
  }
  call.arguments = *arguments;
  if (arguments->front() == '"')
    call.arguments = trim(parse_json_text<nlohmann::json>(*arguments).get<std::string>());
  if (!is_json_object(call.arguments)) {
    error = "a tool call whose arguments are no JSON object";
    return std::nullopt;
  }
  return call;
}

}  // namespace r1
