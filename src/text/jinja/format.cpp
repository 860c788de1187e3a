// Python's two ways to fill a text: "%s" % values and "{}".format(values).
#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/unicode.h"

namespace r1::jinja {

namespace {

constexpr int kMaxWidth = 1 << 20;

struct Spec {
  std::string fill = " ";
  char align = 0;  // < > ^ =
  char sign = '-';
  bool alternate = false, zero = false, group = false;
  char group_symbol = ',';
  int width = 0;
  int precision = -1;
  char type = 0;
};

std::string pad(const Spec& spec, const std::string& sign, const std::string& body, char default_align) {
  const int size = static_cast<int>(count_characters(sign) + count_characters(body));
  const int missing = std::max(spec.width - size, 0);
  const char align = spec.align ? spec.align : default_align;
  const int before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  std::string left, right;
  for (int i = 0; i < before; ++i) left += spec.fill;
  for (int i = before; i < missing; ++i) right += spec.fill;
  return align == '=' ? sign + left + body : left + sign + body + right;
}

std::string with_groups(const std::string& digits, char symbol) {
  const std::size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  std::string out;
  for (std::size_t i = 0; i < whole; ++i) {
    if (i && (whole - i) % 3 == 0) out += symbol;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

std::string sign_of(const Spec& spec, bool negative) {
  return negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
}

std::string format_integer(const Spec& spec, std::int64_t number) {
  const bool negative = number < 0;
  const std::uint64_t size =
      negative ? std::uint64_t{0} - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  std::string digits, prefix;
  switch (spec.type) {
    case 'x':
      digits = fmt::format("{:x}", size), prefix = "0x";
      break;
    case 'X':
      digits = fmt::format("{:X}", size), prefix = "0X";
      break;
    case 'o':
      digits = fmt::format("{:o}", size), prefix = "0o";
      break;
    case 'b':
      digits = fmt::format("{:b}", size), prefix = "0b";
      break;
    default:
      digits = std::to_string(size);
  }
  if (spec.precision > static_cast<int>(digits.size()))
    digits.insert(0, static_cast<std::size_t>(spec.precision) - digits.size(), '0');
  if (spec.group) digits = with_groups(digits, spec.group_symbol);
  return pad(spec, sign_of(spec, negative) + (spec.alternate ? prefix : ""), digits, '>');
}

std::string format_float(const Spec& spec, double number) {
  const bool negative = std::signbit(number) && !std::isnan(number);
  const double size = std::fabs(number);
  const int precision = std::min(spec.precision < 0 ? 6 : spec.precision, 1000);
  std::string digits;
  if (!std::isfinite(size)) {
    digits = std::isnan(size) ? "nan" : "inf";
    if (spec.type == 'F' || spec.type == 'E' || spec.type == 'G') digits = std::isnan(size) ? "NAN" : "INF";
  } else {
    switch (spec.type) {
      case 'f':
      case 'F':
        digits = fmt::format("{:.{}f}", size, precision);
        break;
      case 'e':
        digits = fmt::format("{:.{}e}", size, precision);
        break;
      case 'E':
        digits = fmt::format("{:.{}E}", size, precision);
        break;
      case 'g':
        digits = fmt::format("{:.{}g}", size, std::max(precision, 1));
        break;
      case 'G':
        digits = fmt::format("{:.{}G}", size, std::max(precision, 1));
        break;
      case '%':
        digits = fmt::format("{:.{}f}", size * 100, precision) + "%";
        break;
      default:  // like str(), or like g with at least one digit behind the point
        digits = float_text(size);
        if (spec.precision >= 0) {
          digits = fmt::format("{:.{}g}", size, std::max(precision, 1));
          if (digits.find_first_of(".e") == digits.npos) digits += ".0";
        }
    }
  }
  if (spec.group) digits = with_groups(digits, spec.group_symbol);
  return pad(spec, sign_of(spec, negative), digits, '>');
}

std::string format_text(const Spec& spec, const std::string& text) {
  std::string body = text;
  if (spec.precision >= 0 && static_cast<std::size_t>(spec.precision) < count_characters(text))
    body = encode_utf8(decode_utf8(text).substr(0, static_cast<std::size_t>(spec.precision)));
  return pad(spec, "", body, '<');
}

std::string ascii_repr(const std::string& repr) {
  std::string out;
  for (const char32_t c : decode_utf8(repr)) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x100) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += fmt::format("\\U{:08x}", static_cast<unsigned>(c));
    }
  }
  return out;
}

std::string repr_of(Runtime& runtime, const Value& value) {
  std::string out;
  append_repr(runtime, out, value);
  return out;
}

// "%s" % values, one conversion at a time.
class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, std::string_view format, const Value& arguments)
      : runtime_(runtime), format_(format), arguments_(arguments) {
    is_tuple_ = arguments.is(Kind::list) && arguments.as_list().is_tuple();
  }

  std::string run() {
    std::string out;
    while (at_ < format_.size()) {
      const std::size_t percent = std::min(format_.find('%', at_), format_.size());
      out.append(format_.substr(at_, percent - at_));
      at_ = percent;
      if (at_ == format_.size()) break;
      ++at_;
      out += conversion();
      runtime_.check_string(out.size());
      runtime_.tick();
    }
    const std::size_t given = is_tuple_ ? arguments_.as_list().items.size() : 1;
    const bool mapping =
        arguments_.is(Kind::dict) || arguments_.is_undefined() || (arguments_.is(Kind::list) && !is_tuple_);
    if (taken_ < given && !mapping)
      runtime_.raise("TypeError", "not all arguments converted during string formatting");
    return out;
  }

 private:
  char peek() const {
    if (at_ >= format_.size()) runtime_.raise("ValueError", "incomplete format");
    return format_[at_];
  }

  Value take() {
    const std::size_t given = is_tuple_ ? arguments_.as_list().items.size() : 1;
    if (taken_ >= given) runtime_.raise("TypeError", "not enough arguments for format string");
    const std::size_t i = taken_++;
    return is_tuple_ ? arguments_.as_list().items[i] : arguments_;
  }

  int number() {
    if (peek() == '*') {
      ++at_;
      const std::int64_t value = to_index(runtime_, take());
      if (value < -kMaxWidth || value > kMaxWidth)
        runtime_.raise("LimitError", "a format width that is too large");
      return static_cast<int>(value);
    }
    int value = 0;
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + (format_[at_++] - '0');
      if (value > kMaxWidth) runtime_.raise("LimitError", "a format width that is too large");
    }
    return value;
  }

  std::string conversion() {
    Spec spec;
    Value named;
    bool has_name = false;
    if (peek() == '(') {
      if (arguments_.is_undefined()) raise_undefined(runtime_, arguments_);
      if (!arguments_.is(Kind::dict)) runtime_.raise("TypeError", "format requires a mapping");
      std::size_t end = ++at_;
      for (int open = 1; open > 0; ++end) {
        if (end >= format_.size()) runtime_.raise("ValueError", "incomplete format key");
        open += format_[end] == '(' ? 1 : format_[end] == ')' ? -1 : 0;
      }
      const std::string key(format_.substr(at_, end - 1 - at_));
      const Value* found = arguments_.as_dict().find(key);
      if (!found) runtime_.raise("KeyError", quote_text(key));
      named = *found;
      has_name = true;
      at_ = end;
    }
    bool left = false;
    for (;; ++at_) {
      const char c = peek();
      if (c == '-') {
        left = true;
      } else if (c == '+') {
        spec.sign = '+';
      } else if (c == ' ') {
        if (spec.sign != '+') spec.sign = ' ';
      } else if (c == '#') {
        spec.alternate = true;
      } else if (c == '0') {
        spec.zero = true;
      } else {
        break;
      }
    }
    spec.width = number();
    if (spec.width < 0) {
      left = true;
      spec.width = -spec.width;
    }
    if (peek() == '.') {
      ++at_;
      spec.precision = std::max(number(), 0);
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    const char type = format_[at_++];
    if (type == '%') return "%";
    if (left) {
      spec.align = '<';
    } else {
      spec.align = '>';
    }
    return convert(spec, type, left, has_name ? named : take());
  }

  std::string convert(Spec spec, char type, bool left, const Value& value) {
    spec.type = type;
    switch (type) {
      case 's':
        return format_text(spec, to_text(runtime_, value));
      case 'r':
        return format_text(spec, repr_of(runtime_, value));
      case 'a':
        return format_text(spec, ascii_repr(repr_of(runtime_, value)));
      case 'c': {
        if (value.is_string() && count_characters(value.text()) == 1) return format_text(spec, value.text());
        if (!value.is_integral()) runtime_.raise("TypeError", "%c requires int or char");
        const std::int64_t code = value.as_integer();
        if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
          runtime_.raise("OverflowError", "%c arg not in range(0x110000)");
        std::string text;
        append_utf8(text, static_cast<char32_t>(code));
        return format_text(spec, text);
      }
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o': {
        const bool decimal = type == 'd' || type == 'i' || type == 'u';
        if (!value.is_number() || (!decimal && value.is(Kind::floating))) {
          if (decimal && value.is_undefined()) raise_undefined(runtime_, value);
          runtime_.raise("TypeError",
                         fmt::format("%{} format: {} is required, not {}", type,
                                     decimal ? "a real number" : "an integer", type_name(value)));
        }
        if (spec.zero && !left) spec.fill = "0", spec.align = '=';
        return format_integer(spec, value.is(Kind::floating)
                                        ? float_to_integer(runtime_, value.as_double()).as_integer()
                                        : value.as_integer());
      }
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (value.is_undefined()) raise_undefined(runtime_, value);
        if (!value.is_number()) runtime_.raise("TypeError", "must be real number, not " + type_name(value));
        if (spec.zero && !left) spec.fill = "0", spec.align = '=';
        return format_float(spec, value.as_double());
      default:
        runtime_.raise("ValueError",
                       fmt::format("unsupported format character '{}' (0x{:x}) at index {}", type,
                                   static_cast<unsigned>(static_cast<unsigned char>(type)), at_ - 1));
    }
  }

  Runtime& runtime_;
  const std::string_view format_;
  const Value& arguments_;
  bool is_tuple_ = false;
  std::size_t at_ = 0;
  std::size_t taken_ = 0;
};

