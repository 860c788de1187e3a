// Filters on text and numbers.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "text/jinja/builtins.h"
#include "text/jinja/unicode.h"

namespace r1::jinja {

namespace {

// str(value), still marked as safe when it was.
Value soft_text(Runtime& runtime, const Value& self) {
  return self.is_string() ? self : runtime.make_string(to_text(runtime, self));
}

template <const char* method>
Value by_method(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), method, arguments, {});
  return call_string_method(interpreter, soft_text(interpreter.runtime(), self), method, arguments);
}

constexpr char kUpper[] = "upper";
constexpr char kLower[] = "lower";
constexpr char kCapitalize[] = "capitalize";

Value filter_trim(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "trim", arguments, {"chars"});
  Arguments inner;
  inner.positional.push_back(bound.value(0));
  return call_string_method(interpreter, soft_text(runtime, self), "strip", inner);
}

Value filter_title(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "title", arguments, {});
  const std::u32string text = decode_utf8(soft_text(runtime, self).text());
  std::string out;
  static constexpr std::u32string_view kBreaks = U"-({[<";
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    const auto is_break = [&](char32_t c) { return is_space(c) || kBreaks.find(c) != kBreaks.npos; };
    while (end < text.size() && !is_break(text[end])) ++end;
    if (end == i) {
      append_utf8(out, text[i++]);
      continue;
    }
    const auto word = std::u32string_view(text).substr(i, end - i);
    out += encode_utf8(to_upper(word.substr(0, 1)));
    out += encode_utf8(to_lower(word.substr(1)));
    i = end;
  }
  return runtime.make_string(std::move(out));
}

Value filter_replace(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t most = bound.value(2).is_none() ? -1 : bound.integer(2, -1);
  const std::string text = to_text(runtime, self);
  runtime.tick(text.size() / 64);
  return runtime.make_string(
      replace_text(runtime, text, to_text(runtime, bound[0]), to_text(runtime, bound[1]), most));
}

Value filter_string(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "string", arguments, {});
  return soft_text(interpreter.runtime(), self);
}

Value filter_safe(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "safe", arguments, {});
  return interpreter.runtime().make_string(to_text(interpreter.runtime(), self), true);
}

Value filter_escape(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "escape", arguments, {});
  if (self.is_markup()) return self;
  return interpreter.runtime().make_string(escape_html(to_text(interpreter.runtime(), self)), true);
}

Value filter_forceescape(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "forceescape", arguments, {});
  return interpreter.runtime().make_string(escape_html(to_text(interpreter.runtime(), self)), true);
}

Value filter_indent(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "indent", arguments, {"width", "first", "blank"});
  if (self.is_undefined()) raise_undefined(runtime, self);
  if (self.is(Kind::list) && self.as_list().form == ListForm::list)
    runtime.raise("AttributeError", "'list' object has no attribute 'splitlines'");
  if (!self.is_string())
    runtime.raise("TypeError", "unsupported operand type(s) for +=: '" + type_name(self) + "' and 'str'");
  std::string blanks;
  if (bound.has(0) && bound[0].is_string()) {
    blanks = bound[0].text();
  } else {
    const std::int64_t width = std::max<std::int64_t>(bound.integer(0, 4), 0);
    runtime.check_string(static_cast<std::size_t>(width));
    blanks.assign(static_cast<std::size_t>(width), ' ');
  }
  const bool blank = bound.flag(2, false);
  const std::vector<std::string> lines = split_lines(self.text() + "\n", false);
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i) out += '\n';
    if (i ? blank || !lines[i].empty() : bound.flag(1, false)) out += blanks;
    out += lines[i];
    runtime.check_string(out.size());
  }
  return runtime.make_string(std::move(out), self.is_markup());
}

Value filter_center(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "center", arguments, {"width"});
  Arguments inner;
  inner.positional.push_back(bound.has(0) ? bound[0] : Value::integer(80));
  return call_string_method(interpreter, soft_text(runtime, self), "center", inner);
}

Value filter_truncate(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::int64_t most = bound.integer(0, 255);
  const std::string end = bound.text(2, "...");
  const std::int64_t leeway = bound.value(3).is_none() ? 5 : bound.integer(3, 5);
  const auto end_size = static_cast<std::int64_t>(count_characters(end));
  if (most < end_size)
    runtime.raise("AssertionError", fmt::format("expected length >= {}, got {}", end_size, most));
  if (leeway < 0) runtime.raise("AssertionError", fmt::format("expected leeway >= 0, got {}", leeway));
  const std::int64_t size = length(runtime, self);
  if (size - most <= leeway) return self;
  if (!self.is_string()) runtime.raise("TypeError", "truncate needs a str, not " + type_name(self));
  const std::u32string text = decode_utf8(self.text()).substr(0, static_cast<std::size_t>(most - end_size));
  std::size_t cut = bound.flag(1, false) ? text.npos : text.rfind(U' ');
  return runtime.make_string(encode_utf8(std::u32string_view(text).substr(0, cut)) + end);
}

