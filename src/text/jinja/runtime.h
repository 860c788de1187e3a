// What one rendering owns: its objects and its budget. Passed to everything that builds or walks values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja.h"
#include "text/jinja/value.h"

namespace r1::jinja {

class Runtime {
 public:
  explicit Runtime(const JinjaOptions& options) : options_(options) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const JinjaOptions& options() const { return options_; }

  /// Takes steps from the budget.
  void tick(std::uint64_t steps = 1);
  /// Takes bytes from the budget of built values.
  void charge(std::size_t bytes);
  /// Refuses a string of this size before it is built.
  void check_string(std::size_t bytes);

  template <typename T>
  T* make() {
    charge(sizeof(T) + 32);
    auto owned = std::make_unique<T>();
    T* object = owned.get();
    objects_.push_back(std::move(owned));
    return object;
  }
  Value make_string(std::string text, bool markup = false);
  Value make_list(std::vector<Value> items, ListForm form = ListForm::list);
  Value make_iterator(std::vector<Value> items, const char* type_name = "generator");
  Value make_dict();

  /// Raises an error as Python or Jinja would, at the current line.
  [[noreturn]] void raise(const char* type, std::string message) const;
  [[noreturn]] void refuse(std::string what) const;

  int line = 0;   // of the node being evaluated
  int depth = 0;  // nested evaluations

 private:
  const JinjaOptions& options_;
  std::uint64_t steps_ = 0;
  std::size_t bytes_ = 0;
  std::vector<std::unique_ptr<Object>> objects_;
};

/// Counts one level of nesting while it lives.
class DepthGuard {
 public:
  explicit DepthGuard(Runtime& runtime) : runtime_(runtime) {
    if (runtime_.depth >= runtime_.options().max_depth)
      runtime_.raise("RecursionError", "maximum recursion depth exceeded");
    ++runtime_.depth;
  }
  ~DepthGuard() { --runtime_.depth; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  Runtime& runtime_;
};

}  // namespace r1::jinja
