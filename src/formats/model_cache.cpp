#include "formats/model_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "formats/output_file.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

/// Held while a repository's folder is written.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder) {
    fs::create_directories(folder);
    const fs::path path = folder / ".lock";
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX) != 0) {
      throw_error(ErrorKind::io, "{}: cannot lock: {}", path.string(), std::strerror(errno));
    }
  }
  ~FolderLock() { ::close(descriptor_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

std::string manifest_name(const HubReference& reference) {
  return "r1-" + (reference.quantisation.empty() ? std::string("default") : reference.quantisation) + ".json";
}

fs::path model_path(const fs::path& folder, const std::vector<HubFile>& files) {
  std::string first;
  for (const HubFile& file : files) {
    if (file.path.ends_with(".gguf") && (first.empty() || file.path < first)) first = file.path;
  }
  return first.empty() ? folder : folder / first;
}

void write_manifest(const fs::path& path, const CachedModel& model) {
  nlohmann::json manifest = {{"repository", model.reference.repository},
                             {"revision", model.reference.revision},
                             {"quantisation", model.reference.quantisation},
                             {"commit", model.commit},
                             {"files", nlohmann::json::array()}};
  for (const HubFile& file : model.files) {
    manifest["files"].push_back(
        {{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}, {"git_blob", file.git_blob}});
  }
  OutputFile out(path);
  out.write(manifest.dump(2) + '\n');
  out.finish();
}

CachedModel read_manifest(const fs::path& path) {
  try {
    std::ifstream in(path);
    const nlohmann::json manifest = nlohmann::json::parse(in);
    CachedModel model;
    model.reference.repository = manifest.at("repository").get<std::string>();
    model.reference.revision = manifest.at("revision").get<std::string>();
    model.reference.quantisation = manifest.at("quantisation").get<std::string>();
    model.commit = manifest.at("commit").get<std::string>();
    for (const nlohmann::json& entry : manifest.at("files")) {
      HubFile file;
      file.path = entry.at("path").get<std::string>();
      file.bytes = entry.at("bytes").get<uint64_t>();
      file.sha256 = entry.at("sha256").get<std::string>();
      file.git_blob = entry.at("git_blob").get<std::string>();
      model.bytes += file.bytes;
      model.files.push_back(std::move(file));
    }
    model.pulled = fs::last_write_time(path);
    model.path = model_path(path.parent_path(), model.files);
    return model;
  } catch (const nlohmann::json::exception& error) {
    throw_error(ErrorKind::bad_file, "{}: {}", path.string(), error.what());
  }
}

bool same_text(const std::string& a, const std::string& b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

CachedModel ModelCache::pull(const HubReference& reference, const HubOptions& hub, DownloadOptions download,
                             const std::function<void(const PullProgress&)>& progress) const {
  HttpClient client;
  const HubRepository repository = fetch_repository(client, hub, reference);
  CachedModel model;
  model.reference = reference;
  model.commit = repository.commit;
  model.files = select_files(reference, repository);
  for (const HubFile& file : model.files) model.bytes += file.bytes;

  const FolderLock lock(root_ / reference.repository);
  const fs::path folder = root_ / reference.repository / repository.commit;
  uint64_t before = 0;
  for (const HubFile& file : model.files) {
    download.progress = [&](uint64_t bytes) {
      if (progress) progress({file.path, before + bytes, model.bytes});
    };
    download_file(file_url(hub, reference.repository, repository.commit, file.path), hub.token, file,
                  folder / file.path, download);
    before += file.bytes;
  }
  write_manifest(folder / manifest_name(reference), model);
  model.path = model_path(folder, model.files);
  return model;
}

std::vector<CachedModel> ModelCache::list() const {
  std::vector<CachedModel> models;
  if (!fs::exists(root_)) return models;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name.starts_with("r1-") && name.ends_with(".json")) {
      models.push_back(read_manifest(entry.path()));
    }
  }
  std::sort(models.begin(), models.end(), [](const CachedModel& a, const CachedModel& b) {
    return std::pair(a.reference.to_string(), a.commit) < std::pair(b.reference.to_string(), b.commit);
  });
  return models;
}

/// What was pulled under this name, newest first.
std::vector<CachedModel> ModelCache::commits_of(const HubReference& reference) const {
  std::vector<CachedModel> exact, others;
  for (CachedModel& model : list()) {
    const HubReference& found = model.reference;
    const bool revision = found.revision == reference.revision || model.commit == reference.revision;
    if (found.repository != reference.repository || !revision) continue;
    (same_text(found.quantisation, reference.quantisation) ? exact : others).push_back(std::move(model));
  }
  if (exact.empty() && reference.quantisation.empty()) {
    const bool clear = std::ranges::all_of(others, [&](const CachedModel& model) {
      return same_text(model.reference.quantisation, others.front().reference.quantisation);
    });
    if (clear) exact = std::move(others);
  }
  std::ranges::sort(exact, std::greater<>(), &CachedModel::pulled);
  return exact;
}

std::optional<CachedModel> ModelCache::find(const HubReference& reference) const {
  std::vector<CachedModel> models = commits_of(reference);
  return models.empty() ? std::nullopt : std::optional(std::move(models.front()));
}

void ModelCache::remove(const HubReference& reference) const {
  const std::vector<CachedModel> models = commits_of(reference);
  if (models.empty())
    throw_error(ErrorKind::invalid_argument, "{}: not among the pulled models", reference.to_string());
  for (const CachedModel& model : models) remove_commit(model);
}

void ModelCache::remove_commit(const CachedModel& model) const {
  const FolderLock lock(root_ / model.reference.repository);
  const fs::path folder = root_ / model.reference.repository / model.commit;
  fs::remove(folder / manifest_name(model.reference));
  std::set<std::string> shared;
  for (const CachedModel& other : list()) {
    if (other.reference.repository != model.reference.repository || other.commit != model.commit) continue;
    for (const HubFile& file : other.files) shared.insert(file.path);
  }
  for (const HubFile& file : model.files) {
    if (shared.count(file.path) == 0) fs::remove(folder / file.path);
  }
  // Folders that have become empty, from the commit's up to the owner's.
  fs::remove(root_ / model.reference.repository / ".lock");
  for (fs::path empty = folder; empty != root_ && fs::is_empty(empty); empty = empty.parent_path())
    fs::remove(empty);
}

}  // namespace r1
