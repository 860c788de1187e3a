// Attributes of values: methods of dict and list, properties of loop, macros and helpers.
#include <algorithm>
#include <array>

#include "text/jinja/builtins.h"
#include "text/jinja/for_source.h"

namespace r1::jinja {

namespace {

constexpr std::string_view kDictMethods[] = {"items",  "keys", "values", "get",     "pop",
                                             "update", "copy", "clear",  "popitem", "setdefault"};
constexpr std::string_view kListMethods[] = {"append", "extend", "insert", "pop",  "remove", "reverse",
                                             "sort",   "index",  "count",  "copy", "clear"};

template <std::size_t N>
bool is_one_of(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool find_loop_attribute(Interpreter& interpreter, LoopObject& loop, std::string_view name, Value& result) {
  if (name == "index") {
    result = Value::integer(loop.index0 + 1);
  } else if (name == "index0") {
    result = Value::integer(loop.index0);
  } else if (name == "length") {
    result = Value::integer(loop.length());
  } else if (name == "revindex") {
    result = Value::integer(loop.length() - loop.index0);
  } else if (name == "revindex0") {
    result = Value::integer(loop.length() - loop.index0 - 1);
  } else if (name == "first") {
    result = Value::boolean(loop.index0 == 0);
  } else if (name == "last") {
    result = Value::boolean(!loop.source || !loop.source->peek());
  } else if (name == "depth") {
    result = Value::integer(loop.depth0 + 1);
  } else if (name == "depth0") {
    result = Value::integer(loop.depth0);
  } else if (name == "previtem") {
    result =
        loop.index0 == 0 || !loop.has_before ? Value::undefined("there is no previous item") : loop.before;
  } else if (name == "nextitem") {
    const Value* next = loop.source ? loop.source->peek() : nullptr;
    result = next ? *next : Value::undefined("there is no next item");
  } else if (name == "cycle" || name == "changed") {
    auto* method = interpreter.runtime().make<BoundMethod>();
    method->self = Value::object(&loop);
    method->name = name;
    result = Value::object(method);
  } else {
    return false;
  }
  return true;
}

bool find_macro_attribute(Interpreter& interpreter, const MacroObject& macro, std::string_view name,
                          Value& result) {
  const Statement& definition = *macro.definition;
  if (name == "name") {
    result = macro.is_caller ? Value::none() : Value::string(macro.name);
  } else if (name == "arguments") {
    std::vector<Value> names;
    for (const Parameter& parameter : definition.parameters) names.push_back(Value::string(parameter.name));
    result = interpreter.runtime().make_list(std::move(names), ListForm::tuple);
  } else if (name == "catch_kwargs" || name == "catch_varargs" || name == "caller") {
    result = Value::boolean(name == "caller"         ? definition.uses_caller
                            : name == "catch_kwargs" ? definition.uses_kwargs
                                                     : definition.uses_varargs);
  } else {
    return false;
  }
  return true;
}

bool find_list_attribute(const ListObject& list, std::string_view name, Value& result) {
  if (list.form == ListForm::group && (name == "grouper" || name == "list")) {
    result = list.items[name == "grouper" ? 0 : 1];
    return true;
  }
  if (list.form == ListForm::range && (name == "start" || name == "stop" || name == "step")) {
    result = Value::integer(name == "start" ? list.start : name == "stop" ? list.stop : list.step);
    return true;
  }
  return false;
}

bool has_method(const Value& self, std::string_view name) {
  switch (self.kind()) {
    case Kind::string:
      return is_string_method(name);
    case Kind::dict:
      return is_one_of(kDictMethods, name);
    case Kind::floating:
      return name == "is_integer";
    case Kind::integer:
    case Kind::boolean:
      return name == "bit_length";
    case Kind::list:
      if (self.as_list().form == ListForm::list) return is_one_of(kListMethods, name);
      return self.as_list().is_sequence() && (name == "index" || name == "count");
    case Kind::object:
      return self.as_object<CyclerObject>() && (name == "next" || name == "reset");
    default:
      return false;
  }
}

}  // namespace

bool find_attribute(Interpreter& interpreter, const Value& self, std::string_view name, Value& result) {
  if (auto* loop = self.as_object<LoopObject>()) return find_loop_attribute(interpreter, *loop, name, result);
  if (auto* macro = self.as_object<MacroObject>())
    return find_macro_attribute(interpreter, *macro, name, result);
  if (auto* cycler = self.as_object<CyclerObject>(); cycler && name == "current") {
    result = cycler->items[cycler->position];
    return true;
  }
  if (self.is_integral() &&
      (name == "real" || name == "numerator" || name == "imag" || name == "denominator")) {
    result = Value::integer(name == "imag" ? 0 : name == "denominator" ? 1 : self.as_integer());
    return true;
  }
  if (self.is(Kind::list) && find_list_attribute(self.as_list(), name, result)) return true;
  if (!has_method(self, name)) return false;
  auto* method = interpreter.runtime().make<BoundMethod>();
  method->self = self;
  method->name = name;
  result = Value::object(method);
  return true;
}

namespace {

Value dict_view(Runtime& runtime, const DictObject& dict, ListForm form) {
  std::vector<Value> items;
  runtime.tick(dict.entries.size() + 1);
  for (const auto& [key, value] : dict.entries) {
    if (form == ListForm::items_view) {
      items.push_back(runtime.make_list({key, value}, ListForm::tuple));
    } else {
      items.push_back(form == ListForm::keys_view ? key : value);
    }
  }
  return runtime.make_list(std::move(items), form);
}

void update_dict(Runtime& runtime, DictObject& dict, const Value& other) {
  if (other.is(Kind::dict)) {
    const auto entries = other.as_dict().entries;
    for (const auto& [key, value] : entries) dict.set(runtime, key, value);
    return;
  }
  for (const Value& pair : iterate(runtime, other)) {
    const std::vector<Value> parts = iterate(runtime, pair);
    if (parts.size() != 2)
      runtime.raise(
          "ValueError",
          fmt::format("dictionary update sequence element has length {}; 2 is required", parts.size()));
    dict.set(runtime, parts[0], parts[1]);
  }
}

Value call_dict_method(Runtime& runtime, DictObject& dict, const std::string& name, Arguments& arguments) {
  if (name == "get" || name == "pop" || name == "setdefault") {
    const Bound bound(runtime, name, arguments, {"key", "default"}, 1);
    if (const Value* found = dict.find(runtime, bound[0])) {
      Value value = *found;
      if (name == "pop") dict.erase(runtime, bound[0]);
      return value;
    }
    if (name == "pop" && !bound.has(1)) {
      std::string key;
      append_repr(runtime, key, bound[0]);
      runtime.raise("KeyError", key);
    }
    if (name == "setdefault") dict.set(runtime, bound[0], bound.value(1));
    return bound.value(1);
  }
  if (name == "update") {
    if (arguments.positional.size() > 1) runtime.raise("TypeError", "update expected at most 1 argument");
    if (!arguments.positional.empty()) update_dict(runtime, dict, arguments.positional[0]);
    for (const auto& [key, value] : arguments.keyword) dict.set(runtime, Value::string(key), value);
    return Value::none();
  }
  const Bound bound(runtime, name, arguments, {});
  if (name == "items") return dict_view(runtime, dict, ListForm::items_view);
  if (name == "keys") return dict_view(runtime, dict, ListForm::keys_view);
  if (name == "values") return dict_view(runtime, dict, ListForm::values_view);
  if (name == "clear") {
    dict.clear();
    return Value::none();
  }
  if (name == "popitem") {
    if (dict.entries.empty()) runtime.raise("KeyError", "'popitem(): dictionary is empty'");
    const auto last = dict.entries.back();
    dict.erase(runtime, last.first);
    return runtime.make_list({last.first, last.second}, ListForm::tuple);
  }
  Value copy = runtime.make_dict();
  update_dict(runtime, copy.as_dict(), Value::dict(&dict));
  return copy;
}

std::size_t find_in_list(Runtime& runtime, const ListObject& list, const Value& item, const char* message) {
  for (std::size_t i = 0; i < list.items.size(); ++i)
    if (equals(runtime, list.items[i], item)) return i;
  runtime.raise("ValueError", message);
}

Value call_list_method(Interpreter& interpreter, const Value& self, const std::string& name,
                       Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  ListObject& list = self.as_list();
  std::vector<Value>& items = list.items;
  runtime.tick(items.size() / 16);
  const auto at = [&](std::int64_t index) { return items.begin() + static_cast<std::ptrdiff_t>(index); };
  const auto size = static_cast<std::int64_t>(items.size());
  if (name == "append" || name == "remove" || name == "index" || name == "count") {
    const Bound bound(runtime, name, arguments, {"object"}, 1);
    if (name == "append") {
      runtime.charge(sizeof(Value));
      items.push_back(bound[0]);
    } else if (name == "remove") {
      items.erase(items.begin() + static_cast<std::ptrdiff_t>(find_in_list(runtime, list, bound[0],
                                                                           "list.remove(x): x not in list")));
    } else if (name == "index") {
      return Value::integer(
          static_cast<std::int64_t>(find_in_list(runtime, list, bound[0], "value is not in list")));
    } else {
      std::int64_t count = 0;
      for (const Value& item : items) count += equals(runtime, item, bound[0]);
      return Value::integer(count);
    }
    return Value::none();
  }
  if (name == "extend") {
    const Bound bound(runtime, name, arguments, {"iterable"}, 1);
    const std::vector<Value> more = iterate(runtime, bound[0]);
    items.insert(items.end(), more.begin(), more.end());
    return Value::none();
  }
  if (name == "insert") {
    const Bound bound(runtime, name, arguments, {"index", "object"}, 2);
    const std::int64_t index = bound.integer(0, 0);
    items.insert(at(std::clamp<std::int64_t>(index < 0 ? index + size : index, 0, size)), bound[1]);
    runtime.charge(sizeof(Value));
    return Value::none();
  }
  if (name == "pop") {
    const Bound bound(runtime, name, arguments, {"index"});
    std::int64_t index = bound.integer(0, -1);
    if (items.empty()) runtime.raise("IndexError", "pop from empty list");
    if (index < 0) index += size;
    if (index < 0 || index >= size) runtime.raise("IndexError", "pop index out of range");
    Value value = items[static_cast<std::size_t>(index)];
    items.erase(at(index));
    return value;
  }
  if (name == "sort") {
    if (!arguments.positional.empty()) runtime.raise("TypeError", "sort() takes no positional arguments");
    find_sequence_filter("sort")(interpreter, self, arguments);  // raises for what cannot be sorted
    Arguments exact = arguments;
    exact.keyword.emplace_back("case_sensitive", Value::boolean(true));
    const Value sorted = find_sequence_filter("sort")(interpreter, self, exact);
    items = sorted.as_list().items;
    return Value::none();
  }
  const Bound bound(runtime, name, arguments, {});
  if (name == "copy") return runtime.make_list(items);
  if (name == "reverse") std::reverse(items.begin(), items.end());
  if (name == "clear") items.clear();
  return Value::none();
}

Value call_loop_method(Runtime& runtime, LoopObject& loop, const std::string& name, Arguments& arguments) {
  if (!arguments.keyword.empty()) runtime.raise("TypeError", name + "() got an unexpected keyword argument");
  if (name == "cycle") {
    if (arguments.positional.empty()) runtime.raise("TypeError", "no items for cycling given");
    return arguments.positional[static_cast<std::size_t>(loop.index0) % arguments.positional.size()];
  }
  const Value now = runtime.make_list(arguments.positional, ListForm::tuple);
  if (loop.has_changed && equals(runtime, loop.last_changed, now)) return Value::boolean(false);
  loop.has_changed = true;
  loop.last_changed = now;
  return Value::boolean(true);
}

}  // namespace

Value call_method(Interpreter& interpreter, const Value& self, const std::string& name,
                  Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  if (self.is_string()) return call_string_method(interpreter, self, name, arguments);
  if (self.is(Kind::dict)) return call_dict_method(runtime, self.as_dict(), name, arguments);
  if (self.is(Kind::list)) return call_list_method(interpreter, self, name, arguments);
  if (auto* loop = self.as_object<LoopObject>()) return call_loop_method(runtime, *loop, name, arguments);
  const Bound bound(runtime, name, arguments, {});
  if (auto* cycler = self.as_object<CyclerObject>()) {
    const Value current = cycler->items[cycler->position];
    cycler->position = name == "reset" ? 0 : (cycler->position + 1) % cycler->items.size();
    return name == "reset" ? Value::none() : current;
  }
  if (name == "is_integer")
    return Value::boolean(self.as_double() == static_cast<double>(static_cast<long long>(self.as_double())));
  std::int64_t bits = 0;
  for (std::uint64_t rest =
           static_cast<std::uint64_t>(self.as_integer() < 0 ? -self.as_integer() : self.as_integer());
       rest; rest >>= 1)
    ++bits;
  return Value::integer(bits);
}

}  // namespace r1::jinja
