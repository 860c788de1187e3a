#include "report/loss_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace r1 {
namespace {

constexpr double kWidth = 800, kHeight = 500;
constexpr double kLeft = 70, kRight = 20, kTop = 40, kBottom = 50;

/// Ticks at round numbers, about six of them.
std::vector<double> ticks(double low, double high) {
  const double raw = (high - low) / 6;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double part = raw / power;
  const double step = power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
  std::vector<double> values;
  for (double value = std::ceil(low / step) * step; value <= high + step * 1e-9; value += step) {
    values.push_back(std::abs(value) < step * 1e-9 ? 0 : value);
  }
  return values;
}

std::vector<PlotPoint> finite(const std::vector<PlotPoint>& points) {
  std::vector<PlotPoint> kept;
  std::copy_if(points.begin(), points.end(), std::back_inserter(kept),
               [](const PlotPoint& p) { return std::isfinite(p.step) && std::isfinite(p.value); });
  return kept;
}

struct Frame {
  double x0 = 0, x1 = 1, y0 = 0, y1 = 1;

  void hold(const std::vector<PlotPoint>& points, bool& any) {
    for (const PlotPoint& p : points) {
      x0 = any ? std::min(x0, p.step) : p.step, x1 = any ? std::max(x1, p.step) : p.step;
      y0 = any ? std::min(y0, p.value) : p.value, y1 = any ? std::max(y1, p.value) : p.value;
      any = true;
    }
  }
  void widen() {
    if (x1 <= x0) x1 = x0 + 1;
    const double margin = y1 > y0 ? (y1 - y0) * 0.05 : std::max(0.5, std::abs(y0) * 0.1);
    y0 -= margin, y1 += margin;
  }
  double x(double step) const { return kLeft + (step - x0) / (x1 - x0) * (kWidth - kLeft - kRight); }
  double y(double value) const {
    return kHeight - kBottom - (value - y0) / (y1 - y0) * (kHeight - kTop - kBottom);
  }
};

std::string polyline(const std::vector<PlotPoint>& points, const Frame& frame, const char* style) {
  std::string text = fmt::format("<polyline fill=\"none\" {} points=\"", style);
  for (const PlotPoint& p : points) text += fmt::format("{:.1f},{:.1f} ", frame.x(p.step), frame.y(p.value));
  return text + "\"/>\n";
}

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c == '<'   ? "&lt;"
           : c == '>' ? "&gt;"
           : c == '&' ? "&amp;"
           : c == '"' ? "&quot;"
                      : std::string(1, c);
  }
  return out;
}

}  // namespace

std::vector<PlotPoint> smooth(const std::vector<PlotPoint>& points) {
  const auto count = static_cast<double>(points.size());
  const double weight = 1.8 * (1 / (1 + std::exp(-0.05 * count)) - 0.5);
  std::vector<PlotPoint> smoothed;
  for (const PlotPoint& p : points) {
    const double last = smoothed.empty() ? p.value : smoothed.back().value;
    smoothed.push_back({p.step, last * weight + (1 - weight) * p.value});
  }
  return smoothed;
}

std::string loss_svg(const LossPlot& plot) {
  const std::vector<PlotPoint> raw = finite(plot.training), evaluation = finite(plot.evaluation);
  Frame frame;
  bool any = false;
  frame.hold(raw, any);
  frame.hold(evaluation, any);
  frame.widen();
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n"
      "<text x=\"{2}\" y=\"24\" text-anchor=\"middle\" font-size=\"16\">{3}</text>\n",
      kWidth, kHeight, kWidth / 2, escape(plot.title));
  for (const double value : ticks(frame.y0, frame.y1)) {
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#ddd\"/>\n"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:.4g}</text>\n",
        kLeft, kWidth - kRight, frame.y(value), kLeft - 8, frame.y(value) + 4, value);
  }
  for (const double step : ticks(frame.x0, frame.x1)) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>\n", frame.x(step),
                       kHeight - kBottom + 18, step);
  }
  svg += fmt::format(
      "<path d=\"M{0},{1} V{2} H{3}\" fill=\"none\" stroke=\"black\"/>\n"
      "<text x=\"{4}\" y=\"{5}\" text-anchor=\"middle\">step</text>\n",
      kLeft, kTop, kHeight - kBottom, kWidth - kRight, kWidth / 2, kHeight - 10);
  struct Curve {
    const std::vector<PlotPoint>* points;
    const char *name, *style;
  };
  const std::vector<PlotPoint> smoothed = smooth(raw);
  double legend = kTop + 8;
  for (const Curve& curve : {Curve{&raw, "raw", "stroke=\"#9ecae1\" stroke-width=\"1\""},
                             Curve{&smoothed, "smoothed", "stroke=\"#08519c\" stroke-width=\"2\""},
                             Curve{&evaluation, "evaluation", "stroke=\"#d94801\" stroke-width=\"2\""}}) {
    if (curve.points->empty()) continue;
    svg += polyline(*curve.points, frame, curve.style);
    svg += fmt::format(
        "<line x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\" {}/>\n<text x=\"{}\" y=\"{}\">{}</text>\n",
        kWidth - 140, kWidth - 110, legend, legend, curve.style, kWidth - 104, legend + 4, curve.name);
    legend += 18;
  }
  return svg + "</svg>\n";
}

}  // namespace r1
