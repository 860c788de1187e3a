// Aider's polyglot benchmark: exercises of Exercism in six languages, edited in two tries, from the user's checkout.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/code/code_grading.h"
#include "eval/code/file_edits.h"
#include "eval/code/lines.h"
#include "eval/code/project_files.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

constexpr size_t kTries = 2;
constexpr size_t kShownLines = 50;  // of the tests' output, as Aider's benchmark shows

/// The tests' command where the record has none. Other languages need tools from outside /usr: the record names them.
std::string default_command(const Json& config) {
  for (const Json& file : config["files"]["solution"]) {
    if (text_of(file, "solution").ends_with(".py")) return "python3 -m unittest discover -p '*_test.py'";
  }
  return "";
}

Json files_of(const std::filesystem::path& folder, const Json& names, const char* what) {
  if (!names.is_array())
    throw_error(ErrorKind::bad_file, "{}: .meta/config.json: expected files.{}", folder.string(), what);
  Json files = Json::object();
  for (const Json& name : names) {
    const std::string path = text_of(name, what);
    const std::optional<std::string> content = read_project_file(folder, path);
    if (!content) throw_error(ErrorKind::bad_file, "{}: there is no file {}", folder.string(), path);
    files[path] = *content;
  }
  return files;
}

/// What the exercise has beside solution, tests and examples: build files.
Json other_files(const std::filesystem::path& folder, const Json& known) {
  constexpr size_t kMaxFiles = 200;
  Json files = Json::object();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = std::filesystem::relative(entry.path(), folder).string();
    if (!entry.is_regular_file() || path.starts_with(".") || known.contains(path) || !is_safe_path(path))
      continue;
    if (const auto content = read_project_file(folder, path)) {
      // Binary files (a wrapper's jar) cannot be kept in JSON.
      if (content->find('\0') == std::string::npos) files[path] = *content;
    }
    if (files.size() > kMaxFiles)
      throw_error(ErrorKind::bad_file, "{}: more than {} files", folder.string(), kMaxFiles);
  }
  return files;
}

std::string instructions(const std::filesystem::path& folder) {
  std::string text;
  for (const char* name :
       {".docs/introduction.md", ".docs/instructions.md", ".docs/instructions.append.md"}) {
    if (const auto part = read_project_file(folder, name)) text += *part + "\n";
  }
  if (text.empty()) throw_error(ErrorKind::bad_file, "{}: expected .docs/instructions.md", folder.string());
  return text;
}

std::string format_directive() {
  return "Change the files with search/replace blocks, each after a line with the file's path:\n\n"
         "path/of/file\n```\n<<<<<<< SEARCH\nlines as they are in the file\n=======\nlines that replace "
         "them\n>>>>>>> REPLACE\n```\n\n"
         "The lines of SEARCH must be in the file exactly, with their indentation. Keep the names that are "
         "there: the tests use them.";
}

Item read_exercise(const Json& record, int64_t line, const ItemOptions&) {
  const std::filesystem::path folder = text_field(record, {"folder", "path"});
  if (!std::filesystem::is_directory(folder))
    throw_error(ErrorKind::bad_file, "folder: there is no folder {}", folder.string());
  const std::optional<std::string> meta = read_project_file(folder, ".meta/config.json");
  const Json config = parse_json_or_discard<Json>(meta.value_or(""));
  if (!config.is_object() || !config.contains("files") || !config["files"].is_object() ||
      !config["files"].contains("solution") || !config["files"].contains("test")) {
    throw_error(ErrorKind::bad_file, "{}: expected .meta/config.json with files.solution and files.test",
                folder.string());
  }
  Item item;
  const std::filesystem::path whole = std::filesystem::canonical(folder);
  item.group = optional_text_field(record, {"language"});
  if (item.group.empty()) item.group = whole.parent_path().parent_path().parent_path().filename().string();
  item.id = id_of(record);
  if (item.id.empty()) item.id = item.group + "/" + whole.filename().string();
  item.line = line;
  const Json solution = files_of(folder, config["files"]["solution"], "solution");
  const Json tests = files_of(folder, config["files"]["test"], "test");
  Json known = solution;
  known.update(tests);
  std::string shown;
  for (const auto& [path, content] : solution.items()) {
    shown += fmt::format("{}\n```\n{}```\n\n", path, content.get<std::string>());
  }
  item.messages =
      user_message(fmt::format("{}\n\nThe files:\n\n{}{}", instructions(folder), shown, format_directive()));
  std::string command = optional_text_field(record, {"command", "test_command"});
  if (command.empty()) command = default_command(config);
  Json programs = Json::array();
  if (const Json* folders = find_field(record, {"programs"})) {
    for (const Json& each : *folders) programs.push_back(text_of(each, "programs"));
  }
  item.fields = Json{{"solution", solution},
                     {"tests", tests},
                     {"others", other_files(folder, known)},
                     {"command", command},
                     {"programs", programs}};
  return item;
}

EditFormat format_of(std::string_view answer) {
  if (answer.find("<<<<< SEARCH") != std::string_view::npos) return EditFormat::search_replace;
  return answer.find("\n@@") != std::string_view::npos ? EditFormat::unified_diff : EditFormat::whole;
}

FileContents contents_of(const Json& files) {
  return files.get<FileContents>();
}

/// The state of the files after all tries, and what the tests say.
class Exercise {
 public:
  explicit Exercise(const Item& item) : fields_(*item.fields), files_(contents_of(fields_["solution"])) {}

