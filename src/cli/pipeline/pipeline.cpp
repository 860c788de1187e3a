#include "cli/pipeline/pipeline.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/pipeline/child_program.h"
#include "cli/pipeline/pipeline_report.h"
#include "cli/terminal_text.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// One pipeline at a time in a folder.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder) {
    fs::create_directories(folder);
    const std::string path = folder / "lock";
    descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) throw_error(ErrorKind::io, "{}: cannot open", path);
    if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    close(descriptor_);
    throw_error(ErrorKind::invalid_argument, "{}: another process runs a pipeline in this folder",
                folder.string());
  }
  ~FolderLock() { close(descriptor_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

class PipelineRun {
 public:
  PipelineRun(const Recipe& recipe, const fs::path& output)
      : recipe_(recipe), folder_(recipe, output), lock_(output) {}

  void run() {
    const InterruptGuard guard;
    for (const RecipeStage& stage : recipe_.stages) {
      const bool worked = run_stage(stage), evaluated = evaluate(stage);
      if (evaluated) write_pipeline_report(recipe_, folder_);
      if (!worked && !evaluated) say("{}: done before, nothing has changed", stage.name);
    }
    write_pipeline_report(recipe_, folder_);
    say("{}", (folder_.path() / "report.html").string());
  }

 private:
  template <typename... Values>
  static void say(fmt::format_string<Values...> format, Values&&... values) {
    fmt::print("pipeline: {}\n", fmt::format(format, std::forward<Values>(values)...));
    std::fflush(stdout);
  }

  /// False: it was done before.
  bool run_stage(const RecipeStage& stage) {
    const StageState state = folder_.state_of(stage);
    if (state == StageState::done) return false;
    StageRecord record;
    if (state == StageState::interrupted) {
      record = folder_.read_record(stage);
    } else {
      fs::remove_all(folder_.folder_of(stage));
      fs::create_directories(folder_.folder_of(stage));
      record.hash = folder_.hash_of(stage);
      folder_.write_record(stage, record);
    }
    say("{} ({}){}", stage.name, stage.kind->name,
        state == StageState::interrupted ? ": continues"
        : state == StageState::changed   ? ": options or inputs have changed: anew"
                                         : "");
    record.seconds += call(stage, folder_.command_of(stage, state == StageState::interrupted));
    record.product_hash = content_hash_of(folder_.product_of(stage));
    folder_.write_record(stage, record);
    return true;
  }

  /// False: there is nothing to do.
  bool evaluate(const RecipeStage& stage) {
    if (!stage.evaluate) return false;
    StageRecord record = folder_.read_record(stage);
    const std::string hash = folder_.evaluation_hash_of(stage);
    if (record.evaluation_hash == hash) return false;
    if (record.evaluation_begun != hash) {
      fs::remove_all(folder_.evaluation_of(stage));
      record.evaluation_begun = hash;
      record.evaluation_seconds = 0;
      folder_.write_record(stage, record);
    }
    say("{}: evaluation", stage.name);
    record.evaluation_seconds += call(stage, folder_.evaluation_command_of(stage));
    record.evaluation_hash = hash;
    folder_.write_record(stage, record);
    return true;
  }

  /// Seconds that the command took. Throws where it failed.
  double call(const RecipeStage& stage, const std::vector<std::string>& arguments) const {
    const fs::path log = folder_.folder_of(stage) / "log.txt";
    const Clock::time_point begin = Clock::now();
    const ChildEnd end = run_child(arguments, log, [&](const std::string& line) {
      fmt::print("{} | {}\n", stage.name, terminal_text(line));
      std::fflush(stdout);
    });
    if (end.interrupted)
      throw_error(ErrorKind::cancelled, "interrupted in the stage '{}'; the same command continues",
                  stage.name);
    if (end.code != 0) {
      throw_error(ErrorKind::invalid_argument, "{}:{}: stage '{}': r1 {} ended with {}: {} (all of it: {})",
                  recipe_.path, stage.line, stage.name, fmt::join(stage.kind->command, " "), end.code,
                  end.last_line, log.string());
    }
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

  const Recipe& recipe_;
  PipelineFolder folder_;
  FolderLock lock_;
};

}  // namespace

void run_pipeline(const Recipe& recipe, const fs::path& output) {
  PipelineRun(recipe, output).run();
}

}  // namespace r1::cli
