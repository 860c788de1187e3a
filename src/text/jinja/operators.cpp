#include "text/jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "text/jinja/interpreter.h"
#include "text/jinja/unicode.h"

namespace r1::jinja {

std::string type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::floating:
      return "float";
    case Kind::string:
      return value.is_markup() ? "Markup" : "str";
    case Kind::dict:
      return "dict";
    case Kind::list:
      switch (value.as_list().form) {
        case ListForm::list:
          return "list";
        case ListForm::tuple:
          return "tuple";
        case ListForm::group:
          return "_GroupTuple";
        case ListForm::items_view:
          return "dict_items";
        case ListForm::keys_view:
          return "dict_keys";
        case ListForm::values_view:
          return "dict_values";
        case ListForm::range:
          return "range";
        case ListForm::iterator:
          return value.as_list().type_name;
      }
      break;
    case Kind::object:
      if (value.as_object<NamespaceObject>()) return "Namespace";
      if (value.as_object<MacroObject>()) return "Macro";
      if (value.as_object<BoundMethod>()) return "builtin_function_or_method";
      if (value.as_object<CyclerObject>()) return "Cycler";
      if (value.as_object<JoinerObject>()) return "Joiner";
      if (value.as_object<LoopObject>()) return "LoopContext";
      return "function";
  }
  return "object";
}

std::string describe_object(const Value& value) {
  if (value.is_none()) return "None";
  const char* module = "";
  if (value.as_object<LoopObject>() || value.as_object<MacroObject>()) module = "jinja2.runtime.";
  if (value.as_object<NamespaceObject>() || value.as_object<CyclerObject>() ||
      value.as_object<JoinerObject>())
    module = "jinja2.utils.";
  return module + type_name(value) + " object";
}

void raise_undefined(Runtime& runtime, const Value& value) {
  runtime.raise("UndefinedError", value.text());
}

bool is_true(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
    case Kind::integer:
      return value.as_integer() != 0;
    case Kind::floating:
      return value.as_double() != 0;
    case Kind::string:
      return !value.text().empty();
    case Kind::list:
      return value.as_list().form == ListForm::iterator || !value.as_list().items.empty();
    case Kind::dict:
      return !value.as_dict().entries.empty();
    case Kind::object:
      return true;
  }
  return true;
}

namespace {

// Compares an int with a float without rounding the int.
int compare_numbers(const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral())
    return left.as_integer() < right.as_integer() ? -1 : left.as_integer() > right.as_integer();
  const long double a = left.is_integral() ? static_cast<long double>(left.as_integer()) : left.as_double();
  const long double b =
      right.is_integral() ? static_cast<long double>(right.as_integer()) : right.as_double();
  if (std::isnan(a) || std::isnan(b)) return 2;
  return a < b ? -1 : a > b;
}

bool is_list_like(const Value& value) {
  return value.is(Kind::list) && (value.as_list().form == ListForm::list || value.as_list().is_tuple());
}

}  // namespace

bool equals(Runtime& runtime, const Value& left, const Value& right) {
  runtime.tick();
  if (left.is_undefined() || right.is_undefined()) return left.kind() == right.kind();
  if (left.is_number() && right.is_number()) return compare_numbers(left, right) == 0;
  if (left.kind() != right.kind()) return false;
  const DepthGuard guard(runtime);
  switch (left.kind()) {
    case Kind::string:
      return left.text() == right.text();
    case Kind::list: {
      ListObject& a = left.as_list();
      ListObject& b = right.as_list();
      if (&a == &b) return true;
      if (a.form == ListForm::range && b.form == ListForm::range) {
      } else if (!is_list_like(left) || !is_list_like(right) || a.is_tuple() != b.is_tuple()) {
        return false;
      }
      if (a.items.size() != b.items.size()) return false;
      for (std::size_t i = 0; i < a.items.size() && i < b.items.size(); ++i)
        if (!equals(runtime, a.items[i], b.items[i])) return false;
      return true;
    }
    case Kind::dict: {
      DictObject& a = left.as_dict();
      DictObject& b = right.as_dict();
      if (&a == &b) return true;
      if (a.entries.size() != b.entries.size()) return false;
      for (const auto& [key, value] : a.entries) {
        const Value* other = b.find(runtime, key);
        if (!other || !equals(runtime, value, *other)) return false;
      }
      return true;
    }
    default:
      return left.same_as(right);
  }
}

