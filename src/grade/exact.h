// Exact match of short answers.
#pragma once

#include <string>
#include <string_view>

namespace r1::grade {

/// The answer in an output: the last box, else what follows the last "answer:" or 答案 on its line, else all of it. Without thinking, marks
/// of bold type and quotation marks around it.
std::string plain_answer(std::string_view output);

/// Equal but for case, runs of white space, and punctuation and quotation marks at the ends.
bool same_text(std::string_view a, std::string_view b);

}  // namespace r1::grade
