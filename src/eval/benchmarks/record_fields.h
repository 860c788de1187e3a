// Fields of a data record under the names that published and private data sets use. Names are compared without case, '_', '-' and
// spaces: "Correct Answer" is "correct_answer". Errors are Error(bad_file) with the field, what was expected and what was found;
// the reader adds file and record.
#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/benchmark.h"

namespace r1::eval {

/// The first of the fields that is there, is not null and is no empty text; null: none. `record`: an object.
const nlohmann::json* find_field(const nlohmann::json& record, std::initializer_list<std::string_view> names);

/// A text as it is; a number as written in JSON, a whole float without its ".0"; true and false. Throws for other types.
std::string text_of(const nlohmann::json& value, std::string_view field);

/// A required text field. Throws Error that names all spellings and the fields found.
std::string text_field(const nlohmann::json& record, std::initializer_list<std::string_view> names);
/// The same; empty where none is there.
std::string optional_text_field(const nlohmann::json& record, std::initializer_list<std::string_view> names);

/// The record's own id as a text; empty: it has none.
std::string id_of(const nlohmann::json& record);
/// The question: question, problem, prompt, query, input, … or the last user message of `messages`.
std::string question_of(const nlohmann::json& record);
/// The right answers, any of which counts: answer, target, label, … as a text, number or list of them; what follows "####" or the last
/// box of a worked solution.
std::vector<std::string> references_of(const nlohmann::json& record);
/// subject, category, level, …; empty: none.
std::string group_of(const nlohmann::json& record);

/// The choices, in order: a list, an object by letters, a text "A) … B) …", a list as Python writes it ("['a', 'b']"), or fields A, B,
/// C, … Empty: the record has none.
std::vector<std::string> choices_of(const nlohmann::json& record);
/// "A) one B) two" or lines "A. one"; empty: no such text.
std::vector<std::string> split_choices(std::string_view text);
/// A value as Python prints it: lists, tuples, objects, texts with their escapes, numbers, True, False, None. What stands unquoted is a
/// text. Null: no such value.
nlohmann::json python_value(std::string_view text);
/// The letter of the right choice from a letter, a 0-based index, or the choice's own text. Throws where it is none of the choices.
char right_letter(const nlohmann::json& value, const std::vector<std::string>& choices);

/// Whether a text has Chinese characters: its prompt is Chinese then.
bool has_chinese(std::string_view text);
/// The data's language unless the options say otherwise.
bool is_chinese(std::string_view question, const ItemOptions& options);

/// A conversation of one user message.
std::vector<ChatMessage> user_message(std::string text);

/// The bytes of the answer where `extracted` was found last; {0, 0}: not verbatim in it.
std::pair<size_t, size_t> deciding_range(std::string_view answer, std::string_view extracted);

}  // namespace r1::eval