Value filter_wordcount(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "wordcount", arguments, {});
  std::int64_t count = 0;
  bool inside = false;
  for (const char32_t c : decode_utf8(soft_text(runtime, self).text())) {
    const bool word = is_word(c);
    count += word && !inside;
    inside = word;
  }
  return Value::integer(count);
}

Value filter_format(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  if (!arguments.positional.empty() && !arguments.keyword.empty())
    runtime.raise("FilterArgumentError", "can't handle positional and keyword arguments at the same time");
  Value values = runtime.make_list(arguments.positional, ListForm::tuple);
  if (!arguments.keyword.empty()) {
    values = runtime.make_dict();
    for (const auto& [key, value] : arguments.keyword)
      values.as_dict().set(runtime, Value::string(key), value);
  }
  return runtime.make_string(format_percent(runtime, soft_text(runtime, self).text(), values));
}

std::string quote_url(std::string_view text, bool for_query) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x80 && std::isalnum(byte)) || c == '_' || c == '.' || c == '-' || c == '~' ||
        (c == '/' && !for_query)) {
      out += c;
    } else if (for_query && c == ' ') {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(byte));
    }
  }
  return out;
}

Value filter_urlencode(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "urlencode", arguments, {});
  if (self.is_string() || !is_iterable(self))
    return runtime.make_string(quote_url(to_text(runtime, self), false));
  std::string out;
  const auto add = [&](const Value& key, const Value& value) {
    if (!out.empty()) out += '&';
    out += quote_url(to_text(runtime, key), true) + "=" + quote_url(to_text(runtime, value), true);
  };
  if (self.is(Kind::dict)) {
    for (const auto& [key, value] : self.as_dict().entries) add(key, value);
  } else {
    for (const Value& item : iterate(runtime, self)) {
      const std::vector<Value> pair = iterate(runtime, item);
      if (pair.size() != 2) runtime.raise("ValueError", "urlencode needs pairs");
      add(pair[0], pair[1]);
    }
  }
  return runtime.make_string(std::move(out));
}

Value filter_striptags(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "striptags", arguments, {});
  std::string text = to_text(runtime, self);
  const auto remove = [&](std::string_view open, std::string_view close) {
    std::string out;
    std::size_t start = 0;
    while (true) {
      const std::size_t begin = text.find(open, start);
      const std::size_t end = begin == text.npos ? text.npos : text.find(close, begin + open.size());
      if (end == text.npos) break;
      out.append(text, start, begin - start);
      start = end + close.size();
    }
    text = out + text.substr(start);
  };
  remove("<!--", "-->");
  remove("<", ">");
  std::string joined;
  Arguments none;
  const Value words = call_string_method(interpreter, Value::string(text), "split", none);
  for (const Value& word : words.as_list().items) {
    if (!joined.empty()) joined += ' ';
    joined += word.text();
  }
  static constexpr std::pair<const char*, const char*> kEntities[] = {
      {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#34;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}};
  for (const auto& [entity, character] : kEntities)
    joined = replace_text(runtime, joined, entity, character, -1);
  return runtime.make_string(std::move(joined));
}

Value filter_xmlattr(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "xmlattr", arguments, {"autospace"});
  if (self.is_undefined()) raise_undefined(runtime, self);
  if (!self.is(Kind::dict))
    runtime.raise("AttributeError", "'" + type_name(self) + "' object has no attribute 'items'");
  std::string out;
  for (const auto& [key, value] : self.as_dict().entries) {
    if (value.is_none() || value.is_undefined()) continue;
    if (!key.is_string()) runtime.raise("TypeError", "expected string or bytes-like object");
    if (key.text().find_first_of(" \t\n\r\f\v/>=") != std::string::npos)
      runtime.raise("ValueError", "Invalid character in attribute name: " + quote_text(key.text()));
    if (!out.empty()) out += ' ';
    out += escape_html(key.text()) + "=\"" +
           (value.is_markup() ? value.text() : escape_html(to_text(runtime, value))) + "\"";
  }
  if (bound.flag(0, true) && !out.empty()) out = " " + out;
  return runtime.make_string(std::move(out));
}

