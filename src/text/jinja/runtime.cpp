#include "text/jinja/runtime.h"

#include <algorithm>

namespace r1::jinja {

void Runtime::tick(std::uint64_t steps) {
  // Huge requests must not wrap the count.
  if (steps > options_.max_steps || (steps_ += steps) > options_.max_steps)
    raise("LimitError", fmt::format("the template needs more than {} steps", options_.max_steps));
}

void Runtime::charge(std::size_t bytes) {
  if (bytes > options_.max_work_bytes || (bytes_ += bytes) > options_.max_work_bytes)
    raise("LimitError",
          fmt::format("the template builds more than {} bytes of values", options_.max_work_bytes));
}

void Runtime::check_string(std::size_t bytes) {
  if (bytes > options_.max_output_bytes)
    raise("LimitError", fmt::format("a text of {} bytes, the limit is {}", bytes, options_.max_output_bytes));
}

Value Runtime::make_string(std::string text, bool markup) {
  check_string(text.size());
  charge(text.size() + 32);
  return Value::string(std::move(text), markup);
}

Value Runtime::make_list(std::vector<Value> items, ListForm form) {
  charge(items.size() * sizeof(Value));
  tick(items.size() / 4 + 1);
  auto* list = make<ListObject>();
  list->form = form;
  list->items = std::move(items);
  return Value::list(list);
}

Value Runtime::make_iterator(std::vector<Value> items, const char* type_name) {
  Value value = make_list(std::move(items), ListForm::iterator);
  value.as_list().type_name = type_name;
  return value;
}

Value Runtime::make_dict() {
  return Value::dict(make<DictObject>());
}

void Runtime::raise(const char* type, std::string message) const {
  throw JinjaError(ErrorKind::invalid_argument, type, std::move(message), line);
}

void Runtime::refuse(std::string what) const {
  throw JinjaError(ErrorKind::unsupported, "NotImplementedError", std::move(what), line);
}

}  // namespace r1::jinja
