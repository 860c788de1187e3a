#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/seconds.h"

namespace r1::cli {
namespace {

using Clock = std::chrono::steady_clock;

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string format_seconds(double seconds) {
  const auto whole = static_cast<int64_t>(std::min(seconds, 359999.0));
  if (whole >= 3600) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}m{:02}s", whole / 60, whole % 60);
}

}  // namespace

std::string format_bytes(double bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

ProgressBar::ProgressBar(std::string label, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      terminal_(isatty(STDERR_FILENO) != 0),
      start_(Clock::now()) {}

ProgressBar::~ProgressBar() {
  if (drawn_ && terminal_) std::fputc('\n', stderr);
}

void ProgressBar::update(uint64_t done, uint64_t total, const std::string& detail) {
  if (total_ == 0) first_ = done;
  done_ = done;
  total_ = total;
  detail_ = detail;
  if (terminal_) {
    const auto now = Clock::now();
    if (drawn_ && now - last_draw_ < std::chrono::milliseconds(100)) return;
    last_draw_ = now;
    draw();
  } else if (total > 0 && static_cast<int>(done * 10 / total) > last_tenth_) {
    last_tenth_ = static_cast<int>(done * 10 / total);
    draw();
  }
}

void ProgressBar::draw() {
  const double elapsed = seconds_since(start_);
  const double rate = elapsed > 0.2 ? static_cast<double>(done_ - std::min(first_, done_)) / elapsed : 0;
  const double share = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 0;
  const bool bytes = unit_ == "B";
  std::string text =
      fmt::format(" {:3.0f}%  {} of {}", share * 100,
                  bytes ? format_bytes(static_cast<double>(done_)) : std::to_string(done_),
                  bytes ? format_bytes(static_cast<double>(total_)) : std::to_string(total_) + " " + unit_);
  if (rate > 0) {
    text += bytes ? "  " + format_bytes(rate) + "/s" : fmt::format("  {:.1f} {}/s", rate, unit_);
    if (done_ < total_) text += "  " + format_seconds(static_cast<double>(total_ - done_) / rate) + " left";
  }
  if (!detail_.empty()) text += "  " + detail_;
  std::string line = label_;
  if (terminal_) {
    const int columns = terminal_columns();
    const int bar = std::clamp(columns - static_cast<int>(label_.size() + text.size()) - 4, 0, 30);
    if (bar >= 8) {
      const int filled = static_cast<int>(share * bar);
      line += " [" + std::string(filled, '#') + std::string(bar - filled, '.') + "]";
    }
    line += text;
    if (static_cast<int>(line.size()) >= columns) line.resize(columns - 1);
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
  } else {
    std::fprintf(stderr, "%s%s\n", line.c_str(), text.c_str());
  }
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::finish() {
  if (total_ > 0 && terminal_) {
    draw();
    std::fputc('\n', stderr);
  }
  drawn_ = false;
}

}  // namespace r1::cli
