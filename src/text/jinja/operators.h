// Python's operators on values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace r1::jinja {

/// Python's name of the type: "str", "NoneType", …
std::string type_name(const Value& value);
/// "dict object", "jinja2.runtime.LoopContext object", "None": how messages about missing attributes name it.
std::string describe_object(const Value& value);

bool is_true(const Value& value);
bool equals(Runtime& runtime, const Value& left, const Value& right);
/// left < right; raises TypeError for types without an order. `symbol` is for the message.
bool less(Runtime& runtime, const Value& left, const Value& right, const char* symbol = "<");
bool compare(Runtime& runtime, std::string_view symbol, const Value& left, const Value& right);
bool contains(Runtime& runtime, const Value& container, const Value& item);
/// Raises TypeError for mutable values.
std::size_t hash_value(Runtime& runtime, const Value& value);

Value arithmetic(Runtime& runtime, std::string_view symbol, const Value& left, const Value& right);
Value negate(Runtime& runtime, const Value& value);
Value positive(Runtime& runtime, const Value& value);

std::string float_text(double number);
/// The text with &, <, >, quotes as HTML entities.
std::string escape_html(std::string_view text);
std::string quote_text(std::string_view text);
void append_text(Runtime& runtime, std::string& out, const Value& value);  // str()
void append_repr(Runtime& runtime, std::string& out, const Value& value);  // repr()
std::string to_text(Runtime& runtime, const Value& value);

/// len(); raises TypeError.
std::int64_t length(Runtime& runtime, const Value& value);
/// All items that iterating gives; iterators are consumed. Raises TypeError.
std::vector<Value> iterate(Runtime& runtime, const Value& value);
bool is_iterable(const Value& value);

/// value[start:stop:step]; bounds are integers or none.
Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step);

[[noreturn]] void raise_undefined(Runtime& runtime, const Value& value);

// 64-bit arithmetic that refuses to wrap.
std::int64_t to_index(Runtime& runtime, const Value& value);
Value float_to_integer(Runtime& runtime, double number);

}  // namespace r1::jinja
