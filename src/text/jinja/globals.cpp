// Functions that every template may call.
#include <array>
#include <ctime>

#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"

namespace r1::jinja {

namespace {

Value global_raise(Interpreter& interpreter, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "raise_exception", arguments, {"message"}, 1);
  runtime.raise("TemplateError", to_text(runtime, bound[0]));
}

Value global_strftime(Interpreter& interpreter, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  const Bound bound(runtime, "strftime_now", arguments, {"format"}, 1);
  const std::string format = bound.text(0, "");
  std::tm now{};
  if (runtime.options().now) {
    now = *runtime.options().now;
  } else {
    const std::time_t seconds = std::time(nullptr);
    localtime_r(&seconds, &now);
  }
  if (format.empty()) return Value::string("");
  if (format.size() > 4096) runtime.raise("ValueError", "strftime format too long");
  std::string out(format.size() * 16 + 256, '\0');
  const std::size_t size = std::strftime(out.data(), out.size(), format.c_str(), &now);
  out.resize(size);
  return runtime.make_string(std::move(out));
}

Value global_range(Interpreter& interpreter, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  if (!arguments.keyword.empty()) runtime.raise("TypeError", "range() takes no keyword arguments");
  const std::size_t count = arguments.positional.size();
  if (count == 0) runtime.raise("TypeError", "range expected at least 1 argument, got 0");
  if (count > 3) runtime.raise("TypeError", fmt::format("range expected at most 3 arguments, got {}", count));
  const auto at = [&](std::size_t i) { return to_index(runtime, arguments.positional[i]); };
  const std::int64_t start = count == 1 ? 0 : at(0);
  const std::int64_t stop = count == 1 ? at(0) : at(1);
  const std::int64_t step = count == 3 ? at(2) : 1;
  if (step == 0) runtime.raise("ValueError", "range() arg 3 must not be zero");
  // The budget is asked before anything is built.
  const auto distance = static_cast<std::uint64_t>(step > 0 ? stop : start) -
                        static_cast<std::uint64_t>(step > 0 ? start : stop);
  const std::uint64_t stride =
      step > 0 ? static_cast<std::uint64_t>(step) : std::uint64_t{0} - static_cast<std::uint64_t>(step);
  const bool empty = step > 0 ? start >= stop : start <= stop;
  const std::uint64_t size = empty ? 0 : (distance - 1) / stride + 1;
  runtime.tick(size);
  runtime.charge(size * sizeof(Value));
  std::vector<Value> items;
  items.reserve(size);
  std::int64_t number = start;
  for (std::uint64_t i = 0; i < size; ++i) {
    items.push_back(Value::integer(number));
    if (__builtin_add_overflow(number, step, &number)) break;
  }
  Value range = runtime.make_list(std::move(items), ListForm::range);
  range.as_list().start = start;
  range.as_list().stop = stop;
  range.as_list().step = step;
  return range;
}

Value make_dict(Interpreter& interpreter, Arguments& arguments) {
  Runtime& runtime = interpreter.runtime();
  Value dict = runtime.make_dict();
  Arguments copy = arguments;
  call_method(interpreter, dict, "update", copy);
  return dict;
}

Value global_namespace(Interpreter& interpreter, Arguments& arguments) {
  auto* space = interpreter.runtime().make<NamespaceObject>();
  space->attributes = &make_dict(interpreter, arguments).as_dict();
  return Value::object(space);
}

Value global_cycler(Interpreter& interpreter, Arguments& arguments) {
  if (arguments.positional.empty())
    interpreter.runtime().raise("RuntimeError", "at least one item has to be provided");
  auto* cycler = interpreter.runtime().make<CyclerObject>();
  cycler->items = arguments.positional;
  return Value::object(cycler);
}

Value global_joiner(Interpreter& interpreter, Arguments& arguments) {
  const Bound bound(interpreter.runtime(), "joiner", arguments, {"sep"});
  auto* joiner = interpreter.runtime().make<JoinerObject>();
  joiner->separator = bound.text(0, ", ");
  return Value::object(joiner);
}

Value global_lipsum(Interpreter& interpreter, Arguments&) {
  interpreter.runtime().refuse("lipsum() is not supported: its text is random");
}

}  // namespace

bool find_global(Interpreter& interpreter, std::string_view name, Value& result) {
  static constexpr std::pair<std::string_view, Value (*)(Interpreter&, Arguments&)> kGlobals[] = {
      {"raise_exception", global_raise}, {"strftime_now", global_strftime},
      {"range", global_range},           {"dict", make_dict},
      {"namespace", global_namespace},   {"cycler", global_cycler},
      {"joiner", global_joiner},         {"lipsum", global_lipsum},
  };
  for (const auto& [key, function] : kGlobals) {
    if (key != name) continue;
    auto* object = interpreter.runtime().make<FunctionObject>();
    object->name = name;
    object->call = function;
    result = Value::object(object);
    return true;
  }
  return false;
}

}  // namespace r1::jinja