bool less(Runtime& runtime, const Value& left, const Value& right, const char* symbol) {
  runtime.tick();
  if (left.is_undefined()) raise_undefined(runtime, left);
  if (right.is_undefined()) raise_undefined(runtime, right);
  if (left.is_number() && right.is_number()) return compare_numbers(left, right) == -1;
  if (left.is_string() && right.is_string())
    return left.text() < right.text();  // UTF-8 sorts as code points do
  if (is_list_like(left) && is_list_like(right) && left.as_list().is_tuple() == right.as_list().is_tuple()) {
    const DepthGuard guard(runtime);
    const ListObject& a = left.as_list();
    const ListObject& b = right.as_list();
    for (std::size_t i = 0; i < a.items.size() && i < b.items.size(); ++i)
      if (!equals(runtime, a.items[i], b.items[i])) return less(runtime, a.items[i], b.items[i], symbol);
    return a.items.size() < b.items.size();
  }
  runtime.raise("TypeError", fmt::format("'{}' not supported between instances of '{}' and '{}'", symbol,
                                         type_name(left), type_name(right)));
}

bool compare(Runtime& runtime, std::string_view symbol, const Value& left, const Value& right) {
  if (symbol == "==") return equals(runtime, left, right);
  if (symbol == "!=") return !equals(runtime, left, right);
  if (symbol == "in") return contains(runtime, right, left);
  if (symbol == "not in") return !contains(runtime, right, left);
  const bool numbers = left.is_number() && right.is_number();
  if (symbol == "<") return less(runtime, left, right, "<");
  if (symbol == ">") {
    if (numbers) return compare_numbers(left, right) == 1;
    if (left.is_undefined()) raise_undefined(runtime, left);
    if (left.kind() != right.kind()) less(runtime, left, right, ">");
    return less(runtime, right, left, ">");
  }
  const bool lower = symbol == "<=";
  if (numbers) {
    const int order = compare_numbers(left, right);
    return order == 0 || order == (lower ? -1 : 1);
  }
  if (left.is_undefined()) raise_undefined(runtime, left);
  if (lower) return less(runtime, left, right, "<=") || equals(runtime, left, right);
  if (left.kind() != right.kind()) less(runtime, left, right, ">=");
  return less(runtime, right, left, ">=") || equals(runtime, left, right);
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::string:
      if (!item.is_string())
        runtime.raise("TypeError", "'in <string>' requires string as left operand, not " + type_name(item));
      runtime.tick(container.text().size() / 64);
      return container.text().find(item.text()) != std::string::npos;
    case Kind::dict:
      return container.as_dict().find(runtime, item) != nullptr;
    case Kind::undefined:
      return false;
    default:
      break;
  }
  if (!is_iterable(container))
    runtime.raise("TypeError", "argument of type '" + type_name(container) + "' is not iterable");
  if (container.is(Kind::list) && container.as_list().form == ListForm::iterator) {
    ListObject& iterator = container.as_list();
    while (iterator.position < iterator.items.size())
      if (equals(runtime, iterator.items[iterator.position++], item)) return true;
    return false;
  }
  for (const Value& value : iterate(runtime, container))
    if (value.same_as(item) || equals(runtime, value, item)) return true;
  return false;
}

std::size_t hash_value(Runtime& runtime, const Value& value) {
  runtime.tick();
  switch (value.kind()) {
    case Kind::undefined:
      return 1;
    case Kind::none:
      return 2;
    case Kind::boolean:
    case Kind::integer:
      return std::hash<std::int64_t>{}(value.as_integer());
    case Kind::floating: {
      const double number = value.as_double();
      if (number >= -9e18 && number <= 9e18 && number == std::floor(number))
        return std::hash<std::int64_t>{}(static_cast<std::int64_t>(number));
      return std::hash<double>{}(number);
    }
    case Kind::string:
      return std::hash<std::string_view>{}(value.text());
    case Kind::list: {
      const ListObject& list = value.as_list();
      if (list.form == ListForm::list || list.form == ListForm::items_view ||
          list.form == ListForm::keys_view)
        break;
      if (!list.is_tuple()) return std::hash<const void*>{}(&list);
      const DepthGuard guard(runtime);
      std::size_t hash = 0x9E3779B97F4A7C15u;
      for (const Value& item : list.items) hash = hash * 1000003u ^ hash_value(runtime, item);
      return hash;
    }
    case Kind::dict:
      break;
    case Kind::object:
      return std::hash<const void*>{}(value.as_object<Object>());
  }
  runtime.raise("TypeError", "unhashable type: '" + type_name(value) + "'");
}

