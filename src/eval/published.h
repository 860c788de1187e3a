// Published scores to hold a run against: the release's tables and open-r1's reproduction.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace r1::eval {

struct PublishedScore {
  std::string_view benchmark;  // Benchmark::name
  std::string_view metric;     // as the table calls it
  std::string_view model;
  double value;  // a share from 0 to 1, or a rating
};

/// The tables of the DeepSeek-R1 release (README of deepseek-ai/DeepSeek-R1 and DeepSeek-AI 2025, "DeepSeek-R1"), in their order.
std::span<const PublishedScore> release_scores();
/// Scores of open-r1 (README of huggingface/open-r1, 2025): vLLM in bfloat16, temperature 0.6, top-p 0.95, 32,768 tokens, n = 64 for
/// AIME 2024, 4 for MATH-500, 8 for GPQA-Diamond, 16 for LiveCodeBench.
std::span<const PublishedScore> open_r1_scores();

/// The tables' name of a model by its file or endpoint name: "…/DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf". Empty: none of theirs,
/// as later versions (R1-0528, V3-0324).
std::string_view published_model(std::string_view name);

/// The first score that the table has of a benchmark and a model: its main metric's; nothing: not in the table.
std::optional<double> published_score(std::span<const PublishedScore> table, std::string_view benchmark,
                                      std::string_view model);

/// "71.3%", or "1691" for a rating.
std::string published_value(double value);

}  // namespace r1::eval
