#include "server/content/search_index.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "server/content/search_provider.h"
#include "server/content/site_error.h"
#include "server/content/site_time.h"
#include "server/content/word_tokenizer.h"

namespace r1::site {
namespace {

using Code = SiteError::Code;
namespace fs = std::filesystem;

constexpr size_t kPassageBytes = 1200;
constexpr int kPassagesOfDocument = 3;

constexpr Migration kMigrations[] = {{"entries, documents, passages", R"sql(
CREATE TABLE index_entries (
  key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL, location TEXT NOT NULL UNIQUE,
  updated INTEGER NOT NULL, state INTEGER NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, error TEXT);
CREATE TABLE index_documents (
  key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
  entry INTEGER NOT NULL REFERENCES index_entries (key) ON DELETE CASCADE,
  location TEXT NOT NULL, title TEXT NOT NULL,
  modified INTEGER NOT NULL, bytes INTEGER NOT NULL, hash TEXT NOT NULL,  -- ms since 1970; SHA-256
  text TEXT NOT NULL,
  UNIQUE (entry, location));
CREATE TABLE index_passages (
  key INTEGER PRIMARY KEY,
  document INTEGER NOT NULL REFERENCES index_documents (key) ON DELETE CASCADE,
  title TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX index_passages_by_document ON index_passages (document);
CREATE VIRTUAL TABLE index_words USING fts5(
  title, text, content='index_passages', content_rowid='key', tokenize='r1_words porter unicode61');
CREATE TRIGGER index_words_insert AFTER INSERT ON index_passages BEGIN
  INSERT INTO index_words (rowid, title, text) VALUES (new.key, new.title, new.text);
END;
CREATE TRIGGER index_words_delete AFTER DELETE ON index_passages BEGIN
  INSERT INTO index_words (index_words, rowid, title, text) VALUES ('delete', old.key, old.title, old.text);
END;
)sql"}};

const std::string kEntry =
    "SELECT e.key, e.id, e.kind, e.location, e.updated, e.state, e.done, e.total, e.error, "
    "(SELECT count(*) FROM index_documents WHERE entry = e.key), "
    "(SELECT coalesce(sum(bytes), 0) FROM index_documents WHERE entry = e.key) FROM index_entries e ";

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, 32> digest{};
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

bool is_address(const std::string& location) {
  return location.starts_with("http://") || location.starts_with("https://");
}

int64_t modified_ms(const fs::path& file) {
  const auto time = std::chrono::file_clock::to_sys(fs::last_write_time(file));
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) refuse(Code::extraction_failed, "{}: cannot be read", path.filename().string());
  return bytes;
}

/// The files of a folder that may be read, in a fixed order.
std::vector<fs::path> files_of(const fs::path& folder) {
  const auto& types = FileExtractor::extensions();
  std::vector<fs::path> files;
  auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied);
  for (; entry != fs::recursive_directory_iterator(); ++entry) {
    const fs::path& path = entry->path();
    if (path.filename().string().starts_with('.')) {
      if (entry->is_directory() && !entry->is_symlink()) entry.disable_recursion_pending();
      continue;
    }
    std::string type = path.extension().string();
    std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::tolower(c); });
    if (entry->is_symlink() || !entry->is_regular_file()) continue;
    if (std::find(types.begin(), types.end(), type) != types.end()) files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Json to_json(const IndexEntry& entry) {
  static constexpr std::array<const char*, 3> kinds{"folder", "file", "page"},
      states{"ready", "indexing", "failed"};
  const bool indexing = entry.state == IndexEntry::State::indexing;
  return {{"id", entry.id},
          {"kind", kinds[static_cast<size_t>(entry.kind)]},
          {"location", entry.location},
          {"documents", entry.documents},
          {"bytes", entry.bytes},
          {"updated", entry.updated},
          {"state", states[static_cast<size_t>(entry.state)]},
          {"progress", indexing ? Json{{"done", entry.done}, {"total", entry.total}} : Json(nullptr)},
          {"error", entry.error ? Json(*entry.error) : Json(nullptr)}};
}

std::vector<std::string> divide_into_passages(const std::string& text, size_t bytes) {
  std::vector<std::string> passages;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(begin + bytes, text.size());
    if (end < text.size()) {
      const size_t least = begin + bytes / 2;
      size_t cut = text.rfind('\n', end - 1);
      if (cut == std::string::npos || cut < least) {
        cut = std::string::npos;
        for (const std::string_view stop : {". ", "。", "！", "？", " "}) {
          const size_t found = text.rfind(stop, end - stop.size());
          if (found != std::string::npos && found >= least) {
            cut = found + stop.size() - 1;
            break;
          }
        }
      }
      end = cut == std::string::npos || cut < least ? end : cut + 1;
      while (end > begin + 1 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    }
    std::string passage = text.substr(begin, end - begin);
    if (passage.find_first_not_of(" \t\n\f") != std::string::npos) passages.push_back(std::move(passage));
    begin = end;
  }
  return passages;
}

SearchIndex::SearchIndex(const fs::path& file, const FileExtractor& extractor, PageFetcher fetcher)
    : database_(file), extractor_(extractor), fetcher_(std::move(fetcher)) {
  register_word_tokenizer(database_);
  database_.migrate("index", kMigrations);
}

IndexEntry SearchIndex::entry_of_row(Statement& row) {
  IndexEntry entry;
  entry.id = row.text(1);
  entry.kind = static_cast<IndexEntry::Kind>(row.integer(2));
  entry.location = row.text(3);
  entry.updated = row.integer(4);
  entry.state = static_cast<IndexEntry::State>(row.integer(5));
  entry.done = row.integer(6);
  entry.total = row.integer(7);
  entry.error = row.optional_text(8);
  entry.documents = row.integer(9);
  entry.bytes = row.integer(10);
  return entry;
}

IndexEntry SearchIndex::entry_of(const std::string& id) {
  Statement row = database_.prepare(kEntry + "WHERE e.id = ?1");
  if (!row.bind(id).step()) refuse(Code::not_found, "index entry {}: there is none", id);
  return entry_of_row(row);
}

IndexEntry SearchIndex::add(const std::string& given) {
  std::string location = given;
  IndexEntry::Kind kind = IndexEntry::Kind::page;
  if (!is_address(given)) {
    if (given.find("://") != std::string::npos) {
      refuse(Code::invalid, "{}: only http and https addresses are indexed", given);
    }
    std::error_code failed;
    const fs::path path = fs::canonical(given, failed);
    if (failed) refuse(Code::invalid, "{}: {}", given, failed.message());
    location = path.string();
    if (!fs::is_directory(path) && !fs::is_regular_file(path)) {
      refuse(Code::invalid, "{}: neither a file nor a folder", given);
    }
    kind = fs::is_directory(path) ? IndexEntry::Kind::folder : IndexEntry::Kind::file;
  }
  const std::lock_guard lock(mutex_);
  database_
      .prepare(
          "INSERT INTO index_entries (id, kind, location, updated, state, done, total) VALUES "
          "(?1, ?2, ?3, 0, 1, 0, 0) ON CONFLICT (location) DO NOTHING")
      .bind(make_id(), static_cast<int>(kind), location)
      .run();
  Statement row = database_.prepare(kEntry + "WHERE e.location = ?1");
  row.bind(location).step();
  return entry_of_row(row);
}

void SearchIndex::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  entry_of(id);
  database_.prepare("DELETE FROM index_entries WHERE id = ?1").bind(id).run();
}

std::vector<IndexEntry> SearchIndex::list() {
  const std::lock_guard lock(mutex_);
  std::vector<IndexEntry> entries;
  Statement rows = database_.prepare(kEntry + "ORDER BY e.key");
  while (rows.step()) entries.push_back(entry_of_row(rows));
  return entries;
}

IndexDocument SearchIndex::document(const std::string& id) {
  const std::lock_guard lock(mutex_);
  Statement row = database_.prepare("SELECT title, location, text FROM index_documents WHERE id = ?1");
  if (!row.bind(id).step()) refuse(Code::not_found, "document {}: there is none", id);
  return {id, row.text(0), row.text(1), row.text(2)};
}

std::optional<SearchIndex::Known> SearchIndex::known(int64_t entry, const std::string& location) {
  const std::lock_guard lock(mutex_);
  Statement row = database_.prepare(
      "SELECT key, modified, bytes, hash FROM index_documents WHERE entry = ?1 AND location = ?2");
  if (!row.bind(entry, location).step()) return std::nullopt;
  return Known{row.integer(0), row.integer(1), row.integer(2), row.text(3)};
}

void SearchIndex::store(int64_t entry, const std::string& location, const std::string& title,
                        const std::string& text, const Known& facts) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  // The id stays: sources of older answers refer to it.
  database_
      .prepare(
          "INSERT INTO index_documents (id, entry, location, title, modified, bytes, hash, text) VALUES "
          "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (entry, location) DO UPDATE SET title = ?4, "
          "modified = ?5, bytes = ?6, hash = ?7, text = ?8")
      .bind(make_id(), entry, location, title, facts.modified, facts.bytes, facts.hash, text)
      .run();
  Statement row = database_.prepare("SELECT key FROM index_documents WHERE entry = ?1 AND location = ?2");
  row.bind(entry, location).step();
  const int64_t document = row.integer(0);
  row.reset();
  database_.prepare("DELETE FROM index_passages WHERE document = ?1").bind(document).run();
  Statement insert =
      database_.prepare("INSERT INTO index_passages (document, title, text) VALUES (?1, ?2, ?3)");
  for (const std::string& passage : divide_into_passages(text, kPassageBytes)) {
    insert.bind(document, title, passage).run();
  }
  transaction.commit();
}

