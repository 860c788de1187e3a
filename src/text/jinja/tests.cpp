// The tests of `x is name`.
#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"

namespace r1::jinja {

namespace {

template <bool (*predicate)(const Value&)>
bool simple(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "test", arguments, {});
  return predicate(self);
}

bool is_defined(const Value& v) {
  return !v.is_undefined();
}
bool is_undefined_value(const Value& v) {
  return v.is_undefined();
}
bool is_none_value(const Value& v) {
  return v.is_none();
}
bool is_string_value(const Value& v) {
  return v.is_string();
}
bool is_number_value(const Value& v) {
  return v.is_number();
}
bool is_integer_value(const Value& v) {
  return v.is(Kind::integer);
}
bool is_float_value(const Value& v) {
  return v.is(Kind::floating);
}
bool is_boolean_value(const Value& v) {
  return v.is(Kind::boolean);
}
bool is_true_value(const Value& v) {
  return v.is(Kind::boolean) && v.as_boolean();
}
bool is_false_value(const Value& v) {
  return v.is(Kind::boolean) && !v.as_boolean();
}
bool is_mapping(const Value& v) {
  return v.is(Kind::dict);
}
bool is_iterable_value(const Value& v) {
  return is_iterable(v) || v.as_object<LoopObject>();
}
bool is_escaped(const Value& v) {
  return v.is_markup();
}
bool is_sequence(const Value& v) {
  return v.is_undefined() || v.is_string() || v.is(Kind::dict) ||
         (v.is(Kind::list) && v.as_list().is_sequence());
}
bool is_callable(const Value& v) {
  // Undefined and loop have a __call__ of their own.
  return v.is_undefined() || v.as_object<MacroObject>() || v.as_object<FunctionObject>() ||
         v.as_object<BoundMethod>() || v.as_object<JoinerObject>() || v.as_object<LoopObject>();
}

template <int remainder>
bool test_parity(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "parity", arguments, {});
  return equals(runtime, arithmetic(runtime, "%", self, Value::integer(2)), Value::integer(remainder));
}

bool test_divisible(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "divisibleby", arguments, {"num"}, 1);
  return equals(runtime, arithmetic(runtime, "%", self, bound[0]), Value::integer(0));
}

template <const char* symbol>
bool test_compare(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), symbol, arguments, {"other"}, 1);
  return compare(interpreter.runtime(), symbol, self, bound[0]);
}

constexpr char kEqual[] = "==";
constexpr char kUnequal[] = "!=";
constexpr char kLess[] = "<";
constexpr char kLessEqual[] = "<=";
constexpr char kGreater[] = ">";
constexpr char kGreaterEqual[] = ">=";
constexpr char kIn[] = "in";

bool test_same_as(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "sameas", arguments, {"other"}, 1);
  return self.same_as(bound[0]);
}

template <bool upper>
bool test_case(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "case", arguments, {});
  Arguments none;
  return is_true(call_string_method(interpreter, Value::string(to_text(runtime, self)),
                                    upper ? "isupper" : "islower", none));
}

bool test_filter(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "filter", arguments, {});
  return self.is_string() && is_filter(self.text());
}

bool test_test(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "test", arguments, {});
  return self.is_string() && is_test(self.text());
}

}  // namespace

Test find_test(std::string_view name) {
  static constexpr std::pair<std::string_view, Test> kTests[] = {
      {"defined", simple<is_defined>},
      {"undefined", simple<is_undefined_value>},
      {"none", simple<is_none_value>},
      {"string", simple<is_string_value>},
      {"number", simple<is_number_value>},
      {"integer", simple<is_integer_value>},
      {"float", simple<is_float_value>},
      {"boolean", simple<is_boolean_value>},
      {"true", simple<is_true_value>},
      {"false", simple<is_false_value>},
      {"mapping", simple<is_mapping>},
      {"sequence", simple<is_sequence>},
      {"iterable", simple<is_iterable_value>},
      {"callable", simple<is_callable>},
      {"escaped", simple<is_escaped>},
      {"odd", test_parity<1>},
      {"even", test_parity<0>},
      {"divisibleby", test_divisible},
      {"sameas", test_same_as},
      {"lower", test_case<false>},
      {"upper", test_case<true>},
      {"filter", test_filter},
      {"test", test_test},
      {"in", test_compare<kIn>},
      {"eq", test_compare<kEqual>},
      {"==", test_compare<kEqual>},
      {"equalto", test_compare<kEqual>},
      {"ne", test_compare<kUnequal>},
      {"!=", test_compare<kUnequal>},
      {"lt", test_compare<kLess>},
      {"<", test_compare<kLess>},
      {"lessthan", test_compare<kLess>},
      {"le", test_compare<kLessEqual>},
      {"<=", test_compare<kLessEqual>},
      {"gt", test_compare<kGreater>},
      {">", test_compare<kGreater>},
      {"greaterthan", test_compare<kGreater>},
      {"ge", test_compare<kGreaterEqual>},
      {">=", test_compare<kGreaterEqual>},
  };
  for (const auto& [key, test] : kTests)
    if (key == name) return test;
  return nullptr;
}

bool is_test(std::string_view name) {
  return find_test(name) != nullptr;
}

}  // namespace r1::jinja
