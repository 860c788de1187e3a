// DROP's metric: exact match and F1 of an answer against reference answers.
// Source: Dua et al., "DROP: A Reading Comprehension Benchmark Requiring Discrete Reasoning Over Paragraphs" (2019), its
// section on metrics, and simple-evals' use of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace r1::grade {

struct DropScore {
  double exact_match = 0, f1 = 0;  // 0 to 1
};

/// Best over the references. An answer of several spans: one entry each; spans are matched one to one so that the sum of
/// their F1 is largest. Articles, punctuation and case are left out; numbers compare by value, and a span whose reference
/// has numbers scores 0 unless they share one. F1 is rounded to 1/10,000. At most 32 spans a side are matched; an answer with
/// a span of more than 64 KiB scores 0. As in the published
/// script, every hyphen parts tokens and "5.5%" is the number 55.
DropScore score_drop(const std::vector<std::vector<std::string>>& references,
                     const std::vector<std::string>& answer);

/// One span from an output: what follows the first "Answer:" on its line, else all of it. Without thinking and marks of bold type.
std::string drop_answer(std::string_view output);

}  // namespace r1::grade
