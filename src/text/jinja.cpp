#include "text/jinja.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"
#include "text/jinja/unicode.h"

namespace r1 {

namespace {

// One line: a message of raise_exception may hold several.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? std::string("\\n") : std::string(1, c);
  return out;
}

std::string describe(const std::string& type, const std::string& message, int line) {
  const std::string where = line > 0 ? fmt::format("template line {}", line) : std::string("template");
  return fmt::format("{}: {}: {}", where, type, one_line(message));
}

jinja::Value to_value(jinja::Runtime& runtime, const nlohmann::ordered_json& json) {
  using jinja::Value;
  const jinja::DepthGuard guard(runtime);
  runtime.tick();
  switch (json.type()) {
    case nlohmann::json::value_t::null:
      return Value::none();
    case nlohmann::json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case nlohmann::json::value_t::number_integer:
      return Value::integer(json.get<std::int64_t>());
    case nlohmann::json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
        runtime.raise("OverflowError",
                      fmt::format("the integer {} does not fit 64 bits with sign", json.dump()));
      return Value::integer(json.get<std::int64_t>());
    case nlohmann::json::value_t::number_float:
      return Value::floating(json.get<double>());
    case nlohmann::json::value_t::string: {
      const auto& text = json.get_ref<const std::string&>();
      if (!jinja::is_valid_utf8(text))
        runtime.raise("UnicodeDecodeError", "a variable holds text that is not UTF-8");
      return runtime.make_string(text);
    }
    case nlohmann::json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const auto& item : json) items.push_back(to_value(runtime, item));
      return runtime.make_list(std::move(items));
    }
    case nlohmann::json::value_t::object: {
      Value dict = runtime.make_dict();
      for (const auto& [key, item] : json.items())
        dict.as_dict().set(runtime, runtime.make_string(key), to_value(runtime, item));
      return dict;
    }
    default:
      break;
  }
  runtime.raise("TypeError", "a variable holds binary data");
}

}  // namespace

JinjaError::JinjaError(ErrorKind kind, std::string type, std::string message, int line)
    : Error(kind, describe(type, message, line)),
      type_(std::move(type)),
      message_(std::move(message)),
      line_(line) {}

struct JinjaTemplate::State {
  JinjaOptions options;
  jinja::ParsedTemplate parsed;
};

JinjaTemplate::JinjaTemplate(std::unique_ptr<const State> state) : state_(std::move(state)) {}
JinjaTemplate::JinjaTemplate(JinjaTemplate&&) noexcept = default;
JinjaTemplate& JinjaTemplate::operator=(JinjaTemplate&&) noexcept = default;
JinjaTemplate::~JinjaTemplate() = default;

JinjaTemplate JinjaTemplate::parse(std::string_view source, const JinjaOptions& options) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->parsed = jinja::parse_template(source, options);
  return JinjaTemplate(std::move(state));
}

bool JinjaTemplate::mentions(std::string_view variable) const {
  return state_->parsed.names.find(variable) != state_->parsed.names.end();
}

std::string JinjaTemplate::render(const nlohmann::ordered_json& context) const {
  return render(context, state_->options.now);
}

std::string JinjaTemplate::render(const nlohmann::ordered_json& context,
                                  const std::optional<std::tm>& now) const {
  JinjaOptions options = state_->options;
  options.now = now;
  jinja::Runtime runtime(options);
  if (!context.is_object() && !context.is_null())
    runtime.raise("TypeError", "the variables must be an object");
  const jinja::Value variables = context.is_null() ? runtime.make_dict() : to_value(runtime, context);
  return jinja::Interpreter(runtime, variables.as_dict()).run(state_->parsed.body);
}

}  // namespace r1
