// Filters on sequences and mappings.
#include <algorithm>
#include <functional>
#include <optional>

#include "text/jinja/builtins.h"
#include "text/jinja/unicode.h"

namespace r1::jinja {

namespace {

Value lower_case(Runtime& runtime, const Value& value) {
  if (!value.is_string()) return value;
  return runtime.make_string(encode_utf8(to_lower(decode_utf8(value.text()))));
}

// The attribute path of map, sort and the like: "a.b.0".
class AttributeGetter {
 public:
  AttributeGetter(Interpreter& interpreter, const Value& path, std::optional<Value> fallback = {},
                  bool lower = false)
      : interpreter_(interpreter), fallback_(std::move(fallback)), lower_(lower) {
    if (path.is_none()) return;
    if (!path.is_string()) {
      parts_.push_back(path);
      return;
    }
    std::size_t start = 0;
    while (true) {
      const std::size_t dot = path.text().find('.', start);
      const std::string part = path.text().substr(start, dot == std::string::npos ? dot : dot - start);
      const bool digits =
          !part.empty() && part.size() < 19 && part.find_first_not_of("0123456789") == part.npos;
      parts_.push_back(digits ? Value::integer(std::stoll(part)) : Value::string(part));
      if (dot == std::string::npos) return;
      start = dot + 1;
    }
  }

  Value operator()(Value item) const {
    for (const Value& part : parts_) {
      item = interpreter_.get_item(item, part);
      if (item.is_undefined() && fallback_) item = *fallback_;
    }
    return lower_ ? lower_case(interpreter_.runtime(), item) : item;
  }

 private:
  Interpreter& interpreter_;
  std::vector<Value> parts_;
  std::optional<Value> fallback_;
  bool lower_;
};

Value filter_length(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "length", arguments, {});
  return Value::integer(length(interpreter.runtime(), self));
}

Value filter_first(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "first", arguments, {});
  if (self.is(Kind::list) && self.as_list().form == ListForm::iterator) {
    ListObject& list = self.as_list();
    if (list.position < list.items.size()) return list.items[list.position++];
  } else {
    if (self.is_string() && !self.text().empty()) return interpreter.get_item(self, Value::integer(0));
    const std::vector<Value> items = iterate(runtime, self);
    if (!items.empty()) return items.front();
  }
  return Value::undefined("No first item, sequence was empty.");
}

void check_reversible(Runtime& runtime, const Value& self) {
  if (!is_iterable(self) || (self.is(Kind::list) && self.as_list().form == ListForm::iterator))
    runtime.raise("TypeError", "'" + type_name(self) + "' object is not reversible");
}

Value filter_last(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "last", arguments, {});
  check_reversible(runtime, self);
  if (self.is_string() && !self.text().empty()) return interpreter.get_item(self, Value::integer(-1));
  const std::vector<Value> items = iterate(runtime, self);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value filter_list(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "list", arguments, {});
  return interpreter.runtime().make_list(iterate(interpreter.runtime(), self));
}

Value filter_reverse(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "reverse", arguments, {});
  if (self.is_string()) return slice(runtime, self, Value::none(), Value::none(), Value::integer(-1));
  if (self.is_undefined()) return runtime.make_iterator({}, "reversed");
  if (!is_iterable(self)) runtime.raise("FilterArgumentError", "argument must be iterable");
  const bool iterator = self.is(Kind::list) && self.as_list().form == ListForm::iterator;
  std::vector<Value> items = iterate(runtime, self);
  std::reverse(items.begin(), items.end());
  if (iterator) return runtime.make_list(std::move(items));
  return runtime.make_iterator(std::move(items), self.is(Kind::dict) ? "dict_reversekeyiterator"
                                                 : self.as_list().form == ListForm::list
                                                     ? "list_reverseiterator"
                                                     : "reversed");
}

Value filter_join(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "join", arguments, {"d", "attribute"});
  const std::string separator = bound.has(0) ? to_text(runtime, bound[0]) : "";
  const AttributeGetter getter(interpreter, bound.value(1));
  std::string out;
  bool first = true;
  for (const Value& item : iterate(runtime, self)) {
    if (!first) out += separator;
    first = false;
    append_text(runtime, out, getter(item));
    runtime.check_string(out.size());
  }
  return runtime.make_string(std::move(out));
}