std::int64_t length(Runtime& runtime, const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return 0;
    case Kind::string:
      return static_cast<std::int64_t>(count_characters(value.text()));
    case Kind::dict:
      return static_cast<std::int64_t>(value.as_dict().entries.size());
    case Kind::list:
      if (value.as_list().form != ListForm::iterator)
        return static_cast<std::int64_t>(value.as_list().items.size());
      break;
    case Kind::object:
      if (LoopObject* loop = value.as_object<LoopObject>()) return loop->length();
      break;
    default:
      break;
  }
  runtime.raise("TypeError", "object of type '" + type_name(value) + "' has no len()");
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.is(Kind::list) || value.is(Kind::dict);
}

std::vector<Value> iterate(Runtime& runtime, const Value& value) {
  std::vector<Value> out;
  switch (value.kind()) {
    case Kind::undefined:
      return out;
    case Kind::string: {
      const std::u32string text = decode_utf8(value.text());
      runtime.charge(text.size() * 64);
      runtime.tick(text.size());
      out.reserve(text.size());
      for (const char32_t& character : text) out.push_back(Value::string(encode_utf8({&character, 1})));
      return out;
    }
    case Kind::dict:
      runtime.tick(value.as_dict().entries.size() + 1);
      runtime.charge(value.as_dict().entries.size() * sizeof(Value));
      for (const auto& [key, item] : value.as_dict().entries) out.push_back(key);
      return out;
    case Kind::list: {
      ListObject& list = value.as_list();
      runtime.tick(list.items.size() + 1);
      runtime.charge(list.items.size() * sizeof(Value));
      if (list.form != ListForm::iterator) return list.items;
      out.assign(list.items.begin() + static_cast<std::ptrdiff_t>(std::min(list.position, list.items.size())),
                 list.items.end());
      list.position = list.items.size();
      return out;
    }
    default:
      break;
  }
  runtime.raise("TypeError", "'" + type_name(value) + "' object is not iterable");
}

std::int64_t to_index(Runtime& runtime, const Value& value) {
  if (value.is_integral()) return value.as_integer();
  if (value.is_undefined()) raise_undefined(runtime, value);
  runtime.raise("TypeError", "'" + type_name(value) + "' object cannot be interpreted as an integer");
}

Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step) {
  if (value.is_undefined()) raise_undefined(runtime, value);
  const bool sequence = value.is_string() || (value.is(Kind::list) && value.as_list().is_sequence());
  if (value.is(Kind::dict)) runtime.raise("TypeError", "unhashable type: 'slice'");
  if (!sequence) runtime.raise("TypeError", "'" + type_name(value) + "' object is not subscriptable");
  const auto bound = [&](const Value& index, std::int64_t fallback) {
    if (index.is_none()) return fallback;
    if (!index.is_integral())
      runtime.raise("TypeError", "slice indices must be integers or None or have an __index__ method");
    return index.as_integer();
  };
  const std::int64_t by = bound(step, 1);
  if (by == 0) runtime.raise("ValueError", "slice step cannot be zero");
  const std::u32string text = value.is_string() ? decode_utf8(value.text()) : std::u32string();
  if (value.is_string()) runtime.tick(text.size() / 64 + 1);
  const std::int64_t size = value.is_string() ? static_cast<std::int64_t>(text.size())
                                              : static_cast<std::int64_t>(value.as_list().items.size());
  const std::int64_t lowest = by > 0 ? 0 : -1;
  const std::int64_t highest = by > 0 ? size : size - 1;
  const auto place = [&](std::int64_t index) {
    if (index < 0) return index < -size ? lowest : std::max(index + size, lowest);
    return std::min(index, highest);
  };
  const std::int64_t first = start.is_none() ? (by > 0 ? 0 : size - 1) : place(bound(start, 0));
  const std::int64_t last = stop.is_none() ? (by > 0 ? size : -1) : place(bound(stop, 0));
  std::vector<std::int64_t> indexes;
  for (std::int64_t i = first; by > 0 ? i < last : i > last;) {
    indexes.push_back(i);
    if (__builtin_add_overflow(i, by, &i)) break;
  }
  runtime.tick(indexes.size() / 16 + 1);
  if (value.is_string()) {
    std::u32string out;
    for (const std::int64_t i : indexes) out += text[static_cast<std::size_t>(i)];
    return runtime.make_string(encode_utf8(out), value.is_markup());
  }
  ListObject& list = value.as_list();
  std::vector<Value> out;
  out.reserve(indexes.size());
  for (const std::int64_t i : indexes) out.push_back(list.items[static_cast<std::size_t>(i)]);
  Value result =
      runtime.make_list(std::move(out), list.form == ListForm::group ? ListForm::tuple : list.form);
  if (list.form == ListForm::range) {
    result.as_list().start = list.start + first * list.step;
    result.as_list().stop = list.start + last * list.step;
    result.as_list().step = list.step * by;
  }
  return result;
}

}  // namespace r1::jinja
