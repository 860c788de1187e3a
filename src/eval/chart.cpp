#include "eval/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "eval/html.h"

namespace r1::eval {
namespace {

constexpr double kWidth = 380, kLeft = 38, kRight = 370;

std::string picture(double height, std::string_view style, const std::string& title,
                    const std::string& content) {
  return fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" class="{}"{}><title>{}</title>{}</svg>)", kWidth,
                     height, style, style.empty() ? "" : R"( preserveAspectRatio="none")", html_text(title),
                     content);
}

std::string label(double x, double y, std::string_view anchor, const std::string& text) {
  return fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", x, y, anchor, text);
}

std::string horizontal(double y) {
  return fmt::format(R"(<line class="axis" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", kLeft, kRight, y, y);
}

/// A line through (k, value) with the band of its intervals.
template <class ToX, class ToY>
std::string curve(const std::vector<AtK>& values, std::string_view name, const ToX& x, const ToY& y) {
  std::string line, band;
  for (const AtK& at : values) {
    line += fmt::format("{:.1f},{:.1f} ", x(at.k), y(at.estimate.value));
    band += fmt::format("{:.1f},{:.1f} ", x(at.k), y(at.estimate.high));
  }
  for (size_t i = values.size(); i-- > 0;)
    band += fmt::format("{:.1f},{:.1f} ", x(values[i].k), y(values[i].estimate.low));
  return fmt::format(R"(<polygon class="band {}-fill" points="{}"/><polyline class="line {}" points="{}"/>)",
                     name, band, name, line);
}

/// 1, 2 or 5 times a power of ten: the smallest that gives at most `steps` steps up to `largest`.
double decimal_step(double largest, int steps) {
  const double rough = largest / steps;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

/// The same for lengths, where an axis has at least one token.
double round_step(double largest, int steps) {
  return decimal_step(std::max(largest, 1.0), steps);
}

std::string token_text(double tokens) {
  return tokens >= 1000 ? fmt::format("{}k", tokens / 1000) : fmt::format("{:.0f}", tokens);
}

constexpr int kBins = 30;

std::vector<int64_t> histogram(const Lengths& lengths, double bin) {
  std::vector<int64_t> counts(kBins, 0);
  for (const int64_t length : lengths.sorted) {
    const auto place = static_cast<size_t>(static_cast<double>(length) / bin);
    ++counts[std::min<size_t>(place, kBins - 1)];
  }
  return counts;
}

}  // namespace

std::string style_class(AnswerClass answer_class) {
  std::string out = "c-";
  for (const char c : class_name(answer_class)) {
    if (c >= 'a' && c <= 'z')
      out += c;
    else if (out.back() != '-')
      out += '-';
  }
  return out;
}

std::string accuracy_chart(const Summary& summary) {
  if (summary.pass_at.size() < 2) return {};
  constexpr double kTop = 10, kBottom = 180;
  const double doublings = std::log2(static_cast<double>(summary.pass_at.back().k));
  const auto x = [&](int64_t k) {
    return kLeft + (kRight - kLeft) * std::log2(static_cast<double>(k)) / doublings;
  };
  const auto y = [&](double share) { return kBottom - (kBottom - kTop) * share; };
  std::string out;
  for (int tenths = 0; tenths <= 10; tenths += 2) {
    out += horizontal(y(tenths / 10.0));
    out += label(kLeft - 6, y(tenths / 10.0) + 4, "end", fmt::format("{}%", 10 * tenths));
  }
  std::string title = "Score against the number of samples k.";
  for (size_t i = 0; i < summary.pass_at.size(); ++i) {
    const AtK& at = summary.pass_at[i];
    const bool crowded = i + 2 == summary.pass_at.size() && x(summary.pass_at.back().k) - x(at.k) < 20;
    if (!crowded)
      out += label(x(at.k), kBottom + 16, i + 1 == summary.pass_at.size() ? "end" : "middle",
                   fmt::format("{}", at.k));
    title += fmt::format(" pass@{} {}.", at.k, metric_text("", at.estimate.value));
  }
  for (const AtK& at : summary.consensus_at)
    title += fmt::format(" cons@{} {}.", at.k, metric_text("", at.estimate.value));
  out += curve(summary.pass_at, "pass", x, y);
  if (summary.consensus_at.size() > 1) out += curve(summary.consensus_at, "cons", x, y);
  return picture(200, "", title, out);
}

std::string length_chart(const Summary& summary) {
  const int64_t longest = std::max(summary.right.quantile(1), summary.wrong.quantile(1));
  if (longest == 0) return {};
  const double step = round_step(static_cast<double>(longest), 5);
  const double end = step * std::ceil(static_cast<double>(longest) / step), bin = end / kBins;
  const std::vector<int64_t> right = histogram(summary.right, bin), wrong = histogram(summary.wrong, bin);
  const auto most = static_cast<double>(
      std::max(*std::max_element(right.begin(), right.end()), *std::max_element(wrong.begin(), wrong.end())));
  constexpr double kHeight = 78;
  const double width = (kRight - kLeft) / kBins;
  std::string out;
  const auto panel = [&](const std::vector<int64_t>& counts, double base, std::string_view style,
                         std::string_view name) {
    out += horizontal(base);
    out += label(kLeft, base - kHeight + 2, "start", std::string(name));
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      const double height = std::max(1.0, (kHeight - 12) * static_cast<double>(counts[i]) / most);
      out += fmt::format(
          R"(<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{} to {} tokens: {} answers</title></rect>)",
          style, kLeft + width * static_cast<double>(i) + 0.5, base - height, width - 1, height,
          std::llround(bin * static_cast<double>(i)), std::llround(bin * static_cast<double>(i + 1)),
          counts[i]);
    }
  };
  panel(right, 90, "c-right", "right");
  panel(wrong, 180, "c-wrong", "not right");
  for (double tokens = 0; tokens <= end + step / 2; tokens += step) {
    const double x = kLeft + (kRight - kLeft) * tokens / end;
    out += label(x, 196,
                 tokens == 0               ? "start"
                 : tokens > end - step / 2 ? "end"
                                           : "middle",
                 token_text(tokens));
  }
  return picture(200, "",
                 fmt::format("Tokens an answer. Right answers: median {}. Others: median {}.",
                             summary.right.quantile(0.5), summary.wrong.quantile(0.5)),
                 out);
}