Value filter_default(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "default", arguments, {"default_value", "boolean"});
  if (!self.is_undefined() && !(bound.flag(1, false) && !is_true(self))) return self;
  return bound.has(0) ? bound[0] : Value::string("");
}

Value filter_items(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "items", arguments, {});
  std::vector<Value> items;
  if (!self.is_undefined()) {
    if (!self.is(Kind::dict)) runtime.raise("TypeError", "Can only get item pairs from a mapping.");
    for (const auto& [key, value] : self.as_dict().entries)
      items.push_back(runtime.make_list({key, value}, ListForm::tuple));
  }
  return runtime.make_iterator(std::move(items));
}

// Sorts stably by keys that are computed once; `reverse` keeps the order of equal items, as Python does.
std::vector<Value> sort_by(Runtime& runtime, std::vector<Value> items,
                           const std::function<Value(const Value&)>& key, bool reverse) {
  std::vector<std::pair<Value, Value>> keyed;
  keyed.reserve(items.size());
  for (Value& item : items) {
    Value its_key = key(item);
    keyed.emplace_back(std::move(its_key), std::move(item));
  }
  // NaN or other keys without a total order must not upset std::stable_sort: a merge sort of our own is safe
  // with any comparison.
  std::vector<std::pair<Value, Value>> other(keyed.size());
  for (std::size_t width = 1; width < keyed.size(); width *= 2) {
    for (std::size_t low = 0; low < keyed.size(); low += 2 * width) {
      const std::size_t middle = std::min(low + width, keyed.size());
      const std::size_t high = std::min(low + 2 * width, keyed.size());
      std::size_t a = low, b = middle;
      for (std::size_t out = low; out < high; ++out) {
        bool take_right = a == middle;
        if (a < middle && b < high)
          take_right = reverse ? less(runtime, keyed[a].first, keyed[b].first)
                               : less(runtime, keyed[b].first, keyed[a].first);
        other[out] = std::move(keyed[take_right ? b++ : a++]);
      }
    }
    keyed.swap(other);
  }
  for (std::size_t i = 0; i < keyed.size(); ++i) items[i] = std::move(keyed[i].second);
  return items;
}

Value filter_dictsort(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = bound.text(1, "key");
  if (by != "key" && by != "value")
    runtime.raise("FilterArgumentError", "You can only sort by either \"key\" or \"value\"");
  if (self.is_undefined()) raise_undefined(runtime, self);
  if (!self.is(Kind::dict))
    runtime.raise("AttributeError", "'" + type_name(self) + "' object has no attribute 'items'");
  std::vector<Value> items;
  for (const auto& [key, value] : self.as_dict().entries)
    items.push_back(runtime.make_list({key, value}, ListForm::tuple));
  const bool exact = bound.flag(0, false);
  const auto key = [&](const Value& item) {
    const Value& part = item.as_list().items[by == "key" ? 0 : 1];
    return exact ? part : lower_case(runtime, part);
  };
  return runtime.make_list(sort_by(runtime, std::move(items), key, bound.flag(2, false)));
}

Value filter_sort(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const bool lower = !bound.flag(1, false);
  std::vector<AttributeGetter> getters;
  const Value path = bound.value(2);
  if (path.is_string()) {
    Arguments comma;
    comma.positional.push_back(Value::string(","));
    for (const Value& part : call_string_method(interpreter, path, "split", comma).as_list().items)
      getters.emplace_back(interpreter, part, std::nullopt, lower);
  } else {
    getters.emplace_back(interpreter, path, std::nullopt, lower);
  }
  const auto key = [&](const Value& item) {
    std::vector<Value> keys;
    keys.reserve(getters.size());
    for (const AttributeGetter& getter : getters) keys.push_back(getter(item));
    return runtime.make_list(std::move(keys));
  };
  return runtime.make_list(sort_by(runtime, iterate(runtime, self), key, bound.flag(0, false)));
}

Value filter_unique(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "unique", arguments, {"case_sensitive", "attribute"});
  const AttributeGetter getter(interpreter, bound.value(1), std::nullopt, !bound.flag(0, false));
  const Value seen = runtime.make_dict();
  std::vector<Value> out;
  for (const Value& item : iterate(runtime, self)) {
    const Value key = getter(item);
    if (seen.as_dict().find(runtime, key)) continue;
    seen.as_dict().set(runtime, key, Value::none());
    out.push_back(item);
  }
  return runtime.make_iterator(std::move(out));
}

