#include "eval/code/code_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/json_text.h"
#include "sandbox/sandbox.h"

namespace r1::eval {
namespace {

using End = CodeResult::End;
using Json = nlohmann::json;

constexpr const char* kPython = "/usr/bin/python3";
constexpr const char* kCompiler = "/usr/bin/g++";
constexpr size_t kMaxResultLine = 64 << 10;
constexpr int64_t kShownBytes = 64 << 10;
constexpr double kCompilerSeconds = 180;  // of driver.py
constexpr int64_t kCompilerMemory = int64_t{3} << 30;

void require(const char* program, const char* what) {
  if (!std::filesystem::exists(program)) {
    throw_error(ErrorKind::unsupported, "{}: {} is needed and not installed", what, program);
  }
}

void add_frame(std::string& input, std::string_view bytes) {
  input += fmt::format("{:016x}", bytes.size());
  input += bytes;
}

/// What the driver says, one result at a time. It is read as hostile input: a solution may have taken the driver over.
struct DriverResult {
  int64_t test = 0;
  std::string end, message, output;
};

class ResultReader {
 public:
  explicit ResultReader(int64_t max_output) : max_output_(max_output) {}

  void add(std::string_view piece) { bytes_ += piece; }

  /// The next whole result. Sets failed() where the bytes are none.
  std::optional<DriverResult> next() {
    if (failed_) return std::nullopt;
    if (!line_end_ && !read_line()) return std::nullopt;
    const size_t size = *line_end_ + 1 + output_bytes_;
    if (bytes_.size() < size) return std::nullopt;
    DriverResult result = std::move(result_);
    result.output = bytes_.substr(*line_end_ + 1, output_bytes_);
    bytes_.erase(0, size);
    line_end_.reset();
    searched_ = 0;
    return result;
  }

  bool failed() const { return failed_; }

 private:
  bool read_line() {
    const size_t end = bytes_.find('\n', searched_);
    searched_ = bytes_.size();
    if (end == std::string::npos) {
      failed_ = bytes_.size() > kMaxResultLine;
      return false;
    }
    const Json line = end > kMaxResultLine
                          ? Json(Json::value_t::discarded)
                          : parse_json_or_discard<Json>(std::string_view(bytes_).substr(0, end));
    failed_ = !line.is_object() || line.size() != 4 || !line.contains("test") ||
              !line["test"].is_number_integer() || !line.contains("end") || !line["end"].is_string() ||
              !line.contains("message") || !line["message"].is_string() || !line.contains("bytes") ||
              !line["bytes"].is_number_unsigned() ||
              line["bytes"].get<uint64_t>() > static_cast<uint64_t>(max_output_);
    if (failed_) return false;
    result_ = {line["test"].get<int64_t>(), line["end"].get<std::string>(),
               line["message"].get<std::string>(), ""};
    output_bytes_ = line["bytes"].get<size_t>();
    line_end_ = end;
    return true;
  }