  /// Whether the answer's edits could be read and applied; they apply to what the tries before have left.
  std::vector<std::string> edit(std::string_view answer) {
    std::vector<std::string> names;
    for (const auto& [path, content] : files_) names.push_back(path);
    const ReadEdits read = read_edits(answer, format_of(answer), names);
    std::vector<std::string> problems = read.problems;
    for (const FileEdit& edit : read.edits) {
      if (fields_["tests"].contains(edit.path))
        problems.push_back(edit.path + ": the tests cannot be changed");
    }
    if (!problems.empty()) return problems;
    if (read.edits.empty()) return {"there is no search/replace block"};
    return apply_edits(read.edits, files_);
  }

  CommandResult test(const Sandbox& sandbox) const {
    Project project;
    FileContents all = contents_of(fields_["others"]);
    for (const auto& [path, content] : files_) all[path] = content;
    for (auto& [path, content] : contents_of(fields_["tests"])) all[path] = content;
    for (auto& [path, content] : all) project.files.push_back({path, content});
    project.commands = {fields_["command"].get<std::string>()};
    project.programs = fields_["programs"].get<std::vector<std::string>>();
    TestLimits limits;
    limits.cpu_seconds = limits.wall_seconds = 180;  // as Aider's benchmark
    limits.memory_bytes = limits.total_memory_bytes = int64_t{4} << 30;
    limits.output_bytes = int64_t{128} << 20;
    limits.processes = 128;
    return run_project(sandbox, project, limits).back();
  }

  std::string why_not(const GradingContext& context) const {
    if (fields_["command"].get<std::string>().empty()) return "the record has no command that runs its tests";
    return why_not_run(context);
  }

 private:
  const Json& fields_;
  FileContents files_;
};

std::string last_lines(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(trimmed(text));
  std::string shown;
  for (size_t i = lines.size() > kShownLines ? lines.size() - kShownLines : 0; i < lines.size(); ++i) {
    shown.append(lines[i]).append("\n");
  }
  return shown;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::optional<ChatMessage> next_try(const Item& item, std::span<const Sample> tries,
                                    const GradingContext& context) {
  if (tries.empty() || tries.size() >= kTries) return std::nullopt;
  Exercise exercise(item);
  if (!exercise.why_not(context).empty()) return std::nullopt;
  std::vector<std::string> problems;
  for (const Sample& sample : tries) problems = exercise.edit(sample.answer);
  std::string text;
  if (!problems.empty()) {
    text = "These edits could not be applied:\n\n" + joined(problems) + "\n" + format_directive();
  } else {
    const CommandResult result = exercise.test(*context.sandbox);
    if (result.end == CodeResult::End::passed) return std::nullopt;
    text = fmt::format(
        "The tests fail ({}):\n\n```\n{}```\n\nThe tests are right. Change the files so that they pass, with "
        "search/replace blocks.",
        describe({result.end, -1, result.message}, 1), last_lines(result.output));
  }
  return user_message(std::move(text)).front();
}

Verdict grade_exercise(const Item& item, const Sample& sample, const GradingContext& context) {
  Exercise exercise(item);
  if (std::string reason = exercise.why_not(context); !reason.empty()) return not_run(std::move(reason));
  std::vector<std::string> problems;
  bool well_formed = true;
  for (const Sample& earlier : sample.earlier_tries) {
    well_formed = exercise.edit(earlier.answer).empty() && well_formed;
  }
  problems = exercise.edit(sample.answer);
  well_formed = problems.empty() && well_formed;
  const CommandResult result = exercise.test(*context.sandbox);
  Verdict verdict;
  verdict.correct = result.end == CodeResult::End::passed;
  verdict.score = verdict.correct ? 1 : 0;
  verdict.answer_class = verdict.correct     ? AnswerClass::right
                         : !problems.empty() ? AnswerClass::not_extracted
                                             : AnswerClass::wrong;
  verdict.extracted = verdict.correct ? "tests pass" : "";
  verdict.reason = verdict.correct     ? "the tests pass"
                   : !problems.empty() ? problems.front()
                                       : describe({result.end, -1, result.message}, 1);
  verdict.metrics["pass_rate_1"] = verdict.correct && sample.earlier_tries.empty() ? 1 : 0;
  verdict.metrics["well_formed"] = well_formed ? 1 : 0;
  return verdict;
}

}  // namespace

Benchmark aider_polyglot() {
  Benchmark benchmark;
  benchmark.name = "aider-polyglot";
  benchmark.title = "Aider-Polyglot";
  benchmark.judging = Judging::code;
  benchmark.data = {
      .files = {"aider-polyglot/exercises.jsonl"},
      .licence = "MIT (Exercism)",
      .records = 225,
  };
  benchmark.samples = 1;
  benchmark.metric = "pass@1";
  benchmark.protocol =
      "Records {\"folder\": an exercise of the user's checkout, \"command\": what runs its tests, "
      "\"programs\": further folders of tools}. Two tries: after "
      "the first, the tests' last 50 lines or the edits that could not be applied are shown. pass@1 is "
      "Aider's pass_rate_2; pass_rate_1 and well_formed are "
      "beside it. Edits as search/replace blocks, unified diffs or whole files; the prompt's words are this "
      "program's, not Aider's.";
  benchmark.read_item = read_exercise;
  benchmark.grade = grade_exercise;
  benchmark.next_turn = next_try;
  return benchmark;
}

}  // namespace r1::eval
