#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"

namespace r1::jinja {

namespace {

[[noreturn]] void overflow(Runtime& runtime) {
  runtime.raise("OverflowError", "the result is an integer outside 64 bits");
}

[[noreturn]] void unsupported(Runtime& runtime, std::string_view symbol, const Value& left,
                              const Value& right) {
  const std::string_view shown = symbol == "**" ? "** or pow()" : symbol;
  runtime.raise("TypeError", fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", shown,
                                         type_name(left), type_name(right)));
}

double float_modulo(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) rest += b;
  } else {
    rest = std::copysign(0.0, b);
  }
  return rest;
}

double float_floor_division(double a, double b) {
  const double rest = float_modulo(a, b);
  const double quotient = (a - rest) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

Value integer_power(Runtime& runtime, std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) runtime.raise("ZeroDivisionError", "0.0 cannot be raised to a negative power");
    return Value::floating(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  std::int64_t result = 1;
  while (true) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) overflow(runtime);
    exponent >>= 1;
    if (exponent == 0) return Value::integer(result);
    if (__builtin_mul_overflow(base, base, &base)) overflow(runtime);
  }
}

Value integer_arithmetic(Runtime& runtime, std::string_view symbol, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (symbol == "+") {
    if (__builtin_add_overflow(a, b, &result)) overflow(runtime);
    return Value::integer(result);
  }
  if (symbol == "-") {
    if (__builtin_sub_overflow(a, b, &result)) overflow(runtime);
    return Value::integer(result);
  }
  if (symbol == "*") {
    if (__builtin_mul_overflow(a, b, &result)) overflow(runtime);
    return Value::integer(result);
  }
  if (symbol == "**") return integer_power(runtime, a, b);
  if (b == 0)
    runtime.raise("ZeroDivisionError",
                  symbol == "/" ? "division by zero" : "integer division or modulo by zero");
  if (symbol == "/") return Value::floating(static_cast<double>(static_cast<long double>(a) / b));
  if (b == -1) {
    if (symbol == "%") return Value::integer(0);
    if (__builtin_sub_overflow(std::int64_t{0}, a, &result)) overflow(runtime);
    return Value::integer(result);
  }
  std::int64_t quotient = a / b;
  std::int64_t rest = a % b;
  if (rest != 0 && (rest < 0) != (b < 0)) {
    --quotient;
    rest += b;
  }
  return Value::integer(symbol == "//" ? quotient : rest);
}

Value float_arithmetic(Runtime& runtime, std::string_view symbol, double a, double b) {
  if (symbol == "+") return Value::floating(a + b);
  if (symbol == "-") return Value::floating(a - b);
  if (symbol == "*") return Value::floating(a * b);
  if (symbol == "**") {
    if (a == 0 && b < 0) runtime.raise("ZeroDivisionError", "0.0 cannot be raised to a negative power");
    if (a < 0 && std::isfinite(b) && b != std::floor(b)) runtime.refuse("complex numbers are not supported");
    const double result = std::pow(a, b);
    if (std::isinf(result) && std::isfinite(a) && std::isfinite(b))
      runtime.raise("OverflowError", "(34, 'Numerical result out of range')");
    return Value::floating(result);
  }
  if (b == 0)
    runtime.raise("ZeroDivisionError", symbol == "/"    ? "float division by zero"
                                       : symbol == "//" ? "float floor division by zero"
                                                        : "float modulo");
  if (symbol == "/") return Value::floating(a / b);
  return Value::floating(symbol == "//" ? float_floor_division(a, b) : float_modulo(a, b));
}

Value repeat(Runtime& runtime, const Value& sequence, std::int64_t times) {
  times = std::max<std::int64_t>(times, 0);
  const std::size_t size = sequence.is_string() ? sequence.text().size() : sequence.as_list().items.size();
  const std::size_t unit = sequence.is_string() ? 1 : sizeof(Value);
  std::size_t total = 0;
  if (__builtin_mul_overflow(size, static_cast<std::size_t>(times), &total) ||
      total > runtime.options().max_output_bytes / unit)
    runtime.raise("LimitError", "a repetition that is too long");
  runtime.tick(total / 64 + 1);
  if (sequence.is_string()) {
    std::string out;
    out.reserve(total);
    for (std::int64_t i = 0; i < times && size > 0; ++i) out += sequence.text();
    return runtime.make_string(std::move(out), sequence.is_markup());
  }
  runtime.charge(total * unit);
  std::vector<Value> out;
  out.reserve(total);
  for (std::int64_t i = 0; i < times && size > 0; ++i)
    out.insert(out.end(), sequence.as_list().items.begin(), sequence.as_list().items.end());
  return runtime.make_list(std::move(out), sequence.as_list().is_tuple() ? ListForm::tuple : ListForm::list);
}