template <bool maximum>
Value filter_extreme(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, maximum ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const AttributeGetter getter(interpreter, bound.value(1), std::nullopt, !bound.flag(0, false));
  const std::vector<Value> items = iterate(runtime, self);
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  Value best = items[0];
  Value best_key = getter(best);
  for (std::size_t i = 1; i < items.size(); ++i) {
    Value key = getter(items[i]);
    if (!(maximum ? less(runtime, best_key, key, ">") : less(runtime, key, best_key))) continue;
    best = items[i];
    best_key = std::move(key);
  }
  return best;
}

Value filter_sum(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "sum", arguments, {"attribute", "start"});
  const AttributeGetter getter(interpreter, bound.value(0));
  Value total = bound.has(1) ? bound[1] : Value::integer(0);
  if (total.is_string()) runtime.raise("TypeError", "sum() can't sum strings [use ''.join(seq) instead]");
  for (const Value& item : iterate(runtime, self)) total = arithmetic(runtime, "+", total, getter(item));
  return total;
}

Value filter_map(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  std::vector<Value> out;
  if (!is_true(self)) return runtime.make_iterator({});
  if (arguments.positional.empty() && arguments.find("attribute")) {
    std::optional<Value> fallback;
    for (const auto& [key, value] : arguments.keyword) {
      if (key == "default") {
        if (!value.is_none()) fallback = value;
      } else if (key != "attribute") {
        runtime.raise("FilterArgumentError", "Unexpected keyword argument '" + key + "'");
      }
    }
    const AttributeGetter getter(interpreter, *arguments.find("attribute"), fallback);
    for (const Value& item : iterate(runtime, self)) out.push_back(getter(item));
    return runtime.make_iterator(std::move(out));
  }
  if (arguments.positional.empty()) runtime.raise("FilterArgumentError", "map requires a filter argument");
  const Value name = arguments.positional[0];
  if (!name.is_string()) runtime.raise("TemplateRuntimeError", "No filter named " + type_name(name) + ".");
  Arguments rest;
  rest.positional.assign(arguments.positional.begin() + 1, arguments.positional.end());
  rest.keyword = arguments.keyword;
  for (const Value& item : iterate(runtime, self)) {
    Arguments copy = rest;
    out.push_back(interpreter.apply_filter(name.text(), item, copy, "."));
  }
  return runtime.make_iterator(std::move(out));
}

template <bool keep, bool by_attribute>
Value filter_select(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  if (!is_true(self)) return runtime.make_iterator({});
  const std::size_t offset = by_attribute ? 1 : 0;
  if (by_attribute && arguments.positional.empty())
    runtime.raise("FilterArgumentError", "Missing parameter for attribute name");
  const AttributeGetter getter(interpreter, by_attribute ? arguments.positional[0] : Value::none());
  const bool has_test = arguments.positional.size() > offset;
  Arguments rest;
  rest.keyword = arguments.keyword;
  std::string name;
  if (has_test) {
    const Value& test = arguments.positional[offset];
    if (!test.is_string()) runtime.raise("TemplateRuntimeError", "No test named " + type_name(test) + ".");
    name = test.text();
    rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(offset) + 1,
                           arguments.positional.end());
  }
  std::vector<Value> out;
  for (const Value& item : iterate(runtime, self)) {
    const Value subject = getter(item);
    Arguments copy = rest;
    if ((has_test ? interpreter.apply_test(name, subject, copy, ".") : is_true(subject)) == keep)
      out.push_back(item);
  }
  return runtime.make_iterator(std::move(out));
}

Value filter_batch(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t count = bound.integer(0, 1);
  std::vector<Value> batches, current;
  for (Value& item : iterate(runtime, self)) {
    if (static_cast<std::int64_t>(current.size()) == count) {
      batches.push_back(runtime.make_list(std::move(current)));
      current.clear();
    }
    current.push_back(std::move(item));
  }
  if (!current.empty()) {
    if (!bound.value(1).is_none() && static_cast<std::int64_t>(current.size()) < count) {
      runtime.tick(static_cast<std::uint64_t>(count));
      current.resize(static_cast<std::size_t>(count), bound[1]);
    }
    batches.push_back(runtime.make_list(std::move(current)));
  }
  return runtime.make_iterator(std::move(batches));
}

