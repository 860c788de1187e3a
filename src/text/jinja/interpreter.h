// Walks the tree of a template and writes its output.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"

namespace r1::jinja {

/// Variables of one block; lookups go outwards.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<std::string, Value>> variables;

  Value* find(std::string_view name);
  void set(std::string_view name, Value value);
};
using ScopePtr = std::shared_ptr<Scope>;

enum class Flow { normal, stop, next };

class ForSource;

/// The special variable `loop`.
struct LoopObject : Object {
  ForSource* source = nullptr;  // null when the loop has ended
  Interpreter* interpreter = nullptr;
  const Statement* statement = nullptr;
  ScopePtr scope;  // around the loop
  std::int64_t index0 = -1;
  std::int64_t depth0 = 0;
  bool has_current = false, has_before = false;
  Value current, before;
  bool has_changed = false;
  Value last_changed;  // tuple

  std::int64_t length();

 private:
  std::int64_t length_ = -1;
};

class Interpreter {
 public:
  Interpreter(Runtime& runtime, DictObject& context) : runtime_(runtime), context_(context) {}

  Runtime& runtime() { return runtime_; }
  std::string run(const Body& body);

  Value evaluate(const Expression& node, const ScopePtr& scope);
  Value call(const Value& callee, Arguments& arguments);
  Value get_attribute(const Value& object, const std::string& name);  // object.name
  Value get_item(const Value& object, const Value& key);              // object[key]
  Value apply_filter(const std::string& name, const Value& self, Arguments& arguments,
                     const char* missing_suffix);
  bool apply_test(const std::string& name, const Value& self, Arguments& arguments,
                  const char* missing_suffix);
  /// Renders a recursive loop over other items.
  Value recurse(LoopObject& loop, const Value& items);

 private:
  friend class ForSource;
  Flow execute(const Body& body, const ScopePtr& scope, std::string& out);
  Flow execute_one(const Statement& statement, const ScopePtr& scope, std::string& out);
  Flow execute_for(const Statement& statement, const ScopePtr& scope, std::string& out);
  void run_loop(const Statement& statement, const ScopePtr& scope, const Value& items, std::int64_t depth0,
                std::string& out);
  void execute_set(const Statement& statement, const ScopePtr& scope);
  void execute_set_block(const Statement& statement, const ScopePtr& scope);
  void execute_call_block(const Statement& statement, const ScopePtr& scope, std::string& out);
  Flow execute_filter_block(const Statement& statement, const ScopePtr& scope, std::string& out);
  void assign(const Expression& target, const Value& value, const ScopePtr& scope);
  void append_output(std::string& out, const Value& value);
  void append_block_result(std::string& out, const Value& value);

  Value look_up(const std::string& name, const ScopePtr& scope);
  Value evaluate_collection(const Expression& node, const ScopePtr& scope);
  Value evaluate_logic(const Expression& node, const ScopePtr& scope);
  Value evaluate_compare(const Expression& node, const ScopePtr& scope);
  Value evaluate_concat(const Expression& node, const ScopePtr& scope);
  Value evaluate_subscript(const Expression& node, const ScopePtr& scope);
  Value evaluate_call(const Expression& node, const ScopePtr& scope, const Value* caller = nullptr);
  Value evaluate_filter(const Expression& node, const ScopePtr& scope, const Value* input = nullptr);
  Value evaluate_test(const Expression& node, const ScopePtr& scope);
  void evaluate_arguments(const Expression& node, const ScopePtr& scope, Arguments& arguments);
  Value call_macro(MacroObject& macro, Arguments& arguments);

  Runtime& runtime_;
  DictObject& context_;
};

}  // namespace r1::jinja