  int64_t max_output_;
  std::string bytes_{};
  std::optional<size_t> line_end_{};
  size_t searched_ = 0, output_bytes_ = 0;
  DriverResult result_{};
  bool failed_ = false;
};

End end_named(std::string_view name) {
  if (name == "ok") return End::passed;
  if (name == "wrong") return End::wrong_answer;
  if (name == "time") return End::time_limit;
  if (name == "memory") return End::memory_limit;
  if (name == "output") return End::output_limit;
  if (name == "compile") return End::compile_error;
  if (name == "unsupported") return End::unsupported;
  return End::runtime_error;
}

/// How the sandbox as a whole ended, where the driver did not report it.
CodeResult without_report(const SandboxResult& result, int64_t test) {
  switch (result.end) {
    case SandboxResult::End::out_of_time:
      return {End::time_limit, test, "no report in time"};
    case SandboxResult::End::out_of_memory:
      return {End::memory_limit, test, "all processes together"};
    case SandboxResult::End::too_much_output:
      return {End::output_limit, test, ""};
    default:
      break;
  }
  return {End::runtime_error, test, "the program ended its tester"};
}

SandboxPolicy policy_for(const TestLimits& limits, size_t tests, int64_t file_bytes) {
  SandboxPolicy policy;
  policy.writable_bytes = (int64_t{128} << 20) + 4 * limits.output_bytes + 2 * file_bytes;
  policy.processes = limits.processes + 1;
  policy.memory_bytes = std::max(limits.memory_bytes, kCompilerMemory);
  policy.total_memory_bytes = limits.total_memory_bytes;
  policy.quiet_time = std::chrono::milliseconds(
      static_cast<int64_t>(1000 * std::max(limits.wall_seconds, kCompilerSeconds)) + 60'000);
  policy.wall_time = policy.quiet_time * (static_cast<int64_t>(tests) + 1);
  policy.cpu_seconds =
      static_cast<int>(policy.wall_time.count() / 1000);  // of the driver; tests have limits of their own
  policy.output_bytes =
      (static_cast<int64_t>(tests) + 2) * (limits.output_bytes + static_cast<int64_t>(kMaxResultLine));
  return policy;
}

Json header_for(const TestLimits& limits) {
  return {{"cpu_seconds", limits.cpu_seconds},
          {"wall_seconds", limits.wall_seconds},
          {"memory_bytes", limits.memory_bytes},
          {"output_bytes", limits.output_bytes}};
}

/// Runs the driver with a further part of it; `take` sees each result and says whether to go on.
SandboxResult run_driver(const Sandbox& sandbox, std::string_view part, std::string_view input,
                         const SandboxPolicy& policy, int64_t max_output,
                         const std::function<bool(const DriverResult&)>& take) {
  ResultReader results(max_output);
  const std::string script = fmt::format("{}\n\n{}\n\nmain()\n", kDriverScript, part);
  const std::vector<std::string> command{kPython, "-I", "-B", "-S", "-c", script};
  return sandbox.run(command, input, policy, {}, [&](std::string_view piece) {
    results.add(piece);
    while (const std::optional<DriverResult> result = results.next()) {
      if (!take(*result)) return false;
    }
    return !results.failed();
  });
}

constexpr std::string_view kind_name(CodeTests::Kind kind) {
  if (kind == CodeTests::Kind::asserts) return "asserts";
  return kind == CodeTests::Kind::function ? "function" : "stdin";
}

}  // namespace

std::string describe(const CodeResult& result, size_t tests) {
  std::string text;
  switch (result.end) {
    case End::passed:
      return fmt::format("passed {} test{}", tests, tests == 1 ? "" : "s");
    case End::wrong_answer:
      text = "wrong answer";
      break;
    case End::time_limit:
      text = "time limit";
      break;
    case End::memory_limit:
      text = "memory limit";
      break;
    case End::output_limit:
      text = "output limit";
      break;
    case End::runtime_error:
      text = "runtime error";
      break;
    case End::compile_error:
      text = "compile error";
      break;
    case End::unsupported:
      text = "the test cannot be run";
      break;
  }
  if (result.test >= 0 && tests > 1) text += fmt::format(" in test {}", result.test + 1);
  if (!result.message.empty()) text += ": " + result.message;
  return text;
}

CodeResult run_tests(const Sandbox& sandbox, const Solution& solution, const CodeTests& tests,
                     const TestLimits& limits) {
  require(kPython, "code");
  if (solution.language == Language::cpp) {
    require(kCompiler, "C++ solutions");
    if (tests.kind != CodeTests::Kind::standard_input) {
      return {End::unsupported, -1, "functions are tested in Python only"};
    }
  }
  Json header = header_for(limits);
  header["mode"] = kind_name(tests.kind);
  header["language"] = solution.language == Language::cpp ? "cpp" : "python";
  header["entry"] = tests.entry;
  header["preamble"] = tests.preamble;
  header["test_preamble"] = tests.test_preamble;
  header["tests"] = tests.inputs.size();
  std::string input;
  size_t largest = 0;
  add_frame(input, header.dump(-1, ' ', false, Json::error_handler_t::replace));
  add_frame(input, solution.code);
  for (const std::string& test : tests.inputs) {
    add_frame(input, test);
    largest = std::max(largest, test.size());
  }
  const bool asserts = tests.kind == CodeTests::Kind::asserts;
  const size_t wanted = asserts ? 1 : tests.inputs.size();
  int64_t next = -1;  // the test whose result comes next; -1: the compiler's
  std::optional<CodeResult> failure;
  const SandboxResult ended =
      run_driver(sandbox, asserts ? kDriverAsserts : "", input,
                 policy_for(limits, wanted, static_cast<int64_t>(largest)), limits.output_bytes,
                 [&](const DriverResult& result) {
                   if (result.test != next) {
                     failure = {End::runtime_error, next, "the program disturbed its tester"};
                   } else if (next < 0 && result.end == "compiled") {
                     next = 0;
                     return wanted > 0;
                   } else if (result.end != "ok") {
                     failure = {end_named(result.end), next, result.message};
                   } else if (!asserts && !tests.accept(static_cast<size_t>(next), result.output)) {
                     failure = {End::wrong_answer, next, ""};
                   }
                   return !failure && static_cast<size_t>(++next) < wanted;
                 });
  if (failure) return *failure;
  if (next == static_cast<int64_t>(wanted)) return {};
  return without_report(ended, next);
}

std::vector<CommandResult> run_project(const Sandbox& sandbox, const Project& project,
                                       const TestLimits& limits) {
  require(kPython, "code");
  Json header = header_for(limits);
  header["mode"] = "project";
  header["copy"] = project.copied_folder;
  header["removed"] = project.removed;
  header["commands"] = project.commands;
  header["shown_bytes"] = kShownBytes;
  header["files"] = Json::array();
  for (const Project::File& file : project.files) header["files"].push_back(file.path);
  std::string input;
  add_frame(input, header.dump(-1, ' ', false, Json::error_handler_t::replace));
  add_frame(input, "");
  int64_t bytes = 0;
  for (const Project::File& file : project.files) {
    add_frame(input, file.bytes);
    bytes += static_cast<int64_t>(file.bytes.size());
  }
  SandboxPolicy policy = policy_for(limits, project.commands.size(), bytes);
  policy.writable_bytes = std::max(policy.writable_bytes, limits.total_memory_bytes);
  if (!project.copied_folder.empty()) policy.programs.push_back(project.copied_folder);
  policy.programs.insert(policy.programs.end(), project.programs.begin(), project.programs.end());
  std::vector<CommandResult> results;
  bool prepared = false;
  std::string problem;
  const SandboxResult ended =
      run_driver(sandbox, kDriverProject, input, policy, std::max(kShownBytes, limits.output_bytes),
                 [&](const DriverResult& result) {
                   if (!prepared) {
                     problem = result.message;
                     return prepared = result.end == "compiled";
                   }
                   results.push_back({end_named(result.end), result.message, result.output});
                   return results.size() < project.commands.size();
                 });
  if (results.size() < project.commands.size()) {
    const CodeResult why = without_report(ended, 0);
    results.push_back({why.end, prepared ? why.message : "the files could not be prepared: " + problem, ""});
  }
  return results;
}

}  // namespace r1::eval
