#include "server/site/training_page.h"

#include <charconv>
#include <chrono>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_text.h"
#include "server/http/api_error.h"

namespace r1::server {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLastLines = 20;
constexpr size_t kLastBytes = size_t{1} << 18;

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

Json last_lines(const fs::path& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error) return Json::array();
  const uint64_t from = size > kLastBytes ? size - kLastBytes : 0;  // perhaps within a line: left out
  std::deque<Json> last;
  for_each_object(read_lines(path, from, kLastBytes).text, [&](Json&& line) {
    last.push_back(std::move(line));
    if (last.size() > kLastLines) last.pop_front();
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
  answer["samples"] = last_lines(folder / "samples.jsonl");
  answer["rollouts"] = last_lines(folder / "rollouts.jsonl");
  answer["age_seconds"] = age_seconds(log);
  // Texts of models may hold half characters.
  return fresh_json(answer.dump(-1, ' ', false, Json::error_handler_t::replace));
}

TrainingPage::TrainingPage(const fs::path& folder, std::span<const SiteAsset> assets)
    : RunPage(
          "/training.html", "/api/training",
          [folder](const HttpRequest& request) {
            return training_answer(folder, request.query_value("from"));
          },
          assets) {}

}  // namespace r1::server
