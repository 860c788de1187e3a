#include "train/data/data_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_depth.h"
#include "base/json_text.h"
#include "formats/json_file.h"
#include "train/data/thinking.h"

namespace r1 {
namespace {

using nlohmann::ordered_json;

// All fields that a form may have.
constexpr std::array<std::string_view, 18> kFields = {
    "question", "answer", "think",    "system",     "history",       "instruction",
    "input",    "output", "text",     "messages",   "conversations", "tools",
    "prompt",   "chosen", "rejected", "completion", "label",         "kto_tag"};

std::string describe(const ordered_json* value) {
  if (value == nullptr) return "nothing";
  if (value->is_null()) return "null";
  return fmt::format("{} {}", value->type_name(), short_json(nlohmann::json(*value)));
}

/// The fields of one record, under the names of the format.
class Fields {
 public:
  Fields(const Record& record, const ReadOptions& options) : record_(record), options_(options) {}

  const std::string& place() const { return record_.place; }

  const ordered_json* find(const std::string& name) const {
    const auto renamed = options_.columns.find(name);
    const auto found = record_.fields->find(renamed == options_.columns.end() ? name : renamed->second);
    if (found == record_.fields->end() || found->is_null()) return nullptr;
    // A table has a cell for every column: an empty one is an absent field.
    if (record_.is_table_row && found->is_string() && found->get_ref<const std::string&>().empty())
      return nullptr;
    return &*found;
  }
  bool has(const std::string& name) const { return find(name) != nullptr; }

  std::string text(const std::string& name) const {
    const ordered_json* value = find(name);
    if (value == nullptr || !value->is_string()) refuse(name, "a text", value);
    return value->get<std::string>();
  }
  /// Absent and empty fields are the same where a table has a cell for every column.
  std::string text_or_empty(const std::string& name) const { return has(name) ? text(name) : std::string(); }

  const ordered_json& list(const std::string& name) const {
    const ordered_json* value = find(name);
    if (value == nullptr || !value->is_array()) refuse(name, "a list", value);
    return *value;
  }

  /// true and false, or 1 and 0; also as texts of a table's cell (spreadsheets write TRUE).
  bool truth(const std::string& name) const {
    const std::optional<bool> value = find_truth(name);
    if (!value) refuse(name, "true or false", find(name));
    return *value;
  }
  bool is_truth(const std::string& name) const { return find_truth(name).has_value(); }
  std::optional<bool> find_truth(const std::string& name) const {
    const ordered_json* value = find(name);
    if (value != nullptr && value->is_boolean()) return value->get<bool>();
    std::string text;
    if (value != nullptr && value->is_number_integer()) text = value->dump();
    if (value != nullptr && value->is_string()) text = value->get<std::string>();
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    return std::nullopt;
  }

  [[noreturn]] void refuse(const std::string& name, std::string_view expected,
                           const ordered_json* found) const {
    throw_error(ErrorKind::bad_file, "{}: field '{}': expected {}, found {} (fields: {})", place(), name,
                expected, describe(found), names());
  }

  /// For a text of the right type with a wrong content.
  [[noreturn]] void refuse_text(const std::string& name, std::string_view problem) const {
    throw_error(ErrorKind::bad_file, "{}: field '{}': {}", place(), name, problem);
  }

  std::string names() const {
    std::string names;
    for (const auto& [key, value] : record_.fields->items()) names += (names.empty() ? "" : ", ") + key;
    return names.empty() ? "none" : short_text(names);
  }

