// How people type calculations: signs and spaces, words, digits of other forms. Every part is drawn by itself, so
// that their combinations are many.
#pragma once

#include <functional>
#include <string>

#include "tasks/expression.h"
#include "tasks/problem.h"

namespace r1::tasks {

using NumberWriter = std::function<std::string(int64_t)>;

/// Digits of one kind ("34", "３４", "1,234") for all numbers of a question.
NumberWriter draw_digits(Task& task);

/// Words ("thirty-four", "三十四") where there are some for a number of this size, else digits.
NumberWriter draw_number_words(Task& task);

/// Mostly digits, at times words: for numbers inside of a sentence.
NumberWriter draw_numbers(Task& task);

/// With signs: "34-24", "34 − 24", "３４－２４", "12 x 3".
Notation draw_signs(Task& task);

/// With words: "34 minus 24", "thirty-four take away 24", "三十四减二十四".
Notation draw_words(Task& task);

}  // namespace r1::tasks
