// Jinja templates as chat templates use them: the language of Jinja2 3.1 with trim_blocks, lstrip_blocks, the
// loopcontrols extension, raise_exception, strftime_now and the hub's tojson. docs/chat-templates.md lists
// what is refused. Source: the Jinja2 template designer documentation; behaviour compared with Jinja2 3.1.6.
//
// A JinjaTemplate is immutable after parse(): render() may be called from many threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace r1 {

/// What a template raised. type() is the name of the exception that Python would have shown ("TemplateError"
/// for raise_exception, "UndefinedError", "TemplateSyntaxError", "TypeError", …) or "LimitError" when a limit
/// below was passed. kind() is unsupported for tags and filters that this engine refuses, otherwise
/// invalid_argument.
class JinjaError : public Error {
 public:
  JinjaError(ErrorKind kind, std::string type, std::string message, int line);

  const std::string& type() const { return type_; }
  /// The bare message, as the template or Jinja worded it; may hold several lines. what() is one line.
  const std::string& message() const { return message_; }
  /// Line of the template, from 1; 0 when unknown.
  int line() const { return line_; }

 private:
  std::string type_;
  std::string message_;
  int line_;
};

struct JinjaOptions {
  // Lexing; the defaults are those of the hub's chat templates.
  bool trim_blocks = true;             // drop the first newline after a block tag
  bool lstrip_blocks = true;           // drop blanks before a block tag that starts a line
  bool keep_trailing_newline = false;  // otherwise one newline at the end of the source is dropped

  // What strftime_now formats; the local time of the call when absent.
  std::optional<std::tm> now;

  // A hostile template ends with a LimitError instead of eating the machine.
  std::size_t max_source_bytes = std::size_t{4} << 20;
  std::size_t max_output_bytes = std::size_t{32} << 20;  // also the longest string a template may build
  std::size_t max_work_bytes = std::size_t{256} << 20;   // bytes of all values built during one rendering
  std::uint64_t max_steps = 10'000'000;                  // evaluated nodes and visited items of one rendering
  int max_depth = 600;  // nested evaluations (macros, loops, expressions, values)
};

class JinjaTemplate {
 public:
  /// Parses UTF-8 source. Throws JinjaError of type TemplateSyntaxError or TemplateAssertionError.
  static JinjaTemplate parse(std::string_view source, const JinjaOptions& options = {});

  /// Renders with the entries of an object as variables. Throws JinjaError.
  std::string render(const nlohmann::ordered_json& context) const;
  /// The same, with another time for strftime_now.
  std::string render(const nlohmann::ordered_json& context, const std::optional<std::tm>& now) const;

  /// Whether the source names a variable anywhere ("tools", "enable_thinking", …).
  bool mentions(std::string_view variable) const;

  JinjaTemplate(JinjaTemplate&&) noexcept;
  JinjaTemplate& operator=(JinjaTemplate&&) noexcept;
  JinjaTemplate(const JinjaTemplate&) = delete;
  JinjaTemplate& operator=(const JinjaTemplate&) = delete;
  ~JinjaTemplate();

 private:
  struct State;
  explicit JinjaTemplate(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace r1
