// The methods of str.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/unicode.h"

namespace r1::jinja {

namespace {

constexpr std::string_view kMethods[] = {
    "strip",        "lstrip",      "rstrip",  "split",     "rsplit",     "splitlines",   "startswith",
    "endswith",     "upper",       "lower",   "title",     "capitalize", "swapcase",     "casefold",
    "replace",      "join",        "format",  "find",      "rfind",      "index",        "rindex",
    "count",        "center",      "ljust",   "rjust",     "zfill",      "isdigit",      "isdecimal",
    "isnumeric",    "isalpha",     "isalnum", "isspace",   "isupper",    "islower",      "istitle",
    "isidentifier", "isprintable", "isascii", "partition", "rpartition", "removeprefix", "removesuffix",
    "expandtabs",   "encode",
};

std::string strip(const std::string& text, const Value& characters, bool left, bool right) {
  std::u32string_view view;
  const std::u32string decoded = decode_utf8(text);
  view = decoded;
  const std::u32string set = characters.is_none() ? std::u32string() : decode_utf8(characters.text());
  const auto cut = [&](char32_t c) {
    return characters.is_none() ? is_space(c) : set.find(c) != std::u32string::npos;
  };
  while (left && !view.empty() && cut(view.front())) view.remove_prefix(1);
  while (right && !view.empty() && cut(view.back())) view.remove_suffix(1);
  return encode_utf8(view);
}

std::vector<std::string> split_spaces(const std::string& text, std::int64_t most, bool from_right) {
  std::u32string decoded = decode_utf8(text);
  if (from_right) std::reverse(decoded.begin(), decoded.end());
  std::vector<std::string> parts;
  std::size_t i = 0;
  const auto skip = [&] {
    while (i < decoded.size() && is_space(decoded[i])) ++i;
  };
  const auto add = [&](std::u32string part) {
    if (from_right) std::reverse(part.begin(), part.end());
    parts.push_back(encode_utf8(part));
  };
  skip();
  while (i < decoded.size()) {
    if (most >= 0 && static_cast<std::int64_t>(parts.size()) == most) {
      add(decoded.substr(i));  // the rest keeps its blanks at the far end
      break;
    }
    const std::size_t start = i;
    while (i < decoded.size() && !is_space(decoded[i])) ++i;
    add(decoded.substr(start, i - start));
    skip();
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string> split_at(const std::string& text, const std::string& separator, std::int64_t most,
                                  bool from_right) {
  std::vector<std::string> parts;
  if (from_right) {
    std::size_t end = text.size();
    while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
      const std::size_t found =
          end < separator.size() ? text.npos : text.rfind(separator, end - separator.size());
      if (found == text.npos) break;
      parts.push_back(text.substr(found + separator.size(), end - found - separator.size()));
      end = found;
    }
    parts.push_back(text.substr(0, end));
    std::reverse(parts.begin(), parts.end());
    return parts;
  }
  std::size_t start = 0;
  while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
    const std::size_t found = text.find(separator, start);
    if (found == text.npos) break;
    parts.push_back(text.substr(start, found - start));
    start = found + separator.size();
  }
  parts.push_back(text.substr(start));
  return parts;
}

Value to_list(Runtime& runtime, std::vector<std::string> parts) {
  std::vector<Value> items;
  items.reserve(parts.size());
  runtime.tick(parts.size());
  for (std::string& part : parts) items.push_back(runtime.make_string(std::move(part)));
  return runtime.make_list(std::move(items));
}

bool is_line_break(char32_t c) {
  return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

Value call_split(Runtime& runtime, const std::string& text, const std::string& name, Arguments& arguments) {
  const Bound bound(runtime, name, arguments, {"sep", "maxsplit"});
  const std::int64_t most = bound.integer(1, -1);
  const bool from_right = name == "rsplit";
  if (bound.value(0).is_none()) return to_list(runtime, split_spaces(text, most, from_right));
  const std::string separator = bound.text(0, "");
  if (separator.empty()) runtime.raise("ValueError", "empty separator");
  return to_list(runtime, split_at(text, separator, most, from_right));
}

// find, index, count, startswith and endswith take a range of characters.
std::u32string_view in_range(Runtime& runtime, const std::u32string& text, const Bound& bound,
                             std::int64_t& start, bool& valid) {
  const auto size = static_cast<std::int64_t>(text.size());
  const auto place = [&](std::size_t i, std::int64_t fallback) {
    if (bound.value(i).is_none()) return fallback;
    const std::int64_t index = to_index(runtime, bound[i]);
    return index < 0 ? std::max<std::int64_t>(index + size, 0) : index;
  };
  start = place(1, 0);
  const std::int64_t stop = std::min(place(2, size), size);
  valid = start <= size && start <= stop;
  if (!valid) return {};
  return std::u32string_view(text).substr(static_cast<std::size_t>(start),
                                          static_cast<std::size_t>(stop - start));
}

Value call_search(Runtime& runtime, const std::string& self, const std::string& name, Arguments& arguments) {
  const Bound bound(runtime, name, arguments, {"sub", "start", "end"}, 1);
  const std::u32string text = decode_utf8(self);
  std::int64_t start = 0;
  bool valid = true;
  const std::u32string_view part = in_range(runtime, text, bound, start, valid);
  if (name == "startswith" || name == "endswith") {
    std::vector<Value> candidates{bound[0]};
    if (bound[0].is(Kind::list) && bound[0].as_list().is_tuple()) candidates = bound[0].as_list().items;
    for (const Value& candidate : candidates) {
      if (!candidate.is_string())
        runtime.raise("TypeError",
                      name + " first arg must be str or a tuple of str, not " + type_name(candidate));
      const std::u32string wanted = decode_utf8(candidate.text());
      if (valid && (name == "startswith" ? part.starts_with(wanted) : part.ends_with(wanted)))
        return Value::boolean(true);
    }
    return Value::boolean(false);
  }
  if (!bound[0].is_string()) runtime.raise("TypeError", "must be str, not " + type_name(bound[0]));
  const std::u32string wanted = decode_utf8(bound[0].text());
  if (name == "count") {
    if (!valid) return Value::integer(0);
    if (wanted.empty()) return Value::integer(static_cast<std::int64_t>(part.size()) + 1);
    std::int64_t count = 0;
    for (std::size_t i = part.find(wanted); i != part.npos; i = part.find(wanted, i + wanted.size())) ++count;
    return Value::integer(count);
  }
  const bool from_right = name == "rfind" || name == "rindex";
  const std::size_t found = !valid ? part.npos : from_right ? part.rfind(wanted) : part.find(wanted);
  if (found != part.npos) return Value::integer(start + static_cast<std::int64_t>(found));
  if (name == "index" || name == "rindex") runtime.raise("ValueError", "substring not found");
  return Value::integer(-1);
}

Value call_pad(Runtime& runtime, const Value& self, const std::string& name, Arguments& arguments) {
  const Bound bound(runtime, name, arguments, {"width", "fillchar"}, 1);
  const std::string fill = bound.text(1, name == "zfill" ? "0" : " ");
  if (count_characters(fill) != 1)
    runtime.raise("TypeError", "The fill character must be exactly one character long");
  const std::string& text = self.text();
  const auto size = static_cast<std::int64_t>(count_characters(text));
  const std::int64_t missing = bound.integer(0, 0) - size;
  if (missing <= 0) return self;
  runtime.check_string(static_cast<std::size_t>(missing));
  std::int64_t before = 0;
  // Python's rule for the odd blank of center().
  if (name == "center") before = missing / 2 + (missing & bound.integer(0, 0) & 1);
  if (name == "rjust" || name == "zfill") before = missing;
  std::string out;
  const bool sign = name == "zfill" && !text.empty() && (text[0] == '-' || text[0] == '+');
  if (sign) out += text[0];
  for (std::int64_t i = 0; i < before; ++i) out += fill;
  out += sign ? text.substr(1) : text;
  for (std::int64_t i = before; i < missing; ++i) out += fill;
  return runtime.make_string(std::move(out));
}

bool call_predicate(const std::string& self, const std::string& name) {
  const std::u32string text = decode_utf8(self);
  const auto all = [&](auto&& test) { return !text.empty() && std::all_of(text.begin(), text.end(), test); };
  if (name == "isdigit") return all(is_digit);
  if (name == "isdecimal") return all(is_decimal);
  if (name == "isnumeric") return all(is_numeric);
  if (name == "isalpha") return all(is_alpha);
  if (name == "isalnum") return all([](char32_t c) { return is_alpha(c) || is_numeric(c); });
  if (name == "isspace") return all(is_space);
  if (name == "isidentifier") return is_identifier(text);
  if (name == "isprintable") return std::all_of(text.begin(), text.end(), is_printable);
  if (name == "isascii") return std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; });
  if (name == "istitle") {
    bool previous = false, any = false;
    for (const char32_t c : text) {
      if (is_upper(c) || is_title(c)) {
        if (previous) return false;
        previous = any = true;
      } else if (is_lower(c)) {
        if (!previous) return false;
        any = true;
      } else {
        previous = false;
      }
    }
    return any;
  }
  const bool upper = name == "isupper";
  bool any = false;
  for (const char32_t c : text) {
    if (is_title(c) || (upper ? is_lower(c) : is_upper(c))) return false;
    any |= upper ? is_upper(c) : is_lower(c);
  }
  return any;
}

std::string expand_tabs(Runtime& runtime, const std::string& text, std::int64_t width) {
  std::string out;
  std::int64_t column = 0;
  for (const char32_t c : decode_utf8(text)) {
    if (c == '\t') {
      const std::int64_t blanks = width > 0 ? width - column % width : 0;
      runtime.check_string(out.size() + static_cast<std::size_t>(blanks));
      out.append(static_cast<std::size_t>(blanks), ' ');
      column += blanks;
    } else {
      append_utf8(out, c);
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
  }
  return out;
}

Value call_partition(Runtime& runtime, const std::string& text, const std::string& name,
                     Arguments& arguments) {
  const Bound bound(runtime, name, arguments, {"sep"}, 1);
  const std::string separator = bound.text(0, "");
  if (separator.empty()) runtime.raise("ValueError", "empty separator");
  const bool from_right = name == "rpartition";
  const std::size_t found = from_right ? text.rfind(separator) : text.find(separator);
  std::vector<std::string> parts{text, "", ""};
  if (from_right) parts = {"", "", text};
  if (found != text.npos) parts = {text.substr(0, found), separator, text.substr(found + separator.size())};
  Value result = to_list(runtime, std::move(parts));
  result.as_list().form = ListForm::tuple;
  return result;
}

Value call_join(Runtime& runtime, const std::string& separator, Arguments& arguments) {
  const Bound bound(runtime, "join", arguments, {"iterable"}, 1);
  if (!is_iterable(bound[0])) runtime.raise("TypeError", "can only join an iterable");
  std::string out;
  std::size_t i = 0;
  for (const Value& item : iterate(runtime, bound[0])) {
    if (!item.is_string())
      runtime.raise("TypeError",
                    fmt::format("sequence item {}: expected str instance, {} found", i, type_name(item)));
    if (i++) out += separator;
    out += item.text();
    runtime.check_string(out.size());
  }
  return runtime.make_string(std::move(out));
}

}  // namespace

bool is_string_method(std::string_view name) {
  return std::find(std::begin(kMethods), std::end(kMethods), name) != std::end(kMethods);
}

std::string replace_text(Runtime& runtime, const std::string& text, const std::string& from,
                         const std::string& to, std::int64_t most) {
  std::string out;
  std::int64_t count = 0;
  if (from.empty()) {  // between all characters
    const std::u32string decoded = decode_utf8(text);
    for (std::size_t i = 0; i <= decoded.size(); ++i) {
      if (most < 0 || count++ < most) out += to;
      if (i < decoded.size()) append_utf8(out, decoded[i]);
      runtime.check_string(out.size());
    }
    return out;
  }
  std::size_t start = 0;
  while (most < 0 || count < most) {
    const std::size_t found = text.find(from, start);
    if (found == text.npos) break;
    out.append(text, start, found - start);
    out += to;
    runtime.check_string(out.size());
    start = found + from.size();
    ++count;
  }
  out.append(text, start);
  return out;
}

std::vector<std::string> split_lines(const std::string& text, bool keep_ends) {
  const std::u32string decoded = decode_utf8(text);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < decoded.size();) {
    std::size_t end = i;
    while (end < decoded.size() && !is_line_break(decoded[end])) ++end;
    std::size_t after = end;
    if (after < decoded.size())
      after += decoded[after] == '\r' && after + 1 < decoded.size() && decoded[after + 1] == '\n' ? 2 : 1;
    lines.push_back(encode_utf8(std::u32string_view(decoded).substr(i, (keep_ends ? after : end) - i)));
    i = after;
  }
  return lines;
}

