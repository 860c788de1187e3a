#include "server/site/training_page.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_text.h"
#include "server/http/api_error.h"
#include "server/http/host_name.h"
#include "server/site/site_pages.h"

namespace r1::server {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSamples = 20;  // the last ones
constexpr size_t kSampleBytes = size_t{1} << 18;

/// Whole lines of a file from byte `from` on, `most` bytes of them at most (a longer line alone is left for
/// later); `next`: the byte behind them.
struct Lines {
  std::string text;
  uint64_t next = 0;
  bool more = false;
};

Lines read_lines(const fs::path& path, uint64_t from, size_t most) {
  Lines lines;
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return lines;
  const auto size = static_cast<uint64_t>(in.tellg());
  lines.next = std::min(from, size);
  const auto count = static_cast<size_t>(std::min<uint64_t>(size - lines.next, most));
  lines.text.resize(count);
  in.seekg(static_cast<std::streamoff>(lines.next));
  in.read(lines.text.data(), static_cast<std::streamsize>(count));
  lines.text.resize(static_cast<size_t>(in.gcount()));
  const size_t end = lines.text.rfind('\n');
  lines.text.resize(end == std::string::npos ? 0 : end + 1);
  lines.next += lines.text.size();
  lines.more = !lines.text.empty() && lines.next < size;
  return lines;
}

template <typename Use>
void for_each_object(const std::string& lines, const Use& use) {
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = std::min(lines.find('\n', begin), lines.size());
    Json line = parse_json_or_discard<Json>(std::string_view(lines).substr(begin, end - begin));
    if (line.is_object()) use(std::move(line));
    begin = end + 1;
  }
}

Json read_run(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return nullptr;
  Json run = parse_json_or_discard<Json>(std::string(std::istreambuf_iterator<char>(in), {}));
  return run.is_object() ? run : Json(nullptr);
}

Json last_samples(const fs::path& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error) return Json::array();
  const uint64_t from = size > kSampleBytes ? size - kSampleBytes : 0;  // perhaps within a line: left out
  std::deque<Json> last;
  for_each_object(read_lines(path, from, kSampleBytes).text, [&](Json&& line) {
    last.push_back(std::move(line));
    if (last.size() > kSamples) last.pop_front();
  });
  Json samples = Json::array();
  for (Json& sample : last) samples.push_back(std::move(sample));
  return samples;
}

Json age_seconds(const fs::path& path) {
  std::error_code error;
  const fs::file_time_type changed = fs::last_write_time(path, error);
  if (error) return nullptr;
  return std::chrono::duration<double>(fs::file_time_type::clock::now() - changed).count();
}

}  // namespace

HttpResponse training_answer(const fs::path& folder, std::string_view from) {
  uint64_t first = 0;
  const auto parsed = std::from_chars(from.data(), from.data() + from.size(), first);
  if (!from.empty() && (parsed.ec != std::errc() || parsed.ptr != from.data() + from.size())) {
    throw ApiError(400, "from", "invalid_value", "from: expected a byte of the log");
  }
  const fs::path log = folder / "trainer_log.jsonl";
  const Lines lines = read_lines(log, first, kTrainingLogBytes);
  Json answer;
  answer["run"] = read_run(folder / "run.json");
  Json entries = Json::array();
  for_each_object(lines.text, [&](Json&& line) { entries.push_back(std::move(line)); });
  answer["entries"] = std::move(entries);
  answer["next"] = lines.next;
  answer["more"] = lines.more;
  answer["samples"] = last_samples(folder / "samples.jsonl");
  answer["age_seconds"] = age_seconds(log);
  // Texts of models may hold half characters.
  HttpResponse response =
      HttpResponse::json(200, answer.dump(-1, ' ', false, Json::error_handler_t::replace));
  response.headers.push_back({"Cache-Control", "no-store"});
  return response;
}

TrainingPage::TrainingPage(fs::path folder, std::span<const SiteAsset> assets) : folder_(std::move(folder)) {
  add_training_assets(router_, assets);
  router_.add({"GET", "/api/training",
               [this](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
                 sink->respond(training_answer(folder_, request.query_value("from")));
               },
               true, false});
}

void TrainingPage::handle(const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) const {
  try {
    const std::string_view host = request.header("host");
    if (!host.empty() && !is_loopback_name(host)) {
      throw ApiError(403, "Host", "host_not_allowed",
                     fmt::format("Host: '{}' is not a name of this server", host.substr(0, 100)));
    }
    HttpRequest copy = request;
    std::string allowed;
    const Route* route = router_.find(request.method, request.path, copy.path_rest, allowed);
    if (route == nullptr) {
      throw ApiError(
          404, "", "not_found",
          fmt::format("there is no {} {}", request.method.substr(0, 20), request.path.substr(0, 200)));
    }
    route->handler(copy, sink);
  } catch (const ApiError& error) {
    sink->respond(error_response(error));
  } catch (const std::exception& error) {
    sink->respond(error_response({500, "", "internal_error", error.what()}));
  }
}

HttpServerHooks TrainingPage::hooks() const {
  return {[this](const std::shared_ptr<const HttpRequest>& request,
                 const std::shared_ptr<ResponseSink>& sink) { handle(*request, sink); },
          [](const HttpRequest&) { return false; },
          [](int status, const std::string& message) {
            return error_response({status, "", "bad_request", message});
          }};
}

}  // namespace r1::server
