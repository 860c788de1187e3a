// A progress line on standard error: a bar on a terminal, one line every ten percent elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace r1::cli {

class ProgressBar {
 public:
  /// `unit`: "B" prints sizes and rates with binary prefixes; anything else counts.
  ProgressBar(std::string label, std::string unit);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(uint64_t done, uint64_t total, const std::string& detail = "");
  /// Draws the last state and ends the line.
  void finish();

 private:
  void draw();

  std::string label_, unit_, detail_;
  bool terminal_;
  bool drawn_ = false;
  int last_tenth_ = -1;
  uint64_t done_ = 0, total_ = 0, first_ = 0;
  std::chrono::steady_clock::time_point start_, last_draw_;
};

/// "1.5 GiB".
std::string format_bytes(double bytes);

}  // namespace r1::cli
