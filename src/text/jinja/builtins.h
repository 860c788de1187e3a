// The filters, tests, methods and global functions that templates may name.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/interpreter.h"
#include "text/jinja/value.h"

namespace r1::jinja {

using Filter = Value (*)(Interpreter&, const Value& self, Arguments&);
using Test = bool (*)(Interpreter&, const Value& self, Arguments&);

/// Null when there is no such filter or test.
Filter find_filter(std::string_view name);
Test find_test(std::string_view name);
bool is_filter(std::string_view name);
bool is_test(std::string_view name);

// Filters by subject: each returns null for names that are not its own.
Filter find_text_filter(std::string_view name);
Filter find_sequence_filter(std::string_view name);

/// A method of str, list or dict, or any other attribute of a value; false when it has none.
bool find_attribute(Interpreter& interpreter, const Value& self, std::string_view name, Value& result);
Value call_method(Interpreter& interpreter, const Value& self, const std::string& name, Arguments& arguments);
Value call_string_method(Interpreter& interpreter, const Value& self, const std::string& name,
                         Arguments& arguments);
bool is_string_method(std::string_view name);
std::string replace_text(Runtime& runtime, const std::string& text, const std::string& from,
                         const std::string& to, std::int64_t most);
std::vector<std::string> split_lines(const std::string& text, bool keep_ends);

/// raise_exception, strftime_now, range, dict, namespace, cycler, joiner; false when there is no such
/// function.
bool find_global(Interpreter& interpreter, std::string_view name, Value& result);

/// json.dumps(value, ensure_ascii=, indent=, separators=, sort_keys=) with the hub's defaults.
Value filter_tojson(Interpreter& interpreter, const Value& self, Arguments& arguments);

/// Python's text % arguments, and text.format(...).
std::string format_percent(Runtime& runtime, std::string_view format, const Value& arguments);
std::string format_braces(Interpreter& interpreter, std::string_view format, const Arguments& arguments);

/// The arguments of a builtin by position or name. Missing ones are undefined values; more or unknown ones
/// raise TypeError, as do fewer than `required`.
class Bound {
 public:
  Bound(Runtime& runtime, std::string_view function, const Arguments& arguments,
        std::initializer_list<std::string_view> names, std::size_t required = 0);
  bool has(std::size_t i) const { return given_[i]; }
  const Value& operator[](std::size_t i) const { return values_[i]; }
  bool flag(std::size_t i, bool fallback) const;
  std::int64_t integer(std::size_t i, std::int64_t fallback) const;
  std::string text(std::size_t i, std::string fallback) const;
  /// The argument, or none when it was not given.
  Value value(std::size_t i) const { return given_[i] ? values_[i] : Value::none(); }

 private:
  Runtime& runtime_;
  std::string function_;
  std::vector<Value> values_;
  std::vector<bool> given_;
};

}  // namespace r1::jinja