void SearchIndex::refresh_file(int64_t entry, const fs::path& file) {
  const std::string location = file.string();
  Known facts;
  facts.modified = modified_ms(file);
  facts.bytes = static_cast<int64_t>(fs::file_size(file));
  const auto before = known(entry, location);
  if (before && before->modified == facts.modified && before->bytes == facts.bytes) return;
  if (facts.bytes > extractor_.limits().file_bytes) {
    refuse(Code::too_large, "{}: {} bytes; at most {} are taken", location, facts.bytes,
           extractor_.limits().file_bytes);
  }
  const std::string bytes = bytes_of(file);
  facts.hash = sha256(bytes);
  if (before && before->hash == facts.hash) {
    const std::lock_guard lock(mutex_);
    database_.prepare("UPDATE index_documents SET modified = ?2 WHERE key = ?1")
        .bind(before->key, facts.modified)
        .run();
    return;
  }
  const ExtractedText text = extractor_.extract(location, bytes);
  store(entry, location, text.title.empty() ? file.filename().string() : text.title, text.text, facts);
}

void SearchIndex::refresh_page(int64_t entry, const std::string& url) {
  const FetchedPage page =
      fetcher_.get(url, {"text/*", "application/xhtml+xml", "application/pdf", "application/json"});
  Known facts;
  facts.modified = now_ms();
  facts.bytes = static_cast<int64_t>(page.body.size());
  facts.hash = sha256(page.body);
  const auto before = known(entry, url);
  if (before && before->hash == facts.hash) return;
  const ExtractedText text = extractor_.extract_page(page.url, page.content_type, page.body);
  store(entry, url, text.title.empty() ? url : text.title, text.text, facts);
}

