// Runs this program again as a child: a stage gets clean memory, and cannot take the pipeline with it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace r1::cli {

struct ChildEnd {
  int code = 0;              // exit status; of a signal 128 + its number
  bool interrupted = false;  // Ctrl-C was passed on
  std::string last_line;     // of its output
};

/// Runs `r1 ARGUMENTS`; what it prints goes to `log` (appended) and, line by line, to `on_line`. Returns when it ended. A Ctrl-C (InterruptGuard) is passed on
/// once. The child is killed when this process dies. From the thread that lives longest. Throws Error(io).
ChildEnd run_child(const std::vector<std::string>& arguments, const std::filesystem::path& log,
                   const std::function<void(const std::string& line)>& on_line);

}  // namespace r1::cli
