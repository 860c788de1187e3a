// Tests of a programming problem, as data sets store them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace r1::eval {

struct TestCase {
  std::string input{}, output{};
  bool functional = false;  // input: one JSON argument a line; output: JSON. Else standard input and output
};

/// From a list of {"input", "output", "testtype"}, the same as a JSON text, or LiveCodeBench's packed form (base64 → zlib → pickle of a
/// JSON text). Inputs and outputs that are lists of texts are lines. Throws Error(bad_file) with the place in `name`.
std::vector<TestCase> read_test_cases(const nlohmann::json& field, const std::string& name);

}  // namespace r1::eval