void SearchIndex::refresh_folder(int64_t entry, const fs::path& folder, const Progress& progress) {
  const std::vector<fs::path> files = files_of(folder);
  std::set<std::string> present;
  int64_t done = 0, failed = 0;
  std::string first_failure;
  for (const fs::path& file : files) {
    if (progress && !progress(done, static_cast<int64_t>(files.size()), file.string())) {
      throw_error(ErrorKind::cancelled, "stopped after {} of {} files", done, files.size());
    }
    {
      const std::lock_guard lock(mutex_);
      database_.prepare("UPDATE index_entries SET done = ?2, total = ?3 WHERE key = ?1")
          .bind(entry, done, static_cast<int64_t>(files.size()))
          .run();
    }
    try {
      refresh_file(entry, file);
      present.insert(file.string());
    } catch (const SiteError& error) {
      if (failed++ == 0) first_failure = error.what();
    } catch (const fs::filesystem_error& error) {  // gone, or not ours to read
      if (failed++ == 0) first_failure = file.filename().string() + ": " + error.code().message();
    }
    ++done;
  }
  {
    const std::lock_guard lock(mutex_);
    Transaction transaction(database_);
    std::vector<std::pair<int64_t, std::string>> all;
    Statement rows = database_.prepare("SELECT key, location FROM index_documents WHERE entry = ?1");
    for (rows.bind(entry); rows.step();) all.emplace_back(rows.integer(0), rows.text(1));
    for (const auto& [key, location] : all) {
      if (!present.contains(location)) {
        database_.prepare("DELETE FROM index_documents WHERE key = ?1").bind(key).run();
      }
    }
    transaction.commit();
  }
  if (failed > 0) {
    throw_error(ErrorKind::bad_file, "{} of {} files could not be read; the first: {}", failed, files.size(),
                first_failure);
  }
}

