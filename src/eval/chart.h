// Pictures of reports as inline SVG. Colours are classes of the page's style (src/eval/page/page.css); each picture has a title
// and a description for those who cannot see it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eval/summary.h"

namespace r1::eval {

/// pass@k and cons@k with their intervals, against k on a logarithmic axis. Empty with fewer than two k.
std::string accuracy_chart(const Summary& summary);

/// Histograms of the tokens of right and wrong answers, one above the other on the same axes. Empty without answers.
std::string length_chart(const Summary& summary);

/// Shares of the classes as one bar. Empty without answers.
std::string class_bar(const Summary& summary);

/// A line through points (x, y), by x. `style`: "pass" or "cons", as the lines of accuracy_chart() have them.
struct ChartLine {
  std::string_view style;
  std::vector<std::pair<double, double>> points{};  // those that are no finite numbers are left out
};

/// Lines over a common axis from 0, or from the smallest value where that is below. Empty where no line has two points.
std::string line_chart(const std::string& title, std::span<const ChartLine> lines);

/// "c-right-not-extracted": the style class of an answer's class.
std::string style_class(AnswerClass answer_class);

}  // namespace r1::eval
