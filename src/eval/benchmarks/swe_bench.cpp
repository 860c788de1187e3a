// SWE-bench Verified: a patch for a repository, judged by the repository's tests. The repositories and their environments are the user's.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/code/code_grading.h"
#include "eval/code/lines.h"
#include "eval/code/project_files.h"
#include "eval/code/unified_diff.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxPromptFile = 256 << 10;

std::vector<std::string> test_names(const Json& record, const char* name) {
  const Json* field = find_field(record, {name});
  if (field == nullptr) return {};
  const Json list =
      field->is_string() ? parse_json_or_discard<Json>(field->get_ref<const std::string&>()) : *field;
  if (!list.is_array()) throw_error(ErrorKind::bad_file, "{}: expected a list of tests", name);
  std::vector<std::string> names;
  names.reserve(list.size());
  for (const Json& test : list) names.push_back(text_of(test, name));
  return names;
}

/// The files that the reference patch changes ("oracle" retrieval of the SWE-bench paper), from the user's checkout.
std::string oracle_files(const std::string& checkout, const std::string& patch) {
  std::string text;
  for (const std::string_view line : lines_of(patch)) {
    if (!line.starts_with("--- a/")) continue;
    const std::string path(trimmed(line.substr(6)));
    const std::optional<std::string> content = read_project_file(checkout, path);
    if (content && content->size() <= kMaxPromptFile)
      text += fmt::format("\n{}\n```\n{}```\n", path, *content);
  }
  return text;
}

Item read_swe_bench(const Json& record, int64_t line, const ItemOptions&) {
  Item item;
  item.id = text_field(record, {"instance_id", "id"});
  item.line = line;
  item.group = optional_text_field(record, {"repo"});
  const std::string checkout = optional_text_field(record, {"checkout"});
  std::string context = optional_text_field(record, {"context"});
  if (context.empty() && !checkout.empty())
    context = oracle_files(checkout, optional_text_field(record, {"patch"}));
  // The sets with retrieved files have the whole prompt in `text`.
  std::string prompt = optional_text_field(record, {"text"});
  if (prompt.empty()) {
    prompt = fmt::format("An issue of the repository {}:\n\n{}\n{}{}", item.group,
                         text_field(record, {"problem_statement"}),
                         context.empty() ? "" : "\nFiles of the repository:\n", context);
  }
  item.messages = user_message(prompt +
                               "\n\nAnswer with a patch that resolves the issue: a unified diff as `git "
                               "diff` prints it, in one block that begins with "
                               "```diff and ends with ```.");
  Json programs = Json::array();
  if (const Json* folders = find_field(record, {"programs"})) {
    for (const Json& folder : *folders) programs.push_back(text_of(folder, "programs"));
  }
  item.fields = Json{{"checkout", checkout},
                     {"command", optional_text_field(record, {"command", "test_command"})},
                     {"programs", programs},
                     {"test_patch", optional_text_field(record, {"test_patch"})},
                     {"fail_to_pass", test_names(record, "FAIL_TO_PASS")},
                     {"pass_to_pass", test_names(record, "PASS_TO_PASS")}};
  return item;
}

/// The command with the tests' names in place of {tests}.
std::string command_for(const Json& fields) {
  auto command = fields["command"].get<std::string>();
  std::string words;
  for (const char* list : {"fail_to_pass", "pass_to_pass"}) {
    for (const Json& test : fields[list])
      words += (words.empty() ? "" : " ") + shell_word(test.get<std::string>());
  }
  const size_t place = command.find("{tests}");
  return place == std::string::npos ? command : command.replace(place, 7, words);
}

std::string missing_part(const Json& fields) {
  if (fields["checkout"].get<std::string>().empty())
    return "the record has no checkout: the folder of the repository at its commit";
  if (!std::filesystem::is_directory(fields["checkout"].get<std::string>())) {
    return fmt::format("checkout: there is no folder {}", fields["checkout"].get<std::string>());
  }
  if (fields["command"].get<std::string>().empty()) return "the record has no command that runs its tests";
  if (fields["fail_to_pass"].empty()) return "the record has no FAIL_TO_PASS";
  return "";
}

