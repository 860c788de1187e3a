// r1 index: what the chat site's own search looks through.
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"
#include "cli/site_location.h"
#include "server/content/search_index.h"

namespace r1::cli {
namespace {

using site::IndexEntry;

struct IndexOptions {
  std::vector<std::string> locations;
  std::string query;
  int limit = 5;
  std::string file;  // "": the site's
};

/// The index with what it reads files with.
struct OpenIndex {
  explicit OpenIndex(const IndexOptions& options)
      : extractor(Sandbox::detect(), extract_child_command()),
        index(options.file.empty() ? data_folder() / "index.db" : std::filesystem::path(options.file),
              extractor) {
    if (extractor.sandbox().kind() != Sandbox::Kind::bubblewrap) {
      fmt::print(stderr, "r1: documents are read with {}\n", extractor.sandbox().description());
    }
  }
  site::FileExtractor extractor;
  site::SearchIndex index;
};

const char* state_of(const IndexEntry& entry) {
  if (entry.state == IndexEntry::State::failed) return "failed";
  return entry.state == IndexEntry::State::ready ? "ready" : "not read";
}

/// False: something could not be read.
bool refresh(site::SearchIndex& index, const IndexEntry& entry) {
  ProgressBar bar(entry.location, "files");
  const IndexEntry now = index.refresh(entry.id, [&](int64_t done, int64_t total, const std::string&) {
    bar.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
    return !InterruptGuard::interrupted();
  });
  bar.finish();
  fmt::print("{}: {}, {} documents, {}\n", now.location, state_of(now), now.documents,
             format_bytes(static_cast<double>(now.bytes)));
  if (now.error) fmt::print(stderr, "r1: {}\n", *now.error);
  return !now.error;
}

/// The entry with that id, that beginning of an id, or that location.
IndexEntry find_entry(site::SearchIndex& index, const std::string& name) {
  std::error_code ignored;
  const std::string path = std::filesystem::weakly_canonical(name, ignored).string();
  std::vector<IndexEntry> found;
  for (const IndexEntry& entry : index.list()) {
    if (entry.location == name || entry.location == path) return entry;
    if (name.size() >= 4 && entry.id.starts_with(name)) found.push_back(entry);
  }
  if (found.size() == 1) return found[0];
  throw_error(ErrorKind::invalid_argument, "{}: {} (r1 index list)", name,
              found.empty() ? "nothing indexed has this location or id" : "several ids begin like this");
}

void add(const IndexOptions& options) {
  OpenIndex open(options);
  const InterruptGuard guard;
  bool all = true;
  for (const std::string& location : options.locations) all &= refresh(open.index, open.index.add(location));
  if (!all) throw_error(ErrorKind::bad_file, "not everything could be read");
}

void refresh_all(const IndexOptions& options) {
  OpenIndex open(options);
  const InterruptGuard guard;
  std::vector<IndexEntry> entries;
  for (const std::string& name : options.locations) entries.push_back(find_entry(open.index, name));
  if (options.locations.empty()) entries = open.index.list();
  bool all = true;
  for (const IndexEntry& entry : entries) all &= refresh(open.index, entry);
  if (!all) throw_error(ErrorKind::bad_file, "not everything could be read");
}

void remove(const IndexOptions& options) {
  OpenIndex open(options);
  for (const std::string& name : options.locations) open.index.remove(find_entry(open.index, name).id);
}

void list(const IndexOptions& options) {
  OpenIndex open(options);
  const auto entries = open.index.list();
  if (entries.empty()) fmt::print("nothing is indexed yet; `r1 index add FOLDER` reads one\n");
  for (const IndexEntry& entry : entries) {
    fmt::print("{}  {:<8}  {:>6} documents  {:>9}  {}\n", entry.id.substr(0, 8), state_of(entry),
               entry.documents, format_bytes(static_cast<double>(entry.bytes)), entry.location);
    if (entry.error) fmt::print("          {}\n", *entry.error);
  }
}

void search(const IndexOptions& options) {
  OpenIndex open(options);
  for (const site::SearchText& result : open.index.search(options.query, options.limit)) {
    const site::Source& source = result.source;
    const std::string where = source.url ? *source.url : open.index.document(*source.document).location;
    fmt::print("{}. {}  ({})\n   {}\n", source.number, source.title, where, source.snippet);
  }
}

}  // namespace

void add_index_command(Command app) {
  auto options = std::make_shared<IndexOptions>();
  Command index = app.add_subcommand("index", "Index folders, files and pages for the chat site's search");
  index->require_subcommand(1);
  const auto sub = [&](const char* name, const char* help, void (*run)(const IndexOptions&)) {
    Command command = index->add_subcommand(name, help);
    command->add_option("--file", options->file, "the index; the chat site's if not given");
    command->callback([options, run] { run(*options); });
    return command;
  };
  sub("add", "Read folders, files or http(s) pages into the index", add)
      ->add_option("location", options->locations, "folders, files, addresses")
      ->required();
  sub("list", "What is indexed", list);
  sub("refresh", "Read again what has changed", refresh_all)
      ->add_option("entry", options->locations, "locations or ids; everything if not given");
  sub("remove", "Forget entries; the files stay", remove)
      ->add_option("entry", options->locations, "locations or ids")
      ->required();
  Command searching = sub("search", "Try the search", search);
  searching->add_option("query", options->query, "words")->required();
  searching->add_option("-n,--limit", options->limit, "results")->check(in_range(1, 100));
}

}  // namespace r1::cli