std::string strip_spaces(std::string_view text) {
  std::u32string decoded = decode_utf8(text);
  std::u32string_view view = decoded;
  while (!view.empty() && is_space(view.front())) view.remove_prefix(1);
  while (!view.empty() && is_space(view.back())) view.remove_suffix(1);
  return encode_utf8(view);
}

// Python's float(text); false when it is no number.
bool parse_float(std::string_view text, double& number) {
  std::string clean = strip_spaces(text);
  for (std::size_t i = 0; i < clean.size(); ++i) {
    if (clean[i] == '_') {
      const bool inside = i > 0 && i + 1 < clean.size() &&
                          std::isdigit(static_cast<unsigned char>(clean[i - 1])) &&
                          std::isdigit(static_cast<unsigned char>(clean[i + 1]));
      if (!inside) return false;
    }
  }
  clean.erase(std::remove(clean.begin(), clean.end(), '_'), clean.end());
  if (clean.empty()) return false;
  std::string lower = clean;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::string unsigned_text = lower.substr(lower[0] == '+' || lower[0] == '-');
  const bool word = unsigned_text == "inf" || unsigned_text == "infinity" || unsigned_text == "nan";
  if (!word && unsigned_text.find_first_not_of("0123456789.e+-") != std::string::npos) return false;
  char* end = nullptr;
  number = std::strtod(clean.c_str(), &end);
  return end == clean.c_str() + clean.size();
}

Value filter_filesizeformat(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "filesizeformat", arguments, {"binary"});
  if (self.is_undefined()) raise_undefined(runtime, self);
  if (!self.is_number() && !self.is_string())
    runtime.raise("TypeError",
                  "float() argument must be a string or a real number, not '" + type_name(self) + "'");
  double bytes = self.is_number() ? self.as_double() : 0;
  if (self.is_string() && !parse_float(self.text(), bytes))
    runtime.raise("ValueError", "could not convert string to float: " + quote_text(self.text()));
  const bool binary = bound.flag(0, false);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return Value::string("1 Byte");
  if (bytes < base)
    return runtime.make_string(fmt::format("{} Bytes", float_to_integer(runtime, bytes).as_integer()));
  double unit = base;
  std::string out;
  for (const char prefix : std::string_view(binary ? "KMGTPEZY" : "kMGTPEZY")) {
    unit *= base;
    out = fmt::format("{:.1f} {}{}", base * bytes / unit, prefix, binary ? "iB" : "B");
    if (bytes < unit) break;
  }
  return runtime.make_string(std::move(out));
}

// Python's int(text, base); false when it is no number.
bool parse_integer(Runtime& runtime, std::string_view text, std::int64_t base, std::int64_t& number) {
  const std::string clean = strip_spaces(text);
  std::size_t i = 0;
  bool negative = false;
  if (i < clean.size() && (clean[i] == '+' || clean[i] == '-')) negative = clean[i++] == '-';
  const auto prefix = [&](char letter) {
    return i + 1 < clean.size() && clean[i] == '0' && (clean[i + 1] | 0x20) == letter;
  };
  bool after_prefix = false;
  static constexpr std::pair<char, int> kPrefixes[] = {{'x', 16}, {'o', 8}, {'b', 2}};
  bool detected = false;
  for (const auto& [letter, its_base] : kPrefixes) {
    if (detected || !prefix(letter) || (base != 0 && base != its_base)) continue;
    base = its_base;
    i += 2;
    after_prefix = detected = true;
  }
  const bool from_zero = base == 0;
  if (from_zero) base = 10;
  if (base < 2 || base > 36) runtime.raise("ValueError", "int() base must be >= 2 and <= 36, or 0");
  if (i >= clean.size()) return false;
  number = 0;
  bool previous_digit = after_prefix, any = false;
  const bool leading_zero = from_zero && clean[i] == '0';
  bool overflow = false;
  for (; i < clean.size(); ++i) {
    const auto c = static_cast<unsigned char>(clean[i]);
    if (c == '_' && previous_digit && i + 1 < clean.size()) {
      previous_digit = false;
      continue;
    }
    const int digit = std::isdigit(c) ? c - '0' : std::isalpha(c) ? (c | 0x20) - 'a' + 10 : 99;
    if (digit >= base) return false;
    overflow |= __builtin_mul_overflow(number, base, &number) ||
                __builtin_sub_overflow(number, static_cast<std::int64_t>(digit), &number);
    previous_digit = any = true;
  }
  if (!any || !previous_digit || (leading_zero && number != 0)) return false;
  overflow |= !negative && __builtin_sub_overflow(std::int64_t{0}, number, &number);
  if (overflow) runtime.refuse("the number is an integer outside 64 bits");
  return true;
}

