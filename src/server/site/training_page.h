// The live page of a training run, by the files that the run leaves: run.json, trainer_log.jsonl and
// samples.jsonl (docs/training.md). It does not matter which process writes them.
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "server/http/http_server.h"
#include "server/http/router.h"
#include "server/site/site_assets.h"

namespace r1::server {

/// Bytes of the log that one answer holds at most; whole lines.
inline constexpr size_t kTrainingLogBytes = size_t{1} << 20;

/// GET /api/training?from=N: {"run", "entries", "next", "more", "samples", "age_seconds"}; entries are the
/// log's lines from byte N on, `next` is the N behind them, samples the last ones. Files that are not there
/// yet are null or empty. A line that is no JSON object (a sudden end of an earlier run) is left out.
HttpResponse training_answer(const std::filesystem::path& folder, std::string_view from);

/// The page at "/" and its answers, for requests that call this machine by a loopback name. Safe to use from
/// several threads; `assets` must outlive it.
class TrainingPage {
 public:
  TrainingPage(std::filesystem::path folder, std::span<const SiteAsset> assets);

  void handle(const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) const;
  /// Call `handle`; must not outlive this object.
  HttpServerHooks hooks() const;

 private:
  std::filesystem::path folder_;
  Router router_;
};

}  // namespace r1::server
