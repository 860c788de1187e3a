// What Codeforces shares with the form `code`.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "eval/benchmark.h"

namespace r1::eval {

/// A program's tests, limits and language from a record, for grade_code_item().
nlohmann::json read_program_fields(const nlohmann::json& record);

/// Runs the last block of code of an answer on the item's tests.
Verdict grade_code_item(const Item& item, const Sample& sample, const GradingContext& context);

}  // namespace r1::eval