Value filter_int(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "int", arguments, {"default", "base"});
  Value fallback = bound.has(0) ? bound[0] : Value::integer(0);
  if (self.is_undefined()) raise_undefined(runtime, self);
  if (self.is_integral()) return Value::integer(self.as_integer());
  double number = 0;
  if (self.is_string()) {
    std::int64_t integer = 0;
    if (parse_integer(runtime, self.text(), bound.integer(1, 10), integer)) return Value::integer(integer);
    if (!parse_float(self.text(), number)) return fallback;
  } else if (self.is(Kind::floating)) {
    number = self.as_double();
    // int(inf) raises OverflowError, which the filter does not catch in its first attempt.
    if (std::isinf(number)) return float_to_integer(runtime, number);
  } else {
    return fallback;
  }
  if (!std::isfinite(number)) return fallback;
  return float_to_integer(runtime, number);
}

Value filter_float(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "float", arguments, {"default"});
  if (self.is_undefined()) raise_undefined(runtime, self);
  if (self.is_number()) return Value::floating(self.as_double());
  double number = 0;
  if (self.is_string() && parse_float(self.text(), number)) return Value::floating(number);
  return bound.has(0) ? bound[0] : Value::floating(0.0);
}

Value filter_abs(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "abs", arguments, {});
  if (self.is(Kind::floating)) return Value::floating(std::fabs(self.as_double()));
  if (!self.is_integral())
    runtime.raise("TypeError", "bad operand type for abs(): '" + type_name(self) + "'");
  return self.as_integer() < 0 ? negate(runtime, self) : Value::integer(self.as_integer());
}

// Python's round(): exact decimal digits, ties to even.
double round_float(double number, std::int64_t precision) {
  if (!std::isfinite(number) || precision > 322) return number;
  if (precision < -308) return std::copysign(0.0, number);
  if (precision >= 0)
    return std::strtod(fmt::format("{:.{}f}", number, static_cast<int>(precision)).c_str(), nullptr);
  const double scale = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(number / scale) * scale;
}

Value filter_round(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "round", arguments, {"precision", "method"});
  const std::string method = bound.text(1, "common");
  if (method != "common" && method != "ceil" && method != "floor")
    runtime.raise("FilterArgumentError", "method must be common, ceil or floor");
  if (self.is_undefined() && method != "common") raise_undefined(runtime, self);
  if (!self.is_number())
    runtime.raise("TypeError", "type " + type_name(self) + " doesn't define __round__ method");
  const std::int64_t precision = bound.integer(0, 0);
  if (method == "common") {
    if (self.is(Kind::floating)) return Value::floating(round_float(self.as_double(), precision));
    if (precision >= 0) return Value::integer(self.as_integer());
    if (precision < -18) return Value::integer(0);
    std::int64_t scale = 1;
    for (std::int64_t i = 0; i < -precision; ++i) scale *= 10;
    std::int64_t quotient = self.as_integer() / scale;
    const std::int64_t rest = std::llabs(self.as_integer() % scale);
    if (rest > scale / 2 || (rest == scale / 2 && (quotient & 1))) quotient += self.as_integer() < 0 ? -1 : 1;
    return arithmetic(runtime, "*", Value::integer(quotient), Value::integer(scale));
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = self.as_double() * scale;
  return Value::floating((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

}  // namespace

Filter find_text_filter(std::string_view name) {
  static constexpr std::pair<std::string_view, Filter> kFilters[] = {
      {"upper", by_method<kUpper>},
      {"lower", by_method<kLower>},
      {"capitalize", by_method<kCapitalize>},
      {"trim", filter_trim},
      {"title", filter_title},
      {"replace", filter_replace},
      {"string", filter_string},
      {"safe", filter_safe},
      {"escape", filter_escape},
      {"e", filter_escape},
      {"forceescape", filter_forceescape},
      {"indent", filter_indent},
      {"center", filter_center},
      {"truncate", filter_truncate},
      {"wordcount", filter_wordcount},
      {"format", filter_format},
      {"urlencode", filter_urlencode},
      {"striptags", filter_striptags},
      {"filesizeformat", filter_filesizeformat},
      {"xmlattr", filter_xmlattr},
      {"int", filter_int},
      {"float", filter_float},
      {"abs", filter_abs},
      {"round", filter_round},
      {"tojson", filter_tojson},
  };
  for (const auto& [key, filter] : kFilters)
    if (key == name) return filter;
  return nullptr;
}

}  // namespace r1::jinja