Verdict wrong(const std::string& patch, std::string reason) {
  Verdict verdict;
  verdict.extracted = patch;
  verdict.reason = std::move(reason);
  verdict.metrics["patch_applied"] = 0;
  return verdict;
}

Verdict grade_swe_bench(const Item& item, const Sample& sample, const GradingContext& context) {
  const std::string patch = diff_in_answer(sample.answer);
  if (trimmed(patch).empty()) return no_code("no diff");
  const Json& fields = *item.fields;
  if (std::string reason = missing_part(fields); !reason.empty()) return not_run(std::move(reason));
  if (std::string reason = why_not_run(context); !reason.empty()) return not_run(std::move(reason));
  const auto checkout = fields["checkout"].get<std::string>();
  PatchedFiles changed;
  const FileReader current = [&](const std::string& path) {
    const auto found = changed.find(path);
    return found != changed.end() ? found->second : read_project_file(checkout, path);
  };
  try {
    changed = apply_unified_diff(patch, current);
  } catch (const Error& error) {
    return wrong(patch, fmt::format("the patch does not apply: {}", error.what()));
  }
  const auto test_patch = fields["test_patch"].get<std::string>();
  if (!test_patch.empty()) {
    // The tests are the benchmark's, whatever the patch did to their files.
    try {
      const FileReader original = [&](const std::string& path) { return read_project_file(checkout, path); };
      for (auto& [path, content] : apply_unified_diff(test_patch, original))
        changed[path] = std::move(content);
    } catch (const Error& error) {
      return not_run(fmt::format("test_patch does not apply to the checkout: {}", error.what()));
    }
  }
  Project project;
  project.copied_folder = std::filesystem::canonical(checkout).string();
  for (auto& [path, content] : changed) {
    if (content) {
      project.files.push_back({path, *std::move(content)});
    } else if (read_project_file(checkout, path)) {
      project.removed.push_back(path);
    }
  }
  project.commands = {command_for(fields)};
  project.programs = fields["programs"].get<std::vector<std::string>>();
  TestLimits limits;
  limits.cpu_seconds = 1800;
  limits.wall_seconds = 1800;
  limits.memory_bytes = int64_t{8} << 30;
  limits.total_memory_bytes = int64_t{8} << 30;
  limits.output_bytes = int64_t{256} << 20;
  limits.processes = 256;
  const CommandResult result = run_project(*context.sandbox, project, limits).back();
  Verdict verdict = wrong(patch, "");
  verdict.metrics["patch_applied"] = 1;
  verdict.correct = result.end == CodeResult::End::passed;
  verdict.score = verdict.correct ? 1 : 0;
  verdict.answer_class = verdict.correct ? AnswerClass::right : AnswerClass::wrong;
  verdict.reason = verdict.correct ? "all tests pass" : describe({result.end, -1, result.message}, 1);
  return verdict;
}

}  // namespace

Benchmark swe_bench_verified() {
  Benchmark benchmark;
  benchmark.name = "swe-bench-verified";
  benchmark.title = "SWE-bench Verified";
  benchmark.judging = Judging::code;
  benchmark.data = {
      .files = {"swe-bench-verified/test.jsonl"},
      .repository = "princeton-nlp/SWE-bench_Verified",
      .split = "test",
      .licence = "see the data set's card; repositories by their own licences",
      .records = 500,
  };
  benchmark.samples = 1;
  benchmark.protocol =
      "One answer with a patch, applied strictly; resolved when the record's command exits with 0 on all "
      "FAIL_TO_PASS and PASS_TO_PASS tests, in the "
      "sandbox. To be added to each record: checkout (folder of the repository at base_commit), command (for "
      "sh, {tests} stands for the tests' names), "
      "programs (folders of its environment). The prompt has the issue and the files that the reference "
      "patch changes: easier than the release's "
      "protocol (Agentless), which searches the repository, and not comparable with it. Containers are not "
      "started.";
  benchmark.read_item = read_swe_bench;
  benchmark.grade = grade_swe_bench;
  return benchmark;
}

}  // namespace r1::eval
