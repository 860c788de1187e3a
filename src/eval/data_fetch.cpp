#include "eval/data_fetch.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/json_text.h"
#include "eval/chat_reply.h"
#include "formats/download.h"
#include "formats/output_file.h"

namespace r1::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kRowsAtOnce = 100;  // the API's most
constexpr int kAttempts = 8;
constexpr std::chrono::milliseconds kLongestDelay{30'000};

const char* meaning_of(int status) {
  if (status == 401 || status == 403)
    return " (not allowed: accept the data set's terms on the hub, and set HF_TOKEN)";
  return status == 404 ? " (no such data set or file)" : "";
}

/// Where the file goes: the name among those looked for that has the ending.
fs::path target_of(const Benchmark& benchmark, const fs::path& folder, const std::string& ending) {
  const auto found = std::ranges::find_if(benchmark.data.files,
                                          [&](const std::string& file) { return file.ends_with(ending); });
  if (found == benchmark.data.files.end()) {
    throw_error(ErrorKind::unsupported, "{}: its data comes as {}, and none of its file names ends so",
                benchmark.name, ending);
  }
  return folder / *found;
}

/// ".jsonl", ".csv.gz".
std::string ending_of(const std::string& file) {
  fs::path path(file.substr(0, file.find('?')));
  std::string ending = path.extension().string();
  if (ending == ".gz") ending = path.stem().extension().string() + ending;
  return ending;
}

std::string sha256_file(const fs::path& file) {
  return file.string() + ".sha256";
}

/// The hash that was written when the file was fetched; empty: none.
std::string written_hash(const fs::path& file) {
  std::ifstream in(sha256_file(file));
  std::string hash;
  in >> hash;
  return hash;
}

void write_hash(const fs::path& file, const std::string& hash) {
  OutputFile out(sha256_file(file));
  out.write(fmt::format("{}  {}\n", hash, file.filename().string()));
  out.finish();
}

/// A request that is made again while the other side is busy.
class Fetcher {
 public:
  explicit Fetcher(const FetchOptions& options) : options_(options) {}

  /// `restart` is called before each attempt: what an earlier one delivered does not count.
  HttpResponse send(HttpRequest request, const std::function<void()>& restart = {}) {
    request.cancelled = options_.cancelled;
    for (int attempt = 1;; ++attempt) {
      if (restart) restart();
      std::string problem;
      try {
        HttpResponse response = client_.send(request);
        if (response.status == 200) return response;
        problem = fmt::format("{}: status {}{}: {}", request.url, response.status,
                              meaning_of(response.status), error_message(response.body));
        const bool busy = response.status == 429 || response.status >= 500;
        if (!busy) throw_error(ErrorKind::network, "{}", problem);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::network || error.what() == problem) throw;
        problem = error.what();
      }
      if (attempt == kAttempts) throw_error(ErrorKind::network, "{} (after {} attempts)", problem, attempt);
      wait(attempt);
    }
  }

 private:
  void wait(int attempt) const {
    const auto time =
        std::min<std::chrono::milliseconds>(options_.retry_delay * (1 << (attempt - 1)), kLongestDelay);
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      if (options_.cancelled && options_.cancelled()) throw_error(ErrorKind::cancelled, "interrupted");
      std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(time, std::chrono::milliseconds(50)));
    }
  }

  const FetchOptions& options_;
  HttpClient client_;
};

fs::path fetch_repository_file(const Benchmark& benchmark, const fs::path& folder,
                               const FetchOptions& options) {
  const DataSource& data = benchmark.data;
  fs::path target = target_of(benchmark, folder, ending_of(data.repository_file));
  HttpClient client;
  HubReference reference;
  reference.repository = data.repository;
  reference.revision = "main";
  const HubRepository repository = fetch_repository(client, options.hub, reference, HubKind::dataset);
  const auto file = std::ranges::find(repository.files, data.repository_file, &HubFile::path);
  if (file == repository.files.end()) {
    throw_error(ErrorKind::network, "{}: the data set {} has no file {} any more", options.hub.endpoint,
                data.repository, data.repository_file);
  }
  fs::create_directories(target.parent_path());
  DownloadOptions download;
  download.retry_delay = options.retry_delay;
  download.cancelled = options.cancelled;
  download.progress = [&](uint64_t bytes) {
    if (options.progress) options.progress(bytes, file->bytes);
  };
  download_file(file_url(options.hub, "datasets/" + data.repository, repository.commit, file->path),
                options.hub.token, *file, target, download);
  return target;
}

