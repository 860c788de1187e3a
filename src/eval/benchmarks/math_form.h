// Questions whose answer is a mathematical object: asked for in a box, graded by what it means (grade/math_answer.h).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/benchmark.h"

namespace r1::eval {

/// The release's directive for mathematics, in the question's language.
std::string math_prompt(std::string question, const ItemOptions& options);

/// An item from its parts. `references`: not empty, any of them counts; several capital letters ("BC") are a set of choices.
Item math_item(std::string id, std::string question, const std::vector<std::string>& references,
               const ItemOptions& options);

/// Fields by their usual names (record_fields.h).
Item read_math_item(const nlohmann::json& record, int64_t line, const ItemOptions& options);

Verdict grade_math_item(const Item& item, const Sample& sample, const GradingContext& context);

/// Rules, read_math_item, grade_math_item, votes by equality of meaning. The caller sets name, title, data, protocol.
Benchmark math_form();

}  // namespace r1::eval
