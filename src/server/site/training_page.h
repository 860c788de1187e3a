// The live page of a training run, by the files that the run leaves: run.json, trainer_log.jsonl and
// samples.jsonl (docs/training.md). It does not matter which process writes them.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "server/site/run_page.h"

namespace r1::server {

/// Bytes of the log that one answer holds at most; whole lines.
inline constexpr size_t kTrainingLogBytes = size_t{1} << 20;

/// GET /api/training?from=N: {"run", "entries", "next", "more", "samples", "rollouts", "age_seconds"}; entries are the
/// log's lines from byte N on, `next` is the N behind them; samples and rollouts are the last lines of their files. Files that are not there
/// yet are null or empty. A line that is no JSON object (a sudden end of an earlier run) is left out.
HttpResponse training_answer(const std::filesystem::path& folder, std::string_view from);

class TrainingPage : public RunPage {
 public:
  TrainingPage(const std::filesystem::path& folder, std::span<const SiteAsset> assets);
};

}  // namespace r1::server
