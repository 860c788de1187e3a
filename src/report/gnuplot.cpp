// PNG files by gnuplot, which is run as a program and not linked.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <thread>

#include "base/error.h"
#include "formats/output_file.h"
#include "report/loss_plot.h"

namespace r1 {
namespace {

std::string data_block(const char* name, const std::vector<PlotPoint>& points) {
  std::string text = fmt::format("${} << END\n", name);
  for (const PlotPoint& p : points) {
    if (std::isfinite(p.value) && std::isfinite(p.step)) text += fmt::format("{} {}\n", p.step, p.value);
  }
  return text + "END\n";
}

/// A text between double quotes of gnuplot.
std::string quote(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

std::string script(const LossPlot& plot, const std::string& path) {
  std::string text = "set terminal png size 800,500\nset grid\nset xlabel 'step'\n";
  text += "set title " + quote(plot.title) + " noenhanced\nset output " + quote(path) + "\n";
  text += data_block("raw", plot.training) + data_block("smoothed", smooth(plot.training));
  if (!plot.evaluation.empty()) text += data_block("evaluation", plot.evaluation);
  text +=
      "plot $raw with lines lc rgb '#9ecae1' title 'raw', $smoothed with lines lw 2 lc rgb '#08519c' title "
      "'smoothed'";
  if (!plot.evaluation.empty()) {
    text += ", $evaluation with linespoints lw 2 lc rgb '#d94801' title 'evaluation'";
  }
  return text + "\n";
}

/// Waits for the child, at most ten seconds; then it is ended. Its exit code, or -1.
int wait_for(pid_t child) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return -1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

bool write_loss_png(const LossPlot& plot, const std::filesystem::path& path) {
  if (plot.training.empty()) return true;
  // The script goes through a file: a pipe to a child that has died would raise SIGPIPE.
  const std::filesystem::path script_path = path.string() + ".gnuplot", picture = path.string() + ".partial";
  OutputFile file(script_path);
  file.write(std::string_view(script(plot, picture.string())));
  file.finish();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string name = "gnuplot", argument = script_path.string();
  char* arguments[] = {name.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int failed = posix_spawnp(&child, name.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  const int code = failed == 0 ? wait_for(child) : -1;
  std::error_code ignored;
  std::filesystem::remove(script_path, ignored);
  if (failed == ENOENT) return false;
  if (failed != 0 || code != 0) {
    std::filesystem::remove(picture, ignored);
    throw_error(ErrorKind::io, "{}: gnuplot failed (code {})", path.string(), failed != 0 ? failed : code);
  }
  std::filesystem::rename(picture, path);
  return true;
}

}  // namespace r1