Value call_string_method(Interpreter& interpreter, const Value& self, const std::string& name,
                         Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const std::string& text = self.text();
  runtime.tick(text.size() / 64);
  const auto make = [&](std::string out) { return runtime.make_string(std::move(out), self.is_markup()); };
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    const Bound bound(runtime, name, arguments, {"chars"});
    if (!bound.value(0).is_none()) bound.text(0, "");
    return make(strip(text, bound.value(0), name != "rstrip", name != "lstrip"));
  }
  if (name == "split" || name == "rsplit") return call_split(runtime, text, name, arguments);
  if (name == "splitlines") {
    const Bound bound(runtime, name, arguments, {"keepends"});
    return to_list(runtime, split_lines(text, bound.flag(0, false)));
  }
  if (name == "startswith" || name == "endswith" || name == "find" || name == "rfind" || name == "index" ||
      name == "rindex" || name == "count")
    return call_search(runtime, text, name, arguments);
  if (name == "replace") {
    const Bound bound(runtime, name, arguments, {"old", "new", "count"}, 2);
    return make(replace_text(runtime, text, bound.text(0, ""), bound.text(1, ""), bound.integer(2, -1)));
  }
  if (name == "join") return call_join(runtime, text, arguments);
  if (name == "format") return make(format_braces(interpreter, text, arguments));
  if (name == "center" || name == "ljust" || name == "rjust" || name == "zfill")
    return call_pad(runtime, self, name, arguments);
  if (name == "partition" || name == "rpartition") return call_partition(runtime, text, name, arguments);
  if (name == "removeprefix" || name == "removesuffix") {
    const Bound bound(runtime, name, arguments, {"part"}, 1);
    const std::string part = bound.text(0, "");
    if (name == "removeprefix" ? !text.starts_with(part) : !text.ends_with(part)) return self;
    return make(name == "removeprefix" ? text.substr(part.size())
                                       : text.substr(0, text.size() - part.size()));
  }
  if (name == "expandtabs") {
    const Bound bound(runtime, name, arguments, {"tabsize"});
    return make(expand_tabs(runtime, text, bound.integer(0, 8)));
  }
  if (name == "encode") runtime.refuse("bytes are not supported");
  const Bound bound(runtime, name, arguments, {});
  if (name == "upper") return make(encode_utf8(to_upper(decode_utf8(text))));
  if (name == "lower" || name == "casefold") {
    std::string out = encode_utf8(to_lower(decode_utf8(text)));
    if (name == "casefold") out = replace_text(runtime, out, "ß", "ss", -1);
    return make(std::move(out));
  }
  if (name == "title") return make(encode_utf8(to_title(decode_utf8(text))));
  if (name == "capitalize") return make(encode_utf8(capitalize(decode_utf8(text))));
  if (name == "swapcase") return make(encode_utf8(swap_case(decode_utf8(text))));
  return Value::boolean(call_predicate(text, name));
}

}  // namespace r1::jinja