Value filter_slice(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "slice", arguments, {"slices", "fill_with"}, 1);
  const std::int64_t slices = bound.integer(0, 1);
  const std::vector<Value> items = iterate(runtime, self);
  if (slices == 0) runtime.raise("ZeroDivisionError", "integer division or modulo by zero");
  std::vector<Value> out;
  if (slices > 0) runtime.tick(static_cast<std::uint64_t>(slices));
  const auto size = static_cast<std::int64_t>(items.size());
  const std::int64_t each = slices > 0 ? size / slices : 0;
  const std::int64_t extra = slices > 0 ? size % slices : 0;
  std::int64_t start = 0;
  for (std::int64_t i = 0; i < slices; ++i) {
    const std::int64_t end = start + each + (i < extra);
    std::vector<Value> part(items.begin() + start, items.begin() + end);
    if (!bound.value(1).is_none() && i >= extra) part.push_back(bound[1]);
    out.push_back(runtime.make_list(std::move(part)));
    start = end;
  }
  return runtime.make_iterator(std::move(out));
}

Value filter_groupby(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  std::optional<Value> fallback;
  if (!bound.value(1).is_none()) fallback = bound[1];
  const bool lower = !bound.flag(2, false);
  const AttributeGetter key(interpreter, bound[0], fallback, lower);
  const AttributeGetter shown(interpreter, bound[0], fallback);
  const std::vector<Value> items = sort_by(
      runtime, iterate(runtime, self), [&](const Value& item) { return key(item); }, false);
  std::vector<Value> groups;
  for (std::size_t i = 0; i < items.size();) {
    const Value first = key(items[i]);
    std::vector<Value> members;
    const Value grouper = shown(items[i]);
    for (; i < items.size() && (members.empty() || equals(runtime, key(items[i]), first)); ++i)
      members.push_back(items[i]);
    groups.push_back(runtime.make_list({grouper, runtime.make_list(std::move(members))}, ListForm::group));
  }
  return runtime.make_list(std::move(groups));
}

Value filter_attr(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "attr", arguments, {"name"}, 1);
  const std::string name = bound.text(0, "");
  if (self.is_undefined()) raise_undefined(runtime, self);
  Value result;
  if (find_attribute(interpreter, self, name, result)) return result;
  if (self.as_object<NamespaceObject>()) return interpreter.get_attribute(self, name);
  const std::string shown = describe_object(self);
  return Value::undefined("'" + shown + "' has no attribute '" + name + "'");
}

}  // namespace

Filter find_sequence_filter(std::string_view name) {
  static constexpr std::pair<std::string_view, Filter> kFilters[] = {
      {"length", filter_length},
      {"count", filter_length},
      {"first", filter_first},
      {"last", filter_last},
      {"list", filter_list},
      {"reverse", filter_reverse},
      {"join", filter_join},
      {"default", filter_default},
      {"d", filter_default},
      {"items", filter_items},
      {"dictsort", filter_dictsort},
      {"sort", filter_sort},
      {"unique", filter_unique},
      {"min", filter_extreme<false>},
      {"max", filter_extreme<true>},
      {"sum", filter_sum},
      {"map", filter_map},
      {"select", filter_select<true, false>},
      {"reject", filter_select<false, false>},
      {"selectattr", filter_select<true, true>},
      {"rejectattr", filter_select<false, true>},
      {"batch", filter_batch},
      {"slice", filter_slice},
      {"groupby", filter_groupby},
      {"attr", filter_attr},
  };
  for (const auto& [key, filter] : kFilters)
    if (key == name) return filter;
  return nullptr;
}

Filter find_filter(std::string_view name) {
  if (const Filter filter = find_sequence_filter(name)) return filter;
  return find_text_filter(name);
}

bool is_filter(std::string_view name) {
  // Jinja2 has these too; they are refused when they run.
  static constexpr std::string_view kRefused[] = {"pprint", "random", "urlize", "wordwrap"};
  return find_filter(name) || std::find(std::begin(kRefused), std::end(kRefused), name) != std::end(kRefused);
}

}  // namespace r1::jinja