IndexEntry SearchIndex::refresh(const std::string& id, const Progress& progress) {
  int64_t key = 0;
  IndexEntry entry;
  {
    const std::lock_guard lock(mutex_);
    entry = entry_of(id);
    database_.prepare("UPDATE index_entries SET state = 1, done = 0, total = 0, error = NULL WHERE id = ?1")
        .bind(id)
        .run();
    Statement row = database_.prepare("SELECT key FROM index_entries WHERE id = ?1");
    row.bind(id).step();
    key = row.integer(0);
  }
  std::optional<std::string> error;
  try {
    if (entry.kind == IndexEntry::Kind::page) refresh_page(key, entry.location);
    if (entry.kind == IndexEntry::Kind::file) refresh_file(key, entry.location);
    if (entry.kind == IndexEntry::Kind::folder) refresh_folder(key, entry.location, progress);
  } catch (const std::exception& failure) {
    error = failure.what();
  }
  const std::lock_guard lock(mutex_);
  // Something to search is there: the entry is of use, whatever went wrong beside it.
  database_
      .prepare(
          "UPDATE index_entries SET updated = ?2, error = ?3, state = CASE WHEN ?3 IS NULL OR EXISTS (SELECT "
          "1 "
          "FROM index_documents WHERE entry = index_entries.key) THEN 0 ELSE 2 END WHERE id = ?1")
      .bind(id, now_ms(), error)
      .run();
  return entry_of(id);
}

std::vector<SearchText> SearchIndex::search(const std::string& query, int limit) {
  const std::string words = full_text_query(query, Match::any_word, false);
  std::vector<SearchText> results;
  if (words.empty() || limit <= 0) return results;
  const std::lock_guard lock(mutex_);
  Statement rows = database_.prepare(
      "SELECT d.key, d.id, d.title, d.location, d.modified, p.text, snippet(index_words, 1, '', '', '…', "
      "40), e.kind, "
      "e.location FROM index_words JOIN index_passages p ON p.key = index_words.rowid JOIN index_documents d "
      "ON "
      "d.key = p.document JOIN index_entries e ON e.key = d.entry WHERE index_words MATCH ?1 "
      "ORDER BY bm25(index_words, 3.0, 1.0), p.key LIMIT ?2");
  rows.bind(words, int64_t{limit} * 20);
  struct Place {
    size_t result;
    int passages;
  };
  std::map<int64_t, Place> places;
  while (rows.step()) {
    const auto place = places.find(rows.integer(0));
    if (place != places.end()) {
      if (place->second.passages++ < kPassagesOfDocument)
        results[place->second.result].text += "\n…\n" + rows.text(5);
      continue;
    }
    if (static_cast<int>(results.size()) == limit) continue;
    places[rows.integer(0)] = {results.size(), 1};
    SearchText result;
    result.source.number = static_cast<int>(results.size()) + 1;
    result.source.title = rows.text(2);
    const std::string location = rows.text(3);
    if (is_address(location)) {
      result.source.url = location;
      result.source.site = host_of(location);
    } else {
      result.source.document = rows.text(1);
      result.source.site = fs::path(rows.text(8)).filename().string();
    }
    result.source.date = utc_text(rows.integer(4), "%Y-%m-%d");
    result.source.snippet = rows.text(6);
    result.text = rows.text(5);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace r1::site
