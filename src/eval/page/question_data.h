// The questions of the evaluation page as data for its script (page.js).
#pragma once

#include <cstddef>
#include <string>

#include "eval/report.h"

namespace r1::eval {

/// <script type="application/json"> elements: "index-N" with the rows of evaluation N, and "question-N-I" for each question.
/// Thinking and answers of a sample take at most `bytes` together.
std::string question_data(const Evaluation& evaluation, size_t number, size_t bytes);

/// The place where the script shows the questions of evaluation `number`: search, filter, list.
std::string question_list(const Evaluation& evaluation, size_t number);

/// The first line of what the user asks, for lists.
std::string question_start(const Item& item);

}  // namespace r1::eval
