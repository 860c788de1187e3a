// Statements.
#include "text/jinja/interpreter.h"

#include "text/jinja/builtins.h"
#include "text/jinja/for_source.h"

namespace r1::jinja {

Value* Scope::find(std::string_view name) {
  for (Scope* scope = this; scope; scope = scope->parent.get())
    for (auto& [key, value] : scope->variables)
      if (key == name) return &value;
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  for (auto& [key, old] : variables) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  variables.emplace_back(std::string(name), std::move(value));
}

namespace {

ScopePtr inner(const ScopePtr& parent) {
  auto scope = std::make_shared<Scope>();
  scope->parent = parent;
  return scope;
}

}  // namespace

ForSource::ForSource(Interpreter& interpreter, const Statement& statement, const ScopePtr& scope,
                     const Value& items)
    : interpreter_(interpreter), statement_(statement), scope_(scope) {
  const bool is_list = items.is(Kind::list) &&
                       (items.as_list().form == ListForm::list || items.as_list().form == ListForm::iterator);
  if (is_list) {
    live_ = &items.as_list();
    position_ = live_->form == ListForm::iterator ? live_->position : 0;
  } else {
    items_ = iterate(interpreter.runtime(), items);
  }
}

bool ForSource::fetch_any(Value& item) {
  interpreter_.runtime().tick();
  const std::vector<Value>& items = live_ ? live_->items : items_;
  std::size_t& position = live_ && live_->form == ListForm::iterator ? live_->position : position_;
  if (position >= items.size()) return false;
  item = items[position++];
  return true;
}

bool ForSource::fetch(Value& item) {
  while (fetch_any(item)) {
    if (!statement_.test || tested_) return true;
    const ScopePtr scope = inner(scope_);
    interpreter_.assign(*statement_.target, item, scope);
    if (is_true(interpreter_.evaluate(*statement_.test, scope))) return true;
  }
  return false;
}

bool ForSource::next(Value& item) {
  if (after_) {
    item = std::move(*after_);
    after_.reset();
    return true;
  }
  return fetch(item);
}

const Value* ForSource::peek() {
  if (!after_) {
    Value item;
    if (!fetch(item)) return nullptr;
    after_ = std::move(item);
  }
  return &*after_;
}

std::int64_t ForSource::length(std::int64_t taken) {
  if (!statement_.test && !(live_ && live_->form == ListForm::iterator))
    return static_cast<std::int64_t>(live_ ? live_->items.size() : items_.size());
  // No length is known: read the rest now.
  std::vector<Value> rest;
  Value item;
  while (fetch(item)) {
    interpreter_.runtime().charge(sizeof item);
    rest.push_back(std::move(item));
  }
  const auto count = static_cast<std::int64_t>(rest.size());
  items_ = std::move(rest);
  live_ = nullptr;
  position_ = 0;
  tested_ = true;
  return taken + count + (after_ ? 1 : 0);
}

std::int64_t LoopObject::length() {
  if (length_ < 0) length_ = source ? source->length(index0 + 1) : index0 + 1;
  return length_;
}

std::string Interpreter::run(const Body& body) {
  std::string out;
  const auto root = std::make_shared<Scope>();
  execute(body, root, out);
  return out;
}

void Interpreter::append_output(std::string& out, const Value& value) {
  const std::size_t before = out.size();
  append_text(runtime_, out, value);
  runtime_.check_string(out.size());
  runtime_.charge(out.size() - before);
}

// The results of call and filter blocks are joined with the output as they are: they must be text.
void Interpreter::append_block_result(std::string& out, const Value& value) {
  if (!value.is_string())
    runtime_.raise("TypeError", "sequence item 0: expected str instance, " + type_name(value) + " found");
  append_output(out, value);
}

Flow Interpreter::execute(const Body& body, const ScopePtr& scope, std::string& out) {
  const DepthGuard guard(runtime_);
  for (const StatementPtr& statement : body) {
    const Flow flow = execute_one(*statement, scope, out);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Flow Interpreter::execute_one(const Statement& statement, const ScopePtr& scope, std::string& out) {
  runtime_.tick();
  runtime_.line = statement.line;
  switch (statement.type) {
    case StatementType::data:
      runtime_.check_string(out.size() + statement.text.size());
      runtime_.charge(statement.text.size());
      out += statement.text;
      break;
    case StatementType::output:
      append_output(out, evaluate(*statement.expression, scope));
      break;
    case StatementType::for_loop:
      return execute_for(statement, scope, out);
    case StatementType::if_chain:
      for (const Branch& branch : statement.branches)
        if (!branch.test || is_true(evaluate(*branch.test, scope))) return execute(branch.body, scope, out);
      break;
    case StatementType::set:
      execute_set(statement, scope);
      break;
    case StatementType::set_block:
      execute_set_block(statement, scope);
      break;
    case StatementType::with: {
      const ScopePtr block = inner(scope);
      for (const auto& [target, expression] : statement.assignments)
        assign(*target, evaluate(*expression, scope), block);
      return execute(statement.body, block, out);
    }
    case StatementType::macro: {
      auto* macro = runtime_.make<MacroObject>();
      macro->name = statement.text;
      macro->definition = &statement;
      macro->scope = scope;
      scope->set(statement.text, Value::object(macro));
      break;
    }
    case StatementType::call_block:
      execute_call_block(statement, scope, out);
      break;
    case StatementType::filter:
      return execute_filter_block(statement, scope, out);
    case StatementType::scope:
      return execute(statement.body, inner(scope), out);
    case StatementType::break_loop:
      return Flow::stop;
    case StatementType::continue_loop:
      return Flow::next;
  }
  return Flow::normal;
}

Flow Interpreter::execute_for(const Statement& statement, const ScopePtr& scope, std::string& out) {
  const Value items = evaluate(*statement.expression, scope);
  run_loop(statement, scope, items, 0, out);
  return Flow::normal;
}

void Interpreter::run_loop(const Statement& statement, const ScopePtr& scope, const Value& items,
                           std::int64_t depth0, std::string& out) {
  ForSource source(*this, statement, scope, items);
  auto* loop = runtime_.make<LoopObject>();
  loop->source = &source;
  loop->interpreter = this;
  loop->statement = &statement;
  loop->scope = scope;
  loop->depth0 = depth0;
  // Whatever happens, the loop object must not look at a source that is gone.
  struct Detach {
    LoopObject* loop;
    ~Detach() { loop->source = nullptr; }
  } const detach{loop};
  Value item;
  bool empty = true;
  while (source.next(item)) {
    ++loop->index0;
    loop->before = std::move(loop->current);
    loop->has_before = loop->has_current;
    loop->current = item;
    loop->has_current = true;
    const ScopePtr block = inner(scope);
    block->set("loop", Value::object(loop));
    assign(*statement.target, item, block);
    const Flow flow = execute(statement.body, block, out);
    // A round that breaks or continues does not reach the mark that skips the else branch, as in Jinja2.
    if (flow == Flow::normal) empty = false;
    if (flow == Flow::stop) break;
  }
  if (empty && !statement.otherwise.empty()) execute(statement.otherwise, inner(scope), out);
}

Value Interpreter::recurse(LoopObject& loop, const Value& items) {
  if (!loop.statement->recursive)
    runtime_.raise("TypeError", "The loop must have the 'recursive' marker to be called recursively.");
  const DepthGuard guard(runtime_);
  std::string out;
  run_loop(*loop.statement, loop.scope, items, loop.depth0 + 1, out);
  return runtime_.make_string(std::move(out));
}

void Interpreter::execute_set(const Statement& statement, const ScopePtr& scope) {
  const Expression& target = *statement.target;
  const auto check = [&](const Expression& part) {
    if (part.type != ExpressionType::namespace_ref) return;
    if (!look_up(part.name, scope).as_object<NamespaceObject>())
      runtime_.raise("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
  };
  check(target);
  for (const ExpressionPtr& part : target.items)
    if (part) check(*part);
  assign(target, evaluate(*statement.expression, scope), scope);
}

void Interpreter::execute_set_block(const Statement& statement, const ScopePtr& scope) {
  std::string text;
  const ScopePtr block = inner(scope);
  if (statement.hides_context && !scope->find(statement.target->name))
    block->set(statement.target->name, Value::undefined("'" + statement.target->name + "' is undefined"));
  execute(statement.body, block, text);
  Value value = runtime_.make_string(std::move(text));
  if (statement.expression) value = evaluate_filter(*statement.expression, block, &value);
  assign(*statement.target, value, scope);
}

void Interpreter::execute_call_block(const Statement& statement, const ScopePtr& scope, std::string& out) {
  auto* caller = runtime_.make<MacroObject>();
  caller->name = "caller";
  caller->definition = &statement;
  caller->scope = scope;
  caller->is_caller = true;
  const Value function = Value::object(caller);
  append_block_result(out, evaluate_call(*statement.expression, scope, &function));
}

Flow Interpreter::execute_filter_block(const Statement& statement, const ScopePtr& scope, std::string& out) {
  std::string text;
  const ScopePtr block = inner(scope);
  const Flow flow = execute(statement.body, block, text);
  if (flow != Flow::normal) return flow;
  const Value input = runtime_.make_string(std::move(text));
  append_block_result(out, evaluate_filter(*statement.expression, block, &input));
  return Flow::normal;
}

void Interpreter::assign(const Expression& target, const Value& value, const ScopePtr& scope) {
  if (target.type == ExpressionType::name) {
    scope->set(target.name, value);
    return;
  }
  if (target.type == ExpressionType::namespace_ref) {
    const Value holder = look_up(target.name, scope);
    auto* space = holder.as_object<NamespaceObject>();
    if (!space) runtime_.raise("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
    space->attributes->set(runtime_, Value::string(target.names[0]), value);
    return;
  }
  if (!is_iterable(value))
    runtime_.raise("TypeError", "cannot unpack non-iterable " + type_name(value) + " object");
  const DepthGuard guard(runtime_);
  const std::vector<Value> items = iterate(runtime_, value);
  if (items.size() < target.items.size())
    runtime_.raise("ValueError", fmt::format("not enough values to unpack (expected {}, got {})",
                                             target.items.size(), items.size()));
  if (items.size() > target.items.size())
    runtime_.raise("ValueError", fmt::format("too many values to unpack (expected {})", target.items.size()));
  for (std::size_t i = 0; i < items.size(); ++i) assign(*target.items[i], items[i], scope);
}

Value Interpreter::call_macro(MacroObject& macro, Arguments& arguments) {
  const DepthGuard guard(runtime_);
  const Statement& definition = *macro.definition;
  const std::string shown = macro.is_caller ? "None" : "'" + macro.name + "'";
  const ScopePtr scope = inner(macro.scope);
  const auto take_keyword = [&](std::string_view name, Value& value) {
    for (auto at = arguments.keyword.begin(); at != arguments.keyword.end(); ++at) {
      if (at->first != name) continue;
      value = at->second;
      arguments.keyword.erase(at);
      return true;
    }
    return false;
  };
  const std::size_t count = definition.parameters.size();
  const std::size_t given = std::min(arguments.positional.size(), count);
  bool explicit_caller = false, takes_kwargs = definition.uses_kwargs,
       takes_varargs = definition.uses_varargs;
  std::vector<bool> filled(count, false);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& name = definition.parameters[i].name;
    explicit_caller |= name == "caller";
    takes_kwargs &= name != "kwargs";
    takes_varargs &= name != "varargs";
    Value value;
    filled[i] = i < given || take_keyword(name, value);
    if (filled[i]) scope->set(name, i < given ? arguments.positional[i] : value);
  }
  if (definition.uses_caller && !explicit_caller) {
    Value caller;
    if (!take_keyword("caller", caller) || caller.is_none()) caller = Value::undefined("No caller defined");
    scope->set("caller", caller);
  }
  if (takes_kwargs) {
    Value rest = runtime_.make_dict();
    for (auto& [name, value] : arguments.keyword) rest.as_dict().set(runtime_, Value::string(name), value);
    scope->set("kwargs", rest);
  } else if (!arguments.keyword.empty()) {
    for (const auto& [name, value] : arguments.keyword)
      if (name == "caller")
        runtime_.raise("TypeError",
                       "macro " + shown +
                           " was invoked with two values for the special caller argument. This is most "
                           "likely a bug.");
    runtime_.raise("TypeError",
                   "macro " + shown + " takes no keyword argument '" + arguments.keyword[0].first + "'");
  }
  if (takes_varargs) {
    std::vector<Value> rest(arguments.positional.begin() + static_cast<std::ptrdiff_t>(given),
                            arguments.positional.end());
    scope->set("varargs", runtime_.make_list(std::move(rest), ListForm::tuple));
  } else if (arguments.positional.size() > count) {
    runtime_.raise("TypeError", fmt::format("macro {} takes not more than {} argument(s)", shown, count));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (filled[i]) continue;
    const Parameter& parameter = definition.parameters[i];
    // A default may name parameters before it; its own name and later ones are looked up here too.
    scope->set(parameter.name, parameter.fallback
                                   ? evaluate(*parameter.fallback, scope)
                                   : Value::undefined("parameter '" + parameter.name + "' was not provided"));
  }
  std::string out;
  execute(definition.body, scope, out);
  return runtime_.make_string(std::move(out));
}

}  // namespace r1::jinja
