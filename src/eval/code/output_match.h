// Whether a program's output or a function's value is the expected one, by LiveCodeBench's rules (its module
// testing_util).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace r1::eval {

/// Equal numbers of lines, white space at both ends of the text and of each line apart, and each line equal: as text, or token by
/// token as exact decimal numbers ("1.0" is "1", "1e2" is "100").
bool same_output(std::string_view output, std::string_view expected);

/// Python's ==: 1, 1.0 and true are equal; lists by elements, objects by keys.
bool same_value(const nlohmann::json& value, const nlohmann::json& expected);

}  // namespace r1::eval
