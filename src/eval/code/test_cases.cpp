#include "eval/code/test_cases.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/json_depth.h"
#include "base/json_text.h"
#include "eval/code/lines.h"
#include "eval/code/pickled_string.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxUnpackedBytes = int64_t{1} << 30;

std::string text_of_test(const Json& test, std::initializer_list<const char*> names,
                         const std::string& place) {
  for (const char* name : names) {
    const auto found = test.find(name);
    if (found == test.end() || found->is_null()) continue;
    if (found->is_string()) return found->get<std::string>();
    if (found->is_array()) {
      std::string lines;
      for (const Json& line : *found)
        lines += (line.is_string() ? line.get<std::string>() : line.dump()) + "\n";
      return lines;
    }
    return found->dump();
  }
  throw_error(ErrorKind::bad_file, "{}: expected a field '{}'", place, *names.begin());
}

Json parsed(const std::string& text, const std::string& name) {
  if (is_nested_deeper(text, kMaxJsonLevels)) {
    throw_error(ErrorKind::bad_file, "{}: nested more than {} levels", name, kMaxJsonLevels);
  }
  Json tests = parse_json_or_discard<Json>(text);
  if (tests.is_discarded()) throw_error(ErrorKind::bad_file, "{}: expected JSON", name);
  return tests;
}

Json unpacked(const std::string& text, const std::string& name) {
  const std::string_view start = trimmed(text);
  if (start.starts_with('[') || start.starts_with('{')) return parsed(text, name);
  try {
    return parsed(unpack_string(start, kMaxUnpackedBytes), name);
  } catch (const Error& error) {
    throw_error(ErrorKind::bad_file, "{}: expected JSON or packed tests: {}", name, error.what());
  }
}

}  // namespace

std::vector<TestCase> read_test_cases(const nlohmann::json& field, const std::string& name) {
  if (field.is_null()) return {};
  if (field.is_string()) {
    return trimmed(field.get_ref<const std::string&>()).empty()
               ? std::vector<TestCase>{}
               : read_test_cases(unpacked(field.get_ref<const std::string&>(), name), name);
  }
  if (!field.is_array()) throw_error(ErrorKind::bad_file, "{}: expected a list of tests", name);
  std::vector<TestCase> tests;
  tests.reserve(field.size());
  for (const Json& test : field) {
    const std::string place = fmt::format("{}[{}]", name, tests.size());
    if (!test.is_object()) throw_error(ErrorKind::bad_file, "{}: expected an object", place);
    const Json type = test.value("testtype", Json("stdin"));
    if (type != "stdin" && type != "functional") {
      throw_error(ErrorKind::bad_file, "{}: testtype: expected stdin or functional, found {}", place,
                  type.dump());
    }
    tests.push_back({text_of_test(test, {"input", "stdin"}, place),
                     text_of_test(test, {"output", "expected_output", "expected", "answer"}, place),
                     type == "functional"});
  }
  return tests;
}

}  // namespace r1::eval