Spec parse_spec(Runtime& runtime, std::string_view text) {
  Spec spec;
  const std::u32string decoded = decode_utf8(text);
  std::size_t i = 0;
  const auto is_align = [](char32_t c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  const auto at = [&](std::size_t k) { return k < decoded.size() ? decoded[k] : U'\0'; };
  if (decoded.size() >= 2 && is_align(decoded[1])) {
    spec.fill = encode_utf8(decoded.substr(0, 1));
    spec.align = static_cast<char>(decoded[1]);
    i = 2;
  } else if (is_align(at(0))) {
    spec.align = static_cast<char>(at(0));
    i = 1;
  }
  if (at(i) == '+' || at(i) == '-' || at(i) == ' ') spec.sign = static_cast<char>(at(i++));
  if (at(i) == '#') spec.alternate = true, ++i;
  if (at(i) == '0') {
    spec.zero = true;
    if (!spec.align) spec.align = '=', spec.fill = "0";
    ++i;
  }
  const auto number = [&] {
    int value = 0;
    while (at(i) >= '0' && at(i) <= '9') {
      value = value * 10 + static_cast<int>(at(i++) - '0');
      if (value > kMaxWidth) runtime.raise("LimitError", "a format width that is too large");
    }
    return value;
  };
  spec.width = number();
  if (at(i) == ',' || at(i) == '_') spec.group = true, spec.group_symbol = static_cast<char>(at(i++));
  if (at(i) == '.') {
    ++i;
    if (at(i) < '0' || at(i) > '9') runtime.raise("ValueError", "Format specifier missing precision");
    spec.precision = number();
  }
  if (i < decoded.size() && decoded[i] < 0x80) spec.type = static_cast<char>(decoded[i++]);
  if (i != decoded.size()) runtime.raise("ValueError", "Invalid format specifier");
  return spec;
}

std::string format_value(Runtime& runtime, const Value& value, std::string_view text) {
  if (text.empty()) return to_text(runtime, value);
  Spec spec = parse_spec(runtime, text);
  const auto unknown = [&] {
    runtime.raise("ValueError", fmt::format("Unknown format code '{}' for object of type '{}'", spec.type,
                                            type_name(value)));
  };
  const bool float_type = spec.type && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (value.is_string()) {
    if (spec.type && spec.type != 's') unknown();
    if (spec.group)
      runtime.raise("ValueError", fmt::format("Cannot specify '{}' with 's'.", spec.group_symbol));
    if (spec.align == '=' && !spec.zero)
      runtime.raise("ValueError", "'=' alignment not allowed in string format specifier");
    if (spec.align == '=') spec.align = '<';
    return format_text(spec, value.text());
  }
  if (value.is(Kind::floating) || (value.is_integral() && float_type)) {
    if (spec.type && !float_type && spec.type != 'n') unknown();
    return format_float(spec, value.as_double());
  }
  if (value.is(Kind::boolean) && !spec.type) {
    return format_integer(spec, value.as_integer());
  }
  if (value.is_integral()) {
    if (spec.type == 'c') {
      std::string body;
      append_utf8(body, static_cast<char32_t>(std::clamp<std::int64_t>(value.as_integer(), 0, 0xD7FF)));
      return format_text(spec, body);
    }
    if (spec.type && std::string_view("dxXobn").find(spec.type) == std::string_view::npos) unknown();
    if (spec.precision >= 0) runtime.raise("ValueError", "Precision not allowed in integer format specifier");
    return format_integer(spec, value.as_integer());
  }
  runtime.raise("TypeError", "unsupported format string passed to " + type_name(value) + ".__format__");
}

// "{}".format(values).
class BraceFormatter {
 public:
  BraceFormatter(Interpreter& interpreter, const Arguments& arguments)
      : interpreter_(interpreter), runtime_(interpreter.runtime()), arguments_(arguments) {}

  std::string run(std::string_view format, int depth) {
    if (depth > 2) runtime_.raise("ValueError", "Max string recursion exceeded");
    std::string out;
    for (std::size_t i = 0; i < format.size();) {
      const char c = format[i];
      if ((c == '{' || c == '}') && i + 1 < format.size() && format[i + 1] == c) {
        out += c;
        i += 2;
      } else if (c == '}') {
        runtime_.raise("ValueError", "Single '}' encountered in format string");
      } else if (c == '{') {
        std::size_t end = i + 1;
        for (int open = 1; open > 0; ++end) {
          if (end >= format.size()) runtime_.raise("ValueError", "expected '}' before end of string");
          open += format[end] == '{' ? 1 : format[end] == '}' ? -1 : 0;
        }
        out += field(format.substr(i + 1, end - i - 2), depth);
        i = end;
      } else {
        out += c;
        ++i;
      }
      runtime_.check_string(out.size());
      runtime_.tick();
    }
    return out;
  }

 private:
  std::string field(std::string_view text, int depth) {
    std::size_t end = 0;
    for (int open = 0; end < text.size(); ++end) {
      if (text[end] == '[') ++open;
      if (text[end] == ']') --open;
      if (open == 0 && (text[end] == ':' || text[end] == '!')) break;
    }
    Value value = look_up(text.substr(0, end));
    std::string_view rest = text.substr(end);
    if (!rest.empty() && rest[0] == '!') {
      const char conversion = rest.size() > 1 ? rest[1] : '\0';
      if (conversion == 'r') {
        value = Value::string(repr_of(runtime_, value));
      } else if (conversion == 's') {
        value = Value::string(to_text(runtime_, value));
      } else if (conversion == 'a') {
        value = Value::string(ascii_repr(repr_of(runtime_, value)));
      } else {
        runtime_.raise("ValueError", "Unknown conversion specifier");
      }
      rest.remove_prefix(2);
      if (!rest.empty() && rest[0] != ':')
        runtime_.raise("ValueError", "expected ':' after conversion specifier");
    }
    return format_value(runtime_, value, rest.empty() ? std::string() : run(rest.substr(1), depth + 1));
  }

  Value look_up(std::string_view path) {
    const std::size_t end = std::min(path.find_first_of(".["), path.size());
    const std::string name(path.substr(0, end));
    Value value;
    const bool digits = name.find_first_not_of("0123456789") == name.npos;
    if (digits && name.size() < 10) {
      if (name.empty() == manual_ && (manual_ || automatic_))
        runtime_.raise("ValueError",
                       manual_ ? "cannot switch from manual field specification to automatic field numbering"
                               : "cannot switch from automatic field numbering to manual field "
                                 "specification");
      if (!name.empty() && automatic_)
        runtime_.raise("ValueError",
                       "cannot switch from automatic field numbering to manual field specification");
      (name.empty() ? automatic_ : manual_) = true;
      const std::size_t i = name.empty() ? next_++ : std::stoul(name);
      if (i >= arguments_.positional.size())
        runtime_.raise("IndexError",
                       fmt::format("Replacement index {} out of range for positional args tuple", i));
      value = arguments_.positional[i];
    } else {
      const Value* found = arguments_.find(name);
      if (!found) runtime_.raise("KeyError", quote_text(name));
      value = *found;
    }
    for (std::size_t i = end; i < path.size();) {
      const bool item = path[i] == '[';
      const std::size_t stop =
          item ? path.find(']', i) : std::min(path.find_first_of(".[", i + 1), path.size());
      if (stop == path.npos) runtime_.raise("ValueError", "Missing ']' in format string");
      const std::string part(path.substr(i + 1, stop - i - 1));
      const bool number =
          !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos;
      value = item ? get_member(value, number ? Value::integer(std::stoll(part)) : Value::string(part))
                   : get_property(value, part);
      i = stop + item;
    }
    return value;
  }

  // Python's own value[key] and value.name, which raise where Jinja's give undefined values.
  Value get_member(const Value& value, const Value& key) {
    if (value.is_undefined()) raise_undefined(runtime_, value);
    if (value.is(Kind::dict)) {
      if (const Value* found = value.as_dict().find(runtime_, key)) return *found;
      runtime_.raise("KeyError", repr_of(runtime_, key));
    }
    const bool sequence = value.is_string() || (value.is(Kind::list) && value.as_list().is_sequence());
    if (!sequence) runtime_.raise("TypeError", "'" + type_name(value) + "' object is not subscriptable");
    if (!key.is_integral())
      runtime_.raise("TypeError", type_name(value) + " indices must be integers or slices, not str");
    if (key.as_integer() >= length(runtime_, value))
      runtime_.raise("IndexError", (value.is_string() ? "string" : type_name(value)) + " index out of range");
    return interpreter_.get_item(value, key);
  }

  Value get_property(const Value& value, const std::string& name) {
    if (value.is_undefined()) raise_undefined(runtime_, value);
    Value result;
    if (find_attribute(interpreter_, value, name, result)) return result;
    if (value.as_object<NamespaceObject>()) {
      result = interpreter_.get_attribute(value, name);
      if (!result.is_undefined()) return result;
    }
    runtime_.raise("AttributeError", "'" + type_name(value) + "' object has no attribute '" + name + "'");
  }

  Interpreter& interpreter_;
  Runtime& runtime_;
  const Arguments& arguments_;
  std::size_t next_ = 0;
  bool automatic_ = false, manual_ = false;
};

}  // namespace

std::string format_percent(Runtime& runtime, std::string_view format, const Value& arguments) {
  return PercentFormatter(runtime, format, arguments).run();
}

std::string format_braces(Interpreter& interpreter, std::string_view format, const Arguments& arguments) {
  return BraceFormatter(interpreter, arguments).run(format, 0);
}

}  // namespace r1::jinja
