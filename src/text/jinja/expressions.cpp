// Expressions.
#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"

namespace r1::jinja {

Value Interpreter::look_up(const std::string& name, const ScopePtr& scope) {
  if (const Value* found = scope->find(name)) return *found;
  if (const Value* found = context_.find(name)) return *found;
  Value result;
  if (find_global(*this, name, result)) return result;
  return Value::undefined("'" + name + "' is undefined");
}

Value Interpreter::evaluate(const Expression& node, const ScopePtr& scope) {
  const DepthGuard guard(runtime_);
  runtime_.tick();
  switch (node.type) {
    case ExpressionType::constant:
      return node.value;
    case ExpressionType::name:
      return look_up(node.name, scope);
    case ExpressionType::attribute: {
      const Value object = evaluate(*node.operand, scope);
      runtime_.line = node.line;
      return get_attribute(object, node.name);
    }
    case ExpressionType::subscript:
      return evaluate_subscript(node, scope);
    case ExpressionType::call:
      return evaluate_call(node, scope);
    case ExpressionType::filter:
      return evaluate_filter(node, scope);
    case ExpressionType::test:
      return evaluate_test(node, scope);
    case ExpressionType::conditional:
    case ExpressionType::logical_and:
    case ExpressionType::logical_or:
      return evaluate_logic(node, scope);
    case ExpressionType::logical_not:
      return Value::boolean(!is_true(evaluate(*node.operand, scope)));
    case ExpressionType::negate:
      return negate(runtime_, evaluate(*node.operand, scope));
    case ExpressionType::plus:
      return positive(runtime_, evaluate(*node.operand, scope));
    case ExpressionType::binary: {
      const Value left = evaluate(*node.items[0], scope);
      const Value right = evaluate(*node.items[1], scope);
      runtime_.line = node.line;
      return arithmetic(runtime_, node.name, left, right);
    }
    case ExpressionType::concat:
      return evaluate_concat(node, scope);
    case ExpressionType::compare:
      return evaluate_compare(node, scope);
    case ExpressionType::list:
    case ExpressionType::tuple:
    case ExpressionType::dict:
      return evaluate_collection(node, scope);
    case ExpressionType::slice:
    case ExpressionType::namespace_ref:
      break;  // handled by their parents
  }
  runtime_.refuse("this expression has no value");
}

Value Interpreter::evaluate_collection(const Expression& node, const ScopePtr& scope) {
  if (node.type != ExpressionType::dict) {
    std::vector<Value> items;
    items.reserve(node.items.size());
    for (const ExpressionPtr& item : node.items) items.push_back(evaluate(*item, scope));
    return runtime_.make_list(std::move(items),
                              node.type == ExpressionType::tuple ? ListForm::tuple : ListForm::list);
  }
  Value dict = runtime_.make_dict();
  for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const Value key = evaluate(*node.items[i], scope);
    Value value = evaluate(*node.items[i + 1], scope);
    dict.as_dict().set(runtime_, key, std::move(value));
  }
  return dict;
}

Value Interpreter::evaluate_logic(const Expression& node, const ScopePtr& scope) {
  if (node.type == ExpressionType::conditional) {
    if (is_true(evaluate(*node.items[0], scope))) return evaluate(*node.items[1], scope);
    if (node.items[2]) return evaluate(*node.items[2], scope);
    return Value::undefined(
        fmt::format("the inline if-expression on line {} evaluated to false and no else section was defined.",
                    node.line));
  }
  Value left = evaluate(*node.items[0], scope);
  if (is_true(left) == (node.type == ExpressionType::logical_or)) return left;
  return evaluate(*node.items[1], scope);
}