std::string line_chart(const std::string& title, std::span<const ChartLine> lines) {
  constexpr double kTop = 10, kBottom = 180;
  constexpr size_t kMostPoints = 400;  // of a line: more are closer than its width
  double last = 0, low = 0, high = 0;
  bool any = false;
  const auto finite = [](const auto& point) {
    return std::isfinite(point.first) && std::isfinite(point.second);
  };
  for (const ChartLine& line : lines) {
    if (std::ranges::count_if(line.points, finite) > 1) any = true;
    for (const auto& point : line.points) {
      if (!finite(point)) continue;
      last = std::max(last, point.first);
      low = std::min(low, point.second), high = std::max(high, point.second);
    }
  }
  if (!any || last <= 0) return {};
  if (high <= low) high = low + 1;
  const double step = decimal_step(high - low, 5);
  const double bottom = step * std::floor(low / step), top = step * std::ceil(high / step);
  const auto x = [&](double at) { return kLeft + (kRight - kLeft) * at / last; };
  const auto y = [&](double value) { return kBottom - (kBottom - kTop) * (value - bottom) / (top - bottom); };
  std::string out;
  for (double value = bottom; value <= top + step / 2; value += step) {
    out += horizontal(y(value));
    out +=
        label(kLeft - 6, y(value) + 4, "end", fmt::format("{:.4g}", std::abs(value) < step / 2 ? 0 : value));
  }
  out += label(kLeft, kBottom + 16, "start", "0") +
         label(kRight, kBottom + 16, "end", fmt::format("step {:.0f}", last));
  for (const ChartLine& line : lines) {
    const size_t stride = line.points.size() / kMostPoints + 1;
    std::string points;
    for (size_t i = 0; i < line.points.size(); ++i) {
      if (finite(line.points[i]) && (i % stride == 0 || i + 1 == line.points.size()))
        points += fmt::format("{:.1f},{:.1f} ", x(line.points[i].first), y(line.points[i].second));
    }
    out += fmt::format(R"(<polyline class="line {}" points="{}"/>)", line.style, points);
  }
  return picture(200, "", title, out);
}

std::string class_bar(const Summary& summary) {
  std::string out, title = "Answers by class.";
  double left = 0;
  for (const ClassCount& entry : summary.classes) {
    if (entry.count == 0) continue;
    const double width = kWidth * entry.share;
    out += fmt::format(
        R"(<rect class="{}" x="{:.2f}" y="0" width="{:.2f}" height="20"><title>{}: {}</title></rect>)",
        style_class(entry.answer_class), left, width, class_name(entry.answer_class), entry.count);
    title += fmt::format(" {}: {}.", class_name(entry.answer_class), entry.count);
    left += width;
  }
  return out.empty() ? out : picture(20, "bar-of-classes", title, out);
}

}  // namespace r1::eval
