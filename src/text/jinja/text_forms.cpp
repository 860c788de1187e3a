// str() and repr().
#include <charconv>
#include <cmath>

#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"
#include "text/jinja/unicode.h"

namespace r1::jinja {

std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[64];
  // The shortest digits that read back as the same number; Python shows exponents below -4 and from 16 on.
  auto result = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific);
  std::string scientific(buffer, result.ptr);
  const std::size_t mark = scientific.find('e');
  const int exponent = std::stoi(scientific.substr(mark + 1));
  if (exponent < -4 || exponent >= 16) return scientific;
  result = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed);
  std::string fixed(buffer, result.ptr);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

std::string quote_text(std::string_view text) {
  const bool has_single = text.find('\'') != text.npos;
  const bool has_double = text.find('"') != text.npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (const char32_t c : decode_utf8(text)) {
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_printable(c)) {
      append_utf8(out, c);
    } else if (c < 0x100) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += fmt::format("\\U{:08x}", static_cast<unsigned>(c));
    }
  }
  out += quote;
  return out;
}

namespace {

void append_items(Runtime& runtime, std::string& out, const std::vector<Value>& items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i) out += ", ";
    append_repr(runtime, out, items[i]);
  }
}

void append_dict(Runtime& runtime, std::string& out, const DictObject& dict) {
  out += '{';
  for (std::size_t i = 0; i < dict.entries.size(); ++i) {
    if (i) out += ", ";
    append_repr(runtime, out, dict.entries[i].first);
    out += ": ";
    append_repr(runtime, out, dict.entries[i].second);
  }
  out += '}';
}

void append_list(Runtime& runtime, std::string& out, const ListObject& list) {
  switch (list.form) {
    case ListForm::list:
      out += '[';
      append_items(runtime, out, list.items);
      out += ']';
      return;
    case ListForm::tuple:
    case ListForm::group:
      out += '(';
      append_items(runtime, out, list.items);
      out += list.items.size() == 1 ? ",)" : ")";
      return;
    case ListForm::range:
      out += list.step == 1 ? fmt::format("range({}, {})", list.start, list.stop)
                            : fmt::format("range({}, {}, {})", list.start, list.stop, list.step);
      return;
    case ListForm::items_view:
    case ListForm::keys_view:
    case ListForm::values_view:
      out += list.form == ListForm::items_view  ? "dict_items(["
             : list.form == ListForm::keys_view ? "dict_keys(["
                                                : "dict_values([";
      append_items(runtime, out, list.items);
      out += "])";
      return;
    case ListForm::iterator:
      out += fmt::format("<{} object>", list.type_name);
      return;
  }
}

}  // namespace

void append_repr(Runtime& runtime, std::string& out, const Value& value) {
  runtime.tick();
  runtime.check_string(out.size());
  switch (value.kind()) {
    case Kind::undefined:
      out += "Undefined";
      return;
    case Kind::none:
      out += "None";
      return;
    case Kind::boolean:
      out += value.as_boolean() ? "True" : "False";
      return;
    case Kind::integer:
      out += std::to_string(value.as_integer());
      return;
    case Kind::floating:
      out += float_text(value.as_double());
      return;
    case Kind::string:
      runtime.tick(value.text().size() / 64);
      out += value.is_markup() ? "Markup(" + quote_text(value.text()) + ")" : quote_text(value.text());
      return;
    case Kind::list: {
      const DepthGuard guard(runtime);
      append_list(runtime, out, value.as_list());
      return;
    }
    case Kind::dict: {
      const DepthGuard guard(runtime);
      append_dict(runtime, out, value.as_dict());
      return;
    }
    case Kind::object:
      break;
  }
  if (const auto* space = value.as_object<NamespaceObject>()) {
    const DepthGuard guard(runtime);
    out += "<Namespace ";
    append_dict(runtime, out, *space->attributes);
    out += '>';
  } else if (const auto* macro = value.as_object<MacroObject>()) {
    out += macro->is_caller ? "<Macro anonymous>" : "<Macro " + quote_text(macro->name) + ">";
  } else if (auto* loop = value.as_object<LoopObject>()) {
    out += fmt::format("<LoopContext {}/{}>", loop->index0 + 1, loop->length());
  } else if (const auto* method = value.as_object<BoundMethod>()) {
    out += fmt::format("<built-in method {} of {} object>", method->name, type_name(method->self));
  } else {
    out += fmt::format("<{} object>", type_name(value));
  }
}

void append_text(Runtime& runtime, std::string& out, const Value& value) {
  if (value.is_string()) {
    runtime.check_string(out.size() + value.text().size());
    out += value.text();
  } else if (!value.is_undefined()) {
    append_repr(runtime, out, value);
  }
}

std::string to_text(Runtime& runtime, const Value& value) {
  std::string out;
  append_text(runtime, out, value);
  runtime.charge(out.size());
  return out;
}

}  // namespace r1::jinja