Value Interpreter::evaluate_compare(const Expression& node, const ScopePtr& scope) {
  Value left = evaluate(*node.operand, scope);
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    Value right = evaluate(*node.items[i], scope);
    runtime_.line = node.line;
    if (!compare(runtime_, node.names[i], left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate_concat(const Expression& node, const ScopePtr& scope) {
  std::vector<Value> parts;
  for (const ExpressionPtr& item : node.items) parts.push_back(evaluate(*item, scope));
  std::string out;
  for (const Value& part : parts) append_text(runtime_, out, part);
  return runtime_.make_string(std::move(out));
}

Value Interpreter::evaluate_subscript(const Expression& node, const ScopePtr& scope) {
  const Value object = evaluate(*node.operand, scope);
  const Expression& key = *node.items[0];
  if (key.type != ExpressionType::slice) {
    const Value index = evaluate(key, scope);
    runtime_.line = node.line;
    return get_item(object, index);
  }
  const auto part = [&](std::size_t i) {
    return key.items[i] ? evaluate(*key.items[i], scope) : Value::none();
  };
  const Value start = part(0);
  const Value stop = part(1);
  const Value step = part(2);
  runtime_.line = node.line;
  return slice(runtime_, object, start, stop, step);
}

void Interpreter::evaluate_arguments(const Expression& node, const ScopePtr& scope, Arguments& arguments) {
  for (const ExpressionPtr& item : node.items) arguments.positional.push_back(evaluate(*item, scope));
  if (node.star_arguments) {
    const Value more = evaluate(*node.star_arguments, scope);
    for (Value& value : iterate(runtime_, more)) arguments.positional.push_back(std::move(value));
  }
  for (const auto& [name, value] : node.keyword)
    arguments.keyword.emplace_back(name, evaluate(*value, scope));
  if (node.star_keywords) {
    const Value more = evaluate(*node.star_keywords, scope);
    if (more.is_undefined()) raise_undefined(runtime_, more);
    if (!more.is(Kind::dict))
      runtime_.raise("TypeError", "argument after ** must be a mapping, not " + type_name(more));
    for (const auto& [key, value] : more.as_dict().entries) {
      if (!key.is_string()) runtime_.raise("TypeError", "keywords must be strings");
      if (arguments.find(key.text()))
        runtime_.raise("TypeError", "got multiple values for keyword argument '" + key.text() + "'");
      arguments.keyword.emplace_back(key.text(), value);
    }
  }
}

Value Interpreter::evaluate_call(const Expression& node, const ScopePtr& scope, const Value* caller) {
  const Value callee = evaluate(*node.operand, scope);
  Arguments arguments;
  evaluate_arguments(node, scope, arguments);
  if (caller) arguments.keyword.emplace_back("caller", *caller);
  runtime_.line = node.line;
  return call(callee, arguments);
}

Value Interpreter::evaluate_filter(const Expression& node, const ScopePtr& scope, const Value* input) {
  const DepthGuard guard(runtime_);
  Value self;
  if (!node.operand) {
    if (input) self = *input;
  } else if (input) {  // a chain of filters in a filter block
    self = evaluate_filter(*node.operand, scope, input);
  } else {
    self = evaluate(*node.operand, scope);
  }
  Arguments arguments;
  evaluate_arguments(node, scope, arguments);
  runtime_.line = node.line;
  return apply_filter(node.name, self, arguments, " found.");
}

Value Interpreter::evaluate_test(const Expression& node, const ScopePtr& scope) {
  const Value self = evaluate(*node.operand, scope);
  Arguments arguments;
  evaluate_arguments(node, scope, arguments);
  runtime_.line = node.line;
  return Value::boolean(apply_test(node.name, self, arguments, " found."));
}

Value Interpreter::apply_filter(const std::string& name, const Value& self, Arguments& arguments,
                                const char* missing_suffix) {
  const Filter filter = find_filter(name);
  if (!filter) {
    if (is_filter(name)) runtime_.refuse("the filter '" + name + "' is not supported");
    runtime_.raise("TemplateRuntimeError", "No filter named '" + name + "'" + missing_suffix);
  }
  const DepthGuard guard(runtime_);
  runtime_.tick();
  return filter(*this, self, arguments);
}

bool Interpreter::apply_test(const std::string& name, const Value& self, Arguments& arguments,
                             const char* missing_suffix) {
  const Test test = find_test(name);
  if (!test) runtime_.raise("TemplateRuntimeError", "No test named '" + name + "'" + missing_suffix);
  runtime_.tick();
  return test(*this, self, arguments);
}

Value Interpreter::call(const Value& callee, Arguments& arguments) {
  runtime_.tick();
  if (callee.is_undefined()) raise_undefined(runtime_, callee);
  if (auto* macro = callee.as_object<MacroObject>()) return call_macro(*macro, arguments);
  if (auto* function = callee.as_object<FunctionObject>()) return function->call(*this, arguments);
  if (auto* method = callee.as_object<BoundMethod>())
    return call_method(*this, method->self, method->name, arguments);
  if (auto* joiner = callee.as_object<JoinerObject>()) {
    const bool used = std::exchange(joiner->used, true);
    return Value::string(used ? joiner->separator : "");
  }
  if (auto* loop = callee.as_object<LoopObject>()) {
    const Bound bound(runtime_, "loop", arguments, {"iterable"}, 1);
    return recurse(*loop, bound[0]);
  }
  runtime_.raise("TypeError", "'" + type_name(callee) + "' object is not callable");
}

Value Interpreter::get_attribute(const Value& object, const std::string& name) {
  runtime_.tick();
  if (object.is_undefined()) raise_undefined(runtime_, object);
  Value result;
  if (find_attribute(*this, object, name, result)) return result;
  if (object.is(Kind::dict))
    if (const Value* found = object.as_dict().find(name)) return *found;
  if (auto* space = object.as_object<NamespaceObject>())
    if (const Value* found = space->attributes->find(name)) return *found;
  const std::string shown = describe_object(object);
  return Value::undefined("'" + shown + "' has no attribute '" + name + "'");
}

Value Interpreter::get_item(const Value& object, const Value& key) {
  runtime_.tick();
  if (object.is_undefined()) raise_undefined(runtime_, object);
  if (object.is(Kind::dict)) {
    const bool hashable = !key.is(Kind::dict) && !(key.is(Kind::list) && !key.as_list().is_tuple());
    if (hashable)
      if (const Value* found = object.as_dict().find(runtime_, key)) return *found;
  } else if (auto* space = object.as_object<NamespaceObject>()) {
    if (key.is_string())
      if (const Value* found = space->attributes->find(key.text())) return *found;
  } else if (key.is_integral() &&
             (object.is_string() || (object.is(Kind::list) && object.as_list().is_sequence()))) {
    const std::int64_t size = length(runtime_, object);
    std::int64_t index = key.as_integer();
    if (index < 0) index += size;
    if (index >= 0 && index < size) {
      if (object.is(Kind::list)) return object.as_list().items[static_cast<std::size_t>(index)];
      runtime_.tick(object.text().size() / 256);
      return slice(runtime_, object, Value::integer(index), Value::integer(index + 1), Value::none());
    }
  }
  if (key.is_string()) {
    Value result;
    if (find_attribute(*this, object, key.text(), result)) return result;
  }
  const std::string shown = describe_object(object);
  if (key.is_string()) return Value::undefined("'" + shown + "' has no attribute '" + key.text() + "'");
  std::string element;
  append_repr(runtime_, element, key);
  return Value::undefined(shown + " has no element " + element);
}

}  // namespace r1::jinja
