// Reports of evaluations: JSON for programs, Markdown for notes, one HTML page for people. The same runs give the same bytes, whether
// they were interrupted, sharded or run by one worker or many: no clock and no address enters what is compared ("results").
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/run.h"
#include "eval/summary.h"

namespace r1::eval {

struct Evaluation {
  Run run;
  const Benchmark* benchmark = nullptr;  // one of benchmarks(), or the caller's
  Summary summary{};
};

/// Of one run; `benchmark` must outlive the result.
Evaluation evaluate(Run run, const Benchmark& benchmark);

/// {"format", "evaluations": [{"benchmark", "title", "source", "protocol", "published", "results"}]}. "source" says where answers came
/// from (model, endpoints, hashes), "results" what they are.
nlohmann::ordered_json report_json(std::span<const Evaluation> evaluations);

std::string report_markdown(std::span<const Evaluation> evaluations);

/// Texts of samples in a page take at most `text_bytes`: longer ones are cut in the middle, which the page says.
std::string report_page(std::span<const Evaluation> evaluations, int64_t text_bytes = int64_t{48} << 20);

/// report.json, report.md and report.html in `folder`, each replaced as a whole. Throws Error(io).
void write_report(const std::filesystem::path& folder, std::span<const Evaluation> evaluations);

/// With the folders above it. Throws Error(io).
void create_report_folder(const std::filesystem::path& folder);
/// Replaces the file as a whole. Throws Error(io).
void write_text_file(const std::filesystem::path& path, std::string_view text);

}  // namespace r1::eval