bool is_repeatable(const Value& value) {
  return value.is_string() ||
         (value.is(Kind::list) && (value.as_list().form == ListForm::list || value.as_list().is_tuple()));
}

Value add_sequences(Runtime& runtime, const Value& left, const Value& right) {
  if (left.is_string() && right.is_string()) {
    runtime.check_string(left.text().size() + right.text().size());
    if (left.is_markup() == right.is_markup())
      return runtime.make_string(left.text() + right.text(), left.is_markup());
    return runtime.make_string((left.is_markup() ? left.text() : escape_html(left.text())) +
                                   (right.is_markup() ? right.text() : escape_html(right.text())),
                               true);
  }
  const bool lists = is_repeatable(left) && is_repeatable(right) && left.is(Kind::list) &&
                     right.is(Kind::list) && left.as_list().is_tuple() == right.as_list().is_tuple();
  if (lists) {
    runtime.charge((left.as_list().items.size() + right.as_list().items.size()) * sizeof(Value));
    std::vector<Value> out = left.as_list().items;
    out.insert(out.end(), right.as_list().items.begin(), right.as_list().items.end());
    return runtime.make_list(std::move(out), left.as_list().is_tuple() ? ListForm::tuple : ListForm::list);
  }
  if (left.is_string() || (left.is(Kind::list) && is_repeatable(left))) {
    const std::string type = type_name(left);
    runtime.raise("TypeError",
                  fmt::format("can only concatenate {} (not \"{}\") to {}", type, type_name(right), type));
  }
  unsupported(runtime, "+", left, right);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Value arithmetic(Runtime& runtime, std::string_view symbol, const Value& left, const Value& right) {
  if (symbol == "%" && left.is_string())
    return runtime.make_string(format_percent(runtime, left.text(), right), left.is_markup());
  if (left.is_undefined()) raise_undefined(runtime, left);
  if (right.is_undefined()) raise_undefined(runtime, right);
  if (left.is_number() && right.is_number()) {
    if (left.is_integral() && right.is_integral())
      return integer_arithmetic(runtime, symbol, left.as_integer(), right.as_integer());
    return float_arithmetic(runtime, symbol, left.as_double(), right.as_double());
  }
  if (symbol == "+") return add_sequences(runtime, left, right);
  if (symbol == "*") {
    if (is_repeatable(left) && right.is_integral()) return repeat(runtime, left, right.as_integer());
    if (is_repeatable(right) && left.is_integral()) return repeat(runtime, right, left.as_integer());
    if (is_repeatable(left) || is_repeatable(right))
      runtime.raise("TypeError", "can't multiply sequence by non-int of type '" +
                                     type_name(is_repeatable(left) ? right : left) + "'");
  }
  if (symbol == "-" && left.is(Kind::list) && right.is(Kind::list) &&
      (left.as_list().form == ListForm::keys_view || left.as_list().form == ListForm::items_view))
    runtime.refuse("set operations on dictionary views are not supported");
  unsupported(runtime, symbol, left, right);
}

Value negate(Runtime& runtime, const Value& value) {
  if (value.is_undefined()) raise_undefined(runtime, value);
  if (value.is(Kind::floating)) return Value::floating(-value.as_double());
  if (!value.is_integral())
    runtime.raise("TypeError", "bad operand type for unary -: '" + type_name(value) + "'");
  std::int64_t result = 0;
  if (__builtin_sub_overflow(std::int64_t{0}, value.as_integer(), &result)) overflow(runtime);
  return Value::integer(result);
}

Value positive(Runtime& runtime, const Value& value) {
  if (value.is_undefined()) raise_undefined(runtime, value);
  if (value.is(Kind::floating)) return value;
  if (!value.is_integral())
    runtime.raise("TypeError", "bad operand type for unary +: '" + type_name(value) + "'");
  return Value::integer(value.as_integer());
}

Value float_to_integer(Runtime& runtime, double number) {
  if (std::isnan(number)) runtime.raise("ValueError", "cannot convert float NaN to integer");
  if (std::isinf(number)) runtime.raise("OverflowError", "cannot convert float infinity to integer");
  const double whole = std::trunc(number);
  if (whole < -9223372036854775808.0 || whole >= 9223372036854775808.0)
    runtime.refuse("the number is an integer outside 64 bits");
  return Value::integer(static_cast<std::int64_t>(whole));
}

}  // namespace r1::jinja
