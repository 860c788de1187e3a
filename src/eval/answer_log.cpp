#include "eval/answer_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "eval/run_json.h"

namespace r1::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

[[noreturn]] void fail(const fs::path& path, const char* doing) {
  throw_error(ErrorKind::io, "{}: {}: {}", path.string(), doing, std::strerror(errno));
}

/// Of two lines for one sample: an answer rather than an error; of two errors one that does not depend on the lines' order.
bool replaces(const Sample& a, const Sample& b) {
  const bool a_failed = a.end == Sample::End::error, b_failed = b.end == Sample::End::error;
  if (a_failed != b_failed) return b_failed;
  return a_failed && a.error < b.error;
}

void take_line(const Json& json, int64_t line, const std::string& place, AnswerLines& lines) {
  if (json.contains("judge_replies")) {
    try {
      lines.judgements.try_emplace(json.at("judgement").get<std::string>(),
                                   json["judge_replies"].get<std::vector<std::string>>());
    } catch (const nlohmann::json::exception&) {
      throw_error(ErrorKind::bad_file, "{}: expected 'judgement' and a list of texts 'judge_replies'", place);
    }
    return;
  }
  LoggedAnswer answer{read_sample(json, place), "", line};
  const auto key = json.find("key");
  if (key == json.end() || !key->is_string())
    throw_error(ErrorKind::bad_file, "{}: expected a text 'key'", place);
  answer.key = key->get<std::string>();
  const std::pair id(answer.sample.item, answer.sample.index);
  const auto [found, added] = lines.answers.try_emplace(id, answer);
  if (!added && (found->second.key != answer.key || replaces(answer.sample, found->second.sample)))
    found->second = std::move(answer);
}

}  // namespace

AnswerLines read_answer_log(const fs::path& path) {
  AnswerLines lines;
  if (!fs::exists(path)) return lines;
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(path, "cannot open");
  std::string text;
  for (int64_t number = 1; std::getline(in, text); ++number) {
    if (in.eof()) {  // without a line break
      lines.torn = !text.empty();
      break;
    }
    const std::string place = fmt::format("{}:{}", path.string(), number);
    const Json json = parse_json_or_discard<Json>(text);
    if (json.is_discarded())
      throw_error(ErrorKind::bad_file, "{}: expected a JSON object, found '{}'", place, text.substr(0, 60));
    take_line(json, number, place, lines);
  }
  if (in.bad()) fail(path, "cannot read");
  return lines;
}

AnswerLog::AnswerLog(fs::path path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(path_, "cannot open");
  try {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) fail(path_, "cannot lock");
      throw_error(ErrorKind::invalid_argument,
                  "{}: another r1 eval is writing this run: expected a folder for each", path_.string());
    }
    drop_torn_line();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

AnswerLog::~AnswerLog() {
  ::close(descriptor_);
}

void AnswerLog::drop_torn_line() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail(path_, "cannot read");
  std::array<char, 4096> buffer{};
  off_t end = status.st_size;  // behind the last line break
  while (end > 0) {
    const off_t begin = std::max<off_t>(0, end - static_cast<off_t>(buffer.size()));
    const ssize_t got = ::pread(descriptor_, buffer.data(), static_cast<size_t>(end - begin), begin);
    if (got != end - begin) fail(path_, "cannot read");
    const size_t found = std::string_view(buffer.data(), static_cast<size_t>(got)).rfind('\n');
    if (found != std::string_view::npos) {
      end = begin + static_cast<off_t>(found) + 1;
      break;
    }
    end = begin;
  }
  if (end < status.st_size && ::ftruncate(descriptor_, end) != 0) fail(path_, "cannot write");
}

void AnswerLog::append(const Sample& sample, const std::string& key) {
  pending_ += line_of(to_json(sample, key)) + '\n';
}

void AnswerLog::append_judgement(const Sample& sample, const std::string& key,
                                 const std::vector<std::string>& replies) {
  pending_ +=
      line_of(
          {{"item", sample.item}, {"sample", sample.index}, {"judgement", key}, {"judge_replies", replies}}) +
      '\n';
}

void AnswerLog::sync() {
  if (pending_.empty()) return;
  for (std::string_view rest = pending_; !rest.empty();) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "cannot write");
    rest.remove_prefix(static_cast<size_t>(written));
  }
  pending_.clear();
  if (::fdatasync(descriptor_) != 0) fail(path_, "cannot write");
}

}  // namespace r1::eval
