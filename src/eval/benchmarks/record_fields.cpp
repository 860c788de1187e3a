#include "eval/benchmarks/record_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "train/data/records.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '_' || c == '-' || c == ' ') continue;
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return out;
}

bool is_empty(const Json& value) {
  return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
         (value.is_structured() && value.empty());
}

std::string field_names(const Json& record) {
  std::vector<std::string> names;
  for (const auto& [name, value] : record.items()) names.push_back(name);
  return short_text(fmt::format("{}", fmt::join(names, ", ")));
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// What a worked solution ends in: behind "####", or its last box; the text itself where it has neither.
std::string final_answer(const std::string& text) {
  if (const size_t mark = text.rfind("####"); mark != std::string::npos)
    return std::string(trim(std::string_view(text).substr(mark + 4)));
  const size_t box = text.rfind("\\boxed");
  return box == std::string::npos ? text : text.substr(box);
}

/// Reads what Python's repr() writes.
class PythonReader {
 public:
  explicit PythonReader(std::string_view text) : rest_(trim(text)) {}

  Json whole() {
    if (rest_.empty() || (rest_[0] != '[' && rest_[0] != '{' && rest_[0] != '(')) return nullptr;
    Json value = read(0);
    return failed_ || !trim(rest_).empty() ? Json() : value;
  }

 private:
  static constexpr int kMaxDepth = 32;

  bool take(char c) {
    rest_ = trim(rest_);
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Json read(int depth) {
    rest_ = trim(rest_);
    if (depth > kMaxDepth || rest_.empty()) return fail();
    if (take('{')) return read_object(depth);
    if (take('[')) return read_list(depth, ']');
    if (take('(')) return read_list(depth, ')');
    if (rest_[0] == '\'' || rest_[0] == '"') return read_text();
    const size_t end = std::min(rest_.find_first_of(",]})\n"), rest_.size());
    const std::string word(trim(rest_.substr(0, end)));
    rest_.remove_prefix(end);
    if (word == "None") return nullptr;
    if (word == "True" || word == "False") return word == "True";
    Json number = Json::parse(word, nullptr, false);
    return number.is_number() ? number : Json(word);
  }

  Json read_list(int depth, char close) {
    Json list = Json::array();
    while (!take(close)) {
      if (take(',')) continue;
      list.push_back(read(depth + 1));
      if (failed_) return nullptr;
    }
    return list;
  }

  Json read_object(int depth) {
    Json object = Json::object();
    while (!take('}')) {
      if (take(',')) continue;
      const Json key = read(depth + 1);
      if (failed_ || !key.is_string() || !take(':')) return fail();
      object[key.get<std::string>()] = read(depth + 1);
      if (failed_) return nullptr;
    }
    return object;
  }

  Json read_text() {
    const char quote = rest_[0];
    std::string text;
    size_t at = 1;
    for (; at < rest_.size() && rest_[at] != quote; ++at) {
      if (rest_[at] != '\\' || at + 1 >= rest_.size()) {
        text += rest_[at];
        continue;
      }
      const char escaped = rest_[++at];
      const auto hexadecimal = [&](size_t digits) {
        if (at + digits >= rest_.size()) return false;
        const std::string code(rest_.substr(at + 1, digits));
        if (code.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return false;
        append_code_point(text, static_cast<uint32_t>(std::stoul(code, nullptr, 16)));
        at += digits;
        return true;
      };
      constexpr std::string_view kNames = "ntrabfv0", kValues = "\n\t\r\a\b\f\v";
      if ((escaped == 'x' && hexadecimal(2)) || (escaped == 'u' && hexadecimal(4)) ||
          (escaped == 'U' && hexadecimal(8)))
        continue;
      if (const size_t name = kNames.find(escaped); name < kValues.size()) {
        text += kValues[name];
      } else {  // Python keeps the backslash of an unknown escape
        if (escaped != '\\' && escaped != '\'' && escaped != '"') text += '\\';
        text += escaped;
      }
    }
    if (at >= rest_.size()) return fail();
    rest_.remove_prefix(at + 1);
    return text;
  }

  static void append_code_point(std::string& text, uint32_t code) {
    const auto add = [&](uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
      add(code);
    } else if (code < 0x800) {
      add(0xC0 | code >> 6), add(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      add(0xE0 | code >> 12), add(0x80 | (code >> 6 & 0x3F)), add(0x80 | (code & 0x3F));
    } else {
      add(0xF0 | (code >> 18 & 7)), add(0x80 | (code >> 12 & 0x3F)), add(0x80 | (code >> 6 & 0x3F)),
          add(0x80 | (code & 0x3F));
    }
  }

  Json fail() {
    failed_ = true;
    rest_ = {};
    return nullptr;
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace

const Json* find_field(const Json& record, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const std::string wanted = plain(name);
    for (auto field = record.begin(); field != record.end(); ++field) {
      if (plain(field.key()) == wanted && !is_empty(*field)) return &*field;
    }
  }
  return nullptr;
}

std::string text_of(const Json& value, std::string_view field) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    constexpr double kExact = 9e15;
    if (number == std::floor(number) && std::abs(number) < kExact)
      return std::to_string(static_cast<int64_t>(number));
  }
  if (value.is_number() || value.is_boolean()) return value.dump();
  throw_error(ErrorKind::bad_file, "field '{}': expected a text or a number, found {}", field,
              value.type_name());
}

std::string text_field(const Json& record, std::initializer_list<std::string_view> names) {
  if (const Json* value = find_field(record, names)) return text_of(*value, *names.begin());
  throw_error(ErrorKind::bad_file, "field '{}': expected a text ({}), found the fields {}", *names.begin(),
              fmt::join(names, ", "), field_names(record));
}

std::string optional_text_field(const Json& record, std::initializer_list<std::string_view> names) {
  const Json* value = find_field(record, names);
  return value ? text_of(*value, *names.begin()) : "";
}

std::string id_of(const Json& record) {
  const Json* value =
      find_field(record, {"id", "unique_id", "question_id", "uid", "key", "task_id", "query_id", "problem_id",
                          "sample_id", "record_id", "qid", "idx", "index"});
  if (value == nullptr || value->is_structured()) return "";
  return text_of(*value, "id");
}

std::string question_of(const Json& record) {
  if (const Json* value = find_field(record, {"question", "problem", "prompt", "query", "instruction",
                                              "input", "text", "content", "问题", "题目"});
      value != nullptr && !value->is_structured()) {
    return text_of(*value, "question");
  }
  if (const auto messages = record.find("messages"); messages != record.end() && messages->is_array()) {
    for (auto message = messages->rbegin(); message != messages->rend(); ++message) {
      if (message->is_object() && message->value("role", "") == "user" && message->contains("content"))
        return text_of((*message)["content"], "messages");
    }
  }
  throw_error(
      ErrorKind::bad_file,
      "field 'question': expected a text (question, problem, prompt, query or input), found the fields {}",
      field_names(record));
}

std::vector<std::string> references_of(const Json& record) {
  const Json* value =
      find_field(record, {"answer", "final_answer", "expected_answer", "reference_answer", "ground_truth",
                          "gold_answer", "gold", "reference", "target", "label", "correct_answer", "gt",
                          "solution", "output", "completion", "答案"});
  if (value == nullptr) {
    throw_error(ErrorKind::bad_file,
                "field 'answer': expected a text or a number (answer, target, label or solution), found the "
                "fields {}",
                field_names(record));
  }
  std::vector<std::string> references;
  if (value->is_array()) {
    references.reserve(value->size());
    for (const Json& part : *value) references.push_back(final_answer(text_of(part, "answer")));
  } else {
    references.push_back(final_answer(text_of(*value, "answer")));
  }
  return references;
}

std::string group_of(const Json& record) {
  return optional_text_field(record,
                             {"subject", "category", "primary_category", "subfield", "topic", "type"});
}

std::vector<std::string> split_choices(std::string_view text) {
  std::vector<std::string> choices;
  size_t start = 0;
  bool inside = false;
  const auto mark_at = [&](size_t at) -> size_t {  // bytes of "A)", "(A)", "A."; 0: none
    const char letter = static_cast<char>('A' + choices.size() + (inside ? 1 : 0));
    const bool bracket = text[at] == '(';
    const size_t place = at + (bracket ? 1 : 0);
    if (place + 1 >= text.size() || text[place] != letter || (at > 0 && !is_space(text[at - 1]))) return 0;
    const std::string_view behind = text.substr(place + 1);
    if (bracket) return behind.starts_with(')') ? 3 : 0;
    for (const std::string_view mark : {")", ".", ":", "．", "、", "："}) {
      if (behind.starts_with(mark)) return 1 + mark.size();
    }
    return 0;
  };
  for (size_t at = 0; at < text.size();) {
    const size_t mark = mark_at(at);
    if (mark == 0) {
      if (!inside && !is_space(text[at])) return {};
      ++at;
      continue;
    }
    if (inside) choices.emplace_back(trim(text.substr(start, at - start)));
    inside = true;
    at += mark;
    start = at;
  }
  if (inside) choices.emplace_back(trim(text.substr(start)));
  return choices.size() < 2 ? std::vector<std::string>{} : choices;
}

Json python_value(std::string_view text) {
  return PythonReader(text).whole();
}

std::vector<std::string> choices_of(const Json& record) {
  std::vector<std::string> choices;
  if (const Json* value = find_field(record, {"choices", "options", "选项"})) {
    if (value->is_object() && value->contains("text") && (*value)["text"].is_array())
      value = &(*value)["text"];                    // {"text": [...], "label": [...]}, as ARC has it
    if (value->is_array() || value->is_object()) {  // nlohmann keeps the keys of an object sorted
      for (const Json& choice : *value) choices.push_back(text_of(choice, "choices"));
      // "A) one" in each: the letter is not part of the choice
      const bool lettered = !choices.empty() && [&] {
        for (size_t i = 0; i < choices.size(); ++i) {
          const char letter = static_cast<char>('A' + i);
          const std::string& choice = choices[i];
          if (choice.size() < 2 || choice[0] != letter || (choice[1] != ')' && choice[1] != '.'))
            return false;
        }
        return true;
      }();
      for (std::string& choice : choices) {
        if (lettered) choice = std::string(trim(std::string_view(choice).substr(2)));
      }
      return choices;
    }
    const std::string text = text_of(*value, "choices");
    const Json list = python_value(text);
    for (const Json& choice : list.is_array() ? list : Json::array())
      choices.push_back(text_of(choice, "choices"));
    if (choices.empty()) choices = split_choices(text);
    if (choices.empty())
      throw_error(ErrorKind::bad_file, "field 'choices': expected a list, or 'A) … B) …', found '{}'",
                  short_text(text));
    return choices;
  }
  for (char letter = 'A'; letter <= 'J'; ++letter) {  // fields A, B, C, D as in C-Eval
    const auto field = record.find(std::string(1, letter));
    if (field == record.end() || field->is_null()) break;
    choices.push_back(text_of(*field, std::string(1, letter)));
  }
  return choices;
}

char right_letter(const Json& value, const std::vector<std::string>& choices) {
  const std::string text = std::string(trim(text_of(value, "answer")));
  const auto count = static_cast<int64_t>(choices.size());
  const auto in_range = [&](int64_t index) { return index >= 0 && index < count; };
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos && text.size() < 3) {
    // A choice that is this number wins over an index, where the value is a text.
    const auto same = std::find(choices.begin(), choices.end(), text);
    if (value.is_string() && same != choices.end() && !in_range(std::stoll(text)))
      return static_cast<char>('A' + (same - choices.begin()));
    if (in_range(std::stoll(text))) return static_cast<char>('A' + std::stoll(text));
  }
  std::string_view letter = text;
  if (letter.starts_with('(')) letter.remove_prefix(1);
  if (!letter.empty()) {
    const char upper = static_cast<char>(letter[0] >= 'a' && letter[0] <= 'z' ? letter[0] - 32 : letter[0]);
    const bool alone =
        letter.size() == 1 || std::string_view(").:").find(letter[1]) != std::string_view::npos;
    if (alone && upper >= 'A' && in_range(upper - 'A')) return upper;
  }
  const auto same = std::find_if(choices.begin(), choices.end(),
                                 [&](const std::string& choice) { return trim(choice) == text; });
  if (same != choices.end()) return static_cast<char>('A' + (same - choices.begin()));
  throw_error(ErrorKind::bad_file,
              "field 'answer': expected one of {} choices (letter, 0-based index or text), found '{}'", count,
              short_text(text));
}

bool has_chinese(std::string_view text) {
  // U+4E00 to U+9FFF: E4 B8 80 to E9 BF BF
  for (size_t at = 0; at + 2 < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0xE4 && byte <= 0xE9 && (static_cast<unsigned char>(text[at + 1]) & 0xC0) == 0x80)
      return true;
  }
  return false;
}

bool is_chinese(std::string_view question, const ItemOptions& options) {
  return options.language.empty() ? has_chinese(question) : options.language == "zh";
}

std::vector<ChatMessage> user_message(std::string text) {
  std::vector<ChatMessage> messages(1);
  messages[0].role = "user";
  messages[0].content = std::move(text);
  return messages;
}

std::pair<size_t, size_t> deciding_range(std::string_view answer, std::string_view extracted) {
  const size_t at = extracted.empty() ? std::string_view::npos : answer.rfind(extracted);
  if (at == std::string_view::npos) return {0, 0};
  return {at, at + extracted.size()};
}

}  // namespace r1::eval