 private:
  const Record& record_;
  const ReadOptions& options_;
};

/// JSON that is the text of a field; discarded() where it is not sound, or nested too deep to be worked with.
ordered_json parse_inner(const std::string& text) {
  if (is_nested_deeper(text, kMaxJsonLevels)) return ordered_json::value_t::discarded;
  return parse_json_or_discard<ordered_json>(text);
}

/// The thinking of a field of its own, without tags around it.
std::string thinking_field(const Fields& fields, const std::string& where, const std::string& text) {
  SplitAnswer split = strip_thinking_tags(text);
  if (!split.problem.empty()) fields.refuse_text(where, split.problem);
  return std::move(split.answer);
}

/// An answer of a text: "<think>…</think>" in front is its reasoning. `thinking`: what a field of its own says.
ChatMessage assistant(const std::string& text, const std::string& where, const Fields& fields,
                      const std::optional<std::string>& thinking = {}) {
  SplitAnswer split = split_thinking(text);
  if (!split.problem.empty()) fields.refuse_text(where, split.problem);
  if (thinking && split.reasoning && *split.reasoning != *thinking)
    fields.refuse_text(where, "expected thinking in one place, found another in front of the answer");
  ChatMessage message{.role = "assistant"};
  message.content = std::move(split.answer);
  message.reasoning_content = thinking ? thinking : split.reasoning;
  return message;
}

void add_system(const Fields& fields, DataSample& sample) {
  const std::string system = fields.text_or_empty("system");
  if (!system.empty()) sample.messages.push_back({.role = "system", .content = system});
}

/// Earlier turns: [[question, answer], …] or [{"question": …, "answer": …}, …].
void add_history(const Fields& fields, DataSample& sample) {
  if (!fields.has("history")) return;
  const ordered_json& list = fields.list("history");
  for (size_t i = 0; i < list.size(); ++i) {
    const ordered_json& turn = list[i];
    const ordered_json* question = nullptr;
    const ordered_json* answer = nullptr;
    if (turn.is_array() && turn.size() == 2) {
      question = &turn[0], answer = &turn[1];
    } else if (turn.is_object() && turn.contains("question") && turn.contains("answer")) {
      question = &turn["question"], answer = &turn["answer"];
    }
    if (question == nullptr || !question->is_string() || !answer->is_string()) {
      fields.refuse(fmt::format("history[{}]", i), "[question, answer] or {question, answer}, both texts",
                    &turn);
    }
    sample.messages.push_back({.role = "user", .content = question->get<std::string>()});
    sample.messages.push_back(assistant(answer->get<std::string>(), fmt::format("history[{}]", i), fields));
  }
}

void add_user(std::string text, const std::string& field, const Fields& fields, DataSample& sample) {
  if (text.empty()) fields.refuse(field, "a text", nullptr);
  sample.messages.push_back({.role = "user", .content = std::move(text)});
}

void add_alpaca_prompt(const Fields& fields, DataSample& sample) {
  add_system(fields, sample);
  add_history(fields, sample);
  const std::string input = fields.text_or_empty("input");
  const std::string instruction = fields.text("instruction");
  add_user(input.empty()         ? instruction
           : instruction.empty() ? input
                                 : instruction + "\n" + input,
           "instruction", fields, sample);
}

void add_triple_prompt(const Fields& fields, DataSample& sample) {
  add_system(fields, sample);
  add_history(fields, sample);
  add_user(fields.text("question"), "question", fields, sample);
}

void add_triple_answer(const Fields& fields, DataSample& sample) {
  std::optional<std::string> thinking;
  if (fields.has("think")) thinking = thinking_field(fields, "think", fields.text("think"));
  sample.messages.push_back(assistant(fields.text("answer"), "answer", fields, thinking));
}

ChatMessage sharegpt_message(const ordered_json& entry, const std::string& where, const Fields& fields) {
  if (!entry.is_object() || !entry.contains("from") || !entry["from"].is_string()) {
    fields.refuse(where, "an object with \"from\" and \"value\"", &entry);
  }
  if (!entry.contains("value") || !entry["value"].is_string()) {
    fields.refuse(where + ".value", "a text", entry.contains("value") ? &entry["value"] : nullptr);
  }
  const std::string from = entry["from"].get<std::string>(), value = entry["value"].get<std::string>();
  if (from == "human" || from == "user") return {.role = "user", .content = value};
  if (from == "gpt" || from == "assistant" || from == "model")
    return assistant(value, where + ".value", fields);
  if (from == "system") return {.role = "system", .content = value};
  if (from == "observation" || from == "tool") return {.role = "tool", .content = value};
  if (from == "function_call") {
    ChatMessage message{.role = "assistant"};
    ordered_json calls = parse_inner(value);
    if (calls.is_object()) calls = ordered_json::array({calls});
    if (calls.is_array()) {
      for (const ordered_json& call : calls) {
        if (!call.is_object() || !call.contains("name") || !call["name"].is_string()) {
          calls = ordered_json();
          break;
        }
        const ordered_json arguments = call.value("arguments", ordered_json::object());
        message.tool_calls.push_back(
            {"", call["name"].get<std::string>(),
             arguments.is_string() ? arguments.get<std::string>() : arguments.dump()});
      }
    }
    if (!calls.is_array() || calls.empty()) {
      fields.refuse(where + ".value", "JSON {\"name\": …, \"arguments\": …} or a list of them",
                    &entry["value"]);
    }
    return message;
  }
  fields.refuse(where + ".from", "human, gpt, system, function_call, observation or tool", &entry["from"]);
}

ChatMessage openai_message(const ordered_json& entry, const std::string& where, const Fields& fields) {
  ChatMessage message;
  try {
    message = ChatMessage::from_json(entry);
  } catch (const Error& error) {
    throw_error(ErrorKind::bad_file, "{}: field '{}': {}", fields.place(), where, error.what());
  }
  static constexpr std::array<std::string_view, 5> roles = {"system", "user", "assistant", "tool",
                                                            "developer"};
  if (std::find(roles.begin(), roles.end(), message.role) == roles.end()) {
    fields.refuse(where + ".role", "system, user, assistant or tool", &entry["role"]);
  }
  if (message.role == "developer") message.role = "system";  // OpenAI's later name
  if (entry.contains("weight") && entry["weight"] != 1) {
    fields.refuse(where + ".weight", "1 or nothing (train_on says which answers are trained)",
                  &entry["weight"]);
  }
  if (message.role != "assistant") return message;
  for (const char* name : {"reasoning", "thinking"}) {  // as other servers call reasoning_content
    if (!entry.contains(name) || entry[name].is_null()) continue;
    const std::string field = where + "." + name;
    if (!entry[name].is_string()) fields.refuse(field, "a text", &entry[name]);
    if (message.reasoning_content)
      fields.refuse(field, "one of reasoning_content, reasoning and thinking", &entry[name]);
    message.reasoning_content = entry[name].get<std::string>();
  }
  if (message.reasoning_content)
    message.reasoning_content =
        thinking_field(fields, where + ".reasoning_content", *message.reasoning_content);
  if (!message.content) return message;
  ChatMessage split = assistant(*message.content, where + ".content", fields, message.reasoning_content);
  message.content = std::move(split.content);
  message.reasoning_content = std::move(split.reasoning_content);
  return message;
}

void add_tools(const Fields& fields, DataSample& sample) {
  const ordered_json* tools = fields.find("tools");
  if (tools == nullptr) return;
  ordered_json list = *tools;
  if (list.is_string()) {  // sharegpt keeps JSON as a text
    if (list.get<std::string>().empty()) return;
    list = parse_inner(list.get<std::string>());
  }
  if (!list.is_array()) fields.refuse("tools", "a list of tools, or its JSON text", tools);
  if (!list.empty()) sample.tools = std::move(list);
}

/// A message of either form: `from` and `value`, or `role` and `content`.
ChatMessage read_message(const ordered_json& entry, const std::string& where, bool openai,
                         const Fields& fields) {
  if (entry.is_object() && entry.contains("from") != entry.contains("role")) openai = entry.contains("role");
  return openai ? openai_message(entry, where, fields) : sharegpt_message(entry, where, fields);
}

void add_list(const Fields& fields, const std::string& name, bool openai, DataSample& sample) {
  const ordered_json& list = fields.list(name);
  for (size_t i = 0; i < list.size(); ++i) {
    sample.messages.push_back(read_message(list[i], fmt::format("{}[{}]", name, i), openai, fields));
  }
  add_tools(fields, sample);
}

void add_prompt_field(const Fields& fields, DataSample& sample) {
  const ordered_json* prompt = fields.find("prompt");
  if (prompt == nullptr) {
    fields.refuse("prompt",
                  "a text or a list of messages (or conversations, messages, instruction, question)",
                  nullptr);
  }
  if (prompt->is_array()) return add_list(fields, "prompt", true, sample);
  add_system(fields, sample);
  add_history(fields, sample);
  add_user(fields.text("prompt"), "prompt", fields, sample);
}

/// The turns before an answer, in whichever form they are.
void add_prompt(const Fields& fields, DataSample& sample) {
  // Beside a pair of answers: published pairs have a whole conversation in another column.
  if (fields.has("prompt") && fields.has("chosen")) return add_prompt_field(fields, sample);
  if (fields.has("conversations")) {
    add_system(fields, sample);
    return add_list(fields, "conversations", false, sample);
  }
  if (fields.has("messages")) return add_list(fields, "messages", true, sample);
  if (fields.has("instruction")) return add_alpaca_prompt(fields, sample);
  if (fields.has("question")) return add_triple_prompt(fields, sample);
  add_prompt_field(fields, sample);
}

/// chosen, rejected, completion: a text, a message of either form, or messages of which the last is the
/// answer and those before it, if any, are the prompt once more.
ChatMessage read_answer(const Fields& fields, const std::string& name, const DataSample& sample) {
  const ordered_json* value = fields.find(name);
  ChatMessage message;
  if (value != nullptr && value->is_string()) {
    message = assistant(value->get<std::string>(), name, fields);
  } else if (value != nullptr && value->is_object()) {
    message = read_message(*value, name, true, fields);
  } else if (value != nullptr && value->is_array() && !value->empty()) {
    const size_t before = value->size() - 1;
    message = read_message(value->back(), fmt::format("{}[{}]", name, before), true, fields);
    if (before != 0 && before != sample.messages.size()) {
      fields.refuse(
          name,
          fmt::format("the answer alone, or behind the {} messages of the prompt", sample.messages.size()),
          value);
    }
    for (size_t i = 0; i < before; ++i) {
      const std::string where = fmt::format("{}[{}]", name, i);
      const ChatMessage again = read_message((*value)[i], where, true, fields);
      const ChatMessage& message_before = sample.messages[i];
      if (again.role != message_before.role || again.content != message_before.content) {
        fields.refuse(where, "the prompt's message once more", &(*value)[i]);
      }
    }
  } else {
    fields.refuse(name, "a text or an assistant's message", value);
  }
  if (message.role != "assistant") fields.refuse(name, "an assistant's message", value);
  return message;
}

/// Published pairs without a prompt have it as the first messages of both answers.
void add_shared_prompt(const Fields& fields, DataSample& sample) {
  const ordered_json &chosen = fields.list("chosen"), &rejected = fields.list("rejected");
  if (chosen.size() < 2 || chosen.size() != rejected.size() ||
      !std::equal(chosen.begin(), chosen.end() - 1, rejected.begin())) {
    fields.refuse("chosen", "a prompt beside it, or messages that are those of 'rejected' but for the last",
                  &chosen);
  }
  add_system(fields, sample);
  for (size_t i = 0; i + 1 < chosen.size(); ++i) {
    sample.messages.push_back(read_message(chosen[i], fmt::format("chosen[{}]", i), true, fields));
  }
  add_tools(fields, sample);
}

DataFormat detect(const Fields& fields, bool labels) {
  if (fields.has("chosen") || fields.has("rejected")) return DataFormat::preference;
  const bool is_label = fields.is_truth("label") || (fields.has("label") && fields.has("completion"));
  if (labels && (fields.has("kto_tag") || is_label)) return DataFormat::kto;
  if (fields.has("messages")) return DataFormat::messages;
  if (fields.has("conversations")) return DataFormat::sharegpt;
  if (fields.has("instruction")) return DataFormat::alpaca;
  if (fields.has("question")) return DataFormat::triple;
  if (fields.has("prompt") && fields.has("completion")) return DataFormat::completion;
  if (fields.has("text")) return DataFormat::text;
  throw_error(ErrorKind::bad_file,
              "{}: expected one of the fields question, instruction, messages, conversations, prompt and "
              "completion, chosen, "
              "label or text, found {} (own names: columns = question=NAME,answer=NAME)",
              fields.place(), fields.names());
}

/// An answer that says nothing would teach to end at once.
void require_answer(const DataSample& sample, const ChatMessage& answer, const std::string& where) {
  if (answer.tool_calls.empty() && (!answer.content || answer.content->empty())) {
    throw_error(ErrorKind::bad_file, "{}: {}: expected text of the assistant, found none", sample.place,
                where);
  }
}

void add_completion(const Fields& fields, DataSample& sample) {
  ChatMessage answer = read_answer(fields, "completion", sample);
  sample.messages.push_back(std::move(answer));
}

/// By the field, or in its text (the Hermes form).
bool calls_tools(const ChatMessage& message) {
  return !message.tool_calls.empty() || message.content.value_or("").find("<tool_call>") != std::string::npos;
}

void check_turns(const DataSample& sample, bool ends_with_assistant) {
  const std::vector<ChatMessage>& messages = sample.messages;
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string& role = messages[i].role;
    const std::string before = i == 0 ? "the start" : messages[i - 1].role;
    const bool fits = role == "system" ? before == "the start"
                      : role == "user" ? before != "user" && before != "tool"
                      : role == "assistant"
                          ? before == "user" || before == "tool"
                          : before == "tool" || (before == "assistant" && calls_tools(messages[i - 1]));
    if (!fits) {
      throw_error(ErrorKind::bad_file, "{}: turn {}: expected {}, found {} behind {}", sample.place, i + 1,
                  before == "user" || before == "tool" ? "assistant" : "user", role, before);
    }
    if (role == "user" && (!messages[i].content || messages[i].content->empty())) {
      throw_error(ErrorKind::bad_file, "{}: turn {}: expected text of the user, found none", sample.place,
                  i + 1);
    }
    if (role == "assistant") require_answer(sample, messages[i], fmt::format("turn {}", i + 1));
  }
  const std::string last = messages.empty() ? "nothing" : messages.back().role;
  if (ends_with_assistant ? last != "assistant" : last != "user" && last != "tool") {
    throw_error(ErrorKind::bad_file, "{}: last turn: expected {}, found {}", sample.place,
                ends_with_assistant ? "assistant" : "user (the answers stand apart)", last);
  }
}

}  // namespace

