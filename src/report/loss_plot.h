// The loss curve as a picture: raw, smoothed, and of the evaluations.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace r1 {

struct PlotPoint {
  double step = 0, value = 0;
};

struct LossPlot {
  std::string title = "loss";
  std::vector<PlotPoint> training, evaluation;  // by step; values that are no finite numbers are left out
};

/// Exponential moving average whose weight grows with the number of points, 2·(1/(1+e^(-0.05·n)) − 1/2)·0.9:
/// the smoothing of LLaMA-Factory's loss plots.
std::vector<PlotPoint> smooth(const std::vector<PlotPoint>& points);

std::string loss_svg(const LossPlot& plot);

/// The same picture as PNG by the program gnuplot, run as a child process. False when it is not installed;
/// throws Error(io) when it fails or does not end within ten seconds.
bool write_loss_png(const LossPlot& plot, const std::filesystem::path& path);

}  // namespace r1
