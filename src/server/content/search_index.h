// The embedded search: folders, files and pages that the user has indexed, in SQLite's FTS5, ranked by BM25.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "formats/database.h"
#include "server/content/extraction.h"
#include "server/content/page_fetcher.h"
#include "server/content/prompts.h"

namespace r1::site {

struct IndexEntry {
  enum class Kind { folder, file, page };
  enum class State { ready, indexing, failed };

  std::string id;
  Kind kind = Kind::folder;
  std::string location;  // absolute path, or address
  int64_t documents = 0, bytes = 0;
  int64_t updated = 0;  // ms since 1970; 0: never
  State state = State::indexing;
  int64_t done = 0, total = 0;  // files of a folder that is being indexed
  std::optional<std::string> error;
};
Json to_json(const IndexEntry& entry);

struct IndexDocument {
  std::string id, title, location, text;
};

/// All functions are safe from several threads, and several processes may have the same file open. Only one
/// refresh of an entry at a time makes sense; another one repeats the work.
class SearchIndex {
 public:
  /// Called before each file; false: stop (what was done stays).
  using Progress = std::function<bool(int64_t done, int64_t total, const std::string& name)>;

  /// The extractor must outlive the index.
  SearchIndex(const std::filesystem::path& file, const FileExtractor& extractor,
              PageFetcher fetcher = PageFetcher());

  /// A new entry for a path or an http(s) address, without its documents: refresh() reads them. The entry
  /// that is there already for a location that was added before. SiteError(invalid): there is no such file or
  /// folder.
  IndexEntry add(const std::string& location);
  /// Reads what is new or changed (by time and size, then by hash) and forgets what is gone. Hidden files,
  /// symbolic links and types that are not read are passed over. Throws nothing but SiteError(not_found) and
  /// the database's errors: what goes wrong with documents is told in the entry.
  IndexEntry refresh(const std::string& id, const Progress& progress = {});
  void remove(const std::string& id);
  std::vector<IndexEntry> list();
  IndexDocument document(const std::string& id);

  /// The documents with the best passages, each with its up to three best.
  std::vector<SearchText> search(const std::string& query, int limit);

 private:
  struct Known {
    int64_t key = 0, modified = 0, bytes = 0;
    std::string hash;
  };
  IndexEntry entry_of(const std::string& id);
  IndexEntry entry_of_row(Statement& row);
  std::optional<Known> known(int64_t entry, const std::string& location);
  void store(int64_t entry, const std::string& location, const std::string& title, const std::string& text,
             const Known& facts);
  void refresh_folder(int64_t entry, const std::filesystem::path& folder, const Progress& progress);
  void refresh_file(int64_t entry, const std::filesystem::path& file);
  void refresh_page(int64_t entry, const std::string& url);

  std::mutex mutex_;
  Database database_;
  const FileExtractor& extractor_;
  PageFetcher fetcher_;
};

/// Passages of about `bytes`, cut at line ends where possible, else at sentence ends, else between
/// characters.
std::vector<std::string> divide_into_passages(const std::string& text, size_t bytes);

}  // namespace r1::site