std::map<std::string, std::string> column_names(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> names;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      throw_error(ErrorKind::invalid_argument, "columns: expected FIELD=NAME as question=Frage, found '{}'",
                  text);
    }
    const std::string field = text.substr(0, equals);
    if (std::find(kFields.begin(), kFields.end(), field) == kFields.end()) {
      throw_error(ErrorKind::invalid_argument, "columns: expected one of the fields {}, found '{}'",
                  fmt::join(kFields, ", "), field);
    }
    if (!names.emplace(field, text.substr(equals + 1)).second)
      throw_error(ErrorKind::invalid_argument, "columns: expected one name for '{}', found two", field);
  }
  return names;
}

DataSample make_data_sample(const Record& record, const ReadOptions& options) {
  const Fields fields(record, options);
  DataSample sample;
  sample.place = record.place;
  sample.format = options.format == DataFormat::automatic ? detect(fields, options.labels) : options.format;
  switch (sample.format) {
    case DataFormat::text:
      sample.text = fields.text("text");
      if (sample.text.empty()) fields.refuse("text", "a text", nullptr);
      return sample;
    case DataFormat::preference: {
      const bool alone = !fields.has("prompt") && !fields.has("conversations") && !fields.has("messages") &&
                         !fields.has("instruction") && !fields.has("question") && fields.has("chosen") &&
                         fields.find("chosen")->is_array();
      if (alone) {
        add_shared_prompt(fields, sample);
      } else {
        add_prompt(fields, sample);
      }
      sample.chosen = read_answer(fields, "chosen", sample);
      sample.rejected = read_answer(fields, "rejected", sample);
      require_answer(sample, *sample.chosen, "chosen");
      require_answer(sample, *sample.rejected, "rejected");
      check_turns(sample, false);
      return sample;
    }
    case DataFormat::kto:
      sample.desirable = fields.truth(fields.has("kto_tag") ? "kto_tag" : "label");
      add_prompt(fields, sample);
      if (fields.has("completion")) {
        add_completion(fields, sample);
      } else if (fields.has("instruction")) {
        sample.messages.push_back(assistant(fields.text("output"), "output", fields));
      } else if (fields.has("question")) {
        add_triple_answer(fields, sample);
      }
      break;
    case DataFormat::alpaca:
      add_alpaca_prompt(fields, sample);
      sample.messages.push_back(assistant(fields.text("output"), "output", fields));
      break;
    case DataFormat::triple:
      add_triple_prompt(fields, sample);
      add_triple_answer(fields, sample);
      break;
    case DataFormat::sharegpt:
      add_system(fields, sample);
      add_list(fields, "conversations", false, sample);
      break;
    case DataFormat::messages:
      add_list(fields, "messages", true, sample);
      break;
    case DataFormat::completion:
      add_prompt(fields, sample);
      add_completion(fields, sample);
      break;
    case DataFormat::automatic:
      break;
  }
  check_turns(sample, true);
  return sample;
}

void read_data_samples(const std::filesystem::path& path, const ReadOptions& options,
                       const std::function<void(DataSample)>& emit, const BadLine& bad) {
  read_records(
      path,
      [&](const Record& record) {
        DataSample sample;
        try {
          sample = make_data_sample(record, options);
        } catch (const Error& error) {
          if (!bad) throw;
          bad(error.what());
          return;
        }
        emit(std::move(sample));
      },
      bad);
}

}  // namespace r1
