// The folder of downloaded models: ROOT/OWNER/NAME/COMMIT/FILES, and beside the files of each pull a manifest
// r1-QUANT.json that is written last. What has no manifest is not there yet.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/download.h"

namespace r1 {

struct CachedModel {
  HubReference reference;
  std::string commit;
  std::vector<HubFile> files;
  uint64_t bytes = 0;
  std::filesystem::file_time_type pulled{};  // when it was complete
  std::filesystem::path path;                // what to open: the (first) GGUF file, or the hub directory
};

struct PullProgress {
  std::string file;
  uint64_t bytes = 0, total = 0;  // over all files of the model
};

class ModelCache {
 public:
  explicit ModelCache(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }

  /// Downloads what is missing and returns the model. One pull of a repository at a time (others wait, also
  /// in other processes). Errors as download_file and fetch_repository.
  CachedModel pull(const HubReference& reference, const HubOptions& hub, DownloadOptions download,
                   const std::function<void(const PullProgress&)>& progress) const;

  std::vector<CachedModel> list() const;
  /// The model that was pulled under this name, the newest where the hub's revision has moved on between two
  /// pulls; without a quantisation the only one there is, or the default's.
  std::optional<CachedModel> find(const HubReference& reference) const;
  /// Deletes the model's files, of every commit that was pulled under this name, except those that another
  /// pulled model shares. Throws Error(invalid_argument) if there is no such model.
  void remove(const HubReference& reference) const;

 private:
  std::vector<CachedModel> commits_of(const HubReference& reference) const;
  void remove_commit(const CachedModel& model) const;

  std::filesystem::path root_;
};

}  // namespace r1