fs::path fetch_url(const Benchmark& benchmark, const fs::path& folder, const FetchOptions& options) {
  fs::path target = target_of(benchmark, folder, ending_of(benchmark.data.url));
  fs::create_directories(target.parent_path());
  std::optional<OutputFile> out;
  uint64_t bytes = 0;
  std::exception_ptr failure;  // of writing: no exception may pass through libcurl
  HttpRequest request;
  request.url = benchmark.data.url;
  request.on_data = [&](std::span<const char> piece) {
    try {
      out->write(std::string_view(piece.data(), piece.size()));
    } catch (const Error&) {
      failure = std::current_exception();
      return false;
    }
    if (options.progress) options.progress(bytes += piece.size(), 0);
    return true;
  };
  try {
    Fetcher(options).send(std::move(request), [&] {
      out.reset();
      out.emplace(target);
      bytes = 0;
    });
  } catch (const Error&) {
    if (failure) std::rethrow_exception(failure);
    throw;
  }
  out->finish();
  return target;
}

std::string percent_encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// One answer of the rows API; the number of rows that it had.
int64_t write_rows(const std::string& body, const std::string& url, OutputFile& out, int64_t& total) {
  const Json answer = parse_json_or_discard<Json>(body);
  const auto refuse = [&](const std::string& expected) {
    throw_error(ErrorKind::network, "{}: expected {}", url, expected);
  };
  if (!answer.is_object() || !answer.contains("rows") || !answer["rows"].is_array()) refuse("a list of rows");
  if (answer.contains("num_rows_total") && answer["num_rows_total"].is_number_integer())
    total = answer["num_rows_total"].get<int64_t>();
  if (answer.contains("partial") && answer["partial"] == true)
    refuse("all rows of the set: this hub has a part of them");
  for (const Json& row : answer["rows"]) {
    if (!row.is_object() || !row.contains("row") || !row["row"].is_object()) refuse("rows that are objects");
    if (row.contains("truncated_cells") && !row["truncated_cells"].empty())
      refuse(
          fmt::format("whole cells, found some cut off ({})", row["truncated_cells"].dump().substr(0, 100)));
    out.write(row["row"].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return std::ssize(answer["rows"]);
}

fs::path fetch_rows(const Benchmark& benchmark, const fs::path& folder, const FetchOptions& options) {
  const DataSource& data = benchmark.data;
  fs::path target = target_of(benchmark, folder, ".jsonl");
  fs::create_directories(target.parent_path());
  OutputFile out(target);
  Fetcher fetcher(options);
  int64_t done = 0, total = -1;
  while (total < 0 || done < total) {
    HttpRequest request;
    request.bearer_token = options.hub.token;
    request.url = fmt::format("{}/rows?dataset={}&config={}&split={}&offset={}&length={}",
                              rows_endpoint(options.hub), percent_encoded(data.repository),
                              percent_encoded(data.config.empty() ? "default" : data.config),
                              percent_encoded(data.split.empty() ? "test" : data.split), done, kRowsAtOnce);
    const std::string url = request.url;
    const int64_t count = write_rows(fetcher.send(std::move(request)).body, url, out, total);
    done += count;
    if (options.progress && total > 0)
      options.progress(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
    if (total < 0 && count < kRowsAtOnce) break;
    if (count == 0 && done < total)
      throw_error(ErrorKind::network, "{}: expected {} rows, found {}", url, total, done);
  }
  if (done == 0) throw_error(ErrorKind::network, "{}: expected rows, found none", data.repository);
  out.finish();
  return target;
}

std::string remark_on(const Benchmark& benchmark, const FetchedData& fetched) {
  const std::string& expected = benchmark.data.sha256;
  if (expected.empty() || expected == fetched.sha256) return "";
  return fmt::format("{}: SHA-256 is {}; this program was made with a file of {}", fetched.file.string(),
                     fetched.sha256, expected);
}

}  // namespace

std::string rows_endpoint(const HubOptions& hub) {
  return hub.endpoint == HubOptions().endpoint ? "https://datasets-server.huggingface.co" : hub.endpoint;
}

FetchedData fetch_data(const Benchmark& benchmark, const fs::path& folder, const FetchOptions& options) {
  const DataSource& data = benchmark.data;
  FetchedData fetched;
  for (const std::string& name : data.files) {
    const fs::path file = folder / name;
    if (!fs::is_regular_file(file)) continue;
    fetched.sha256 = content_hash(file, false);
    if (fetched.sha256 != written_hash(file)) continue;
    fetched.file = file;
    fetched.was_there = true;
    fetched.remark = remark_on(benchmark, fetched);
    return fetched;
  }
  if (!data.repository.empty() && !data.repository_file.empty()) {
    fetched.file = fetch_repository_file(benchmark, folder, options);
  } else if (!data.url.empty()) {
    fetched.file = fetch_url(benchmark, folder, options);
  } else if (!data.repository.empty()) {
    fetched.file = fetch_rows(benchmark, folder, options);
  } else {
    throw_error(ErrorKind::invalid_argument, "{}: its data cannot be fetched{}{}: name it with --data FILE",
                benchmark.name, data.licence.empty() ? "" : ": ", data.licence);
  }
  fetched.sha256 = content_hash(fetched.file, false);
  write_hash(fetched.file, fetched.sha256);
  fetched.remark = remark_on(benchmark, fetched);
  return fetched;
}

}  // namespace r1::eval
