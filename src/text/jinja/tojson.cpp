// The hub's tojson: json.dumps with ensure_ascii=False, so nothing is escaped for HTML.
#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/unicode.h"

namespace r1::jinja {

namespace {

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, bool ascii, bool sort_keys, bool pretty, std::string indent,
             std::string item_separator, std::string key_separator)
      : runtime_(runtime),
        ascii_(ascii),
        sort_keys_(sort_keys),
        pretty_(pretty),
        indent_(std::move(indent)),
        item_separator_(std::move(item_separator)),
        key_separator_(std::move(key_separator)) {}

  void write(const Value& value) {
    const DepthGuard guard(runtime_);
    runtime_.tick();
    runtime_.check_string(out.size());
    switch (value.kind()) {
      case Kind::none:
        out += "null";
        return;
      case Kind::boolean:
        out += value.as_boolean() ? "true" : "false";
        return;
      case Kind::integer:
        out += std::to_string(value.as_integer());
        return;
      case Kind::floating:
        out += number(value.as_double());
        return;
      case Kind::string:
        write_string(value.text());
        return;
      case Kind::list:
        if (value.as_list().form != ListForm::list && !value.as_list().is_tuple()) break;
        write_list(value.as_list());
        return;
      case Kind::dict:
        write_dict(value.as_dict());
        return;
      default:
        break;
    }
    runtime_.raise("TypeError", "Object of type " + type_name(value) + " is not JSON serializable");
  }

  std::string out;

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_text(value);
  }

  void write_string(std::string_view text) {
    runtime_.tick(text.size() / 64);
    out += '"';
    for (const char32_t c : decode_utf8(text)) {
      switch (c) {
        case '"':
          out += "\\\"";
          continue;
        case '\\':
          out += "\\\\";
          continue;
        case '\n':
          out += "\\n";
          continue;
        case '\r':
          out += "\\r";
          continue;
        case '\t':
          out += "\\t";
          continue;
        case '\f':
          out += "\\f";
          continue;
        case '\b':
          out += "\\b";
          continue;
        default:
          break;
      }
      if (c < 0x20 || (ascii_ && c > 0x7E && c < 0x10000)) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      } else if (ascii_ && c >= 0x10000) {
        const unsigned rest = static_cast<unsigned>(c) - 0x10000;
        out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
      } else {
        append_utf8(out, c);
      }
    }
    out += '"';
  }

  void new_line() {
    if (!pretty_) return;
    out += '\n';
    runtime_.check_string(out.size() + indent_.size() * static_cast<std::size_t>(level_));
    for (int i = 0; i < level_; ++i) out += indent_;
  }

  void write_list(const ListObject& list) {
    if (list.items.empty()) {
      out += "[]";
      return;
    }
    out += '[';
    ++level_;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i) out += item_separator_;
      new_line();
      write(list.items[i]);
    }
    --level_;
    new_line();
    out += ']';
  }

  void write_dict(const DictObject& dict) {
    if (dict.entries.empty()) {
      out += "{}";
      return;
    }
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (sort_keys_) {
      for (const auto* entry : entries)
        less(runtime_, entries[0]->first, entry->first);  // raises for mixed keys
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const auto* a, const auto* b) { return less(runtime_, a->first, b->first); });
    }
    out += '{';
    ++level_;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i) out += item_separator_;
      new_line();
      write_key(entries[i]->first);
      out += key_separator_;
      write(entries[i]->second);
    }
    --level_;
    new_line();
    out += '}';
  }

  void write_key(const Value& key) {
    if (key.is_string()) {
      write_string(key.text());
    } else if (key.is_none()) {
      out += "\"null\"";
    } else if (key.is(Kind::boolean)) {
      out += key.as_boolean() ? "\"true\"" : "\"false\"";
    } else if (key.is_number()) {
      out += '"' + (key.is(Kind::integer) ? std::to_string(key.as_integer()) : number(key.as_double())) + '"';
    } else {
      runtime_.raise("TypeError", "keys must be str, int, float, bool or None, not " + type_name(key));
    }
  }

  Runtime& runtime_;
  const bool ascii_, sort_keys_, pretty_;
  const std::string indent_, item_separator_, key_separator_;
  int level_ = 0;
};

}  // namespace

Value filter_tojson(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  const Value indent = bound.value(1);
  const bool pretty = !indent.is_none();
  std::string blanks;
  if (indent.is_string()) {
    blanks = indent.text();
  } else if (pretty) {
    const std::int64_t width = std::max<std::int64_t>(to_index(runtime, indent), 0);
    runtime.check_string(static_cast<std::size_t>(width));
    blanks.assign(static_cast<std::size_t>(width), ' ');
  }
  std::string item_separator = pretty ? "," : ", ";
  std::string key_separator = ": ";
  if (!bound.value(2).is_none()) {
    const std::vector<Value> parts = iterate(runtime, bound[2]);
    if (parts.size() != 2 || !parts[0].is_string() || !parts[1].is_string())
      runtime.raise("ValueError", "separators must be two strings");
    item_separator = parts[0].text();
    key_separator = parts[1].text();
  }
  JsonWriter writer(runtime, bound.flag(0, false), bound.flag(3, false), pretty, std::move(blanks),
                    std::move(item_separator), std::move(key_separator));
  writer.write(self);
  return runtime.make_string(std::move(writer.out));
}

}  // namespace r1::jinja
