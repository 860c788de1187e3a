// The items of a for loop, with its condition applied lazily as Jinja2 does, and with a look at the next one.
#pragma once

#include <optional>
#include <vector>

#include "text/jinja/interpreter.h"

namespace r1::jinja {

class ForSource {
 public:
  /// Raises TypeError when `items` cannot be iterated.
  ForSource(Interpreter& interpreter, const Statement& statement, const ScopePtr& scope, const Value& items);

  bool next(Value& item);
  /// The next item without taking it; null at the end.
  const Value* peek();
  /// All items, taken and not; `taken` of them were taken.
  std::int64_t length(std::int64_t taken);

 private:
  bool fetch(Value& item);
  bool fetch_any(Value& item);

  Interpreter& interpreter_;
  const Statement& statement_;
  ScopePtr scope_;
  ListObject* live_ = nullptr;  // a list is read as it grows
  std::vector<Value> items_;
  std::size_t position_ = 0;
  bool tested_ = false;  // items_ holds only items that passed the condition
  std::optional<Value> after_;
};

}  // namespace r1::jinja
